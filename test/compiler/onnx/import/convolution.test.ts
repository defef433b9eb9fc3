/** Convolutions against sums over their windows. */
import { describe, expect, test } from "vitest";
import { expectClose } from "../../passes/numeric.ts";
import { type AttributeValue, at, bodyOf, noise, op, result, run, type Tensor, table } from "./support.ts";

interface Window {
  readonly stride?: readonly number[];
  readonly dilation?: readonly number[];
  readonly before?: readonly number[];
  readonly groups?: number;
}
const corners = (kernel: readonly number[]) =>
  table(kernel, (r) => kernel.reduce((p, k, a) => p * k + r[a]!, 0)).map((i) => unravel(i, kernel));
const unravel = (i: number, dims: readonly number[]) =>
  dims.map((d, a) => Math.floor(i / dims.slice(a + 1).reduce((n, e) => n * e, 1)) % d);

/** y[n, o, i] = sum over c, r of x[n, c, i * stride + r * dilation - before] w[o, c, r]. */
function convolved(x: Tensor, w: Tensor, b: Tensor | null, dims: readonly number[], how: Window): number[] {
  const kernel = w.dims.slice(2);
  const ones = kernel.map(() => 1);
  const { stride = ones, dilation = ones, before = ones.map(() => 0), groups = 1 } = how;
  const perGroup = w.dims[0]! / groups;
  return table(dims, ([n, o, ...i]) => {
    let sum = b ? at(b, [o!]) : 0;
    for (const r of corners(kernel)) {
      const place = i.map((v, a) => v * stride[a]! + r[a]! * dilation[a]! - before[a]!);
      for (let c = 0; c < w.dims[1]!; c++) sum += at(x, [n!, Math.floor(o! / perGroup) * w.dims[1]! + c, ...place]) * at(w, [o!, c, ...r]);
    }
    return sum;
  });
}
/** y[n, o, p] sums x[n, c, i] w[c, o, r] where i * stride + r * dilation - before = p. */
function transposed(x: Tensor, w: Tensor, dims: readonly number[], how: Window): number[] {
  const kernel = w.dims.slice(2);
  const ones = kernel.map(() => 1);
  const { stride = ones, dilation = ones, before = ones.map(() => 0), groups = 1 } = how;
  const [perGroup, channels] = [w.dims[1]!, w.dims[0]! / groups];
  return table(dims, ([n, o, ...p]) => {
    const group = Math.floor(o! / perGroup);
    let sum = 0;
    for (const r of corners(kernel)) {
      const place = p.map((v, a) => (v + before[a]! - r[a]! * dilation[a]!) / stride[a]!);
      if (!place.every(Number.isInteger)) continue;
      for (let c = group * channels; c < (group + 1) * channels; c++) sum += at(x, [n!, c, ...place]) * at(w, [c, o! % perGroup, ...r]);
    }
    return sum;
  });
}

interface Given {
  readonly x: Tensor;
  readonly w: Tensor;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly dims: readonly number[];
  readonly how: Window;
}
const convolutions: Readonly<Record<string, Given>> = {
  "a line": {
    x: noise([2, 4, 9]),
    w: noise([6, 2, 3], 2),
    attributes: { strides: [2], pads: [2, 1], group: 2 },
    dims: [2, 6, 5],
    how: { stride: [2], before: [2], groups: 2 },
  },
  "a plane": {
    x: noise([1, 2, 7, 6]),
    w: noise([3, 2, 3, 2], 2),
    attributes: { strides: [2, 1], pads: [1, 0, 2, 1], dilations: [1, 2] },
    dims: [1, 3, 4, 5],
    how: { stride: [2, 1], dilation: [1, 2], before: [1, 0] },
  },
  "a volume": {
    x: noise([1, 2, 3, 4, 3]),
    w: noise([2, 2, 2, 2, 2], 2),
    attributes: { pads: [1, 0, 0, 0, 0, 0] },
    dims: [1, 2, 3, 3, 2],
    how: { before: [1, 0, 0] },
  },
  "the same size, odd padding behind": {
    x: noise([1, 1, 5, 4]),
    w: noise([1, 1, 2, 3], 2),
    attributes: { auto_pad: "SAME_UPPER", strides: [2, 1] },
    dims: [1, 1, 3, 4],
    how: { stride: [2, 1], before: [0, 1] },
  },
  "the same size, odd padding before": {
    x: noise([1, 1, 4, 4]),
    w: noise([1, 1, 2, 2], 2),
    attributes: { auto_pad: "SAME_LOWER" },
    dims: [1, 1, 4, 4],
    how: { before: [1, 1] },
  },
};
describe("Conv", () => {
  const bias = (w: Tensor) => noise([w.dims[0]!], 5);
  test.each(Object.entries(convolutions))("%s, as a layer", (name, { x, w, attributes, dims, how }) => {
    const y = result("Conv", { x, w, b: bias(w) }, attributes, { constants: ["w", "b"] });
    expect(y.dims).toEqual(dims);
    expectClose(y.data, convolved(x, w, bias(w), dims, how), 1e-6, name);
  });
  test.each(Object.entries(convolutions))("%s, by weights that are computed", (name, { x, w, attributes, dims, how }) => {
    expectClose(result("Conv", { x, w, b: bias(w) }, attributes).data, convolved(x, w, bias(w), dims, how), 1e-6, name);
  });
  test("reads like a person's", () => {
    const body = (attributes: Record<string, AttributeValue>, w: Tensor) =>
      bodyOf({
        nodes: [op("Conv", ["x", "stem.conv.weight"], ["y"], attributes)],
        inputs: { x: noise([1, 4, 8, 8]) },
        weights: { "stem.conv.weight": w },
      })[0];
    expect(body({ pads: [1, 1, 1, 1], strides: [2, 2] }, noise([8, 4, 3, 3]))).toBe(
      "y = x |> stem.conv: Conv2d(8, kernel=3, stride=2, padding=1, bias=false)",
    );
    expect(body({ auto_pad: "SAME_UPPER", group: 4 }, noise([4, 1, 3, 5]))).toBe(
      'y = x |> stem.conv: Conv2d(4, kernel=[3, 5], padding="same", groups=4, bias=false)',
    );
  });
  test("weights that two nodes share are a variable", () => {
    const [x, w] = [noise([1, 2, 3, 3]), noise([2, 2, 1, 1], 2)];
    const nodes = [op("Conv", ["x", "shared.weight"], ["t"]), op("Conv", ["t", "shared.weight"], ["y"])];
    const c = { nodes, inputs: { x }, weights: { "shared.weight": w } };
    expect(bodyOf(c).filter((l) => l.startsWith("param"))).toHaveLength(1);
    const once = convolved(x, w, null, [1, 2, 3, 3], {});
    expectClose(run(c).y!.data, convolved({ ...x, data: once }, w, null, [1, 2, 3, 3], {}), 1e-6, "twice");
  });
});

const transposes: Readonly<Record<string, Given>> = {
  "a line": {
    x: noise([1, 2, 4]),
    w: noise([2, 3, 3], 2),
    attributes: { strides: [2], pads: [1, 1], output_padding: [1] },
    dims: [1, 3, 8],
    how: { stride: [2], before: [1] },
  },
  "a plane in groups": {
    x: noise([1, 4, 3, 2]),
    w: noise([4, 2, 3, 2], 2),
    attributes: { strides: [1, 2], group: 2 },
    dims: [1, 4, 5, 4],
    how: { stride: [1, 2], groups: 2 },
  },
  "a volume": {
    x: noise([1, 1, 2, 2, 2]),
    w: noise([1, 2, 2, 2, 2], 2),
    attributes: { strides: [2, 1, 1] },
    dims: [1, 2, 4, 3, 3],
    how: { stride: [2, 1, 1] },
  },
  "less padding behind": {
    x: noise([1, 1, 3, 3]),
    w: noise([1, 1, 3, 3], 2),
    attributes: { strides: [2, 2], pads: [1, 1, 0, 0] },
    dims: [1, 1, 6, 6],
    how: { stride: [2, 2], before: [1, 1] },
  },
  "more padding behind": {
    x: noise([1, 1, 3, 3]),
    w: noise([1, 1, 3, 3], 2),
    attributes: { strides: [2, 2], pads: [0, 0, 2, 1] },
    dims: [1, 1, 5, 6],
    how: { stride: [2, 2] },
  },
  "an output shape": {
    x: noise([1, 1, 3, 3]),
    w: noise([1, 1, 3, 3], 2),
    attributes: { strides: [3, 2], output_shape: [10, 8] },
    dims: [1, 1, 10, 8],
    how: { stride: [3, 2] },
  },
};
describe("ConvTranspose", () => {
  test.each(Object.entries(transposes))("%s", (name, { x, w, attributes, dims, how }) => {
    const y = result("ConvTranspose", { x, w }, attributes, { constants: ["w"] });
    expect(y.dims).toEqual(dims);
    expectClose(y.data, transposed(x, w, dims, how), 1e-6, name);
  });
  test("a bias, with weights that are computed", () => {
    const { x, w, attributes, dims, how } = transposes["a line"]!;
    const b = noise([3], 5);
    const expected = transposed(x, w, dims, how).map((v, i) => v + b.data[Math.floor(i / 8)]!);
    expectClose(result("ConvTranspose", { x, w, b }, attributes).data, expected, 1e-6, "bias");
  });
});
