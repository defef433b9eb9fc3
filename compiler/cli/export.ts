/** `dlm export FILE -o MODEL.onnx`: the model for prediction, for other runtimes. */
import { basename, extname, join } from "node:path";
import { fail } from "../../ir/diagnostic.ts";
import type { Dims } from "../../ir/program.ts";
import { parseSafetensors } from "../../runtime/index.ts";
import { writeOnnx } from "../formats/onnx/write.ts";
import type { Application } from "../frontend/elaborate/session.ts";
import { elaborate } from "../frontend/elaborate.ts";
import type { Module } from "../frontend/module.ts";
import { type Draft, modelOf, opset } from "../onnx/export/draft.ts";
import { draftOf } from "../onnx/export/export.ts";
import { type OpenDraft, openDraft } from "../onnx/export/open-dimensions.ts";
import { differentiate } from "../passes/differentiate.ts";
import { buildFile, importedText, loadProgram, weightFiles, weightsOf } from "./build.ts";
import { isFolder, makeFolderOf, readText, writeAtomically } from "./files.ts";
import { exit, type Io, note } from "./io.ts";
import type { Arguments, Command } from "./options.ts";
import { bytes } from "./progress.ts";
import { type CompileSettings, compileOptions, compileSettings, jsonOption, loadOptions } from "./settings.ts";

const { target: _target, storage: _storage, ...options } = compileOptions;

export const exportCommand: Command = {
  name: "export",
  usage: "FILE.dlm [--weights W.safetensors] -o MODEL.onnx",
  summary: "Writes the model, for prediction, as ONNX.",
  details:
    `The file is of operator set ${opset}. Dimensions that --dim and --batch do not give stay open where the graph is the same for all\n` +
    "sizes; a note tells which do not, and why. Parameters keep their names. Without --weights they are initialised from --seed.",
  files: "one",
  options: { out: { value: "FILE", short: "o", help: "the file" }, ...loadOptions, ...options, ...jsonOption },
  run,
};

async function run(args: Arguments, io: Io): Promise<number> {
  const [path] = args.files as [string];
  const out = outOf(args);
  const settings = compileSettings(args);
  const { module, program } = await buildFile(path, settings, {}, io);
  const weights = weightsOf(args);
  if (!weights && module.variables.length > 0) note(io, `no --weights: parameters are initialised from seed ${settings.seed ?? 0}`);
  const load = { seed: settings.seed ?? 0, threads: 1, allowMissing: args.all("allow-missing"), missing: "error" as const };
  const net = await loadProgram(program, weights ? { ...load, weights } : load, io, weightFiles(args));
  const saved = new Map(parseSafetensors(await net.save()).entries.map((e) => [e.name, e.data]));
  net.dispose();
  const { draft, open, fixed } = openDraft(draftsOf(path, settings), opening(module, settings));
  const model = modelOf(draft, (name) => saved.get(name)!);
  const file = writeOnnx(model);
  makeFolderOf(out);
  writeAtomically(out, file);
  const { nodes } = model.graph;
  const operators = new Set(nodes.map((n) => n.opType)).size;
  const { parameters } = program.stats;
  for (const text of describeDimensions(open, fixed)) note(io, text);
  if (args.has("json"))
    io.out(`${JSON.stringify({ nodes: nodes.length, operators, parameters, bytes: file.length, opset, open, fixed })}\n`);
  else
    io.out(
      `${out}: ${nodes.length} nodes of ${operators} operators, ${parameters.toLocaleString("en-US")} parameters, ${bytes(file.length)}\n`,
    );
  return exit.fine;
}

function outOf(args: Arguments): string {
  const out = args.get("out") ?? fail("flag", "`dlm export` needs a file to write to", null, { help: "add -o MODEL.onnx" });
  const [path] = args.files as [string];
  if (isFolder(out))
    fail("flag", `\`-o ${out}\` is a folder, expected a file`, null, { help: `write -o ${join(out, basename(path, extname(path)))}.onnx` });
  const ending = extname(out);
  if (ending !== ".onnx")
    fail("flag", ending === "" ? `\`-o ${out}\` has no ending .onnx` : `the model is written as .onnx, not \`${ending}\``, null, {
      help: `write -o ${out.slice(0, out.length - ending.length)}.onnx`,
    });
  return out;
}

/** The sizes that the command line leaves open, as this compilation has them. */
const opening = ({ dims, batch }: Module, settings: CompileSettings): Dims =>
  Object.fromEntries(
    Object.entries(dims).filter(([name]) => !Object.hasOwn(settings.dims, name) && !(settings.batch !== undefined && name === batch)),
  );

function draftsOf(path: string, settings: CompileSettings): (sizes: Dims) => Draft {
  const { model = null, trainBlock = null, batch = null, set, dims } = settings;
  const request = { path, text: readText(path), resolve: importedText, model, trainBlock, batch, set, train: false };
  return (sizes) => {
    const applications: Application[] = [];
    const module = elaborate({ ...request, dims: { ...dims, ...sizes }, onApplication: (a) => applications.push(a) });
    return draftOf({ name: module.name, doc: module.doc, graph: differentiate.run(module.forward), applications });
  };
}

function describeDimensions(open: OpenDraft["open"], fixed: OpenDraft["fixed"]): readonly string[] {
  const any = open.length > 0 ? [`${open.join(", ")} may have any size`] : [];
  return [...any, ...fixed.map(({ name, size, reason }) => `${name} is ${size}: ${reason}`)];
}
