/** `dlm export FILE -o MODEL.onnx`: the model for prediction, for other runtimes. */
import { extname } from "node:path";
import { fail } from "../../ir/diagnostic.ts";
import { parseSafetensors } from "../../runtime/index.ts";
import { writeOnnx } from "../formats/onnx/write.ts";
import type { Application } from "../frontend/elaborate/session.ts";
import { opset } from "../onnx/export/draft.ts";
import { exportOnnx } from "../onnx/export/export.ts";
import { differentiate } from "../passes/differentiate.ts";
import { buildFile, loadProgram, weightFiles, weightsOf } from "./build.ts";
import { makeFolderOf, writeAtomically } from "./files.ts";
import { exit, type Io, note } from "./io.ts";
import type { Arguments, Command } from "./options.ts";
import { bytes } from "./progress.ts";
import { compileOptions, compileSettings, jsonOption, loadOptions } from "./settings.ts";

const { target: _target, ...options } = compileOptions;

export const exportCommand: Command = {
  name: "export",
  usage: "FILE.dlm [--weights W.safetensors] -o MODEL.onnx",
  summary: "Writes the model, for prediction, as ONNX.",
  details:
    `The file is of operator set ${opset}; shapes are those of this compilation (--dim N=8 for another batch). Parameters keep their\n` +
    "names. Without --weights they are initialised from --seed.",
  files: "one",
  options: { out: { value: "FILE", short: "o", help: "the file" }, ...loadOptions, ...options, ...jsonOption },
  run,
};

async function run(args: Arguments, io: Io): Promise<number> {
  const [path] = args.files as [string];
  const out = args.get("out") ?? fail("flag", "`dlm export` needs a file to write to", null, { help: "add -o MODEL.onnx" });
  if (extname(out) !== ".onnx")
    fail("flag", `the model is written as .onnx, not \`${extname(out)}\``, null, { help: `write -o ${out}.onnx` });
  const settings = compileSettings(args);
  const applications: Application[] = [];
  const { module, program } = await buildFile(path, settings, { onApplication: (a) => applications.push(a) }, io);
  const weights = weightsOf(args);
  if (!weights && module.variables.length > 0) note(io, `no --weights: parameters are initialised from seed ${settings.seed ?? 0}`);
  const load = { seed: settings.seed ?? 0, threads: 1, allowMissing: args.all("allow-missing"), missing: "error" as const };
  const net = await loadProgram(program, weights ? { ...load, weights } : load, io, weightFiles(args));
  const saved = new Map(parseSafetensors(await net.save()).entries.map((e) => [e.name, e.data]));
  net.dispose();
  const model = exportOnnx({
    name: module.name,
    doc: module.doc,
    graph: differentiate.run(module.forward),
    applications,
    dataOf: (name) => saved.get(name)!,
  });
  const file = writeOnnx(model);
  makeFolderOf(out);
  writeAtomically(out, file);
  const { nodes } = model.graph;
  const operators = new Set(nodes.map((n) => n.opType)).size;
  const { parameters } = program.stats;
  if (args.has("json")) io.out(`${JSON.stringify({ nodes: nodes.length, operators, parameters, bytes: file.length, opset })}\n`);
  else
    io.out(
      `${out}: ${nodes.length} nodes of ${operators} operators, ${parameters.toLocaleString("en-US")} parameters, ${bytes(file.length)}\n`,
    );
  return exit.fine;
}
