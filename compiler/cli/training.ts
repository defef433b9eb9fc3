/** The training loop: batches in a reproducible order, progress, validation, checkpoints. */
import { setImmediate } from "node:timers/promises";
import { fail } from "../../ir/diagnostic.ts";
import type { Net, StepResult } from "../../runtime/index.ts";
import type { Feed } from "../formats/feed.ts";
import { hash, permutation } from "../formats/random.ts";
import type { Companion, Split } from "../formats/source.ts";
import { type RunState, writeCheckpoint } from "./checkpoint-folder.ts";
import { describeScore, type Evaluation, evaluateSplit, meanOf, type Score, type Stopping } from "./evaluate.ts";
import type { Io } from "./io.ts";
import { clock, lateProgress, type Progress, progressOf } from "./progress.ts";
import type { TrainLog } from "./train-log.ts";

/** Where training examples come from; null feeds: a program that needs none. */
export interface TrainingData {
  readonly split: Split;
  readonly feed: Feed;
}
export interface Training {
  readonly net: Net;
  readonly data: TrainingData | null;
  readonly validation: { readonly split: Split; readonly evaluation: Evaluation } | null;
  /** `step` is where it starts. */
  readonly run: RunState;
  /** Micro-batches of an update. */
  readonly accumulate: number;
  readonly checkpoint: { readonly folder: string; readonly every: number; readonly companions: readonly Companion[] } | null;
  /** Writes the weights, before the last validation, which may take long. */
  readonly saveWeights: () => Promise<void>;
  readonly log: TrainLog;
}
export interface Trained {
  readonly step: number;
  /** Before the last step, or during the validation behind it. */
  readonly interrupted: boolean;
  /** On the validation examples, else over the last steps. */
  readonly score: Score;
}

/** Whole batches of an epoch; the last partial one is dropped. */
export const batchesOf = (examples: number, batch: number): number => Math.floor(examples / batch);

export async function trainSteps(t: Training, io: Io): Promise<Trained> {
  const progress = progressOf(io, t.run.steps, "step");
  const batches = batchReader(t.data, t.run);
  const perEpoch = t.data ? batchesOf(t.data.split.count, t.run.batch) : t.run.steps * t.accumulate;
  const epochsAt = (steps: number) => (steps * t.accumulate) / perEpoch;
  const meter = speedMeter(io, { ...t.run, batch: t.run.batch * t.accumulate });
  const interrupt = listen(io);
  let score: Score | null = null;
  let step = t.run.step;
  while (step < t.run.steps && !(await interrupt.asked())) {
    const result = await update(t, batches.read, step);
    step++;
    const epoch = Math.ceil(epochsAt(step));
    checkFinite(result, step, () => oddValue(t, batches, step - 1));
    t.log.add({ step, epoch, ...result });
    meter.add(result);
    progress.update(step, () => `epoch ${epoch}  ${meter.text(step)}`);
    const over = Math.floor(epochsAt(step)) > Math.floor(epochsAt(step - 1)) || step === t.run.steps;
    if (over || step % (t.checkpoint?.every ?? Infinity) === 0) await save(t, step);
    if (step === t.run.steps) await t.saveWeights();
    score = over ? await validate(t, step, epoch, progress, interrupt.asked, io) : null;
  }
  interrupt.end();
  progress.end();
  if (step < t.run.steps) {
    await save(t, step);
    await t.saveWeights();
  }
  const interrupted = step < t.run.steps || (t.validation !== null && score === null);
  return { step, interrupted, score: score ?? meter.score() };
}

/** The micro-batches of one update; loss and metrics are their means. */
async function update(t: Training, batches: Batches["read"], step: number): Promise<StepResult> {
  if (t.accumulate === 1) return t.net.step(batches(step));
  const mean = meanOf();
  for (let i = 0; i < t.accumulate; i++) mean.add(await t.net.step(batches(step * t.accumulate + i)), 1);
  const { loss, metrics } = mean.score();
  return { loss, metrics };
}

function listen(io: Io): { readonly asked: Stopping; readonly end: () => void } {
  let asked = false;
  const breathe = breather();
  const end = io.onInterrupt(() => {
    asked = true;
    io.err("\nstopping ...\n");
  });
  return {
    asked: async () => {
      await breathe(io.now());
      return asked;
    },
    end,
  };
}

const breathEvery = 50;
/** Signals arrive between turns of the event loop, which calls of the net alone never end. */
function breather(): (now: number) => Promise<void> {
  let last = Number.NEGATIVE_INFINITY;
  return async (now) => {
    if (now - last < breathEvery) return;
    last = now;
    await setImmediate();
  };
}

interface Batches {
  /** Inputs of micro-batch `step`. */
  readonly read: (step: number) => ReturnType<Feed["read"]>;
  /** A value of these inputs that is no finite number, in words. */
  readonly oddValue: (step: number) => string | null;
}
/** Each epoch has its own order, which depends on the seed and its number only. */
function batchReader(data: TrainingData | null, { seed, shuffle, batch }: RunState): Batches {
  if (!data) return { read: () => ({}), oddValue: () => null };
  const { split, feed } = data;
  const perEpoch = batchesOf(split.count, batch);
  let known = -1;
  let order: Uint32Array = new Uint32Array(0);
  const examples = (step: number): Uint32Array => {
    const epoch = Math.floor(step / perEpoch);
    if (epoch !== known) {
      order = shuffle ? permutation(split.count, hash(seed, epoch)) : Uint32Array.from({ length: split.count }, (_, i) => i);
      known = epoch;
    }
    const from = (step % perEpoch) * batch;
    return order.subarray(from, from + batch);
  };
  return { read: (step) => feed.read(split, examples(step)), oddValue: (step) => feed.oddValue(split, examples(step)) };
}

/** Looks through the micro-batches of an update. */
function oddValue({ accumulate }: Training, batches: Batches, step: number): string | null {
  for (let i = 0; i < accumulate; i++) {
    const found = batches.oddValue(step * accumulate + i);
    if (found) return found;
  }
  return null;
}

function checkFinite({ loss }: StepResult, step: number, odd: () => string | null): void {
  if (Number.isFinite(loss)) return;
  const value = odd();
  if (value) fail("data", `the loss is ${loss} at step ${step}: ${value}`, null);
  fail("train", `the loss is ${loss} at step ${step}: training has diverged`, null, {
    help: "a smaller learning rate, clip_norm, or inputs scaled to about -1..1 usually help; earlier checkpoints are kept",
  });
}

/** Null: there is none, or it was stopped. */
async function validate(t: Training, step: number, epoch: number, progress: Progress, isStopped: Stopping, io: Io): Promise<Score | null> {
  if (!t.validation) return null;
  const { evaluation, split } = t.validation;
  const score = await evaluateSplit(evaluation, split, io, validationProgress(io, split.count), isStopped);
  if (await isStopped()) return null;
  const { loss, metrics, examples } = score;
  t.log.add({ step, epoch, validation: { loss, metrics, examples } });
  progress.line(`epoch ${epoch}: validation ${describeScore(score)}`);
  return score;
}

function validationProgress(io: Io, total: number): Progress {
  const tell = lateProgress(io, "validation example");
  return { update: (done) => tell(done, total), line: () => undefined, end: () => tell(total, total) };
}

async function save(t: Training, step: number): Promise<void> {
  if (!t.checkpoint) return;
  const { folder, companions } = t.checkpoint;
  writeCheckpoint(folder, { ...t.run, step }, await t.net.checkpoint(), companions);
}

/** Steps that live loss and metrics are averaged over. */
const recentSteps = 50;

function speedMeter(io: Io, { batch, steps, step: first, examples }: RunState) {
  const recent: StepResult[] = [];
  const start = io.now();
  const score = (): Score => {
    const mean = meanOf();
    for (const r of recent) mean.add(r, examples ? batch : 1);
    return { ...mean.score(), examples: examples ? recent.length * batch : 0 };
  };
  return {
    add: (result: StepResult) => {
      recent.push(result);
      if (recent.length > recentSteps) recent.shift();
    },
    score,
    text: (step: number) => {
      const seconds = Math.max(1e-9, (io.now() - start) / 1000);
      const perSecond = (step - first) / seconds;
      const speed = examples ? `${Math.round(perSecond * batch)} examples/s` : `${perSecond.toFixed(1)} steps/s`;
      return `${describeScore(score())}  ${speed}  ${clock((steps - step) / perSecond)} left`;
    },
  };
}
