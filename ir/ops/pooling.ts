/** Geometry of pooling over any number of spatial axes: attributes, shapes and which windows see an element. */
import * as k from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";
import { ints, shapeError } from "../op.ts";
import { printType, type Shape, sameShape, sizeOf, type TensorType, tensor } from "../type.ts";
import { imageAxes, repeat, type SpatialAxis, type SpatialRank, spatialAxes, windows } from "./convolution.ts";
import { expectDType, expectInts, expectRank } from "./expect.ts";

/** padding: before and after each spatial axis; of a plane top, bottom, left, right. */
export const poolingAttrs = (rank: SpatialRank) => ({ kernel: ints(), stride: ints(), padding: ints(repeat(0, 2 * rank)) });
export interface PoolingAttrs {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
}
export interface PoolingAxis extends SpatialAxis {
  readonly kernel: number;
}
export const poolingAxes = (attrs: PoolingAttrs): readonly PoolingAxis[] =>
  spatialAxes({ ...attrs, dilation: repeat(1, attrs.kernel.length) }).map((s, a) => ({ kernel: attrs.kernel[a]!, ...s }));

/** Shape of the result of pooling, or a complaint in the name of `op`. */
export function poolingShape(op: string, x: TensorType, rank: SpatialRank, attrs: PoolingAttrs): Shape {
  expectDType(op, "x", x, ["f32"]);
  expectRank(op, "x", x, 2 + rank, imageAxes[rank]);
  expectInts(op, "kernel", attrs.kernel, rank, 1);
  expectInts(op, "stride", attrs.stride, rank, 1);
  expectInts(op, "padding", attrs.padding, 2 * rank, 0);
  const extents = poolingAxes(attrs).map((s, a) => {
    if (s.before >= s.kernel || s.after >= s.kernel) {
      shapeError(`${op}: padding [${attrs.padding.join(", ")}] must be smaller than the kernel [${attrs.kernel.join(", ")}]`);
    }
    const n = windows(x.shape[2 + a]!, s.kernel, s);
    return n > 0 ? n : shapeError(`${op}: the kernel [${attrs.kernel.join(", ")}] is larger than the padded image of ${printType(x)}`);
  });
  return [...x.shape.slice(0, 2), ...extents];
}
/** Complains unless `dy` is shaped as pooling an image of `shape`. */
export function expectPooled(op: string, operand: string, t: TensorType, shape: Shape, rank: SpatialRank, attrs: PoolingAttrs): void {
  const y = tensor(t.dtype, poolingShape(op, tensor("f32", shape), rank, attrs));
  if (!sameShape(y.shape, t.shape)) shapeError(`${op} expects ${operand} of type ${printType(y)}, got ${printType(t)}`);
}
export const poolingFlops = (y: Shape, attrs: PoolingAttrs): number => sizeOf(y) * sizeOf(attrs.kernel);

/** Position in the image of element `r` of window `i`. */
export const positionOf = (i: Expr, r: Expr, s: PoolingAxis): Expr => k.at(i, s.stride, k.add(r, k.i32(-s.before)));

/** At most so many windows see one element ... */
export const overlap = (s: PoolingAxis): number => Math.ceil(s.kernel / s.stride);
/** ... and these are windowAt(position, t, s) for 0 <= t < overlap(s), if they exist and reach that far. */
export const windowAt = (position: Expr, t: Expr, s: PoolingAxis): Expr =>
  k.sub(k.div(k.add(position, k.i32(s.before)), k.i32(s.stride)), t);
/** The gradient of pooling adds up so many windows for each element. */
export const overlapFlops = (x: Shape, attrs: PoolingAttrs): number => sizeOf(x) * sizeOf(poolingAxes(attrs).map(overlap));
