/** Loss and metrics over a set of examples, each weighed the same. */
import { fail } from "../../ir/diagnostic.ts";
import type { Program, Signature } from "../../ir/program.ts";
import type { LoadOptions, Net, StepResult } from "../../runtime/index.ts";
import { type Feed, feedOf, type Normalisation } from "../formats/feed.ts";
import type { DataSource, Split } from "../formats/source.ts";
import { loadProgram } from "./build.ts";
import { type Io, note } from "./io.ts";
import type { Progress } from "./progress.ts";
import { short } from "./progress.ts";

export interface Score {
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly examples: number;
}
/** A mean that grows: results weighed by their number of examples. */
export interface Mean {
  readonly add: (result: StepResult, examples: number) => void;
  readonly score: () => Score;
}
export function meanOf(): Mean {
  let examples = 0;
  const sums = new Map<string, number>();
  return {
    add: ({ loss, metrics }, count) => {
      for (const [name, value] of [["loss", loss] as const, ...Object.entries(metrics)])
        sums.set(name, (sums.get(name) ?? 0) + value * count);
      examples += count;
    },
    score: () => {
      const { loss = Number.NaN, ...metrics } = Object.fromEntries([...sums].map(([name, sum]) => [name, sum / examples]));
      return { loss, metrics, examples };
    },
  };
}
export const describeScore = ({ loss, metrics }: Omit<Score, "examples">): string =>
  [["loss", loss] as const, ...Object.entries(metrics)].map(([name, value]) => `${name} ${short(value)}`).join("  ");

export const entryOf = (program: Program, name: Signature["name"]): Signature =>
  program.entries.find((e) => e.name === name) ?? fail("train", `${program.name} has no train block`, null);

/** What an evaluation runs with. */
export interface Evaluation {
  readonly net: Net;
  readonly source: DataSource;
  readonly normalisation: Normalisation | null;
  /** The same program for a smaller batch; null: its batch cannot change. */
  readonly smaller: (batch: number) => Promise<Program | null>;
  readonly options: Pick<LoadOptions, "threads">;
}

/** Whether to stop, asked before each batch. */
export type Stopping = () => Promise<boolean>;
const goesOn: Stopping = async () => false;

/**
 * Whole batches with the program at hand; the remainder with one of its size, and the present parameters. Where it is stopped, the
 * score is that of the examples so far.
 */
export async function evaluateSplit(
  e: Evaluation,
  split: Split,
  io: Io,
  progress: Progress | null,
  isStopped: Stopping = goesOn,
): Promise<Score> {
  const feed = feedOf(entryOf(e.net.program, "evaluate").inputs, e.source, e.normalisation);
  const mean = meanOf();
  const whole = Math.floor(split.count / feed.batch) * feed.batch;
  for (let from = 0; from < whole; from += feed.batch) {
    if (await isStopped()) return mean.score();
    mean.add(await e.net.evaluate(feed.read(split, range(from, feed.batch))), feed.batch);
    progress?.update(from + feed.batch, () => describeScore(mean.score()));
  }
  if (whole < split.count && !(await isStopped())) await evaluateRemainder(e, split, whole, feed, mean, io);
  progress?.end();
  return mean.score();
}

async function evaluateRemainder(e: Evaluation, split: Split, from: number, whole: Feed, mean: Mean, io: Io): Promise<void> {
  const count = split.count - from;
  const program = await e.smaller(count);
  if (!program) {
    const left = `the batch of ${whole.batch} is fixed`;
    if (from === 0) fail("data", `${left}, but there are only ${count} examples`, null, { help: `use --batch ${count} or less` });
    note(io, `${left}: the last ${count} of ${split.count} examples are left out`);
    return;
  }
  const net = await loadProgram(program, { ...e.options, checkpoint: await e.net.checkpoint(), warm: ["evaluate"] }, io);
  try {
    const feed = feedOf(entryOf(program, "evaluate").inputs, e.source, e.normalisation);
    mean.add(await net.evaluate(feed.read(split, range(from, count))), count);
  } finally {
    await net.dispose();
  }
}
const range = (from: number, count: number): readonly number[] => Array.from({ length: count }, (_, i) => from + i);
