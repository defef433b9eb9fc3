/** `dlm import MODEL.onnx -o DIR`: an ONNX model as a program that reads like one a person wrote, and its weights. */
import { basename, dirname, extname, join } from "node:path";
import { CompileError, diagnostic, fail } from "../../ir/diagnostic.ts";
import { sizeOf } from "../../ir/type.ts";
import { writeSafetensors } from "../../runtime/index.ts";
import { bytesOf, fileTypeOf } from "../../runtime/safetensors.ts";
import { type Decompiled, decompile } from "../decompile/decompile.ts";
import type { Sketch } from "../decompile/sketch.ts";
import { externalFiles } from "../formats/onnx/external-files.ts";
import { readOnnx } from "../formats/onnx/read.ts";
import type { VariableDeclaration } from "../frontend/module.ts";
import { checkProgram } from "../onnx/import/check.ts";
import type { Imported, Problem } from "../onnx/import/import.ts";
import { importOpen, type Opened } from "../onnx/import/open-dimensions.ts";
import { exists, isFile, isLink, makeFolder, readBytes, readText, writeAtomically } from "./files.ts";
import { exit, type Io, note, warn } from "./io.ts";
import { type Arguments, type Command, table } from "./options.ts";
import { bytes } from "./progress.ts";
import { compileSettings, jsonOption } from "./settings.ts";

export const importCommand: Command = {
  name: "import",
  usage: "MODEL.onnx -o DIR",
  summary: "Writes an ONNX model as a program in the language, and its weights beside it.",
  details:
    "Inputs and outputs keep their names, with `_` for characters that names cannot have. Dimensions without a size stay open if\n" +
    "the program is the same for all; --dim chooses one. Unsigned integers of 32 bits and longer ones\n" +
    "become i32, floating-point numbers f32.",
  files: "one",
  options: {
    out: { value: "DIR", short: "o", help: "the folder" },
    dim: { value: "N=8", repeat: true, help: "size of a named dimension" },
    name: { value: "NAME", help: "of the model; default: from the name of the file" },
    force: { help: "write over a program that was changed since, or is of another model" },
    ...jsonOption,
  },
  run,
};

async function run(args: Arguments, io: Io): Promise<number> {
  const [path] = args.files as [string];
  const folder = args.get("out") ?? fail("flag", "`dlm import` needs a folder to write to", null, { help: "add -o DIR" });
  const model = readOnnx(readBytes(path), path);
  const { dims } = compileSettings(args);
  const { result, open, fixed, sizes } = importOpen(model, {
    file: path,
    name: modelName(args),
    dims,
    external: externalFiles(dirname(path)),
  });
  if (result.kind === "problems") {
    if (args.has("json")) io.out(`${JSON.stringify({ nodes: result.nodes, unsupported: result.problems })}\n`);
    return refuse(path, result.problems);
  }
  const { imported } = result;
  const program = decompile(imported.sketch);
  const stem = basename(path, extname(path));
  const files = filesOf(program, imported.sketch, stem);
  const variables = checkProgram(program, `${stem}.dlm`, sizes);
  makeFolder(folder);
  for (const [name] of files) if (isLink(join(folder, name))) refuseLink(join(folder, name));
  if (!args.has("force")) checkOverwriting(join(folder, `${stem}.dlm`), program.text);
  for (const [name, content] of files) writeAtomically(join(folder, name), content);
  for (const text of imported.warnings) warn(io, text);
  const old = join(folder, `${stem}.safetensors`);
  if (program.weights.size === 0 && exists(old)) note(io, `the program has no weights: ${old} is of another one`);
  for (const text of [...notesOnFixed(fixed), ...program.notes]) note(io, text);
  const lengths = files.map(([name, content]): [string, number] => [join(folder, name), Buffer.byteLength(content)]);
  if (args.has("json")) io.out(`${jsonSummary(imported, variables, lengths)}\n`);
  else io.out(summary(imported, open, variables, lengths));
  return exit.fine;
}

const refuseLink = (path: string): never =>
  fail("file", `${path} is a link: what it leads to is not written over`, null, { help: "remove the link, or choose another folder" });
/** A program that a person has worked on is not lost. */
function checkOverwriting(path: string, text: string): void {
  if (isFile(path) && readText(path) !== text)
    fail("file", `${path} is there already, and differs from what would be written`, null, {
      help: "choose another folder, or add --force to write over it",
    });
}

const notesOnFixed = (fixed: Opened["fixed"]): readonly string[] =>
  fixed.map(({ dimension, reason }) => `\`${dimension}\` is 1 in the program, as ${reason}; for another size: --dim ${dimension}=SIZE`);

function modelName(args: Arguments): string {
  const name = args.get("name") ?? "";
  if (name !== "" && !/^[A-Z][A-Za-z0-9_]*$/.test(name))
    fail("flag", `\`--name ${name}\`: a model's name begins with a capital, and has letters, digits and \`_\``, null);
  return name;
}

/** Weights first: a program without them is of no use. */
function filesOf({ text, weights }: Decompiled, { name }: Sketch, stem: string): (readonly [string, string | Uint8Array])[] {
  const entries = [...weights].map(([path, w]) => ({
    name: path,
    dtype: fileTypeOf[w.type.dtype],
    shape: w.type.shape,
    data: bytesOf(w.data),
  }));
  const file = entries.length ? writeSafetensors(entries, { producer: "dlm", content: "weights", program: name }) : null;
  return [...(file ? [[`${stem}.safetensors`, file] as const] : []), [`${stem}.dlm`, text]];
}

/** One error with all that is wrong, operators together. */
function refuse(path: string, problems: readonly Problem[]): never {
  const groups = new Map<string, Problem[]>();
  for (const p of problems) {
    const key = `${p.op} (operator set ${p.opset}): ${p.reason}`;
    groups.set(key, [...(groups.get(key) ?? []), p]);
  }
  const notes = [...groups].map(([what, same]) => ({ message: `${what}; ${placesOf(same)}`, span: null }));
  throw new CompileError([diagnostic("onnx", `${path}: ${headline(problems)}`, null, { notes })]);
}
/** What is wrong with the nodes, in so many words as it is one thing. */
function headline(problems: readonly Problem[]): string {
  const names = [...new Set(problems.map((p) => p.op || "outputs"))].join(", ");
  const one = problems.length === 1;
  const nodes = one ? "1 node" : `${problems.length} nodes`;
  const [trouble, ...others] = new Set(problems.map((p) => p.trouble));
  if (others.length > 0) return `${nodes} cannot be imported: ${names}`;
  switch (trouble!) {
    case "unknown":
      return `${nodes} ${one ? "uses" : "use"} operators or attributes that dlm does not know: ${names}`;
    case "misfit":
      return `${nodes} ${one ? "has" : "have"} operands that do not fit: ${names}`;
    case "data":
      return `${nodes} ${one ? "has" : "have"} numbers that cannot be used: ${names}`;
  }
}
const shownNodes = 5;
function placesOf(problems: readonly Problem[]): string {
  const names = problems.slice(0, shownNodes).map((p) => p.node);
  return problems.length > shownNodes ? `${names.join(", ")} and ${problems.length - shownNodes} more` : names.join(", ");
}

function summary(
  { sketch, nodes, folded }: Imported,
  open: Opened["open"],
  variables: readonly VariableDeclaration[],
  files: readonly (readonly [string, number])[],
): string {
  const layers = sketch.steps.filter((s) => s.weights.size > 0).length;
  const rows: [string, string][] = [
    ["model", sketch.name],
    ["nodes", `${nodes}${folded ? `, of which ${folded} are constant` : ""}`],
    ["layers", String(layers)],
    ["weights", weightsText(variables)],
    ...(open.length > 0
      ? [
          ["any size", open.map(({ dimension, name }) => (dimension === name ? name : `${name} (${dimension})`)).join(", ")] as [
            string,
            string,
          ],
        ]
      : []),
    ...files.map(([path, size]): [string, string] => [path, bytes(size)]),
  ];
  const [program, file] = [files.at(-1)![0], files.length > 1 ? ` --weights ${quoted(files[0]![0])}` : ""];
  const inputs = sketch.inputs.map(({ name }) => ` --input ${name}=FILE`).join("");
  return `${table(rows)}\n\ndlm run ${quoted(program)}${file}${inputs}\n`;
}
function jsonSummary(
  { sketch, nodes }: Imported,
  variables: readonly VariableDeclaration[],
  files: readonly (readonly [string, number])[],
): string {
  const params = variables.filter((v) => v.kind === "param");
  return JSON.stringify({
    model: sketch.name,
    nodes,
    unsupported: [],
    files: Object.fromEntries(files),
    inputs: sketch.inputs.map((i) => i.name),
    outputs: sketch.outputs.map((o) => o.name),
    parameters: params.reduce((n, v) => n + sizeOf(v.type.shape), 0),
  });
}
/** A path as a shell takes it. */
const quoted = (path: string): string => (/^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);
/** `25,557,032 parameters, 53,120 values of state` */
function weightsText(variables: readonly VariableDeclaration[]): string {
  const count = (kind: VariableDeclaration["kind"]): number =>
    variables.filter((v) => v.kind === kind).reduce((n, v) => n + sizeOf(v.type.shape), 0);
  const text = `${count("param").toLocaleString("en-US")} parameters`;
  const states = count("state");
  return states === 0 ? text : `${text}, ${states.toLocaleString("en-US")} values of state`;
}
