/**
 * Convolution with stride 1 by small blocks: Winograd's F(m x m, r x r). Blocks of m x m results are sums over channels of
 * products of transformed blocks of the image by transformed kernels, with fewer multiplications (Lavin & Gray, arXiv 1509.09308):
 *
 *     Y = A' [ sum over c of (G w G') * (B' x B) ] A
 *
 * with m + r - 1 points along each axis: m = 4, r = 3 takes 36 products for 16 results of 9 each.
 */
import * as k from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";
import { bool, fold, int, ints, type Matrix, op, shapeError } from "../op.ts";
import { printType, type Shape, type TensorType, tensor } from "../type.ts";
import { convolutionFlops } from "./convolution.ts";
import { expectDType, expectInts, expectRank } from "./expect.ts";

/** Where the polynomials behind the transforms are evaluated, in this order; the last point of a transform is infinity. */
const places = [0, 1, -1, 2, -2, 1 / 2, -1 / 2];

export interface Transforms {
  /** B': points x points. */
  readonly input: Matrix;
  /** G: points x kernel. */
  readonly kernel: Matrix;
  /** A': tile x points. */
  readonly output: Matrix;
}
/** The matrices of F(tile, kernel) by Toom and Cook. */
export function winogradTransforms(tile: number, kernel: number): Transforms {
  const finite = places.slice(0, tile + kernel - 2);
  const powers = (extent: number): Matrix => finite.map((a) => Array.from({ length: extent }, (_, i) => a ** i));
  const last = (extent: number) => Array.from({ length: extent }, (_, i) => Number(i === extent - 1));
  const others = finite.map((a) => finite.filter((b) => b !== a));
  const scales = finite.map((a, p) => others[p]!.reduce((n, b) => n * (a - b), 1));
  return {
    input: [...others.map((roots) => [...polynomial(roots), 0]), polynomial(finite)],
    kernel: [...powers(kernel).map((row, p) => row.map((x) => x / scales[p]!)), last(kernel)],
    output: transposed([...powers(tile), last(tile)]),
  };
}
/** Coefficients of the product of (x - root), lowest first. */
const polynomial = (roots: readonly number[]): number[] =>
  roots.reduce((p, root) => Array.from({ length: p.length + 1 }, (_, i) => (p[i - 1] ?? 0) - root * (p[i] ?? 0) + 0), [1]);
const transposed = (m: Matrix): Matrix => m[0]!.map((_, j) => m.map((row) => row[j]!));

/** One of a list. */
const pick = (list: readonly Expr[], i: Expr): Expr =>
  list.reduceRight((rest, e, at) => (at === list.length - 1 ? e : k.select(k.lt(i, k.i32(at + 1)), e, rest)));
/** An element of a constant matrix. */
export const entry = (m: Matrix, row: Expr, column: Expr): Expr =>
  pick(
    m.map((entries) => pick(entries.map(k.f32), column)),
    row,
  );

/** Element [p, q] of matrix X matrix', X[r, s] = element(r, s). */
function transformedAt(matrix: Matrix, p: Expr, q: Expr, element: (r: number, s: number) => Expr): Expr {
  const taps = matrix[0]!.map((_, r) => r);
  const row = (place: Expr) =>
    taps.map((r) =>
      pick(
        matrix.map((entries) => k.f32(entries[r]!)),
        place,
      ),
    );
  const [down, across] = [row(p), row(q)];
  const lines = taps.map((r) => taps.map((s) => k.mul(across[s]!, element(r, s))).reduce(k.add));
  return taps.map((r) => k.mul(down[r]!, lines[r]!)).reduce(k.add);
}

/** Zeros around an image of which whole tiles of windows are read. */
export const haloOf = (windows: Shape, taps: number, padding: readonly number[], tile: number): readonly number[] =>
  windows.flatMap((count, a) => {
    const image = count + taps - 1 - padding[2 * a]! - padding[2 * a + 1]!;
    const read = Math.ceil(count / tile) * tile + taps - 1;
    return [padding[2 * a]!, read - padding[2 * a]! - image];
  });

/** How many taps a kernel has along an axis, given its points. */
export const tapsOf = (points: number, tile: number): number => points - tile + 1;

export function expectTile(name: string, tile: number, points: number): void {
  const kernel = tapsOf(points, tile);
  if (Number.isInteger(tile) && tile >= 2 && kernel >= 2 && points - 1 <= places.length) return;
  shapeError(`${name}: there is no transform of ${points} points for tiles of ${tile}`);
}
export function expectSquare(name: string, t: TensorType): number {
  const [, , height, width] = t.shape;
  if (height !== width) shapeError(`${name} expects square kernels, got ${printType(t)}`);
  return height!;
}

/**
 * Kernels [O, C, r, r] at the points of F(tile, r): u[o,c] = G w[o,c] G', [O, C, points, points] with points = tile + r - 1. `reversed`:
 * of kernels turned around in both directions.
 */
export const winogradWeights = op({
  name: "winograd_weights",
  inputs: ["w"],
  attrs: { tile: int(4), reversed: bool(false) },
  kind: "fold",
  sameAxes: true,
}).rules({
  infer: ({ w }, { tile }) => {
    expectDType("winograd_weights", "w", w, ["f32"]);
    expectRank("winograd_weights", "w", w, 4, "O, C, R, R");
    const points = expectSquare("winograd_weights", w) + tile - 1;
    expectTile("winograd_weights", tile, points);
    return tensor("f32", [w.shape[0]!, w.shape[1]!, points, points]);
  },
  lower: ({ w }, { tile, reversed }) => {
    const taps = w.type.shape[2]!;
    const matrix = winogradTransforms(tile, taps).kernel;
    const tap = (r: Expr) => (reversed ? k.sub(k.i32(taps - 1), r) : r);
    const read = (...[o, c, , , r, s]: readonly Expr[]) => w(o!, c!, tap(r!), tap(s!));
    return (o, c, p, q) => ({
      ...fold("sum", [taps, taps], (r, s) => k.mul(k.mul(entry(matrix, p!, r!), entry(matrix, q!, s!)), read(o!, c!, p!, q!, r!, s!))),
      blocks: { kind: "transform", matrix, axes: [2, 3], reads: [read] },
    });
  },
  flops: ({ w }, _, type) => 2 * type.shape.reduce((n, d) => n * d, 1) * 2 * w.shape[2]!,
});

/**
 * What conv2d makes of x [N, C, H, W] and kernels [O, C/groups, R, R] with stride 1, given u = winograd_weights(kernels): y[n,o] in
 * blocks of tile x tile, each A' [ sum over the channels c of o's group of u[o,c] * (B' x[n,c] B) ] A.
 */
export const winogradConv2d = op({
  name: "winograd_conv2d",
  inputs: ["x", "u"],
  attrs: { padding: ints([0, 0, 0, 0]), tile: int(4), groups: int(1) },
  kind: "contraction",
  operands: ["image", "kernel"],
  result: "image",
}).rules({
  infer: ({ x, u }, { padding, tile, groups }) => {
    const name = "winograd_conv2d";
    expectDType(name, "x", x, ["f32"]);
    expectDType(name, "u", u, ["f32"]);
    expectRank(name, "x", x, 4, "N, C, H, W");
    expectRank(name, "u", u, 4, "O, C/groups, P, P");
    expectInts(name, "padding", padding, 4, 0);
    const points = expectSquare(name, u);
    expectTile(name, tile, points);
    const [n, channels] = x.shape;
    if (!(Number.isInteger(groups) && groups >= 1) || u.shape[0]! % groups > 0)
      shapeError(`${name}: ${u.shape[0]} outputs cannot be in ${groups} groups`);
    if (u.shape[1]! * groups !== channels)
      shapeError(`${name}: ${printType(x)} has ${channels} channels, ${printType(u)} expects ${u.shape[1]! * groups}`);
    const extents = [0, 1].map((a) => {
      const windows = x.shape[2 + a]! + padding[2 * a]! + padding[2 * a + 1]! - tapsOf(points, tile) + 1;
      return windows > 0
        ? windows
        : shapeError(`${name}: the kernel of ${printType(u)} is larger than the padded image of ${printType(x)}`);
    });
    return tensor("f32", [n!, u.shape[0]!, ...extents]);
  },
  lower: ({ x, u }, { padding, tile, groups }) => {
    const [outputs, channels, points] = u.type.shape as [number, number, number];
    const { input, output } = winogradTransforms(tile, tapsOf(points, tile));
    const image = (...[n, c, i, j]: readonly Expr[]) => x.padded(n!, c!, k.add(i!, k.i32(-padding[0]!)), k.add(j!, k.i32(-padding[2]!)));
    const ofGroup = (o: Expr, c: Expr) => (groups === 1 ? c : k.at(k.div(o, k.i32(outputs / groups)), channels, c));
    const within = (e: Expr) => k.mod(e, k.i32(tile));
    const start = (e: Expr) => k.mul(k.div(e, k.i32(tile)), k.i32(tile));
    return (n, o, i, j) => ({
      ...fold("sum", [points, points, channels], (p, q, c) => {
        const element = (r: number, s: number) => image(n!, ofGroup(o!, c!), k.add(start(i!), k.i32(r)), k.add(start(j!), k.i32(s)));
        const after = k.mul(entry(output, within(i!), p!), entry(output, within(j!), q!));
        return k.mul(k.mul(after, u(o!, c!, p!, q!)), transformedAt(input, p!, q!, element));
      }),
      blocks: { kind: "convolution", channels, groups, input, output, reads: [image, u] },
    });
  },
  columns: (_, { groups }) => ({ operand: 0, result: 1, groups, isEach: true }),
  halo: ({ u }, { padding, tile }, { shape }) => haloOf(shape.slice(2), tapsOf(u.shape[2]!, tile), padding, tile),
  flops: ({ u }, { tile }, type) => {
    const taps = tapsOf(u.shape[2]!, tile);
    return convolutionFlops([u.shape[0]!, u.shape[1]!, taps, taps], type.shape);
  },
});

/**
 * What conv2d_weight_grad makes of x [N, C, H, W] and dy [N, O, ...] with stride 1, in `parts` whose sum it is: [parts, O, C, R, R]. Tiles
 * of tile x tile elements of dy are moved over the image as kernels are, so that each part is the sum over its tiles of
 * A' [ (G dy G') * (B' x B) ] A in F(R, tile).
 */
export const winogradConv2dWeightGrad = op({
  name: "winograd_conv2d_weight_grad",
  inputs: ["x", "dy"],
  attrs: { padding: ints([0, 0, 0, 0]), tile: int(4), parts: int(1) },
  kind: "contraction",
  operands: ["image", "image"],
  result: "kernel",
}).rules({
  infer: ({ x, dy }, { padding, tile, parts }) => {
    const name = "winograd_conv2d_weight_grad";
    expectDType(name, "x", x, ["f32"]);
    expectDType(name, "dy", dy, ["f32"]);
    expectRank(name, "x", x, 4, "N, C, H, W");
    expectRank(name, "dy", dy, 4, "N, O, H, W");
    expectInts(name, "padding", padding, 4, 0);
    if (!(Number.isInteger(parts) && parts >= 1)) shapeError(`${name}: there cannot be ${parts} parts`);
    const [taps, across] = tapsOfGrad(x, dy, padding);
    if (x.shape[0] !== dy.shape[0] || taps !== across)
      shapeError(`${name}: no square kernel makes ${printType(dy)} of ${printType(x)} with padding [${padding.join(", ")}]`);
    expectTile(name, taps, tile + taps - 1);
    return tensor("f32", [parts, dy.shape[1]!, x.shape[1]!, taps, taps]);
  },
  lower: ({ x, dy }, { padding, tile, parts }) => {
    const [taps] = tapsOfGrad(x.type, dy.type, padding);
    const { input, kernel: weights, output } = winogradTransforms(taps, tile);
    const [images, , height, width] = dy.type.shape as [number, number, number, number];
    const tiles = [images, Math.ceil(height / tile), Math.ceil(width / tile)] as const;
    const [, rows, columns] = tiles;
    const all = images * rows * columns;
    const each = Math.ceil(all / parts);
    const image = (...[n, c, i, j]: readonly Expr[]) => x.padded(n!, c!, k.add(i!, k.i32(-padding[0]!)), k.add(j!, k.i32(-padding[2]!)));
    const gradient = (...[n, o, i, j]: readonly Expr[]) => dy.padded(n!, o!, i!, j!);
    return (part, o, c, r, s) => ({
      ...fold("sum", [each, input.length, input.length], (t, p, q) => {
        const number = k.at(part!, each, t!);
        const n = k.div(k.min(number, k.i32(all - 1)), k.i32(rows * columns));
        const top = k.mul(k.mod(k.div(number, k.i32(columns)), k.i32(rows)), k.i32(tile));
        const left = k.mul(k.mod(number, k.i32(columns)), k.i32(tile));
        const from = (read: typeof image, channel: Expr) => (i: number, j: number) =>
          read(n, channel, k.add(top, k.i32(i)), k.add(left, k.i32(j)));
        const after = k.mul(entry(output, r!, p!), entry(output, s!, q!));
        const moved = k.mul(transformedAt(input, p!, q!, from(image, c!)), transformedAt(weights, p!, q!, from(gradient, o!)));
        return k.mul(after, k.select(k.lt(number, k.i32(all)), moved, k.f32(0)));
      }),
      blocks: { kind: "kernel", tiles, input, weights, output, reads: [image, gradient] },
    });
  },
  halo: ({ dy }, { padding, tile }, { shape }) => haloOf(dy.shape.slice(2), shape[3]!, padding, tile),
  flops: ({ dy }, _, { shape }) => convolutionFlops(shape.slice(1), dy.shape),
});
/** Taps down and across. */
const tapsOfGrad = (x: TensorType, dy: TensorType, padding: readonly number[]): readonly [number, number] => [
  x.shape[2]! + padding[0]! + padding[1]! - dy.shape[2]! + 1,
  x.shape[3]! + padding[2]! + padding[3]! - dy.shape[3]! + 1,
];
