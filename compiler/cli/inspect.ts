/** `dlm inspect FILE`: every stage of the compiler as text. */
import { fail } from "../../ir/diagnostic.ts";
import { printGraph } from "../../ir/graph/print.ts";
import { printKernel } from "../../ir/kernel/print.ts";
import { bindingOf, type EntryId, type EntryName, entryNames, entryOf, type Program, printDims } from "../../ir/program.ts";
import { artefactOf } from "../../runtime/index.ts";
import type { PassEvent, Stages } from "../compile.ts";
import { ordered } from "../graphs.ts";
import { printPlan } from "../memory/print.ts";
import { buildFile } from "./build.ts";
import { readText } from "./files.ts";
import { exit, type Io } from "./io.ts";
import { type Arguments, type Command, suggestion } from "./options.ts";
import { type CompileSettings, compileOptions, compileSettings } from "./settings.ts";

const stageNames = ["ast", "graph", "kernels", "plan", "wat", "wgsl", "program"] as const;
type Stage = (typeof stageNames)[number];

export const inspectCommand: Command = {
  name: "inspect",
  usage: `FILE.dlm [--emit ${stageNames.join("|")}] [--print-after PASS|all]`,
  summary: "Shows a stage of the compiler. The text of graphs and kernels can be read back.",
  files: "one",
  options: {
    emit: { value: "STAGE", help: `${stageNames.join(", ")}; default graph` },
    "print-after": { value: "PASS", help: "the graph or kernel after a pass, or after all of them" },
    entry: { value: "ENTRY", help: `only this entry: ${entryNames.join(", ")}` },
    train: { help: "compile the train block too" },
    time: { help: "the time of every pass, on standard error" },
    html: { value: "FILE.html", help: "not available yet" },
    ...compileOptions,
  },
  run: inspect,
};

async function inspect(args: Arguments, io: Io): Promise<number> {
  const [path] = args.files as [string];
  if (args.has("html")) fail("flag", "`--html` is not available yet", null, { help: "`--emit` and `--print-after` print text" });
  const emit = chosen(args.get("emit") ?? "graph", stageNames, "--emit");
  const entry = args.has("entry") ? chosen(args.get("entry")!, entryNames, "--entry") : null;
  if (emit === "ast") return printSyntax(path, io);
  const events: PassEvent[] = [];
  const after = args.get("print-after");
  const wanted = (e: PassEvent) =>
    (after === "all" || e.name === after) && (entry === null || e.stage === "kernel" || entryOf(e.entry as EntryId) === entry);
  const onPass = (e: PassEvent) => {
    events.push(e);
    if (after !== undefined && wanted(e)) io.out(`# after ${e.name} (${e.entry})\n${e.text().trimEnd()}\n\n`);
  };
  const settings = stageSettings(args, emit);
  const stages = await buildFile(path, settings, { train: args.has("train"), onPass }, io);
  if (args.has("time")) printTimes(events, io);
  if (after === undefined) io.out(`${legend(stages, emit)}${(await printers[emit](stages, entry)).trimEnd()}\n`);
  else if (after !== "all") checkPass(after, events);
  return exit.fine;
}

/** `--emit wgsl` needs no `--target wgsl`. */
function stageSettings(args: Arguments, emit: Stage): CompileSettings {
  const settings = compileSettings(args, { several: true });
  return args.has("target") || emit !== "wgsl" ? settings : { ...settings, target: "wgsl" };
}

function chosen<T extends string>(text: string, all: readonly T[], flag: string): T {
  return (
    all.find((s) => s === text) ??
    fail("flag", `\`${flag}\` cannot be \`${text}\``, null, { help: suggestion(text, all) ?? `it is one of: ${all.join(", ")}` })
  );
}
function checkPass(name: string, events: readonly PassEvent[]): void {
  const names = [...new Set(events.map((e) => e.name))];
  if (!names.includes(name))
    fail("flag", `there is no pass \`${name}\``, null, { help: suggestion(name, names) ?? `the passes are: ${names.join(", ")}` });
}

function printTimes(events: readonly PassEvent[], io: Io): void {
  const total = new Map<string, number>();
  for (const e of events) total.set(e.name, (total.get(e.name) ?? 0) + e.ms);
  for (const [name, ms] of total) io.err(`${name.padEnd(24)} ${ms.toFixed(1).padStart(8)} ms\n`);
}

async function printSyntax(path: string, io: Io): Promise<number> {
  const { printAst } = await import("../frontend/format.ts");
  const { parse } = await import("../frontend/parse.ts");
  const { CompileError } = await import("../../ir/diagnostic.ts");
  const text = readText(path);
  const { file, problems } = parse(text, path);
  if (problems.length > 0) throw new CompileError(problems, new Map([[path, text]]));
  io.out(`${printAst(file).trimEnd()}\n`);
  return exit.fine;
}

/* ---- printers ------------------------------------------------------------------------------------------------------ */

/** The entries of each binding, where there are several. */
function legend({ program }: Stages, emit: Exclude<Stage, "ast">): string {
  if (!program.bindings || emit === "program") return "";
  const comment = emit === "wat" ? ";;" : emit === "wgsl" ? "//" : "#";
  const entriesOf = (number: number) => program.entries.flatMap(({ name }) => (bindingOf(name) === number ? [name] : []));
  const lines = program.bindings.map((dims, i) => `${comment} ${printDims(dims)}: ${entriesOf(i).join(", ")}\n`);
  return `${lines.join("")}\n`;
}

const isWanted = (id: EntryId, entry: EntryName | null): boolean => entry === null || entryOf(id) === entry;

type Printer = (stages: Stages, entry: EntryName | null) => string | Promise<string>;
const printers: Record<Exclude<Stage, "ast">, Printer> = {
  graph: ({ graphs }, entry) =>
    ordered(graphs)
      .filter((e) => isWanted(e.entry, entry))
      .map((e) => `# ${e.entry}\n${printGraph(e.graph)}`)
      .join("\n\n"),
  kernels: ({ lowered }, entry) => {
    const kernels = new Map(lowered.kernels.map((k) => [k.name, k]));
    return lowered.entries
      .filter((e) => isWanted(e.name, entry))
      .map((e) => {
        const used = [...new Set(e.calls.map((c) => c.kernel))].flatMap((name) => kernels.get(name) ?? []);
        // what entries share is shown with the first
        for (const k of used) kernels.delete(k.name);
        return [`# ${e.name}: ${e.calls.map((c) => c.kernel).join(", ") || "nothing to do"}`, ...used.map(printKernel)].join("\n\n");
      })
      .join("\n\n");
  },
  plan: ({ plan }, entry) => printPlan({ ...plan, entries: plan.entries.filter((e) => isWanted(e.name, entry)) }),
  wat: async ({ plan, program: { code } }) => {
    if (code.kind !== "wasm") return fail("flag", "`--emit wat` needs `--target wasm`", null);
    return (await import("../../codegen/wasm/emit.ts")).printWat(plan, { relaxed: code.relaxed !== null });
  },
  wgsl: ({ program }) => printShaders(program),
  program: ({ program }) => describeProgram(program),
};

function printShaders({ code }: Program): string {
  if (code.kind !== "wgsl") return fail("flag", "`--emit wgsl` needs `--target wgsl`", null);
  const texts = code.shaders.flatMap(({ name, code: plain, subgroups: s }) => [
    `// ${name}\n${plain}`,
    ...(s ? [`// ${name}, with subgroups of ${s.least} to ${s.most}\n${s.code}`] : []),
  ]);
  return texts.join("\n\n");
}

/** The manifest of the artefact. */
function describeProgram(program: Program): string {
  if (program.code.kind === "host") return JSON.stringify({ ...program, code: { kind: "host" } }, null, 2);
  return String(artefactOf(program)["net.json"]);
}
