/** `dlm eval FILE --weights W --data SPEC`: loss and metrics on data. */
import { DlmError, type LoadOptions, type Net, parseSafetensors } from "../../runtime/index.ts";
import { feedOf } from "../formats/feed.ts";
import type { DataSource } from "../formats/source.ts";
import type { Graphs } from "../graphs.ts";
import { loadProgram, weightFiles, weightsOf } from "./build.ts";
import { findCompanion } from "./companions.ts";
import { describeScore, entryOf, evaluateSplit } from "./evaluate.ts";
import {
  buildTraining,
  dataOf,
  dataOptions,
  defaultBatch,
  fitData,
  hintsOf,
  needData,
  noteData,
  splitsOf,
  type TrainingBuild,
  valOf,
} from "./examples.ts";
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
  noteUselessFlags,
  threadsOf,
} from "./settings.ts";

export const evalCommand: Command = {
  name: "eval",
  usage: "FILE.dlm --weights W.safetensors --data SPEC",
  summary: "Loss and metrics of a trained model on data, every example weighed the same.",
  details: "Data with held-out examples of its own (synthetic:...) is evaluated on these, other data as a whole.",
  files: "one",
  options: {
    ...dataOptions,
    val: { value: "F", help: "evaluate only the last fraction F of the examples" },
    ...loadOptions,
    ...imageOptions,
    ...compileOptions,
    ...jsonOption,
  },
  run: evaluate,
};

async function evaluate(args: Arguments, io: Io): Promise<number> {
  const settings = compileSettings(args);
  noteUselessFlags(args, [settings.target], io);
  const [normalisation, weights] = [normalisationOf(args), weightsOf(args)];
  const threads = threadsOf(args, defaultThreads());
  valOf(args);
  const data = dataOf(args);
  const onlyEvaluated = settings.storage === "f16" ? { onSource: withoutStep } : {};
  const build = await buildTraining(args.files[0]!, settings, settings.batch ?? defaultBatch, io, onlyEvaluated);
  const { inputs } = entryOf(build.stages.program, "evaluate");
  if (!data) return needData(inputs.map((i) => i.name));
  const source = await fitData(data, inputs, { streams: async () => false, fresh: false }, args, settings);
  const split = splitsOf(source, args).validation ?? source.train;
  noteData(source, feedOf(inputs, source, normalisation, hintsOf(args, settings).size), io);
  warnMissing(source, weights !== null, args, io);
  if (weights) warnInitial(build, weights, io);
  const common = {
    seed: settings.seed ?? 0,
    threads,
    allowMissing: args.all("allow-missing"),
    missing: "error",
    warm: ["evaluate"],
  } as const;
  const net = await loadEvaluation(build, { ...common, ...(weights ? { weights } : {}) }, args, io);
  try {
    const evaluation = { net, source, normalisation, smaller: build.smaller, options: { threads } };
    const score = await evaluateSplit(evaluation, split, io, progressOf(io, split.count, "example"));
    io.out(args.has("json") ? `${JSON.stringify(score)}\n` : `${describeScore(score)}  (${score.examples} examples)\n`);
    return exit.fine;
  } finally {
    await net.dispose();
  }
}

/** Halves are for programs that do not train. */
const withoutStep = ({ step: _, ...graphs }: Graphs): Graphs => graphs;

/** Weights that were trained with another batch may not fit; the user may not know of a batch. */
async function loadEvaluation(build: TrainingBuild, options: LoadOptions, args: Arguments, io: Io): Promise<Net> {
  try {
    return await loadProgram(build.stages.program, options, io, weightFiles(args));
  } catch (error) {
    if (error instanceof DlmError && error.code === "weights" && !args.has("batch") && (await build.batchedState()))
      throw new DlmError(
        "weights",
        `${error.message}\n  the model keeps a state for every row of a batch: give the --batch of training`,
        error,
      );
    throw error;
  }
}

/** Without the weights, or what their numbers mean, results say little. */
function warnMissing({ companions }: DataSource, weights: boolean, args: Arguments, io: Io): void {
  if (!weights) warn(io, "no --weights: these are the results of initial parameters");
  else if (companions.some(({ ending }) => ending === ".vocab.json" && !findCompanion(args, ending)))
    warn(io, "no .vocab.json beside the weights: the vocabulary is made from this text, and only right if it is the text of training");
}

/** Parameters of the train block alone are not part of the saved model, though the loss may need them. */
function warnInitial({ stages }: TrainingBuild, weights: NonNullable<ReturnType<typeof weightsOf>>, io: Io): void {
  const given = new Set(
    weights.flatMap(({ prefix, data }) => parseSafetensors(data).entries.map((e) => (prefix ? `${prefix}.${e.name}` : e.name))),
  );
  const initial = stages.program.variables
    .filter((v) => v.kind === "param" && !v.saved && !v.frozen && !given.has(v.name))
    .map((v) => v.name);
  if (initial.length === 0) return;
  const more = initial.length > 3 ? ` and ${initial.length - 3} more` : "";
  warn(io, `only checkpoints hold parameters of the train block; these have initial values: ${initial.slice(0, 3).join(", ")}${more}`);
}
