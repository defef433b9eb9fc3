import { expect, test } from "vitest";
import { measure } from "./measure.ts";
import { difference, geometricMean, median } from "./statistics.ts";

test("medians do not depend on order; an even number of values has the mean of the two in the middle", () => {
  expect(median([30, 1, 2])).toBe(2);
  expect(median([10, 1, 3, 2])).toBe(2.5);
  expect(() => median([])).toThrow("no values");
});

test("ratios are averaged so that twice and half cancel out", () => {
  expect(geometricMean([2, 0.5])).toBeCloseTo(1, 12);
  expect(geometricMean([1, 4])).toBeCloseTo(2, 12);
});

test("results differ by parts of the largest number expected", () => {
  expect(difference([1, -4], [1.5, -4])).toBe(0.125);
  expect(difference([0, 0], [0, 0])).toBe(0);
  expect(difference([1], [1, 2])).toBe(Number.POSITIVE_INFINITY);
  expect(difference([1], [Number.NaN])).toBe(Number.POSITIVE_INFINITY);
});

/** An engine on a clock of its own: loading takes 100, runs as listed, the last one for ever. */
function clocked(...times: readonly number[]) {
  let [now, runs] = [0, 0];
  const run = async () => {
    now += times[Math.min(runs++, times.length - 1)]!;
    return Float32Array.of(runs);
  };
  const open = async () => {
    now += 100;
    return { run, threads: 2 };
  };
  return { open, clock: () => now, count: () => runs };
}

test("the first run and those that warm up are not in the median", async () => {
  const engine = clocked(500, 90, 80, 70, 70, 10);
  const measured = await measure(engine.open, false, 100, engine.clock);
  expect(measured).toMatchObject({ times: { load: 100, first: 500, median: 10 }, threads: 2, result: [1] });
  expect(measured.runs).toBeGreaterThanOrEqual(10);
});

test("of training the first losses are compared", async () => {
  const engine = clocked(10);
  expect((await measure(engine.open, true, 100, engine.clock)).result).toEqual([1, 2, 3]);
});

test("what is very slow runs once more and no further", async () => {
  const engine = clocked(50_000, 40_000);
  expect(await measure(engine.open, false, 100, engine.clock)).toMatchObject({ runs: 1, times: { first: 50_000, median: 40_000 } });
  expect(engine.count()).toBe(2);
});
