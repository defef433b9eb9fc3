/** `dlm train FILE --data SPEC`: training with progress, validation, checkpoints. */
import { extname } from "node:path";
import { CompileError, fail } from "../../ir/diagnostic.ts";
import type { Net } from "../../runtime/index.ts";
import { feedOf } from "../formats/feed.ts";
import { loadProgram, weightFiles, weightsOf } from "./build.ts";
import { checkCheckpointFolder, type RunState, readCheckpoint } from "./checkpoint-folder.ts";
import { checkBesideWeights, saveBesideWeights } from "./companions.ts";
import { describeScore, entryOf } from "./evaluate.ts";
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
import { checkWritable, exists, writeAtomically } from "./files.ts";
import { exit, type Io, note, warn } from "./io.ts";
import type { Arguments, Command } from "./options.ts";
import { accumulateOf, runState } from "./run-state.ts";
import {
  type CompileSettings,
  compileOptions,
  compileSettings,
  defaultThreads,
  imageOptions,
  jsonOption,
  loadOptions,
  normalisationOf,
  noteUselessFlags,
  threadsOf,
  whole,
} from "./settings.ts";
import { tensorBytes } from "./tensor-files.ts";
import { openLog, type TrainLog } from "./train-log.ts";
import { type Trained, type Training, trainSteps } from "./training.ts";

export const trainCommand: Command = {
  name: "train",
  usage: "FILE.dlm --data SPEC [--epochs E] --out W.safetensors",
  summary: "Trains a model by its train block.",
  details:
    "Without --steps and --epochs it trains one epoch. Validation uses the data's own held-out examples, or --val.\n" +
    "Ctrl-C stops after the step, saves and exits; weights are saved before the last validation, which it ends too.\n" +
    "--resume continues bit for bit.",
  files: "one",
  options: {
    ...dataOptions,
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
  const resumed = resumeOf(args);
  const settings = compileSettings(args);
  noteUselessFlags(args, [settings.target], io);
  const plan = planOf(args);
  const build = await buildTraining(args.files[0]!, settings, settings.batch ?? resumed?.state.batch ?? defaultBatch, io);
  const examples = await examplesOf(args, settings, plan, build);
  const run = runState(args, settings, plan, build, examples, resumed?.state ?? null);
  if (resumed && run.step >= run.steps && !isOutMissing(args)) return nothingLeft(args, run, io);
  tell(plan, build, examples, resumed !== null, io);
  const file = resumed?.path ?? weightFiles(args);
  const net = await loadProgram(build.stages.program, loadOptionsOf(args, plan, run, resumed?.variables ?? null), io, file);
  try {
    if (resumed) await checkPhase(net, accumulateOf(build.stages));
    checkOutputs(args, examples);
    if (run.step >= run.steps) return await saveFinished(args, net, run, examples, io);
    const make = (log: TrainLog) => trainingOf(args, plan, build, net, examples, run, log);
    const trained = await trainWithLog(args, run, make, io).catch((error) => saveSoFar(args, net, examples, error, io));
    return finish(args, trained, run, io);
  } finally {
    await net.dispose();
  }
}

type Checkpoint = ReturnType<typeof readCheckpoint>;
function resumeOf(args: Arguments): Checkpoint | null {
  const folder = args.get("resume");
  if (folder === undefined) return null;
  if (args.has("weights")) fail("flag", "`--resume` and `--weights` exclude each other: a checkpoint holds the weights", null);
  const checkpoint = readCheckpoint(folder);
  tensorBytes(checkpoint.path);
  return checkpoint;
}

function checkEnding(args: Arguments, option: string, expected: string, what: string): void {
  const path = args.get(option) ?? "";
  const ending = extname(path);
  if (ending === "" || ending === expected || (option === "out" && !foreign.includes(ending))) return;
  fail("flag", `${what} ${option === "out" ? "are" : "is"} written as ${expected}, not \`${ending}\``, null, {
    help: `write --${option} ${path.slice(0, -ending.length)}${expected}`,
  });
}
/** Endings of weights in other formats; others may be part of a name. */
const foreign: readonly string[] = [".pth", ".pt", ".bin", ".npz", ".npy", ".onnx", ".h5", ".ckpt", ".pkl", ".gguf"];

/** What the command line says of the run: mistakes in it, and in the files it names, are told before the work. */
export type Plan = ReturnType<typeof planOf>;
function planOf(args: Arguments) {
  checkEnding(args, "plot", ".svg", "the picture");
  checkEnding(args, "out", ".safetensors", "weights");
  const [steps, epochs] = [whole(args, "steps", 1), whole(args, "epochs", 1)];
  if (steps !== undefined && epochs !== undefined) fail("flag", "`--steps` and `--epochs` exclude each other", null);
  const every = whole(args, "checkpoint-every", 1) ?? Number.POSITIVE_INFINITY;
  const [threads, normalisation, weights] = [threadsOf(args, defaultThreads()), normalisationOf(args), weightsOf(args)];
  valOf(args);
  const data = dataOf(args);
  return { steps, epochs, every, threads, normalisation, weights, data };
}

/** Data matched to the program; null: the program needs none. */
export type Examples = Awaited<ReturnType<typeof examplesOf>>;
async function examplesOf(args: Arguments, settings: CompileSettings, { data, normalisation }: Plan, build: TrainingBuild) {
  const { inputs } = entryOf(build.stages.program, "step");
  if (inputs.length === 0) return data ? fail("flag", "`--data` is of no use: nothing is an input", null) : null;
  if (!data) return needData(inputs.map((i) => i.name));
  const streams = async () => args.has("no-shuffle") || build.batchedState();
  const source = await fitData(data, inputs, { streams, fresh: !args.has("resume") }, args, settings);
  return { source, normalisation, feed: feedOf(inputs, source, normalisation, hintsOf(args, settings).size), ...splitsOf(source, args) };
}

function loadOptionsOf(args: Arguments, { weights, threads }: Plan, { seed }: RunState, checkpoint: Uint8Array | null) {
  const common = { seed, threads, allowMissing: args.all("allow-missing"), warm: ["step"] } as const;
  return { ...common, ...(weights ? { weights } : {}), ...(checkpoint ? { checkpoint } : {}) };
}

function tell({ weights }: Plan, { stages }: TrainingBuild, examples: Examples, resumed: boolean, io: Io): void {
  if (examples) noteData(examples.source, examples.feed, io);
  const frozen = stages.program.variables.filter((v) => v.kind === "param" && v.frozen).map((v) => v.name);
  if (frozen.length === 0 || weights || resumed) return;
  const more = frozen.length > 5 ? ` and ${frozen.length - 5} more` : "";
  warn(io, `frozen, but without --weights these have initial values for good: ${frozen.slice(0, 5).join(", ")}${more}`);
}

/* ---- a run that is over ------------------------------------------------------------------------------------------ */

/** The weights of a finished run may still be wanted; a file that is there is not touched. */
const isOutMissing = (args: Arguments): boolean => args.has("out") && !exists(args.get("out")!);

function nothingLeft(args: Arguments, { step }: RunState, io: Io): number {
  io.out(args.has("json") ? `${JSON.stringify({ steps: step })}\n` : `nothing left to do: ${step} steps are done\n`);
  return exit.fine;
}

async function saveFinished(args: Arguments, net: Net, run: RunState, examples: Examples, io: Io): Promise<number> {
  const out = args.get("out")!;
  await saveWeights(out, net, examples);
  const code = nothingLeft(args, run, io);
  if (!args.has("json")) io.out(`weights: ${out}\n`);
  return code;
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
  { every }: Plan,
  { smaller, stages }: TrainingBuild,
  net: Net,
  examples: Examples,
  run: RunState,
  log: TrainLog,
): Training {
  const folder = checkpointFolder(args);
  const companions = examples?.source.companions ?? [];
  const checkpoint = folder === undefined ? null : { folder, every, companions };
  const accumulate = accumulateOf(stages);
  const out = args.get("out");
  const saving = out === undefined ? async () => undefined : () => saveWeights(out, net, examples);
  const common = { net, run, accumulate, checkpoint, saveWeights: saving, log };
  if (!examples) return { ...common, data: null, validation: null };
  const { source, normalisation, train: split, feed, validation } = examples;
  const evaluation = { net, source, normalisation, smaller, options: { threads: net.threads } };
  return { ...common, data: { split, feed }, validation: validation && { split: validation, evaluation } };
}

/** What could not be written in the end is told before the first step. */
function checkOutputs(args: Arguments, examples: Examples): void {
  const [out, folder] = [args.get("out"), checkpointFolder(args)];
  if (out !== undefined) checkBesideWeights(out, examples?.source.companions ?? []);
  for (const option of ["log", "plot"]) if (args.has(option)) checkWritable(args.get(option)!);
  if (folder !== undefined) checkCheckpointFolder(folder);
}

/** A file that cannot be read or written ends a run, such as a checkpoint on a full disk: its weights are saved all the same. */
async function saveSoFar(args: Arguments, net: Net, examples: Examples, error: unknown, io: Io): Promise<never> {
  const out = args.get("out");
  if (out === undefined || !(error instanceof CompileError) || error.diagnostics.some((d) => d.code !== "file")) throw error;
  try {
    await saveWeights(out, net, examples);
    note(io, `the weights so far are in ${out}`);
  } catch (second) {
    if (!(second instanceof CompileError)) throw second;
    const known = error.diagnostics.map((d) => d.message);
    throw new CompileError([...error.diagnostics, ...second.diagnostics.filter((d) => !known.includes(d.message))]);
  }
  throw error;
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

/** What the weights' numbers mean is there before the weights are. */
async function saveWeights(out: string, net: Net, examples: Examples): Promise<void> {
  if (examples) saveBesideWeights(out, examples.source.companions);
  writeAtomically(out, await net.save());
}
const checkpointFolder = (args: Arguments): string | undefined => args.get("checkpoint") ?? args.get("resume");

function finish(args: Arguments, { step, interrupted, score }: Trained, { steps }: RunState, io: Io): number {
  const [out, folder] = [args.get("out"), checkpointFolder(args)];
  const more = folder === undefined ? "" : `; continue with --resume ${folder}`;
  if (interrupted)
    note(io, step === steps ? `the validation was stopped; all ${step} steps are done` : `stopped after step ${step}${more}`);
  io.out(args.has("json") ? `${JSON.stringify({ ...score, steps: step })}\n` : `${describeScore(score)}  after ${step} steps\n`);
  if (out !== undefined && !args.has("json")) io.out(`weights: ${out}\n`);
  return interrupted ? exit.interrupted : exit.fine;
}
