/** Operators over axes and along one. */
import { describe, expect, test } from "vitest";
import { expectClose } from "../../passes/numeric.ts";
import { at, bodyOf, floats, ints, list, noise, op, result, run, type Tensor, table } from "./support.ts";

const x = noise([2, 3, 4]);
/** `f` of the elements along axes 0 and 2. */
const over02 = (t: Tensor, f: (all: readonly number[]) => number): number[] =>
  table([3], ([j]) => f([0, 1].flatMap((i) => [0, 1, 2, 3].map((k) => at(t, [i, j!, k])))));
const sum = (all: readonly number[]) => all.reduce((p, q) => p + q, 0);

const reductions: readonly (readonly [string, (all: readonly number[]) => number])[] = [
  ["ReduceSum", sum],
  ["ReduceMean", (all) => sum(all) / all.length],
  ["ReduceMax", (all) => Math.max(...all)],
  ["ReduceMin", (all) => Math.min(...all)],
  ["ReduceProd", (all) => all.reduce((p, q) => p * q, 1)],
  ["ReduceL1", (all) => sum(all.map(Math.abs))],
  ["ReduceL2", (all) => Math.hypot(...all)],
  ["ReduceSumSquare", (all) => sum(all.map((v) => v * v))],
  ["ReduceLogSumExp", (all) => Math.log(sum(all.map(Math.exp)))],
];
describe("reductions", () => {
  test.each(reductions)("%s", (opType, f) => {
    const y = result(opType, { x }, { axes: [0, -1] }, { opset: 11 });
    expect(y.dims).toEqual([1, 3, 1]);
    expectClose(y.data, over02(x, f), 1e-6, opType);
  });
  test("axes are an operand in version 18", () => {
    const y = result("ReduceMean", { x, axes: list(2, 0) }, { keepdims: 0 }, { opset: 18, constants: ["axes"] });
    expect(y.dims).toEqual([3]);
    expectClose(
      y.data,
      over02(x, (all) => sum(all) / all.length),
      1e-6,
      "ReduceMean",
    );
  });
  test("without axes all are reduced, or none", () => {
    expectClose(result("ReduceSum", { x }, { keepdims: 0 }).data, [sum(x.data)], 1e-6, "all");
    expect(result("ReduceSum", { x }, { noop_with_empty_axes: 1 }).data).toEqual(x.data);
  });
  test("ReduceLogSum", () => {
    const positive = floats([2, 2], [1, 2, 3, 4]);
    expectClose(result("ReduceLogSum", { positive }, { axes: [1] }).data, [Math.log(3), Math.log(7)], 1e-6, "log");
  });
  test("large numbers do not overflow in ReduceLogSumExp", () =>
    expectClose(result("ReduceLogSumExp", { x: floats([2], [200, 201]) }).data, [201 + Math.log1p(Math.exp(-1))], 1e-6, "large"));
});

describe("ArgMax and ArgMin", () => {
  const tied = floats([2, 3], [1, 5, 5, 2, 0, 0]);
  test("the first winner", () => {
    expect(result("ArgMax", { tied }, { axis: 1 }).data).toEqual([1, 0]);
    expect(result("ArgMin", { tied }, { axis: 1, keepdims: 0 })).toEqual({ dims: [2], data: [0, 1] });
  });
  test("or the last one", () => expect(result("ArgMax", { tied }, { axis: 1, select_last_index: 1 }).data).toEqual([2, 0]));
});

describe("along an axis", () => {
  const softmax = (values: readonly number[]) => {
    const powers = values.map(Math.exp);
    return powers.map((p) => p / sum(powers));
  };
  const rows = (width: number): number[][] =>
    Array.from({ length: 24 / width }, (_, i) => x.data.slice(i * width, (i + 1) * width) as number[]);
  test("Softmax", () => expectClose(result("Softmax", { x }).data, rows(4).flatMap(softmax), 1e-6, "last"));
  test("before version 13 all axes from the given one count as one", () =>
    expectClose(result("Softmax", { x }, {}, { opset: 11 }).data, rows(12).flatMap(softmax), 1e-6, "flat"));
  test("LogSoftmax of an inner axis", () => {
    const y = result("LogSoftmax", { x }, { axis: 1 }).data;
    const expected = table([2, 3, 4], ([i, j, k]) => Math.log(softmax([0, 1, 2].map((m) => at(x, [i!, m, k!])))[j!]!));
    expectClose(y, expected, 1e-6, "inner");
  });
  test("Hardmax", () => {
    const y = result("Hardmax", { t: floats([2, 3], [1, 5, 5, 2, 0, 0]) }, { axis: 0 });
    expect(y.data).toEqual([0, 1, 1, 1, 0, 0]);
  });
  test("CumSum", () => {
    const t = ints([2, 3], [1, 2, 3, 4, 5, 6]);
    const cumulative = (attributes: Record<string, number>) =>
      result("CumSum", { t, axis: list(1) }, attributes, { constants: ["axis"] }).data;
    expect(cumulative({})).toEqual([1, 3, 6, 4, 9, 15]);
    expect(cumulative({ exclusive: 1 })).toEqual([0, 1, 3, 0, 4, 9]);
    expect(cumulative({ reverse: 1 })).toEqual([6, 5, 3, 15, 11, 6]);
  });
  test("TopK, largest and smallest", () => {
    const t = floats([2, 4], [3, 9, 9, 1, 0.5, -1, 5, 2]);
    const c = (attributes: Record<string, number>) => ({
      nodes: [op("TopK", ["t", "k"], ["y", "i"], attributes)],
      inputs: { t },
      weights: { k: list(2) },
      outputs: ["y", "i"],
    });
    expect(run(c({}))).toEqual({ y: { dims: [2, 2], data: [9, 9, 5, 2] }, i: { dims: [2, 2], data: [1, 2, 2, 3] } });
    expect(run(c({ largest: 0 }))).toEqual({ y: { dims: [2, 2], data: [1, 3, -1, 0.5] }, i: { dims: [2, 2], data: [3, 0, 1, 0] } });
    expect(bodyOf(c({}))[0]).toContain("= top_k(t, 2)");
  });
});

describe("nothing, and everything", () => {
  const none = floats([0], []);
  test("of no elements", () => {
    const y = (opType: string, keepdims: number) =>
      run({
        nodes: [op(opType, ["n"], ["s"], { keepdims }), op("Add", ["x", "s"], ["y"])],
        inputs: { x: floats([], [5]) },
        weights: { n: none },
      }).y;
    expect([y("ReduceProd", 1), y("ReduceProd", 0)]).toEqual([
      { dims: [1], data: [6] },
      { dims: [], data: [6] },
    ]);
    expect(y("ReduceSum", 1)).toEqual({ dims: [1], data: [5] });
  });
  test("no axes may mean none: elements are still squared", () => {
    const y = (opType: string) => result(opType, { x: floats([2], [-3, 2]) }, { noop_with_empty_axes: 1 }, { opset: 18 }).data;
    expect([y("ReduceSum"), y("ReduceL1"), y("ReduceL2"), y("ReduceSumSquare")]).toEqual([
      [-3, 2],
      [3, 2],
      [3, 2],
      [9, 4],
    ]);
  });
  test("ReduceLogSumExp where all is infinite", () => {
    const row = (v: number) => result("ReduceLogSumExp", { x: floats([2], [v, v]) }, { axes: [0] }).data[0];
    expect([row(Number.NEGATIVE_INFINITY), row(Number.POSITIVE_INFINITY)]).toEqual([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
  });
  test("the mean of integers is one", () => {
    const x = { dtype: "int32", dims: [4], data: [-1, -2, -2, -2] } as const;
    for (const constants of [[], ["x"]]) expect(result("ReduceMean", { x }, {}, { constants }).data).toEqual([-1]);
    expect(result("ReduceL2", { x }).data).toEqual([3]);
  });
  test("the least integer is the smallest", () => {
    const t = { dtype: "int32", dims: [3], data: [5, -(2 ** 31), 7] } as const;
    const y = run({
      nodes: [op("TopK", ["t", "k"], ["y", "i"], { largest: 0 })],
      inputs: { t },
      weights: { k: list(2) },
      outputs: ["y", "i"],
    });
    expect([y.y!.data, y.i!.data]).toEqual([
      [-(2 ** 31), 5],
      [1, 0],
    ]);
  });
});
