/** `dlm train FILE --data SPEC`: training with progress, validation, checkpoints. */
import { fail } from "../../ir/diagnostic.ts";
import type { Net } from "../../runtime/index.ts";
import { feedOf } from "../formats/feed.ts";
import { loadProgram, weightsOf } from "./build.ts";
import { type RunState, readCheckpoint } from "./checkpoint-folder.ts";
import { describeScore, entryOf } from "./evaluate.ts";
import { buildTraining, dataOption, defaultBatch, needData, sourceOf, splitsOf, type TrainingBuild } from "./examples.ts";
import { makeFolderOf, writeAtomically } from "./files.ts";
import { exit, type Io, note } from "./io.ts";
import type { Arguments, Command } from "./options.ts";
import {
  type CompileSettings,
  compileOptions,
  compileSettings,
  defaultThreads,
  imageOptions,
  jsonOption,
  loadOptions,
  normalisationOf,
  threadsOf,
  whole,
} from "./settings.ts";
import { openLog, type TrainLog } from "./train-log.ts";
import { batchesOf, type Trained, type Training, trainSteps } from "./training.ts";

export const trainCommand: Command = {
  name: "train",
  usage: "FILE.dlm --data SPEC [--epochs E] --out W.safetensors",
  summary: "Trains a model by its train block.",
  details:
    "Without --steps and --epochs it trains one epoch. Validation uses the data's own held-out examples, or --val.\n" +
    "Ctrl-C stops after the step, saves and exits. --resume continues bit for bit.",
  files: "one",
  options: {
    ...dataOption,
    steps: { value: "S", help: "updates, of the whole run" },
    epochs: { value: "E", help: "passes over the data, of the whole run" },
    val: { value: "F", help: "keep the last fraction F of the examples for validation; 0: none" },
    "no-shuffle": { help: "take the examples in their order" },
    out: { value: "FILE", help: "write the trained weights (safetensors)" },
    checkpoint: { value: "DIR", help: "save everything that is needed to resume, after every epoch" },
    "checkpoint-every": { value: "S", help: "and every S steps" },
    resume: { value: "DIR", help: "continue from a checkpoint" },
    log: { value: "FILE", help: "write a line of JSON for every step and validation" },
    plot: { value: "FILE.svg", help: "draw loss and metrics" },
    ...loadOptions,
    ...imageOptions,
    ...compileOptions,
    ...jsonOption,
  },
  run: train,
};

async function train(args: Arguments, io: Io): Promise<number> {
  // a folder that cannot be made is better known before the work than after it
  for (const option of ["out", "log", "plot"]) if (args.has(option)) makeFolderOf(args.get(option)!);
  const resumed = resumeOf(args);
  const settings = compileSettings(args);
  const batch = settings.batch ?? resumed?.state.batch ?? defaultBatch;
  const build = await buildTraining(args.files[0]!, settings, batch, io);
  const examples = examplesOf(args, build);
  const run = runState(args, settings, build, examples, resumed?.state ?? null);
  const net = await loadProgram(build.stages.program, loadOptionsOf(args, run, resumed?.variables ?? null), io);
  try {
    if (resumed) await checkPhase(net, accumulateOf(build.stages));
    return await finish(args, net, await trainWithLog(args, run, (log) => trainingOf(args, build, net, examples, run, log), io), io);
  } finally {
    await net.dispose();
  }
}

type Checkpoint = ReturnType<typeof readCheckpoint>;
function resumeOf(args: Arguments): Checkpoint | null {
  const folder = args.get("resume");
  if (folder === undefined) return null;
  if (args.has("weights")) fail("flag", "`--resume` and `--weights` exclude each other: a checkpoint holds the weights", null);
  return readCheckpoint(folder);
}

/** Data matched to the program; null: the program needs none. */
type Examples = ReturnType<typeof examplesOf>;
function examplesOf(args: Arguments, { stages }: TrainingBuild) {
  const { inputs } = entryOf(stages.program, "step");
  const source = sourceOf(args);
  if (inputs.length === 0) return source ? fail("flag", "`--data` is of no use: nothing is an input", null) : null;
  if (!source) return needData(inputs.map((i) => i.name));
  const normalisation = normalisationOf(args);
  return { source, normalisation, feed: feedOf(inputs, source, normalisation), ...splitsOf(source, args) };
}

function loadOptionsOf(args: Arguments, { seed }: RunState, checkpoint: Uint8Array | null) {
  const weights = weightsOf(args);
  const common = { seed, threads: threadsOf(args, defaultThreads()), allowMissing: args.all("allow-missing") };
  return { ...common, ...(weights ? { weights } : {}), ...(checkpoint ? { checkpoint } : {}) };
}

/* ---- how long, and from where ---------------------------------------------------------------------------------- */

function runState(
  args: Arguments,
  settings: CompileSettings,
  { stages }: TrainingBuild,
  examples: Examples,
  from: RunState | null,
): RunState {
  const batch = examples?.feed.batch ?? 0;
  const count = examples?.train.count ?? 0;
  const perEpoch = examples ? batchesOf(count, batch) : 0;
  if (examples && perEpoch === 0)
    fail("data", `there are ${count} examples to train on, fewer than a batch of ${batch}`, null, {
      help: `use --batch ${Math.max(1, count)} or less`,
    });
  const now: RunState = {
    step: from?.step ?? 0,
    steps: stepsOf(args, perEpoch, accumulateOf(stages), from),
    seed: settings.seed ?? from?.seed ?? stages.module.training?.seed ?? 0,
    batch,
    examples: count,
    shuffle: !args.has("no-shuffle"),
    program: stages.program.name,
  };
  if (from) checkSame(now, from);
  return now;
}

/** Updates of the whole run; `perEpoch` is in micro-batches. */
function stepsOf(args: Arguments, perEpoch: number, accumulate: number, from: RunState | null): number {
  const [steps, epochs] = [whole(args, "steps", 1), whole(args, "epochs", 1)];
  if (steps !== undefined && epochs !== undefined) fail("flag", "`--steps` and `--epochs` exclude each other", null);
  if (steps !== undefined) return steps;
  if (perEpoch === 0) return from?.steps ?? fail("flag", "without data there are no epochs: say how long with `--steps`", null);
  if (epochs === undefined && from) return from.steps;
  const wanted = Math.floor(((epochs ?? 1) * perEpoch) / accumulate);
  return wanted > 0
    ? wanted
    : fail("data", "there are fewer batches than one update accumulates", null, { help: "use more --epochs, or a smaller --batch" });
}
const accumulateOf = ({ module }: TrainingBuild["stages"]): number => module.training?.accumulate ?? 1;

/** Anything else would not be the same run. */
function checkSame(now: RunState, before: RunState): void {
  const names = {
    program: "the model",
    seed: "--seed",
    batch: "--batch",
    examples: "the number of training examples",
    shuffle: "shuffling",
  };
  for (const [key, what] of Object.entries(names) as [keyof typeof names, string][])
    if (now[key] !== before[key])
      fail("flag", `the checkpoint was made with another value of ${what}: ${before[key]}, now ${now[key]}`, null, {
        help: "to train on differently, start a new run with --weights",
      });
}

/** A checkpoint lies between updates: its counters tell how many micro-batches made one. */
async function checkPhase(net: Net, accumulate: number): Promise<void> {
  const { micro_step: microSteps = 0, updates = 0 } = await net.counters();
  if (microSteps === updates * accumulate) return;
  const before = updates > 0 ? ` (${microSteps / updates} micro-batches an update)` : "";
  fail("train", `the checkpoint was made with another value of \`accumulate\`${before}`, null);
}

/* ---- the run ----------------------------------------------------------------------------------------------------- */

function trainingOf(
  args: Arguments,
  { smaller, stages }: TrainingBuild,
  net: Net,
  examples: Examples,
  run: RunState,
  log: TrainLog,
): Training {
  const folder = args.get("checkpoint") ?? args.get("resume");
  const every = whole(args, "checkpoint-every", 1) ?? Number.POSITIVE_INFINITY;
  const checkpoint = folder === undefined ? null : { folder, every };
  const accumulate = accumulateOf(stages);
  if (!examples) return { net, data: null, validation: null, run, accumulate, checkpoint, log };
  const { source, normalisation, train: split, feed, validation } = examples;
  const evaluation = { net, source, normalisation, smaller, options: { threads: net.threads } };
  return { net, data: { split, feed }, validation: validation && { split: validation, evaluation }, run, accumulate, checkpoint, log };
}

/** Whatever happens, the curves so far are drawn. */
async function trainWithLog(args: Arguments, run: RunState, make: (log: TrainLog) => Training, io: Io): Promise<Trained> {
  const log = openLog(args.get("log"), args.get("plot"), run.step);
  try {
    return await trainSteps(make(log), io);
  } finally {
    log.close();
  }
}

async function finish(args: Arguments, net: Net, { step, interrupted, score }: Trained, io: Io): Promise<number> {
  const out = args.get("out");
  if (out !== undefined) writeAtomically(out, await net.save());
  const folder = args.get("checkpoint") ?? args.get("resume");
  if (interrupted) note(io, `stopped after step ${step}${folder === undefined ? "" : `; continue with --resume ${folder}`}`);
  io.out(args.has("json") ? `${JSON.stringify({ ...score, steps: step })}\n` : `${describeScore(score)}  after ${step} steps\n`);
  if (out !== undefined && !args.has("json")) io.out(`weights: ${out}\n`);
  return interrupted ? exit.interrupted : exit.fine;
}
