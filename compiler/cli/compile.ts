/** `dlm compile FILE -o DIR`: writes the compiled model as files. */
import { basename, extname, join } from "node:path";
import { gzipSync } from "fflate";
import { fail } from "../../ir/diagnostic.ts";
import { type Program, printDims, regions } from "../../ir/program.ts";
import { artefactOf, type Entry, type Weights, writeSafetensors } from "../../runtime/index.ts";
import { fileTypeOf } from "../../runtime/safetensors.ts";
import { matchWeights } from "../../runtime/weights.ts";
import type { Stages } from "../compile.ts";
import { buildFile, naming, weightFiles, weightsOf } from "./build.ts";
import { figuresOf } from "./figures.ts";
import { makeFolder, writeAtomically } from "./files.ts";
import { exit, type Io, note } from "./io.ts";
import { type Arguments, type Command, table } from "./options.ts";
import { bytes, scaled } from "./progress.ts";
import {
  compileOptions,
  compileSettings,
  jsonOption,
  loadOptions,
  noteUselessFlags,
  settingsFor,
  type Target,
  targetList,
  targets,
} from "./settings.ts";
import { warnUseless, weightHelp } from "./weight-names.ts";

export const compileCommand: Command = {
  name: "compile",
  usage: "FILE.dlm -o DIR [--target wasm,wgsl] [--weights W.safetensors]",
  summary: "Writes the compiled model to a folder, and tells its sizes.",
  details:
    "NAME.dlm gives NAME.wasm or NAME.wgsl.json, NAME.json that describes it, and NAME.relaxed.wasm for engines with relaxed SIMD\n" +
    "where that differs (never with --exact or --reproducible, with --train only if --relaxed is given). Beside them are\n" +
    "NAME.js and NAME.d.ts to use it from an app, and NAME.safetensors with --weights. With both targets the description of\n" +
    "the WGSL program is NAME.webgpu.json, and NAME.js loads the program that is estimated to be faster where it runs, or that of\n" +
    "the option `device`. --dim N=1,64 compiles the model for both sizes, into one program with one set of\n" +
    "parameters, in which the sizes of the inputs choose; with --dim T=16,32 as well, for all four combinations.",
  files: "one",
  options: {
    out: { value: "DIR", short: "o", help: "the folder" },
    train: { help: "include the train block" },
    standalone: { help: "not available yet" },
    weights: loadOptions.weights!,
    "allow-missing": loadOptions["allow-missing"]!,
    ...compileOptions,
    target: { value: "TARGETS", help: "wasm, wgsl, or both: wasm,wgsl; default wasm" },
    ...jsonOption,
  },
  run: compile,
};

type Files = Readonly<Record<string, string | Uint8Array>>;

async function compile(args: Arguments, io: Io): Promise<number> {
  const [path] = args.files as [string];
  const folder = args.get("out") ?? fail("flag", "`dlm compile` needs a folder to write to", null, { help: "add -o DIR" });
  if (args.has("standalone"))
    fail("flag", "`--standalone` is not available yet", null, { help: "the files of a plain compile need the package dlm beside them" });
  const chosen = targetsOf(args.get("target") ?? "wasm");
  const settings = compileSettings({ ...args, get: (name) => (name === "target" ? chosen[0] : args.get(name)) }, { several: true });
  noteUselessFlags(args, chosen, io);
  if (settings.storage === "f16" && chosen.length > 1) note(io, "--storage f16 is for the program for wgsl");
  const stem = basename(path, extname(path));
  const built: Stages[] = [];
  for (const [i, target] of chosen.entries()) {
    // warnings of the source are the same for every target
    const to = i === 0 ? io : { ...io, err: () => undefined };
    built.push(await buildFile(path, settingsFor(settings, target, chosen), { train: args.has("train") }, to));
  }
  const programs = built.map((b) => b.program) as [Program, ...Program[]];
  const given = weightsOf(args);
  const weights = await naming(
    weightFiles(args),
    async () => weightFile(args, given, programs[0], stem, io),
    (file) => weightHelp(programs[0], given ?? [], args.all("allow-missing"), file),
  );
  if (given) warnUseless(programs[0], given, args.all("allow-missing"), weightFiles(args)!, io);
  const files = await filesOf(programs, weights, stem);
  makeFolder(folder);
  for (const [name, content] of Object.entries(files)) writeAtomically(join(folder, name), content);
  const sizes = Object.entries(files).map(([name, content]) => sizeOfFile(name, content));
  io.out(args.has("json") ? `${jsonSummary(sizes, built)}\n` : summary(folder, sizes, built));
  return exit.fine;
}

function targetsOf(text: string): readonly Target[] {
  const asked = targetList("target", text);
  const all = targets.filter((t) => asked.includes(t));
  if (all.includes("reference"))
    fail("flag", "the reference target runs inside the compiler: it cannot be written", null, { help: "compile to wasm or wgsl" });
  return all;
}

/** Programs for two targets share the folder, the binding and the weights; each has a description of its own. */
async function filesOf(programs: readonly [Program, ...Program[]], weights: Files, stem: string): Promise<Files> {
  const [{ emitBindings }, { manifestsOf }] = await Promise.all([
    import("../../codegen/bindings/emit.ts"),
    import("../../codegen/bindings/describe.ts"),
  ]);
  const { js, dts } = await emitBindings(programs, { stem, weights: Object.keys(weights)[0] ?? null });
  const artefacts = manifestsOf(programs, stem).map(({ file }, i): Files => {
    const { [`${stem}.json`]: manifest, ...others } = artefactOf(programs[i]!, stem);
    return { [file]: manifest!, ...others };
  });
  return { ...Object.assign({}, ...artefacts), [`${stem}.js`]: js, [`${stem}.d.ts`]: dts, ...weights };
}

/** The weights that the program needs, checked, in one file. */
function weightFile(args: Arguments, weights: Weights | null, program: Program, stem: string, io: Io): Files {
  if (!weights) return {};
  const { values, notes } = matchWeights(program, weights, { missing: "error", allowMissing: args.all("allow-missing") });
  for (const text of notes) note(io, text);
  const entries = [...values].map(([v, data]): Entry => ({ name: v.name, dtype: fileTypeOf[v.dtype], shape: v.shape, data }));
  return { [`${stem}.safetensors`]: writeSafetensors(entries, { producer: "dlm", content: "weights", program: program.name }) };
}

/* ---- sizes ------------------------------------------------------------------------------------------------------- */

interface FileSize {
  readonly name: string;
  readonly bytes: number;
  /** Weights do not shrink, so they are not tried. */
  readonly gzip: number | null;
}
function sizeOfFile(name: string, content: string | Uint8Array): FileSize {
  const data = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return { name, bytes: data.length, gzip: name.endsWith(".safetensors") ? null : gzipSync(data).length };
}

const isHalved = ({ code }: Program): boolean => code.kind === "wgsl" && (code.features ?? []).includes("shader-f16");
const peakBytes = ({ sizes }: Program): number => regions.reduce((n, r) => n + sizes[r], 0);

function summary(folder: string, files: readonly FileSize[], built: readonly Stages[]): string {
  const rows = files.map((f): [string, string] => [
    join(folder, f.name),
    `${bytes(f.bytes).padStart(9)}${f.gzip === null ? "" : `   ${bytes(f.gzip)} gzipped`}`,
  ]);
  return `${table(rows)}\n\n${built.map(describe).join("\n")}`;
}
function describe(stages: Stages): string {
  const { program } = stages;
  const { stats, sizes, target } = program;
  const each = figuresOf(stages).map(
    ({ dims, flops, arenaBytes }) => `${printDims(dims)}: ${scaled(flops)} floating-point operations, arena ${bytes(arenaBytes)}`,
  );
  const runs = each.length > 0 ? each : [`${scaled(stats.flops)} floating-point operations`];
  const regionSizes = regions.filter((r) => sizes[r] > 0).map((r) => `${r} ${bytes(sizes[r])}`);
  return `${table([
    ["target", target],
    ...(isHalved(program) ? [["storage", "large tensors are halves (f16) in memory"] satisfies [string, string]] : []),
    ["parameters", `${stats.parameters.toLocaleString("en")} (${bytes(stats.parameters * 4)})`],
    ...runs.map((text, i): [string, string] => [i === 0 ? "one run" : "", text]),
    ["peak memory", `${bytes(peakBytes(program))}: ${regionSizes.join(", ")}`],
    ["arena", `${bytes(stats.arenaBytes)}, at least ${bytes(stats.lowerBoundBytes)} are needed at once`],
    ["code", bytes(stats.codeBytes)],
  ])}\n`;
}
/** The figures of the first target, and of each by its name. */
function jsonSummary(files: readonly FileSize[], built: readonly Stages[]): string {
  return JSON.stringify({
    files: Object.fromEntries(files.map((f) => [f.name, { bytes: f.bytes, gzip: f.gzip }])),
    ...jsonFigures(built[0]!),
    targets: Object.fromEntries(built.map((b) => [b.program.target, jsonFigures(b)])),
  });
}
function jsonFigures(stages: Stages) {
  const { program } = stages;
  const bindings = figuresOf(stages).map(({ dims, flops, arenaBytes, lowerBoundBytes }) => ({
    dims,
    flops,
    arena_bytes: arenaBytes,
    lower_bound_bytes: lowerBoundBytes,
  }));
  return {
    parameters: program.stats.parameters,
    flops: program.stats.flops,
    memory_bytes: peakBytes(program),
    arena_bytes: program.stats.arenaBytes,
    lower_bound_bytes: program.stats.lowerBoundBytes,
    code_bytes: program.stats.codeBytes,
    ...(bindings.length > 0 ? { bindings } : {}),
  };
}
