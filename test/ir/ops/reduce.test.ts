import { describe, expect, test } from "vitest";
import type { Attrs } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";
import { type DType, f32, i32, type Shape, tensor } from "../../../ir/type.ts";
import { checkOp, complaint, type OpChecks, type Sample, value } from "./check-op.ts";
import { evaluate } from "./evaluate.ts";
import * as naive from "./naive.ts";

const axesOf = (attrs: Attrs) => attrs.axes as readonly number[];
const cases: readonly (readonly [Shape, Attrs, Shape])[] = [
  [[2, 3, 4], { axes: [1] }, [2, 4]],
  [[2, 3, 4], { axes: [0, 2] }, [3]],
  [[2, 3], { axes: [1], keepdims: true }, [2, 1]],
  [[2, 3], { axes: [0, 1] }, []],
  [[], { axes: [] }, []],
];
const samples = (...types: DType[]): Sample[] =>
  types.flatMap((dtype) => cases.map(([from, attrs, shape]): Sample => ({ inputs: [tensor(dtype, from)], attrs, shape, dtype })));
const reduction = (f: (group: readonly number[]) => number, ...types: DType[]): OpChecks => ({
  samples: samples(...types),
  reference: ([x], attrs) => naive.reduce(x!, axesOf(attrs), f),
});

checkOp(ops.reduceSum, reduction(naive.sum, "f32", "i32"));
checkOp(
  ops.reduceMax,
  reduction((g) => Math.max(...g), "f32", "i32", "bool"),
);
checkOp(
  ops.reduceMin,
  reduction((g) => Math.min(...g), "f32", "i32", "bool"),
);
checkOp(
  ops.reduceProd,
  reduction((g) => g.reduce((a, b) => a * b, 1), "f32", "i32"),
);
checkOp(ops.mean, reduction(naive.mean, "f32"));
checkOp(ops.variance, {
  samples: cases
    .slice(0, 4)
    .flatMap(([from, attrs, shape]) =>
      [false, true].map((unbiased): Sample => ({ inputs: [f32(...from)], attrs: { ...attrs, unbiased }, shape })),
    ),
  reference: ([x], attrs) => naive.reduce(x!, axesOf(attrs), (g) => naive.variance(g, attrs.unbiased === true)),
});

const arg = (better: (a: number, b: number) => boolean): OpChecks => ({
  samples: [
    { inputs: [f32(3, 5)], attrs: { axis: 1 }, shape: [3], dtype: "i32" },
    { inputs: [f32(3, 5, 2)], attrs: { axis: 0, keepdims: true }, shape: [1, 5, 2], dtype: "i32" },
    { inputs: [i32(6)], attrs: { axis: 0 }, shape: [], dtype: "i32", values: () => [1, 3, 0, 3, 0, 1] },
    { inputs: [tensor("u8", [2, 4])], attrs: { axis: 1 }, shape: [2], dtype: "i32" },
  ],
  reference: ([x], attrs) => naive.reduce(x!, [Number(attrs.axis)], (g) => g.reduce((best, v, i) => (better(v, g[best]!) ? i : best), 0)),
});
checkOp(
  ops.argmax,
  arg((a, b) => a > b),
);
checkOp(
  ops.argmin,
  arg((a, b) => a < b),
);

const along = (inputs: readonly naive.Tensor[], attrs: Attrs) => naive.softmax(inputs[0]!, Number(attrs.axis));
const axisSamples: readonly Sample[] = [
  { inputs: [f32(3, 5)], attrs: { axis: 1 }, shape: [3, 5] },
  { inputs: [f32(2, 3, 4)], attrs: { axis: 1 }, shape: [2, 3, 4] },
  { inputs: [f32(4)], attrs: { axis: 0 }, shape: [4] },
];
checkOp(ops.softmax, { samples: axisSamples, reference: along });
checkOp(ops.logSoftmax, { samples: axisSamples, reference: (inputs, attrs) => along(inputs, attrs).map(Math.log) });

const dense = (...data: number[]) => ops.dense({}, { data, dtype: "f32", shape: [data.length] });
const values = (n: ReturnType<typeof dense>) => [...evaluate([n], () => [])[0]!];

describe("numbers that need care", () => {
  test("softmax of large numbers does not overflow", () => {
    expect(values(ops.softmax({ x: dense(1000, 1000, -1000) }, { axis: 0 }))).toEqual([0.5, 0.5, 0]);
    expect(values(ops.logSoftmax({ x: dense(1000, 0) }, { axis: 0 }))).toEqual([0, -1000]);
  });
  const gradientOf = (node: ReturnType<typeof dense>) =>
    values(node.op.grad!(node, ops.full({}, { value: 1, dtype: "f32", shape: [] }))[0]!);
  test("equal winners share the gradient", () => {
    expect(gradientOf(ops.reduceMax({ x: dense(1, 3, 3, 2) }, { axes: [0] }))).toEqual([0, 0.5, 0.5, 0]);
    expect(gradientOf(ops.reduceMin({ x: dense(1, 1, 1, 1) }, { axes: [0] }))).toEqual([0.25, 0.25, 0.25, 0.25]);
  });
  test("the gradient of a product with zeros", () => {
    expect(gradientOf(ops.reduceProd({ x: dense(2, 3, 5) }, { axes: [0] }))).toEqual([15, 10, 6]);
    expect(gradientOf(ops.reduceProd({ x: dense(2, 0, 5) }, { axes: [0] }))).toEqual([0, 10, 0]);
    expect(gradientOf(ops.reduceProd({ x: dense(0, 0, 5) }, { axes: [0] }))).toEqual([0, 0, 0]);
  });
  test("work is counted once for each element", () => {
    expect(ops.reduceSum.flops([f32(3, 4)], { axes: [0], keepdims: false }, f32(4))).toBe(12);
  });
});

describe("complaints", () => {
  test("say what was found and what was expected", () => {
    const x = value();
    expect(complaint(() => ops.reduceSum({ x }, { axes: [2] }))).toMatchInlineSnapshot(
      `"error[shape]: reduce_sum: axis 2 does not exist, f32[2,3] has 0 to 1"`,
    );
    expect(complaint(() => ops.reduceSum({ x }, { axes: [0, 0] }))).toMatchInlineSnapshot(
      `"error[shape]: reduce_sum: axes [0, 0] name an axis twice"`,
    );
    expect(complaint(() => ops.reduceSum({ x: value(tensor("bool", [2])) }, { axes: [0] }))).toMatchInlineSnapshot(`
      "error[shape]: reduce_sum expects x of type f32 or i32, got bool[2]
        help: convert it: cast(x, f32)"
    `);
    expect(complaint(() => ops.softmax({ x: value(f32()) }, { axis: 0 }))).toMatchInlineSnapshot(
      `"error[shape]: softmax: axis 0 does not exist, f32[] has no axis (it is a scalar)"`,
    );
    expect(complaint(() => ops.argmax({ x }, { axis: -1 }))).toMatchInlineSnapshot(
      `"error[shape]: argmax: axis -1 does not exist, f32[2,3] has 0 to 1"`,
    );
  });
});
