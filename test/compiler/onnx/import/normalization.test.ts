/** Normalisation by its formulas, as layers and by tables that are computed. */
import { describe, expect, test } from "vitest";
import { expectClose } from "../../passes/numeric.ts";
import { at, bodyOf, floats, importCase, noise, op, problemsOf, result, run, type Tensor, table } from "./support.ts";

const x = noise([2, 4, 3]);
const mean = (all: readonly number[]) => all.reduce((p, q) => p + q, 0) / all.length;
const variance = (all: readonly number[]) => mean(all.map((v) => (v - mean(all)) ** 2));
const positive = (dims: readonly number[], seed: number): Tensor =>
  floats(
    dims,
    noise(dims, seed).data.map((v) => Math.fround(Math.abs(v) + 0.5)),
  );
/** x where `same` index sets share statistics, times w plus b. */
const normalized = (
  same: (i: readonly number[], j: readonly number[]) => boolean,
  eps: number,
  w: (i: readonly number[]) => number,
  b: (i: readonly number[]) => number,
) =>
  table(x.dims, (i) => {
    const all: number[] = [];
    table(x.dims, (j) => (same(i, j) ? all.push(at(x, j)) : 0));
    return ((at(x, i) - mean(all)) / Math.sqrt(variance(all) + eps)) * w(i) + b(i);
  });

describe("BatchNormalization", () => {
  const [scale, bias, running, spread] = [noise([4], 2), noise([4], 3), noise([4], 4), positive([4], 5)];
  const tables = { scale, bias, running, spread };
  const expected = table(
    x.dims,
    ([n, c, i]) => ((at(x, [n!, c!, i!]) - at(running, [c!])) / Math.sqrt(at(spread, [c!]) + 1e-3)) * at(scale, [c!]) + at(bias, [c!]),
  );
  test("as a layer", () => {
    const y = result("BatchNormalization", { x, ...tables }, { epsilon: 1e-3 }, { constants: Object.keys(tables) });
    expectClose(y.data, expected, 1e-6, "layer");
  });
  test("by tables that are computed", () =>
    expectClose(result("BatchNormalization", { x, ...tables }, { epsilon: 1e-3 }).data, expected, 1e-6, "tables"));
  test("momentum is that of the new statistics", () => {
    const node = op("BatchNormalization", ["x", ...Object.keys(tables)], ["y"], { momentum: 0.99 }, "/bn/BatchNormalization");
    expect(bodyOf({ nodes: [node], inputs: { x }, weights: tables })).toEqual(["y = x |> bn: BatchNorm(momentum=0.01)"]);
  });
  test("that trains is a layer of the language", () => {
    const inputs = ["x", ...Object.keys(tables)];
    const c = {
      nodes: [op("BatchNormalization", inputs, ["y"], { training_mode: 1 }, "/bn/BatchNormalization")],
      inputs: { x },
      weights: tables,
    };
    expect(bodyOf(c)).toEqual(["y = x |> bn: BatchNorm"]);
    expect(importCase(c).warnings).toEqual([expect.stringContaining("exported for training")]);
    const statistics = { ...c, nodes: [op("BatchNormalization", inputs, ["y", "m", "v"], { training_mode: 1 })], outputs: ["y", "m"] };
    expect(problemsOf(statistics)[0]!.reason).toContain("it trains");
  });
});

describe("others", () => {
  const [w, b] = [noise([4], 2), noise([4], 3)];
  const channel = (t: Tensor) => (i: readonly number[]) => at(t, [i[1]!]);
  const both = (
    opType: string,
    tables: Record<string, Tensor>,
    attributes: Record<string, number>,
    expected: readonly number[],
    opset = 21,
  ) => {
    expectClose(result(opType, { x, ...tables }, attributes, { constants: Object.keys(tables), opset }).data, expected, 1e-6, "layer");
    expectClose(result(opType, { x, ...tables }, attributes, { opset }).data, expected, 1e-6, "tables");
  };
  test("InstanceNormalization", () =>
    both(
      "InstanceNormalization",
      { w, b },
      {},
      normalized((i, j) => i[0] === j[0] && i[1] === j[1], 1e-5, channel(w), channel(b)),
    ));
  const inGroup = (i: readonly number[], j: readonly number[]) => i[0] === j[0] && i[1]! >> 1 === j[1]! >> 1;
  test("GroupNormalization", () =>
    both("GroupNormalization", { w, b }, { num_groups: 2 }, normalized(inGroup, 1e-5, channel(w), channel(b))));
  test("GroupNormalization with a scale for each group", () => {
    const [v, c] = [noise([2], 2), noise([2], 3)];
    const group = (t: Tensor) => (i: readonly number[]) => at(t, [i[1]! >> 1]);
    both("GroupNormalization", { v, c }, { num_groups: 2 }, normalized(inGroup, 1e-5, group(v), group(c)), 18);
  });
  test("LayerNormalization over the last axes", () => {
    const [v, c] = [noise([4, 3], 2), noise([4, 3], 3)];
    const own = (t: Tensor) => (i: readonly number[]) => at(t, i.slice(1));
    both(
      "LayerNormalization",
      { v, c },
      { axis: 1, epsilon: 0.01 },
      normalized((i, j) => i[0] === j[0], 0.01, own(v), own(c)),
    );
  });
  test("LayerNormalization gives its statistics", () => {
    const node = op("LayerNormalization", ["x", "w"], ["y", "m", "d"], { axis: -1 });
    const y = run({ nodes: [node], inputs: { x }, weights: { w: noise([3], 2) }, outputs: ["y", "m", "d"] });
    const rows = Array.from({ length: 8 }, (_, i) => x.data.slice(3 * i, 3 * i + 3));
    expect(y.m!.dims).toEqual([2, 4, 1]);
    expectClose(y.m!.data, rows.map(mean), 1e-6, "mean");
    expectClose(
      y.d!.data,
      rows.map((r) => 1 / Math.sqrt(variance(r) + 1e-5)),
      1e-6,
      "deviation",
    );
  });
  test("RMSNormalization", () => {
    const v = noise([3], 2);
    const expected = table(x.dims, (i) => {
      const row = [0, 1, 2].map((k) => at(x, [i[0]!, i[1]!, k]));
      return (at(x, i) / Math.sqrt(mean(row.map((e) => e * e)) + 1e-5)) * at(v, [i[2]!]);
    });
    both("RMSNormalization", { v }, {}, expected);
  });
  test("LpNormalization keeps zeros", () => {
    const y = result("LpNormalization", { t: floats([2, 2], [3, 4, 0, 0]) }, { axis: 1 });
    expectClose(y.data, [0.6, 0.8, 0, 0], 1e-6, "2");
    expectClose(result("LpNormalization", { t: floats([1, 2], [-1, 3]) }, { p: 1 }).data, [-0.25, 0.75], 1e-6, "1");
  });
  test("MeanVarianceNormalization", () =>
    expectClose(
      result("MeanVarianceNormalization", { x }, { axes: [0, 2] }).data,
      normalized(
        (i, j) => i[1] === j[1],
        0,
        () => 1,
        () => 0,
      ),
      1e-5,
      "mvn",
    ));
  test("LRN", () => {
    const y = result("LRN", { x }, { size: 3, alpha: 0.5, beta: 0.6, bias: { float: 2 } });
    const squares = (i: readonly number[]) => [-1, 0, 1].reduce((s, d) => s + at(x, [i[0]!, i[1]! + d, i[2]!]) ** 2, 0);
    expectClose(
      y.data,
      table(x.dims, (i) => at(x, i) / (2 + (0.5 / 3) * squares(i)) ** 0.6),
      1e-6,
      "lrn",
    );
  });
});
