/** Geometry of convolutions over any number of spatial axes: attributes, shapes and index arithmetic that the operations share. */
import * as k from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";
import { int, ints, shapeError } from "../op.ts";
import { printType, type Shape, sameShape, sizeOf, type TensorType, tensor } from "../type.ts";
import { expectDType, expectInts, expectRank } from "./expect.ts";

/** How many spatial axes: planes or volumes. */
export type SpatialRank = 2 | 3;
/** What the dimensions of an image are called. */
export const imageAxes: Record<SpatialRank, string> = { 2: "N, C, H, W", 3: "N, C, D, H, W" };
const kernelAxes: Record<SpatialRank, string> = { 2: "O, C/groups, R, S", 3: "O, C/groups, Q, R, S" };
export const repeat = (value: number, times: number): readonly number[] => Array.from({ length: times }, () => value);

/** padding: before and after each spatial axis; of a plane top, bottom, left, right. */
export const convolutionAttrs = (rank: SpatialRank) => ({
  stride: ints(repeat(1, rank)),
  padding: ints(repeat(0, 2 * rank)),
  dilation: ints(repeat(1, rank)),
  groups: int(1),
});
export interface ConvolutionAttrs {
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
}

/** One spatial axis; of a plane 0 is the height, 1 the width. */
export interface SpatialAxis {
  readonly stride: number;
  readonly before: number;
  readonly after: number;
  readonly dilation: number;
}
export const spatialAxes = ({ stride, padding, dilation }: Omit<ConvolutionAttrs, "groups">): readonly SpatialAxis[] =>
  stride.map((s, axis) => ({ stride: s, before: padding[2 * axis]!, after: padding[2 * axis + 1]!, dilation: dilation[axis]! }));
/** How often a window of `kernel` elements fits. */
export const windows = (extent: number, kernel: number, s: SpatialAxis): number =>
  Math.floor((extent + s.before + s.after - s.dilation * (kernel - 1) - 1) / s.stride) + 1;

/** Shape of the result of a convolution, or a complaint in the name of `op`. */
export function convolutionShape(op: string, x: TensorType, w: TensorType, rank: SpatialRank, attrs: ConvolutionAttrs): Shape {
  expectDType(op, "x", x, ["f32"]);
  expectDType(op, "w", w, ["f32"]);
  expectRank(op, "x", x, 2 + rank, imageAxes[rank]);
  expectRank(op, "w", w, 2 + rank, kernelAxes[rank]);
  expectInts(op, "stride", attrs.stride, rank, 1);
  expectInts(op, "padding", attrs.padding, 2 * rank, 0);
  expectInts(op, "dilation", attrs.dilation, rank, 1);
  expectChannels(op, x, w, attrs.groups);
  const extents = spatialAxes(attrs).map((s, axis) => {
    const n = windows(x.shape[2 + axis]!, w.shape[2 + axis]!, s);
    return n > 0 ? n : shapeError(`${op}: the kernel of ${printType(w)} is larger than the padded image of ${printType(x)}`);
  });
  return [x.shape[0]!, w.shape[0]!, ...extents];
}
function expectChannels(op: string, x: TensorType, w: TensorType, groups: number): void {
  const [channels, outputs] = [x.shape[1]!, w.shape[0]!];
  if (!Number.isInteger(groups) || groups < 1) shapeError(`${op}: groups must be a positive integer, got ${groups}`);
  if (channels % groups || outputs % groups) {
    shapeError(
      `${op}: ${groups} groups must divide the ${channels} channels of ${printType(x)} and the ${outputs} outputs of ${printType(w)}`,
    );
  }
  const each = channels / groups;
  const share = groups === 1 ? `${each} channels` : `${each} channels in each of ${groups} groups`;
  if (w.shape[1] !== each) shapeError(`${op}: ${printType(x)} has ${share}, ${printType(w)} expects ${w.shape[1]}`);
}
/** Complains unless `dy` is what a convolution of `x` by `w` gives. */
export function expectConvolution(
  op: string,
  x: TensorType,
  w: TensorType,
  dy: TensorType,
  rank: SpatialRank,
  attrs: ConvolutionAttrs,
): void {
  const y = tensor("f32", convolutionShape(op, x, w, rank, attrs));
  if (dy.dtype !== "f32" || !sameShape(y.shape, dy.shape)) shapeError(`${op} expects dy of type ${printType(y)}, got ${printType(dy)}`);
}

/** Multiply-adds count two. */
export const convolutionFlops = (w: Shape, y: Shape): number => 2 * sizeOf(y) * sizeOf(w.slice(1));

/** Position in the image of tap `r` of window `i`. */
export const tap = (i: Expr, r: Expr, s: SpatialAxis): Expr => k.at(i, s.stride, k.at(r, s.dilation, -s.before));
/** The same on every spatial axis. */
export const taps = (i: readonly Expr[], r: readonly Expr[], axes: readonly SpatialAxis[]): Expr[] =>
  axes.map((s, a) => tap(i[a]!, r[a]!, s));

/** Input channel `c` of the group that output channel `o` belongs to. */
export const inputChannel = (o: Expr, c: Expr, w: Shape, groups: number): Expr =>
  groups === 1 ? c : k.at(k.div(o, k.i32(w[0]! / groups)), w[1]!, c);
/** Output channel `o` of the group that input channel `c` belongs to. */
export const outputChannel = (c: Expr, o: Expr, w: Shape, groups: number): Expr =>
  groups === 1 ? o : k.at(k.div(c, k.i32(w[1]!)), w[0]! / groups, o);
