import { describe, expect, test } from "vitest";
import type { Attrs } from "../../../ir/graph/graph.ts";
import * as k from "../../../ir/kernel/build.ts";
import type { Expr } from "../../../ir/kernel/kernel.ts";
import type { Op, Read } from "../../../ir/op.ts";
import { ops } from "../../../ir/ops/index.ts";
import { f32, i32, type Shape, type TensorType } from "../../../ir/type.ts";
import { checkOp, complaint, value } from "./check-op.ts";
import * as naive from "./naive.ts";

const matrices: readonly (readonly [Shape, Shape, Shape])[] = [
  [
    [3, 4],
    [4, 2],
    [3, 2],
  ],
  [
    [2, 3, 4],
    [4, 2],
    [2, 3, 2],
  ],
  [
    [2, 3, 4],
    [2, 4, 2],
    [2, 3, 2],
  ],
  [
    [2, 1, 2, 3],
    [3, 3, 2],
    [2, 3, 2, 2],
  ],
  [
    [2, 3],
    [4, 3, 1],
    [4, 2, 1],
  ],
];
checkOp(ops.matmul, {
  samples: matrices.map(([a, b, shape]) => ({ inputs: [f32(...a), f32(...b)], shape })),
  reference: ([a, b], _, { shape }) => naive.matmul(a!, b!, shape),
});

interface Case {
  readonly x: Shape;
  readonly w: Shape;
  readonly y: Shape;
  readonly attrs: Attrs;
}
const convolutions: readonly Case[] = [
  { x: [2, 2, 4, 5], w: [3, 2, 3, 3], y: [2, 3, 2, 3], attrs: {} },
  { x: [1, 2, 4, 4], w: [2, 2, 3, 3], y: [1, 2, 4, 4], attrs: { padding: [1, 1, 1, 1] } },
  { x: [1, 2, 6, 5], w: [2, 2, 3, 2], y: [1, 2, 3, 2], attrs: { stride: [2, 3], padding: [0, 2, 1, 0] } },
  { x: [1, 1, 7, 7], w: [1, 1, 2, 3], y: [1, 1, 3, 5], attrs: { stride: [2, 1], dilation: [2, 2], padding: [0, 0, 1, 1] } },
  { x: [1, 4, 4, 4], w: [6, 2, 2, 2], y: [1, 6, 3, 3], attrs: { groups: 2 } },
  { x: [1, 3, 4, 4], w: [3, 1, 3, 3], y: [1, 3, 2, 2], attrs: { groups: 3, stride: [2, 2], padding: [1, 1, 1, 1] } },
  { x: [2, 3, 3, 3], w: [2, 3, 1, 1], y: [2, 2, 3, 3], attrs: {} },
  { x: [1, 2, 2, 3], w: [2, 2, 1, 1], y: [1, 2, 4, 4], attrs: { padding: [1, 1, 0, 1] } },
  { x: [1, 2, 5, 5], w: [2, 2, 1, 1], y: [1, 2, 3, 3], attrs: { stride: [2, 2] } },
];
const volumes: readonly Case[] = [
  { x: [2, 2, 3, 4, 3], w: [3, 2, 2, 3, 2], y: [2, 3, 2, 2, 2], attrs: {} },
  { x: [1, 2, 3, 4, 5], w: [4, 1, 3, 3, 3], y: [1, 4, 2, 4, 5], attrs: { groups: 2, stride: [2, 1, 1], padding: [1, 1, 1, 1, 1, 1] } },
  {
    x: [1, 1, 5, 3, 4],
    w: [2, 1, 2, 1, 2],
    y: [1, 2, 4, 2, 3],
    attrs: { stride: [1, 2, 2], padding: [1, 0, 0, 0, 0, 2], dilation: [2, 1, 1] },
  },
  { x: [1, 5, 2, 2, 2], w: [4, 5, 1, 1, 1], y: [1, 4, 2, 2, 2], attrs: {} },
];
const how = (attrs: Attrs) => attrs as unknown as naive.Convolution;
checkOp(ops.conv2d, {
  samples: convolutions.map(({ x, w, y, attrs }) => ({ inputs: [f32(...x), f32(...w)], attrs, shape: y })),
  reference: ([x, w], attrs, { shape }) => naive.convolution(x!, w!, shape, how(attrs)),
});
checkOp(ops.conv2dInputGrad, {
  samples: convolutions.map(({ x, w, y, attrs }) => ({ inputs: [f32(...y), f32(...w)], attrs: { ...attrs, shape: x }, shape: x })),
  reference: ([dy, w], attrs, { shape }) => naive.convolutionInputGrad(dy!, w!, shape, how(attrs)),
});
checkOp(ops.conv2dWeightGrad, {
  samples: convolutions.map(({ x, w, y, attrs }) => ({ inputs: [f32(...x), f32(...y)], attrs: { ...attrs, shape: w }, shape: w })),
  reference: ([x, dy], attrs, { shape }) => naive.convolutionWeightGrad(x!, dy!, shape, how(attrs)),
});
checkOp(ops.conv3d, {
  samples: volumes.map(({ x, w, y, attrs }) => ({ inputs: [f32(...x), f32(...w)], attrs, shape: y })),
  reference: ([x, w], attrs, { shape }) => naive.convolution(x!, w!, shape, how(attrs)),
});
checkOp(ops.conv3dInputGrad, {
  samples: volumes.map(({ x, w, y, attrs }) => ({ inputs: [f32(...y), f32(...w)], attrs: { ...attrs, shape: x }, shape: x })),
  reference: ([dy, w], attrs, { shape }) => naive.convolutionInputGrad(dy!, w!, shape, how(attrs)),
});
checkOp(ops.conv2dWeightGradParts, {
  samples: [
    { inputs: [f32(4, 2, 5, 4), f32(4, 3, 5, 4)], attrs: { padding: [1, 1, 1, 1], shape: [3, 2, 3, 3], parts: 2 }, shape: [2, 3, 2, 3, 3] },
    { inputs: [f32(3, 1, 7, 6), f32(3, 9, 3, 3)], attrs: { stride: [2, 2], shape: [9, 1, 3, 2], parts: 3 }, shape: [3, 9, 1, 3, 2] },
  ],
  reference: ([x, dy], { parts, ...attrs }, { shape }) => {
    const part = ({ shape: [n, ...rest], data }: naive.Tensor, p: number): naive.Tensor => {
      const size = data.length / (parts as number);
      return { shape: [n! / (parts as number), ...rest], data: Array.from(data).slice(p * size, (p + 1) * size) };
    };
    return Array.from({ length: parts as number }, (_, p) =>
      naive.convolutionWeightGrad(part(x!, p), part(dy!, p), shape.slice(1), how(attrs)),
    ).flat();
  },
});
checkOp(ops.conv3dWeightGrad, {
  samples: volumes.map(({ x, w, y, attrs }) => ({ inputs: [f32(...x), f32(...y)], attrs: { ...attrs, shape: w }, shape: w })),
  reference: ([x, dy], attrs, { shape }) => naive.convolutionWeightGrad(x!, dy!, shape, how(attrs)),
});

describe("form", () => {
  const read = (name: string, type: TensorType): Read => {
    const from = (b: string) => {
      const buffer = k.buffer(b, "in", type.shape);
      return (...index: readonly Expr[]) => k.load(buffer, ...index);
    };
    return Object.assign(from(name), { padded: from(`${name} padded`), type });
  };
  /** The two factors of the product that is summed, and the extents of the sum. */
  const factors = (op: Op, types: readonly TensorType[], attrs: Attrs) => {
    const node = op.make(
      types.map((t, i) => value(t, `x${i}`)),
      attrs,
    );
    const rule = op.lower!(
      types.map((t, i) => read("ab"[i]!, t)),
      node.attrs,
      node.type,
    )(...node.type.shape.map((_, i) => k.axis(`i${i}`)));
    if (rule.kind !== "fold" || rule.op !== "sum" || rule.body.kind !== "binary" || rule.body.op !== "mul")
      throw new Error("no contraction");
    const name = (e: Expr) => (e.kind === "load" ? e.buffer.name : e.kind);
    return [name(rule.body.a), name(rule.body.b), rule.axes.map((a) => a.extent)];
  };
  test("contractions are sums over a product of two reads", () => {
    const [image, kernel, result] = [f32(2, 8, 6, 6), f32(4, 8, 3, 3), f32(2, 4, 4, 4)];
    const padding = [1, 1, 1, 1];
    expect(factors(ops.matmul, [f32(2, 3), f32(3, 5)], {})).toEqual(["a", "b", [3]]);
    expect(factors(ops.conv2d, [image, kernel], {})).toEqual(["a", "b", [3, 3, 8]]);
    expect(factors(ops.conv2d, [image, kernel], { padding })).toEqual(["a padded", "b", [3, 3, 8]]);
    expect(factors(ops.conv2dInputGrad, [result, kernel], { shape: image.shape })).toEqual(["a padded", "b", [3, 3, 4]]);
    expect(factors(ops.conv2dInputGrad, [f32(1, 4, 6, 6), f32(4, 8, 1, 1)], { shape: [1, 8, 6, 6] })).toEqual(["a", "b", [1, 1, 4]]);
    expect(factors(ops.conv2dInputGrad, [f32(1, 4, 2, 2), kernel], { shape: [1, 8, 6, 6], stride: [2, 2] })).toEqual([
      "select",
      "b",
      [3, 3, 4],
    ]);
    expect(factors(ops.conv2dWeightGrad, [image, result], { shape: kernel.shape })).toEqual(["a", "b", [2, 4, 4]]);
  });
  test("a multiply-add counts two", () => {
    expect(ops.matmul.flops([f32(2, 3), f32(3, 5)], {}, f32(2, 5))).toBe(60);
    const attrs = { stride: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1], groups: 1 };
    const work = 2 * (2 * 4 * 4 * 4) * (8 * 9);
    expect(ops.conv2d.flops([f32(2, 8, 6, 6), f32(4, 8, 3, 3)], attrs, f32(2, 4, 4, 4))).toBe(work);
    expect(ops.conv2dInputGrad.flops([f32(2, 4, 4, 4), f32(4, 8, 3, 3)], { ...attrs, shape: [2, 8, 6, 6] }, f32(2, 8, 6, 6))).toBe(work);
    expect(ops.conv2dWeightGrad.flops([f32(2, 8, 6, 6), f32(2, 4, 4, 4)], { ...attrs, shape: [4, 8, 3, 3] }, f32(4, 8, 3, 3))).toBe(work);
  });
});

describe("complaints", () => {
  test("say what was found and what was expected", () => {
    const conv = (x: TensorType, w: TensorType, attrs: Attrs = {}) => complaint(() => ops.conv2d.make([value(x), value(w, "w")], attrs));
    expect(complaint(() => ops.matmul({ a: value(f32(2, 3)), b: value(f32(2, 3)) }))).toMatchInlineSnapshot(
      `"error[shape]: matmul: f32[2,3] has 3 columns, f32[2,3] has 2 rows; they must be equal"`,
    );
    expect(complaint(() => ops.matmul({ a: value(f32(2, 2, 3)), b: value(f32(3, 3, 3)) }))).toMatchInlineSnapshot(
      `"error[shape]: matmul: the leading dimensions of f32[2,2,3] and f32[3,3,3] do not broadcast"`,
    );
    expect(complaint(() => ops.matmul({ a: value(f32(3)), b: value(f32(3, 3)) }))).toMatchInlineSnapshot(
      `"error[shape]: matmul expects a with at least 2 dimensions, got f32[3]"`,
    );
    expect(conv(f32(1, 784), f32(8, 1, 3, 3))).toMatchInlineSnapshot(
      `"error[shape]: conv2d expects x with 4 dimensions (N, C, H, W), got f32[1,784]"`,
    );
    expect(conv(i32(1, 1, 4, 4), f32(8, 1, 3, 3))).toMatchInlineSnapshot(`
      "error[shape]: conv2d expects x of type f32, got i32[1,1,4,4]
        help: convert it: cast(x, f32)"
    `);
    expect(conv(f32(1, 3, 8, 8), f32(16, 4, 3, 3))).toMatchInlineSnapshot(
      `"error[shape]: conv2d: f32[1,3,8,8] has 3 channels, f32[16,4,3,3] expects 4"`,
    );
    expect(conv(f32(1, 3, 8, 8), f32(16, 3, 3, 3), { groups: 2 })).toMatchInlineSnapshot(
      `"error[shape]: conv2d: 2 groups must divide the 3 channels of f32[1,3,8,8] and the 16 outputs of f32[16,3,3,3]"`,
    );
    expect(conv(f32(1, 3, 2, 8), f32(16, 3, 3, 3))).toMatchInlineSnapshot(
      `"error[shape]: conv2d: the kernel of f32[16,3,3,3] is larger than the padded image of f32[1,3,2,8]"`,
    );
    expect(conv(f32(1, 3, 8, 8), f32(16, 3, 3, 3), { stride: [0, 1] })).toMatchInlineSnapshot(
      `"error[shape]: conv2d: stride must be integers of at least 1, got [0, 1]"`,
    );
    expect(conv(f32(1, 3, 8, 8), f32(16, 3, 3, 3), { padding: [1, 1] })).toMatchInlineSnapshot(
      `"error[shape]: conv2d expects 4 numbers for padding, got [1, 1]"`,
    );
    expect(complaint(() => ops.conv3d.make([value(f32(1, 3, 8, 8)), value(f32(4, 3, 3, 3, 3))]))).toMatchInlineSnapshot(
      `"error[shape]: conv3d expects x with 5 dimensions (N, C, D, H, W), got f32[1,3,8,8]"`,
    );
    expect(
      complaint(() => ops.conv2dInputGrad({ dy: value(f32(1, 2, 3, 3)), w: value(f32(2, 3, 3, 3)) }, { shape: [1, 3, 8, 8] })),
    ).toMatchInlineSnapshot(`"error[shape]: conv2d_input_grad expects dy of type f32[1,2,6,6], got f32[1,2,3,3]"`);
  });
});
