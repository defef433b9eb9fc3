/** Transforms against the matrices of Lavin and Gray, and against the convolution that they stand for. */
import { describe, expect, test } from "vitest";
import type { Attrs } from "../../../ir/graph/graph.ts";
import type { Matrix } from "../../../ir/op.ts";
import { ops } from "../../../ir/ops/index.ts";
import { tapsOf, winogradTransforms } from "../../../ir/ops/winograd.ts";
import { f32, type Shape } from "../../../ir/type.ts";
import { checkOp, complaint, value } from "./check-op.ts";
import * as naive from "./naive.ts";

/** Input, kernel and output transform of F(4, 3), as printed in the paper. */
const printed: Readonly<Record<"input" | "kernel" | "output", Matrix>> = {
  input: [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
  ],
  kernel: [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
  ],
  output: [
    [1, 1, 1, 1, 1, 0],
    [0, 1, -1, 2, -2, 0],
    [0, 1, 1, 4, 4, 0],
    [0, 1, -1, 8, -8, 1],
  ],
};
test("F(4, 3) is the one of the paper", () => {
  const made = winogradTransforms(4, 3);
  for (const name of ["input", "kernel", "output"] as const)
    expect(made[name].map((row) => row.map((x) => x.toFixed(12).replace(/^-(0\.0+)$/, "$1")))).toEqual(
      printed[name].map((row) => row.map((x) => x.toFixed(12))),
    );
});
test.each([
  [2, 3],
  [4, 3],
  [2, 5],
  [3, 4],
  [3, 2],
  [6, 3],
])("F(%i, %i) is a correlation", (tile, taps) => {
  const { input, kernel, output } = winogradTransforms(tile, taps);
  const times = (m: Matrix, x: readonly number[]) => m.map((row) => row.reduce((sum, a, i) => sum + a * x[i]!, 0));
  const d = input.map((_, i) => Math.sin(i + 1));
  const g = kernel[0]!.map((_, i) => Math.cos(3 * i));
  const points = times(kernel, g);
  const got = times(
    output,
    times(input, d).map((x, p) => x * points[p]!),
  );
  for (const [i, y] of got.entries())
    expect(y).toBeCloseTo(
      g.reduce((sum, x, r) => sum + x * d[i + r]!, 0),
      10,
    );
});

/** matrix X matrix'. */
const sandwich = (m: Matrix, x: (r: number, s: number) => number) => (p: number, q: number) =>
  m[p]!.reduce((sum, a, r) => sum + a * m[q]!.reduce((inner, b, s) => inner + b * x(r, s), 0), 0);

const kernels: readonly { readonly w: Shape; readonly attrs: Attrs; readonly shape: Shape }[] = [
  { w: [2, 3, 3, 3], attrs: {}, shape: [2, 3, 6, 6] },
  { w: [3, 1, 3, 3], attrs: { tile: 2, reversed: true }, shape: [3, 1, 4, 4] },
  { w: [1, 2, 5, 5], attrs: { tile: 2 }, shape: [1, 2, 6, 6] },
  { w: [9, 4, 3, 3], attrs: { tile: 4, reversed: true }, shape: [9, 4, 6, 6] },
];
checkOp(ops.winogradWeights, {
  samples: kernels.map(({ w, attrs, shape }) => ({ inputs: [f32(...w)], attrs, shape })),
  reference: ([w], { tile, reversed }, { shape }) => {
    const last = w!.shape[2]! - 1;
    const { kernel } = winogradTransforms(tile as number, last + 1);
    const tap = (r: number) => (reversed ? last - r : r);
    return naive.build(shape, ([o, c, p, q]) => sandwich(kernel, (r, s) => naive.element(w!, o!, c!, tap(r), tap(s)))(p!, q!));
  },
});

const convolutions: readonly { readonly x: Shape; readonly u: Shape; readonly attrs: Attrs; readonly shape: Shape }[] = [
  { x: [1, 2, 6, 6], u: [3, 2, 6, 6], attrs: {}, shape: [1, 3, 4, 4] },
  { x: [2, 2, 5, 3], u: [2, 2, 6, 6], attrs: { padding: [1, 1, 1, 1] }, shape: [2, 2, 5, 3] },
  { x: [2, 3, 3, 6], u: [9, 3, 4, 4], attrs: { tile: 2, padding: [0, 1, 2, 0] }, shape: [2, 9, 2, 6] },
  { x: [1, 5, 3, 3], u: [8, 5, 6, 6], attrs: { tile: 2, padding: [2, 2, 1, 3] }, shape: [1, 8, 3, 3] },
];
checkOp(ops.winogradConv2d, {
  samples: convolutions.map(({ x, u, attrs, shape }) => ({ inputs: [f32(...x), f32(...u)], attrs, shape })),
  reference: ([x, u], attrs, { shape }) => {
    const tile = attrs.tile as number;
    const [top, , left] = attrs.padding as number[];
    const { input, output } = winogradTransforms(tile, tapsOf(u!.shape[2]!, tile));
    const [, channels, height, width] = x!.shape;
    const pixel = (n: number, c: number, i: number, j: number) =>
      i < 0 || j < 0 || i >= height! || j >= width! ? 0 : naive.element(x!, n, c, i, j);
    const start = (i: number) => i - (i % tile);
    return naive.build(shape, ([n, o, i, j]) =>
      sandwich(output, (p, q) => {
        let sum = 0;
        for (let c = 0; c < channels!; c++)
          sum +=
            naive.element(u!, o!, c, p, q) * sandwich(input, (r, s) => pixel(n!, c, start(i!) + r - top!, start(j!) + s - left!))(p, q);
        return sum;
      })(i! % tile, j! % tile),
    );
  },
});

const gradients: readonly { readonly x: Shape; readonly dy: Shape; readonly attrs: Attrs; readonly shape: Shape }[] = [
  { x: [2, 2, 5, 4], dy: [2, 3, 5, 4], attrs: { padding: [1, 1, 1, 1], parts: 3 }, shape: [3, 3, 2, 3, 3] },
  { x: [3, 1, 4, 6], dy: [3, 2, 3, 6], attrs: { tile: 2, padding: [1, 0, 2, 0], parts: 5 }, shape: [5, 2, 1, 3, 3] },
  { x: [1, 2, 4, 3], dy: [1, 1, 4, 3], attrs: { tile: 2, padding: [2, 2, 1, 3] }, shape: [1, 1, 2, 5, 5] },
];
checkOp(ops.winogradConv2dWeightGrad, {
  samples: gradients.map(({ x, dy, attrs, shape }) => ({ inputs: [f32(...x), f32(...dy)], attrs, shape })),
  reference: ([x, dy], attrs, { shape }) => {
    const tile = attrs.tile as number;
    const [top, , left] = attrs.padding as number[];
    const [images, , height, width] = dy!.shape as [number, number, number, number];
    const [down, across] = [Math.ceil(height / tile), Math.ceil(width / tile)];
    const each = Math.ceil((images * down * across) / shape[0]!);
    const numberOf = (n: number, i: number, j: number) => (n * down + Math.floor(i / tile)) * across + Math.floor(j / tile);
    return naive.build(shape, ([part, o, c, r, s]) => {
      let sum = 0;
      for (let n = 0; n < images; n++)
        for (let i = 0; i < height; i++)
          for (let j = 0; j < width; j++) {
            const [y, z] = [i + r! - top!, j + s! - left!];
            if (Math.floor(numberOf(n, i, j) / each) !== part || y < 0 || z < 0 || y >= x!.shape[2]! || z >= x!.shape[3]!) continue;
            sum += naive.element(x!, n, c!, y, z) * naive.element(dy!, n, o!, i, j);
          }
      return sum;
    });
  },
});

describe("mistakes", () => {
  test("kernels without a transform", () => {
    expect(complaint(() => ops.winogradWeights({ w: value(f32(4, 4, 3, 2), "w") }))).toMatchInlineSnapshot(
      `"error[shape]: winograd_weights expects square kernels, got f32[4,4,3,2]"`,
    );
    expect(complaint(() => ops.winogradWeights({ w: value(f32(4, 4, 5, 5), "w") }, { tile: 8 }))).toMatchInlineSnapshot(
      `"error[shape]: winograd_weights: there is no transform of 12 points for tiles of 8"`,
    );
  });
  test("convolutions", () => {
    const conv = (x: Shape, u: Shape, attrs: Attrs = {}) =>
      complaint(() => ops.winogradConv2d.make([value(f32(...x)), value(f32(...u), "u")], attrs));
    expect(conv([1, 3, 8, 8], [4, 2, 6, 6])).toMatchInlineSnapshot(
      `"error[shape]: winograd_conv2d: f32[1,3,8,8] has 3 channels, f32[4,2,6,6] expects 2"`,
    );
    expect(conv([1, 2, 2, 8], [4, 2, 6, 6])).toMatchInlineSnapshot(
      `"error[shape]: winograd_conv2d: the kernel of f32[4,2,6,6] is larger than the padded image of f32[1,2,2,8]"`,
    );
  });
  test("gradients of kernels", () => {
    const gradient = (x: Shape, dy: Shape, attrs: Attrs = {}) =>
      complaint(() => ops.winogradConv2dWeightGrad.make([value(f32(...x)), value(f32(...dy), "dy")], attrs));
    expect(gradient([1, 3, 8, 8], [1, 4, 6, 7])).toMatchInlineSnapshot(
      `"error[shape]: winograd_conv2d_weight_grad: no square kernel makes f32[1,4,6,7] of f32[1,3,8,8] with padding [0, 0, 0, 0]"`,
    );
    expect(gradient([1, 3, 8, 8], [2, 4, 6, 6])).toMatchInlineSnapshot(
      `"error[shape]: winograd_conv2d_weight_grad: no square kernel makes f32[2,4,6,6] of f32[1,3,8,8] with padding [0, 0, 0, 0]"`,
    );
    expect(gradient([1, 3, 8, 8], [1, 4, 8, 8])).toMatchInlineSnapshot(
      `"error[shape]: winograd_conv2d_weight_grad: there is no transform of 4 points for tiles of 1"`,
    );
    expect(gradient([1, 3, 8, 8], [1, 4, 6, 6], { parts: 0 })).toMatchInlineSnapshot(
      `"error[shape]: winograd_conv2d_weight_grad: there cannot be 0 parts"`,
    );
  });
});
