/** From places in memory back to logical indices: what loops over a buffer need, whatever its layout. */
import { add, allOf, at, clamp, div, i32, inside, mod, select } from "../../ir/kernel/build.ts";
import type { Axes, Evaluated } from "../../ir/kernel/computation.ts";
import { type Buffer, type Expr, elementType } from "../../ir/kernel/kernel.ts";
import { bounds, linear } from "../../ir/kernel/linear.ts";
import { dimExtent, haloOf } from "../../ir/layout.ts";
import type { Shape } from "../../ir/type.ts";

/** Extents of the physical dimensions. */
export const physicalExtents = (b: Buffer): number[] => b.layout.dims.map((d) => dimExtent(b.shape, b.layout, d));

/** Row-major position to index. */
export function unravel(position: Expr, extents: Shape): Expr[] {
  let stride = 1;
  const strides = extents.map(() => 0);
  for (let d = extents.length - 1; d >= 0; d--) {
    strides[d] = stride;
    stride *= extents[d]!;
  }
  return extents.map((n, d) => {
    const q = div(position, i32(strides[d]!));
    return d === 0 ? q : mod(q, i32(n));
  });
}

/** The logical index that lives at a physical one; it may lie in the halo or in the padding of a blocked axis. */
export function logicalIndex(b: Buffer, physical: readonly Expr[]): Expr[] {
  const index = b.shape.map((_, axis): Expr => i32(-haloOf(b.layout, axis)[0]));
  b.layout.dims.forEach((d, i) => {
    index[d.axis] = add(at(physical[i]!, d.mod ? 1 : d.div), index[d.axis]!);
  });
  return index;
}

/** The dimensions of memory that loops over a buffer go through. */
export interface Places {
  readonly extents: readonly number[];
  /** The logical index at a place. */
  readonly indexAt: (place: readonly Expr[]) => readonly Expr[];
}
/** A halo is left out where no dimension is blocked. */
export function placesOf(b: Buffer): Places {
  const { dims } = b.layout;
  if (dims.some((d) => d.div > 1 || d.mod > 0)) return { extents: physicalExtents(b), indexAt: (place) => logicalIndex(b, place) };
  const indexAt = (place: readonly Expr[]): Expr[] => {
    const index = b.shape.map((): Expr => i32(0));
    dims.forEach((d, i) => {
      index[d.axis] = place[i]!;
    });
    return index;
  };
  return { extents: dims.map((d) => b.shape[d.axis]!), indexAt };
}

/** `value` at an index of the shape; 0 at an index beside it. `value` is asked for indices inside only. */
export function orZero(b: Buffer, index: readonly Expr[], axes: Axes, value: (index: readonly Expr[]) => Evaluated): Evaluated {
  const tests: Expr[] = [];
  const safe = index.map((i, axis) => {
    const extent = b.shape[axis]!;
    const [lo, hi] = bounds(linear(i, axes.ranges), axes.ranges);
    if (lo >= 0 && hi < extent) return i;
    tests.push(inside(i, 0, extent));
    return clamp(i, extent);
  });
  const v = value(safe);
  if (tests.length === 0) return v;
  return { lets: v.lets, value: select(allOf(tests), v.value, { kind: "const", type: elementType(b), value: 0 }) };
}
