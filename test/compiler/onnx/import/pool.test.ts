/** Pooling against its windows. */
import { describe, expect, test } from "vitest";
import { expectClose } from "../../passes/numeric.ts";
import { type AttributeValue, at, bodyOf, floats, ints, noise, op, problemsOf, result, run, table } from "./support.ts";

const x = noise([1, 2, 5, 6]);
/** Elements of the 2 x 3 window that begins at (i, j), those outside left out. */
const windowAt = (c: number, i: number, j: number, [di, dj] = [1, 1]): number[] =>
  [0, 1].flatMap((r) => [0, 1, 2].flatMap((s) => (inside(i + r * di!, j + s * dj!) ? [at(x, [0, c, i + r * di!, j + s * dj!])] : [])));
const inside = (i: number, j: number) => i >= 0 && i < 5 && j >= 0 && j < 6;
const mean = (all: readonly number[]) => all.reduce((p, q) => p + q, 0) / all.length;
const kernel = { kernel_shape: [2, 3] };

describe("MaxPool", () => {
  test("padding never wins", () => {
    const y = result("MaxPool", { x }, { ...kernel, strides: [2, 1], pads: [1, 1, 0, 1] });
    expect(y.dims).toEqual([1, 2, 3, 6]);
    expect(y.data).toEqual(table([1, 2, 3, 6], ([, c, i, j]) => Math.max(...windowAt(c!, 2 * i! - 1, j! - 1))));
  });
  test("rounding up, and dilation", () => {
    const y = result("MaxPool", { x }, { ...kernel, strides: [2, 2], ceil_mode: 1 });
    expect(y.data).toEqual(table([1, 2, 3, 3], ([, c, i, j]) => Math.max(...windowAt(c!, 2 * i!, 2 * j!))));
    const wide = result("MaxPool", { x }, { ...kernel, dilations: [3, 2] });
    expect(wide.data).toEqual(table([1, 2, 2, 2], ([, c, i, j]) => Math.max(...windowAt(c!, i!, j!, [3, 2]))));
  });
  test("indices count through all planes", () => {
    const t = floats([1, 2, 2, 2], [1, 4, 3, 2, 8, 5, 6, 7]);
    const y = run({ nodes: [op("MaxPool", ["t"], ["y", "i"], { kernel_shape: [2, 2] })], inputs: { t }, outputs: ["y", "i"] });
    expect([y.y!.data, y.i!.data]).toEqual([
      [4, 8],
      [1, 4],
    ]);
    const columns = {
      nodes: [op("MaxPool", ["t"], ["y", "i"], { kernel_shape: [2, 2], storage_order: 1 })],
      inputs: { t },
      outputs: ["y", "i"],
    };
    expect(problemsOf(columns)[0]!.reason).toContain("columns first");
  });
  test("positions that are computed apart are those of one pooling, and counted within their planes", () => {
    const window = { kernel_shape: [2, 2], strides: [2, 2] };
    const nodes = [
      op("MaxPool", ["x"], ["v"], window),
      op("MaxPool", ["x"], ["", "i"], { strides: [2, 2], kernel_shape: [2, 2] }),
      op("Relu", ["v"], ["r"]),
      op("MaxUnpool", ["r", "i"], ["y"], window),
    ];
    const image = noise([1, 2, 4, 4]);
    expect(bodyOf({ nodes, inputs: { x: image } })).toEqual([
      "a, b = max_pool(x, 2, return_indices=true)",
      "y = a |> relu |> max_unpool(b, 2)",
    ]);
    const other = [...nodes.slice(0, 3), op("MaxUnpool", ["r", "i"], ["y"], { kernel_shape: [2, 2], strides: [1, 1] })];
    expect(bodyOf({ nodes: other, inputs: { x: image } }).at(-1)).toContain(
      "max_unpool((b + reshape(arange(2), [1, 2, 1, 1]) * 16) % 9, 2, stride=1)",
    );
  });
  test("MaxUnpool", () => {
    const y = result(
      "MaxUnpool",
      { t: floats([1, 2, 1, 1], [4, 8]), i: ints([1, 2, 1, 1], [1, 4]) },
      { kernel_shape: [2, 2], strides: [2, 2] },
    );
    expect(y).toEqual({ dims: [1, 2, 2, 2], data: [0, 4, 0, 0, 8, 0, 0, 0] });
  });
  test("MaxUnpool into a larger image: positions count within the smaller one", () => {
    const operands = { t: floats([1, 1, 2, 2], [5, 6, 7, 8]), i: ints([1, 1, 2, 2], [5, 7, 13, 15]), shape: ints([4], [1, 1, 5, 5]) };
    const window = { kernel_shape: [2, 2], strides: [2, 2] };
    const { dims, data } = result("MaxUnpool", operands, window, { constants: ["shape"] });
    expect(dims).toEqual([1, 1, 5, 5]);
    expect(data.flatMap((v, i) => (v === 0 ? [] : [[v, i]]))).toEqual([
      [5, 6],
      [6, 8],
      [7, 16],
      [8, 18],
    ]);
    const small = { nodes: [op("MaxUnpool", ["t", "i", "s"], ["y"], window)], inputs: operands, weights: { s: ints([4], [1, 1, 3, 3]) } };
    expect(problemsOf(small)[0]!.reason).toBe("its result [1, 1, 4, 4] cannot be put into [1, 1, 3, 3]");
  });
  test("reads like a person's", () => {
    const attributes = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] };
    expect(bodyOf({ nodes: [op("MaxPool", ["x"], ["y"], attributes)], inputs: { x } })).toEqual([
      "y = max_pool(x, 3, stride=2, padding=1)",
    ]);
  });
});

describe("AveragePool", () => {
  const padded = { ...kernel, pads: [1, 1, 0, 0] };
  const averaged = (f: (all: readonly number[]) => number) => table([1, 2, 5, 5], ([, c, i, j]) => f(windowAt(c!, i! - 1, j! - 1)));
  test("padding does not count", () => expectClose(result("AveragePool", { x }, padded).data, averaged(mean), 1e-6, "mean"));
  test("or does", () => {
    const y = result("AveragePool", { x }, { ...padded, count_include_pad: 1 });
    expectClose(
      y.data,
      averaged((all) => (mean(all) * all.length) / 6),
      1e-6,
      "counted",
    );
  });
  test("lines and volumes", () => {
    expectClose(
      result("AveragePool", { t: floats([1, 1, 4], [1, 2, 3, 4]) }, { kernel_shape: [2], strides: [2] }).data,
      [1.5, 3.5],
      1e-6,
      "line",
    );
    const t = noise([1, 1, 2, 2, 2]);
    expectClose(result("AveragePool", { t }, { kernel_shape: [2, 2, 2] }).data, [mean(t.data)], 1e-6, "volume");
  });
});

describe("other pooling", () => {
  test("LpPool", () => {
    const norm = (p: number) =>
      table([1, 2, 4, 4], ([, c, i, j]) => windowAt(c!, i!, j!).reduce((s, v) => s + Math.abs(v) ** p, 0) ** (1 / p));
    expectClose(result("LpPool", { x }, kernel).data, norm(2), 1e-5, "2");
    expectClose(result("LpPool", { x }, { ...kernel, p: 3 }).data, norm(3), 1e-5, "3");
  });
  test("over everything", () => {
    const planes = [x.data.slice(0, 30), x.data.slice(30)];
    const all = (opType: string, attributes: Record<string, AttributeValue> = {}) => result(opType, { x }, attributes);
    expectClose(all("GlobalAveragePool").data, planes.map(mean), 1e-6, "mean");
    expect(all("GlobalMaxPool")).toEqual({ dims: [1, 2, 1, 1], data: planes.map((p) => Math.max(...p)) });
    expectClose(
      all("GlobalLpPool").data,
      planes.map((p) => Math.hypot(...p)),
      1e-6,
      "norm",
    );
  });
  test("RoiAlign of a box on the grid takes the mean of samples", () => {
    const ramp = floats(
      [1, 1, 4, 4],
      table([4, 4], ([i, j]) => i! + 10 * j!),
    );
    const operands = { ramp, boxes: floats([1, 4], [0.5, 0.5, 2.5, 2.5]), batch: ints([1], [0]) };
    const y = result("RoiAlign", operands, { output_height: 2, output_width: 2, sampling_ratio: 2 });
    expectClose(y.data, [0.5 + 5, 0.5 + 15, 1.5 + 5, 1.5 + 15], 1e-6, "ramp");
  });
  test("MaxRoiPool", () => {
    const y = result("MaxRoiPool", { x, boxes: floats([1, 5], [0, 1, 0, 2, 3]) }, { pooled_shape: [1, 1] });
    const area = (c: number) => Math.max(...[0, 1, 2, 3].flatMap((i) => [1, 2].map((j) => at(x, [0, c, i, j]))));
    expect(y.data).toEqual([area(0), area(1)]);
  });
});
