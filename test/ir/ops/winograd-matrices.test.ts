/** The steps of a convolution by transformed blocks, each against its matrices. */
import { describe, expect, test } from "vitest";
import type { Attrs, Node } from "../../../ir/graph/graph.ts";
import type { Matrix } from "../../../ir/op.ts";
import { ops } from "../../../ir/ops/index.ts";
import { tapsOf, winogradTransforms } from "../../../ir/ops/winograd.ts";
import { f32, type Shape } from "../../../ir/type.ts";
import { checkOp, complaint, value } from "./check-op.ts";
import * as naive from "./naive.ts";

/** matrix X matrix'. */
const sandwich = (m: Matrix, x: (r: number, s: number) => number) => (p: number, q: number) =>
  m[p]!.reduce((sum, a, r) => sum + a * m[q]!.reduce((inner, b, s) => inner + b * x(r, s), 0), 0);

const images: readonly { readonly x: Shape; readonly attrs: Attrs; readonly shape: Shape }[] = [
  { x: [1, 3, 6, 6], attrs: {}, shape: [6, 6, 1, 3] },
  { x: [2, 4, 5, 3], attrs: { padding: [1, 1, 1, 1] }, shape: [6, 6, 4, 4] },
  { x: [2, 8, 3, 6], attrs: { tile: 2, padding: [0, 1, 2, 0] }, shape: [4, 4, 6, 8] },
  { x: [1, 1, 9, 4], attrs: { tile: 2, taps: 5, padding: [2, 2, 2, 2] }, shape: [6, 6, 10, 1] },
];
checkOp(ops.winogradTiles, {
  samples: images.map(({ x, attrs, shape }) => ({ inputs: [f32(...x)], attrs, shape })),
  reference: ([x], attrs, { shape }) => {
    const { tile, taps, padding } = { tile: attrs.tile as number, taps: attrs.taps as number, padding: attrs.padding as number[] };
    const [, , height, width] = x!.shape as [number, number, number, number];
    const { input } = winogradTransforms(tile, taps);
    const down = Math.ceil((height + padding[0]! + padding[1]! - taps + 1) / tile);
    const across = Math.ceil((width + padding[2]! + padding[3]! - taps + 1) / tile);
    const pixel = (n: number, c: number, i: number, j: number) =>
      i < 0 || j < 0 || i >= height || j >= width ? 0 : naive.element(x!, n, c, i, j);
    return naive.build(shape, ([p, q, t, c]) => {
      const n = Math.floor(t! / (down * across));
      const top = (Math.floor(t! / across) % down) * tile - padding[0]!;
      const left = (t! % across) * tile - padding[2]!;
      return sandwich(input, (r, s) => pixel(n, c!, top + r, left + s))(p!, q!);
    });
  },
});

const kernels: readonly { readonly w: Shape; readonly attrs: Attrs; readonly shape: Shape }[] = [
  { w: [4, 3, 3, 3], attrs: {}, shape: [6, 6, 3, 4] },
  { w: [3, 2, 3, 3], attrs: { tile: 2, reversed: true }, shape: [4, 4, 2, 3] },
];
checkOp(ops.winogradKernels, {
  samples: kernels.map(({ w, attrs, shape }) => ({ inputs: [f32(...w)], attrs, shape })),
  reference: ([w], { tile, reversed }, { shape }) => {
    const last = w!.shape[2]! - 1;
    const { kernel } = winogradTransforms(tile as number, last + 1);
    const tap = (r: number) => (reversed ? last - r : r);
    return naive.build(shape, ([p, q, c, o]) => sandwich(kernel, (r, s) => naive.element(w!, o!, c!, tap(r), tap(s)))(p!, q!));
  },
});

const results: readonly { readonly m: Shape; readonly attrs: Attrs; readonly shape: Shape }[] = [
  { m: [6, 6, 2, 4], attrs: { extents: [4, 8] }, shape: [1, 4, 4, 8] },
  { m: [6, 6, 8, 3], attrs: { extents: [7, 5] }, shape: [2, 3, 7, 5] },
  { m: [4, 4, 6, 8], attrs: { extents: [3, 5], tile: 2 }, shape: [1, 8, 3, 5] },
];
checkOp(ops.winogradImage, {
  samples: results.map(({ m, attrs, shape }) => ({ inputs: [f32(...m)], attrs, shape })),
  reference: ([m], attrs, { shape }) => {
    const tile = attrs.tile as number;
    const { output } = winogradTransforms(tile, tapsOf(m!.shape[0]!, tile));
    const [down, across] = shape.slice(2).map((n) => Math.ceil(n / tile)) as [number, number];
    const of = (i: number) => Math.floor(i / tile);
    return naive.build(shape, ([n, o, i, j]) =>
      sandwich(output, (p, q) => naive.element(m!, p, q, (n! * down + of(i!)) * across + of(j!), o!))(i! % tile, j! % tile),
    );
  },
});

describe("mistakes", () => {
  const complaints: readonly [string, () => Node][] = [
    ["winograd_tiles: 3 x 3 taps are larger than", () => ops.winogradTiles({ x: value(f32(1, 4, 2, 8), "x") })],
    ["winograd_tiles: there is no transform of 11 points", () => ops.winogradTiles({ x: value(f32(1, 4, 9, 9), "x") }, { tile: 9 })],
    ["winograd_kernels expects square kernels", () => ops.winogradKernels({ w: value(f32(4, 4, 3, 2), "w") })],
    [
      "winograd_image: 5 tiles do not make images of 8 x 4",
      () => ops.winogradImage({ m: value(f32(6, 6, 5, 4), "m") }, { extents: [8, 4] }),
    ],
    [
      "winograd_image expects as many points down as across",
      () => ops.winogradImage({ m: value(f32(6, 5, 2, 4), "m") }, { extents: [8, 4] }),
    ],
  ];
  test.each(complaints)("%s", (text, make) => {
    expect(complaint(make)).toContain(text);
  });
});
