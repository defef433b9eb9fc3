/** The clock: load, first run, runs until engines have compiled what is run often, runs that count. */
import type { Opened, Times } from "./job.ts";
import { median } from "./statistics.ts";

/** Losses of so many steps are compared; of an inference the first result. */
const comparedSteps = 3;
const [warmFor, warmRuns] = [300, 3] as const;
const [leastRuns, mostRuns] = [5, 1000] as const;
/** A run that is slower than the budget by so much is done once more and no further. */
const patience = 8;

export interface Measured {
  readonly times: Times;
  readonly runs: number;
  /** The output of the first inference, or the losses of the first steps. */
  readonly result: readonly number[];
}

export async function measure(
  open: () => Promise<Opened>,
  training: boolean,
  budget: number,
  now = () => performance.now(),
): Promise<Measured & { readonly threads: number }> {
  const timed = async <T>(work: () => Promise<T>): Promise<readonly [T, number]> => {
    const start = now();
    const value = await work();
    return [value, now() - start];
  };
  const [{ run, threads }, load] = await timed(open);
  const [firstResult, first] = await timed(run);
  const result = [...firstResult];
  if (training) while (result.length < comparedSteps) result.push(...(await run()));
  let spent = 0;
  for (let n = 0; n < mostRuns && (n < warmRuns || spent < warmFor) && spent + first < patience * budget; n++)
    spent += (await timed(run))[1];
  const runs: number[] = [];
  for (let sum = 0; runs.length < mostRuns && isShort(runs.length, sum, budget); ) {
    const [, ms] = await timed(run);
    sum += ms;
    runs.push(ms);
  }
  return { times: { load, first, median: median(runs) }, runs: runs.length, threads, result };
}
const isShort = (count: number, sum: number, budget: number): boolean =>
  count === 0 || (sum < patience * budget && (count < leastRuns || sum < budget));
