/** `dlm run FILE`: compile in memory, run once, show the outputs. */
import type { Program, Signature } from "../../ir/program.ts";
import { labelsOf } from "../formats/labels.ts";
import { buildFile, loadProgram, weightFiles, weightsOf } from "./build.ts";
import { chooseForward } from "./choose-entry.ts";
import { findCompanion } from "./companions.ts";
import { readText } from "./files.ts";
import { exit, type Io, note } from "./io.ts";
import type { Arguments, Command } from "./options.ts";
import { programName } from "./original-names.ts";
import { bindDimensions, fillInputs, type GivenInputs, givenInputs } from "./run-inputs.ts";
import { checkLabels, checkOutputPaths, defaultBest, describeOutput, jsonOutputs, type Output, writeOutputs } from "./run-outputs.ts";
import {
  compileOptions,
  compileSettings,
  dimsOption,
  imageOptions,
  jsonOption,
  loadOptions,
  normalisationOf,
  noteUselessFlags,
  threadsOf,
  whole,
} from "./settings.ts";

export const runCommand: Command = {
  name: "run",
  usage: "FILE.dlm [--weights W.safetensors] [--input NAME=FILE]...",
  summary: "Compiles a model in memory and runs it once.",
  details:
    "An input is an .npy file, a .png or .jpg picture (its transparency is dropped) or random[:SEED]; one that is not given is random, integers below the extent they index.\n" +
    "Arrays of uint8 with axes behind the first become f32 as in training: divided by 255, or times F with FILE?scale=F.\n" +
    "--input FILE.npz gives an array to each input by name, --output FILE.npz takes all outputs.\n" +
    "Dimensions that are free take their size from the inputs given; where --dim has several sizes, these choose one.\n" +
    "Without --weights, parameters are initialised from --seed.",
  files: "one",
  options: {
    input: { value: "NAME=FILE", repeat: true, help: "an input: .npy, .png, .jpg or random[:SEED]" },
    output: { value: "NAME=FILE.npy", repeat: true, help: "write an output, or with FILE.npz all" },
    resize: { help: "bring pictures to the size of their input" },
    labels: { value: "FILE", help: "names of the classes, one per line; default: W.labels.txt beside the weights W.safetensors" },
    "top-k": { value: "K", help: `classes of a ranking that are shown; default ${defaultBest}` },
    ...loadOptions,
    ...imageOptions,
    ...compileOptions,
    ...jsonOption,
  },
  run,
};

async function run(args: Arguments, io: Io): Promise<number> {
  const [path] = args.files as [string];
  const settings = compileSettings(args, { several: true });
  noteUselessFlags(args, [settings.target], io);
  const typed = await givenInputs(args);
  const labels = args.get("labels");
  const names = labels === undefined ? foundLabels(args) : labelsOf(readText(labels));
  const weights = weightsOf(args);
  checkOutputPaths(args);
  const best = whole(args, "top-k", 1) ?? defaultBest;
  const [threads, normalisation] = [threadsOf(args, 1), normalisationOf(args)];
  const found = bindDimensions(readText(path), path, settings, typed);
  const dims = dimsOption(settings.bindings.map((b) => ({ ...found, ...b })));
  const { program } = await buildFile(path, settings, { dims, train: false }, io);
  const given = renamed(typed, program);
  const forward = chooseForward(program, given, { resize: args.has("resize") });
  const { values, invented, scaled } = fillInputs(forward.inputs, given, {
    normalisation,
    resize: args.has("resize"),
  });
  for (const text of invented) io.err(`${text}\n`);
  for (const text of scaled) note(io, text);
  const seed = settings.seed ?? 0;
  const options = { ...(weights ? { weights } : {}), seed, allowMissing: args.all("allow-missing"), threads };
  if (!weights && program.variables.some((v) => v.kind === "param"))
    note(io, `no --weights: parameters are initialised from the seed ${seed}`);
  if (names && labels !== undefined) checkLabels(forward.outputs, names, labels);
  const net = await loadProgram(program, options, io, weightFiles(args));
  try {
    const outputs = outputsOf(forward, await net.run(values));
    writeOutputs(outputs, args);
    io.out(args.has("json") ? `${jsonOutputs(outputs)}\n` : outputs.map((o) => describeOutput(o, names, best)).join(""));
    return exit.fine;
  } finally {
    await net.dispose();
  }
}

/** What training wrote beside the weights. The model may have room for more classes than the data had. */
function foundLabels(args: Arguments): readonly string[] | null {
  const found = findCompanion(args, ".labels.txt");
  return found && labelsOf(found.text);
}

/** Inputs by the names of the program. */
function renamed(typed: GivenInputs, { entries }: Program): GivenInputs {
  const known = entries.find((e) => e.name === "forward")!.inputs.map((i) => i.name);
  return new Map([...typed].map(([name, value]) => [programName(name, known), value]));
}
const outputsOf = (forward: Signature, values: Readonly<Record<string, Output["data"]>>): Output[] =>
  forward.outputs.map(({ name, dtype, shape }) => ({ name, dtype, shape, data: values[name]! }));
