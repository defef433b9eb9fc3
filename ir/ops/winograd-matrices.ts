/**
 * Convolution with stride 1 by small blocks, as products of matrices: the same sums as in `winograd.ts`, spelled in three steps, so
 * that each is a kernel of its own.
 *
 *     V[p, q] = B' x B, tiles by channels    U[p, q] = G w G', channels by outputs    y = A' (V @ U) A
 *
 * Tiles are numbered image by image, row by row.
 */
import * as k from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";
import { bool, fold, int, ints, type Matrix, op, shapeError } from "../op.ts";
import { printType, sizeOf, type TensorType, tensor } from "../type.ts";
import { expectDType, expectInts, expectRank } from "./expect.ts";
import { entry, expectSquare, expectTile, haloOf, tapsOf, winogradTransforms } from "./winograd.ts";

/** Additions and multiplications for an element of a transformed block, where rows that differ by signs share their sums. */
const flopsPerPoint = 6;
const flopsOf = (points: TensorType): number => flopsPerPoint * sizeOf(points.shape);

/** matrix X matrix' at [p, q], as a sum over its places. */
const transformed = (matrix: Matrix, p: Expr, q: Expr, element: (r: Expr, s: Expr) => Expr) => {
  const taps = matrix[0]!.length;
  return fold("sum", [taps, taps], (r, s) => k.mul(k.mul(entry(matrix, p, r), entry(matrix, q, s)), element(r, s)));
};

/** How many tiles there are down and across images, given the extents of their windows. */
const tilesAlong = (windows: readonly number[], tile: number): readonly [number, number] => [
  Math.ceil(windows[0]! / tile),
  Math.ceil(windows[1]! / tile),
];
/** Positions of a kernel of so many taps in padded images. */
const windowsOf = ({ shape }: TensorType, padding: readonly number[], taps: number): readonly [number, number] => [
  shape[2]! + padding[0]! + padding[1]! - taps + 1,
  shape[3]! + padding[2]! + padding[3]! - taps + 1,
];

/** Tiles of images [N, C, H, W] at the points of F(tile, taps): [P, P, tiles, C]. */
export const winogradTiles = op({
  name: "winograd_tiles",
  inputs: ["x"],
  attrs: { padding: ints([0, 0, 0, 0]), tile: int(4), taps: int(3) },
  kind: "contraction",
  operands: ["image"],
  result: "matrix",
}).rules({
  infer: ({ x }, { padding, tile, taps }) => {
    const name = "winograd_tiles";
    expectDType(name, "x", x, ["f32"]);
    expectRank(name, "x", x, 4, "N, C, H, W");
    expectInts(name, "padding", padding, 4, 0);
    expectTile(name, tile, tile + taps - 1);
    const windows = windowsOf(x, padding, taps);
    if (windows.some((n) => n < 1)) shapeError(`${name}: ${taps} x ${taps} taps are larger than the padded image of ${printType(x)}`);
    const [down, across] = tilesAlong(windows, tile);
    return tensor("f32", [tile + taps - 1, tile + taps - 1, x.shape[0]! * down * across, x.shape[1]!]);
  },
  lower: ({ x }, { padding, tile, taps }) => {
    const matrix = winogradTransforms(tile, taps).input;
    const [down, across] = tilesAlong(windowsOf(x.type, padding, taps), tile);
    const read = (...[, , t, c, r, s]: readonly Expr[]) => {
      const top = k.at(k.mod(k.div(t!, k.i32(across)), k.i32(down)), tile, -padding[0]!);
      const left = k.at(k.mod(t!, k.i32(across)), tile, -padding[2]!);
      return x.padded(k.div(t!, k.i32(down * across)), c!, k.add(top, r!), k.add(left, s!));
    };
    return (p, q, t, c) => ({
      ...transformed(matrix, p!, q!, (r, s) => read(p!, q!, t!, c!, r, s)),
      blocks: { kind: "transform", matrix, axes: [0, 1], reads: [read] },
    });
  },
  halo: ({ x }, { padding, tile, taps }) => haloOf(windowsOf(x, padding, taps), taps, padding, tile),
  flops: (_, __, type) => flopsOf(type),
});

/**
 * Kernels [O, C, R, R] at the points of F(tile, R): [P, P, C, O]. `reversed`: of kernels turned around in both directions, for the gradient
 * by images.
 */
export const winogradKernels = op({
  name: "winograd_kernels",
  inputs: ["w"],
  attrs: { tile: int(4), reversed: bool(false) },
  kind: "contraction",
  operands: ["kernel"],
  result: "matrix",
}).rules({
  infer: ({ w }, { tile }) => {
    const name = "winograd_kernels";
    expectDType(name, "w", w, ["f32"]);
    expectRank(name, "w", w, 4, "O, C, R, R");
    const points = expectSquare(name, w) + tile - 1;
    expectTile(name, tile, points);
    return tensor("f32", [points, points, w.shape[1]!, w.shape[0]!]);
  },
  lower: ({ w }, { tile, reversed }) => {
    const taps = w.type.shape[2]!;
    const matrix = winogradTransforms(tile, taps).kernel;
    const tap = (r: Expr) => (reversed ? k.sub(k.i32(taps - 1), r) : r);
    const read = (...[, , c, o, r, s]: readonly Expr[]) => w(o!, c!, tap(r!), tap(s!));
    return (p, q, c, o) => ({
      ...transformed(matrix, p!, q!, (r, s) => read(p!, q!, c!, o!, r, s)),
      blocks: { kind: "transform", matrix, axes: [0, 1], reads: [read] },
    });
  },
  flops: (_, __, type) => flopsOf(type),
});

/** Images [N, O, *extents] of their tiles at the points of F(tile, P - tile + 1), [P, P, tiles, O]. */
export const winogradImage = op({
  name: "winograd_image",
  inputs: ["m"],
  attrs: { extents: ints(), tile: int(4) },
  kind: "contraction",
  operands: ["matrix"],
  result: "image",
}).rules({
  infer: ({ m }, { extents, tile }) => {
    const name = "winograd_image";
    expectDType(name, "m", m, ["f32"]);
    expectRank(name, "m", m, 4, "P, P, tiles, O");
    expectInts(name, "extents", extents, 2, 1);
    const [points, others, tiles, outputs] = m.shape as [number, number, number, number];
    if (points !== others) shapeError(`${name} expects as many points down as across, got ${printType(m)}`);
    expectTile(name, tile, points);
    const [down, across] = tilesAlong(extents, tile);
    if (tiles % (down * across) > 0) shapeError(`${name}: ${tiles} tiles do not make images of ${extents.join(" x ")}`);
    return tensor("f32", [tiles / (down * across), outputs, ...extents]);
  },
  lower: ({ m }, { extents, tile }) => {
    const points = m.type.shape[0]!;
    const matrix = winogradTransforms(tile, tapsOf(points, tile)).output;
    const [down, across] = tilesAlong(extents, tile);
    const read = (...[n, o, i, j, p, q]: readonly Expr[]) => {
      const row = k.at(n!, down, k.div(i!, k.i32(tile)));
      return m(p!, q!, k.at(row, across, k.div(j!, k.i32(tile))), o!);
    };
    const within = (e: Expr) => k.mod(e, k.i32(tile));
    return (n, o, i, j) => ({
      ...transformed(matrix, within(i!), within(j!), (p, q) => read(n!, o!, i!, j!, p, q)),
      blocks: { kind: "transform", matrix, axes: [2, 3], reads: [read] },
    });
  },
  flops: ({ m }) => flopsOf(m),
});
