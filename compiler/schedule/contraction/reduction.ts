/** The loops of a sum inside a tile, and sums too long for the caches in slices. */

import { largestDivisor } from "../../../ir/divisor.ts";
import { flattenIndex } from "../../../ir/kernel/address.ts";
import { add, i32, mul } from "../../../ir/kernel/build.ts";
import type { Axes } from "../../../ir/kernel/computation.ts";
import type { Buffer, Expr } from "../../../ir/kernel/kernel.ts";
import { linear } from "../../../ir/kernel/linear.ts";
import { mentions } from "../../../ir/kernel/rewrite.ts";
import { sizeOf } from "../../../ir/type.ts";
import { unravel } from "../elements.ts";
import type { ReduceLoop } from "./tile.ts";

/** `count` equal parts of a sum, one after the other. */
export interface Slices {
  readonly count: number;
  /** Extents of what a slice sums over. */
  readonly fold: readonly number[];
  /** Fold indices of the work, from those of a slice. */
  readonly whole: (slice: Expr, k: readonly Expr[]) => readonly Expr[];
}
/** Sums of up to `longest` terms stay whole; longer ones are cut into slices of about `target`, where their extents have divisors. */
export function slicesOf(fold: readonly number[], longest: number, target: number): Slices {
  const none: Slices = { count: 1, fold, whole: (_, k) => k };
  if (sizeOf(fold) <= longest) return none;
  let first = fold.length - 1;
  while (first > 0 && sizeOf(fold.slice(first)) <= target) first--;
  const extent = fold[first]!;
  const chunk = largestDivisor(extent, target / sizeOf(fold.slice(first + 1)));
  const counts = [...fold.slice(0, first), extent / chunk];
  return {
    count: sizeOf(counts),
    fold: [chunk, ...fold.slice(first + 1)],
    whole: (slice, k) => {
      const outer = unravel(slice, counts);
      return [...outer.slice(0, -1), add(mul(outer.at(-1)!, i32(chunk)), k[0]!), ...k.slice(1)];
    },
  };
}

/** Loops over fresh axes, and the fold indices in terms of them. */
export interface Reduction {
  readonly loops: readonly ReduceLoop[];
  readonly k: readonly Expr[];
}
/** `joined`: so many of the innermost axes run as one loop. */
export function reduction(fold: readonly number[], joined: number, axes: Axes): Reduction {
  const apart = fold.slice(0, fold.length - joined);
  const together = fold.slice(fold.length - joined);
  const loops = [...apart, ...(together.length > 0 ? [sizeOf(together)] : [])].map((extent, i) => {
    const name = axes.fresh(i < apart.length ? "k" : "q");
    axes.declare({ name, extent });
    return { name, extent };
  });
  const indices = loops.map((l): Expr => ({ kind: "var", type: "i32", lanes: 1, name: l.name }));
  return { loops, k: together.length > 0 ? [...indices.slice(0, -1), ...unravel(indices.at(-1)!, together)] : indices };
}
/** Position in the order of the loops. */
export const positionOf = (k: readonly Expr[], fold: readonly number[]): Expr =>
  k.reduce<Expr>((p, e, i) => add(mul(p, i32(fold[i]!)), e), i32(0));

/** How many of the innermost fold axes all operands pass at even steps: (s, c) of a convolution. */
export function joinable(fold: readonly number[], operands: (k: readonly Expr[]) => readonly Expr[], axes: Axes): number {
  let most = Math.min(1, fold.length);
  for (let n = 2; n <= fold.length; n++) {
    const { loops, k } = reduction(fold, n, axes);
    if (!operands(k).every((e) => isEven(e, loops.at(-1)!.name, axes))) break;
    most = n;
  }
  return most;
}
/** A load that moves by a constant with the axis; loads in its index would not. */
const isEven = (e: Expr, name: string, axes: Axes): boolean => e.kind === "load" && goesEvenly(e.buffer, e.index, name, axes);
/** Whether an element of a buffer moves by a constant with an axis. */
export function goesEvenly(buffer: Buffer, index: readonly Expr[], name: string, axes: Axes): boolean {
  const { terms } = linear(flattenIndex(buffer, index), axes.ranges);
  return [...terms].every(([key, { atom }]) => key === name || !mentions(atom, name));
}
