/** What exporters take apart is one call again, and nothing else is. */
import { describe, expect, test } from "vitest";
import type { OnnxNode } from "../../../../compiler/formats/onnx/model.ts";
import { expectClose } from "../../passes/numeric.ts";
import { bodyOf, floats, importCase, list, noise, op, run, type Tensor } from "./support.ts";

const x = noise([2, 6]);
const scalar = (v: number): Tensor => floats([], [v]);
const weights = {
  half: scalar(0.5),
  one: scalar(1),
  two: scalar(2),
  three: scalar(3),
  six: scalar(6),
  root2: scalar(Math.SQRT2),
  inverse: scalar(Math.SQRT1_2),
  pi: scalar(Math.sqrt(2 / Math.PI)),
  cubic: scalar(0.044715),
  eps: scalar(1e-6),
  zero: scalar(0),
  "ln.weight": noise([6], 2),
  "ln.bias": noise([6], 3),
};
const erf = (v: number): number => {
  const t = 1 / (1 + 0.5 * Math.abs(v));
  const p = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277];
  const y = 1 - t * Math.exp(-v * v + p.reduceRight((s, k) => s * t + k, 0));
  return v >= 0 ? y : -y;
};

interface Idiom {
  readonly nodes: readonly OnnxNode[];
  readonly call: string;
  readonly f: (v: number) => number;
}
const gelu = (v: number) => 0.5 * v * (1 + erf(v / Math.SQRT2));
const geluByTanh = (v: number) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)));
const hardSwish = (v: number) => (v * Math.min(6, Math.max(0, v + 3))) / 6;
const idioms: Readonly<Record<string, Idiom>> = {
  silu: { nodes: [op("Sigmoid", ["x"], ["s"]), op("Mul", ["s", "x"], ["y"])], call: "silu(x)", f: (v) => v / (1 + Math.exp(-v)) },
  "gelu as PyTorch writes it": {
    nodes: [
      op("Div", ["x", "root2"], ["d"]),
      op("Erf", ["d"], ["e"]),
      op("Add", ["e", "one"], ["a"]),
      op("Mul", ["x", "a"], ["m"]),
      op("Mul", ["m", "half"], ["y"]),
    ],
    call: "gelu(x)",
    f: gelu,
  },
  "gelu with the half first": {
    nodes: [
      op("Mul", ["x", "inverse"], ["d"]),
      op("Erf", ["d"], ["e"]),
      op("Add", ["one", "e"], ["a"]),
      op("Mul", ["half", "x"], ["h"]),
      op("Mul", ["h", "a"], ["y"]),
    ],
    call: "gelu(x)",
    f: gelu,
  },
  "gelu by tanh": {
    nodes: [
      op("Pow", ["x", "three"], ["p"]),
      op("Mul", ["cubic", "p"], ["q"]),
      op("Add", ["x", "q"], ["s"]),
      op("Mul", ["pi", "s"], ["t"]),
      op("Tanh", ["t"], ["h"]),
      op("Add", ["one", "h"], ["a"]),
      op("Mul", ["half", "x"], ["m"]),
      op("Mul", ["m", "a"], ["y"]),
    ],
    call: 'gelu(x, approximate="tanh")',
    f: geluByTanh,
  },
  "hard swish": {
    nodes: [
      op("Add", ["x", "three"], ["a"]),
      op("Clip", ["a", "zero", "six"], ["c"]),
      op("Mul", ["x", "c"], ["m"]),
      op("Div", ["m", "six"], ["y"]),
    ],
    call: "hard_swish(x)",
    f: hardSwish,
  },
  "hard sigmoid": {
    nodes: [op("Add", ["x", "three"], ["a"]), op("Clip", ["a", "zero", "six"], ["c"]), op("Div", ["c", "six"], ["y"])],
    call: "hard_sigmoid(x)",
    f: (v) => Math.min(6, Math.max(0, v + 3)) / 6,
  },
};
describe("activations", () => {
  test.each(Object.entries(idioms))("%s", (name, { nodes, call, f }) => {
    expect(bodyOf({ nodes, inputs: { x }, weights })).toEqual([`y = ${call}`]);
    expectClose(run({ nodes, inputs: { x }, weights }).y!.data, x.data.map(f), 1e-6, name);
  });
  test("a part that is read elsewhere stays", () => {
    const c = { nodes: idioms.silu!.nodes, inputs: { x }, outputs: ["y", "s"] };
    const y = run(c);
    expectClose(
      y.s!.data,
      x.data.map((v) => 1 / (1 + Math.exp(-v))),
      1e-6,
      "s",
    );
    expectClose(y.y!.data, x.data.map(idioms.silu!.f), 1e-6, "y");
  });
  test("other numbers are other functions", () => {
    const nodes = [op("Div", ["x", "two"], ["d"]), ...idioms["gelu as PyTorch writes it"]!.nodes.slice(1)];
    expectClose(
      run({ nodes, inputs: { x }, weights }).y!.data,
      x.data.map((v) => 0.5 * v * (1 + erf(v / 2))),
      1e-6,
      "not gelu",
    );
  });
});

test("numbers with several axes are no scalars: they add axes", () => {
  const nodes = idioms["gelu as PyTorch writes it"]!.nodes;
  const y = run({ nodes, inputs: { x }, weights: { ...weights, one: floats([1, 1, 1], [1]) } }).y!;
  expect(y.dims).toEqual([1, 2, 6]);
  expectClose(y.data, x.data.map(gelu), 1e-6, "gelu");
});
test("a chain of products as long as a file is read in one go", () => {
  const chain = Array.from({ length: 3000 }, (_, i) => op("Mul", [`t${i}`, "w"], [`t${i + 1}`]));
  const { sketch } = importCase({ nodes: chain, inputs: { t0: noise([1]), w: noise([1], 2) }, outputs: ["t3000"] });
  expect(sketch.steps.length).toBe(3000);
});

describe("layer normalisation", () => {
  const standard = (square: OnnxNode): OnnxNode[] => [
    op("ReduceMean", ["x"], ["m"], { axes: [-1] }),
    op("Sub", ["x", "m"], ["d"]),
    square,
    op("ReduceMean", ["s"], ["v"], { axes: [-1] }),
    op("Add", ["v", "eps"], ["e"]),
    op("Sqrt", ["e"], ["r"]),
    op("Div", ["d", "r"], ["n"]),
  ];
  const scaled = [op("Mul", ["n", "ln.weight"], ["w"]), op("Add", ["w", "ln.bias"], ["y"])];
  const rows = [x.data.slice(0, 6), x.data.slice(6)];
  const normal = rows.flatMap((r) => {
    const mean = r.reduce((p, q) => p + q, 0) / 6;
    const variance = r.reduce((p, q) => p + (q - mean) ** 2, 0) / 6;
    return r.map((v) => (v - mean) / Math.sqrt(variance + 1e-6));
  });
  const squares = { "by a power": op("Pow", ["d", "two"], ["s"]), "by a product": op("Mul", ["d", "d"], ["s"]) };
  test.each(Object.entries(squares))("%s", (name, square) => {
    const c = { nodes: [...standard(square), ...scaled], inputs: { x }, weights, opset: 13 };
    expect(bodyOf(c)).toEqual(["y = x |> ln: LayerNorm(eps=1e-6)"]);
    const expected = normal.map((v, i) => v * weights["ln.weight"].data[i % 6]! + weights["ln.bias"].data[i % 6]!);
    expectClose(run(c).y!.data, expected, 1e-5, name);
  });
  test("without scale and bias", () => {
    const c = { nodes: [...standard(squares["by a power"]), op("Relu", ["n"], ["y"])], inputs: { x }, weights, opset: 13 };
    expect(bodyOf(c)).toEqual(["y = x |> ln1: LayerNorm(eps=1e-6, affine=false) |> relu"]);
    expectClose(
      run(c).y!.data,
      normal.map((v) => Math.max(0, v)),
      1e-5,
      "plain",
    );
  });
});

describe("group normalisation", () => {
  const image = noise([1, 4, 2, 3]);
  const tables = {
    ones: floats([2], [1, 1]),
    zeros: floats([2], [0, 0]),
    apart: list(0, 2, -1),
    back: list(1, 4, 2, 3),
    "gn.weight": noise([4, 1, 1], 2),
    "gn.bias": noise([4, 1, 1], 3),
  };
  const nodes = [
    op("Reshape", ["image", "apart"], ["g"]),
    op("InstanceNormalization", ["g", "ones", "zeros"], ["n"]),
    op("Reshape", ["n", "back"], ["r"]),
    op("Mul", ["r", "gn.weight"], ["w"]),
    op("Add", ["w", "gn.bias"], ["y"]),
  ];
  const normal = [0, 12].flatMap((start) => {
    const all = image.data.slice(start, start + 12);
    const mean = all.reduce((p, q) => p + q, 0) / 12;
    const variance = all.reduce((p, q) => p + (q - mean) ** 2, 0) / 12;
    return all.map((v) => (v - mean) / Math.sqrt(variance + 1e-5));
  });
  test("with scale and bias", () => {
    const c = { nodes, inputs: { image }, weights: tables };
    expect(bodyOf(c)).toEqual(["y = image |> gn: GroupNorm(2)"]);
    const channel = (t: Tensor, i: number) => t.data[Math.floor(i / 6)]!;
    expectClose(
      run(c).y!.data,
      normal.map((v, i) => v * channel(tables["gn.weight"], i) + channel(tables["gn.bias"], i)),
      1e-5,
      "affine",
    );
  });
  test("without", () => {
    const c = { nodes: [...nodes.slice(0, 3), op("Relu", ["r"], ["y"])], inputs: { image }, weights: tables };
    expect(bodyOf(c)[0]).toContain("GroupNorm(2, affine=false)");
    expectClose(
      run(c).y!.data,
      normal.map((v) => Math.max(0, v)),
      1e-5,
      "plain",
    );
  });
  test("a scale that adds an axis is none of a layer", () => {
    const c = { nodes, inputs: { image }, weights: { ...tables, "gn.weight": noise([2, 4, 1, 1], 2) } };
    expect(bodyOf(c).join()).not.toContain("GroupNorm");
    expect(run(c).y!.dims).toEqual([2, 4, 2, 3]);
  });
  test("by other numbers it is something else", () => {
    const c = { nodes, inputs: { image }, weights: { ...tables, ones: floats([2], [1, 2]) } };
    expect(bodyOf(c).join()).not.toContain("GroupNorm");
    const channel = (t: Tensor, i: number) => t.data[Math.floor(i / 6)]!;
    const expected = normal.map((v, i) => v * (i < 12 ? 1 : 2) * channel(tables["gn.weight"], i) + channel(tables["gn.bias"], i));
    expectClose(run(c).y!.data, expected, 1e-5, "scaled");
  });
});
