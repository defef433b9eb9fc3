/** `dlm eval FILE --weights W --data SPEC`: loss and metrics on data. */
import { feedOf } from "../formats/feed.ts";
import { loadProgram, weightFiles, weightsOf } from "./build.ts";
import { describeScore, entryOf, evaluateSplit } from "./evaluate.ts";
import { buildTraining, dataOption, defaultBatch, needData, noteOrder, sizeHint, sourceOf, splitsOf } from "./examples.ts";
import { exit, type Io, warn } from "./io.ts";
import type { Arguments, Command } from "./options.ts";
import { progressOf } from "./progress.ts";
import {
  compileOptions,
  compileSettings,
  defaultThreads,
  imageOptions,
  jsonOption,
  loadOptions,
  normalisationOf,
  threadsOf,
} from "./settings.ts";

export const evalCommand: Command = {
  name: "eval",
  usage: "FILE.dlm --weights W.safetensors --data SPEC",
  summary: "Loss and metrics of a trained model on data, every example weighed the same.",
  details: "Data with held-out examples of its own (synthetic:...) is evaluated on these, other data as a whole.",
  files: "one",
  options: {
    ...dataOption,
    val: { value: "F", help: "evaluate only the last fraction F of the examples" },
    ...loadOptions,
    ...imageOptions,
    ...compileOptions,
    ...jsonOption,
  },
  run: evaluate,
};

async function evaluate(args: Arguments, io: Io): Promise<number> {
  const [path] = args.files as [string];
  const settings = compileSettings(args);
  const normalisation = normalisationOf(args);
  const weights = weightsOf(args);
  const threads = threadsOf(args, defaultThreads());
  const source = sourceOf(args);
  const split = source && (splitsOf(source, args).validation ?? source.train);
  const batch = settings.batch ?? Math.min(defaultBatch, split?.count ?? defaultBatch);
  const { stages, smaller } = await buildTraining(path, settings, batch, io);
  const { inputs } = entryOf(stages.program, "evaluate");
  if (!source || !split) return needData(inputs.map((i) => i.name));
  noteOrder(feedOf(inputs, source, normalisation, sizeHint(args, settings)), io);
  if (!weights) warn(io, "no --weights: these are the results of initial parameters");
  const options = { seed: settings.seed ?? 0, threads, allowMissing: args.all("allow-missing") };
  const net = await loadProgram(stages.program, { ...options, ...(weights ? { weights } : {}), missing: "error" }, io, weightFiles(args));
  try {
    const evaluation = { net, source, normalisation, smaller, options: { threads: options.threads } };
    const score = await evaluateSplit(evaluation, split, io, progressOf(io, split.count, "example"));
    io.out(args.has("json") ? `${JSON.stringify(score)}\n` : `${describeScore(score)}  (${score.examples} examples)\n`);
    return exit.fine;
  } finally {
    await net.dispose();
  }
}
