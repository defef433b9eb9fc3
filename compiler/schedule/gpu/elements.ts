/** Loops of a GPU that go by elements. */

import { add, allOf, at, i32, lt, max, splat, store, sub, when, within } from "../../../ir/kernel/build.ts";
import type { Axes } from "../../../ir/kernel/computation.ts";
import { type Buffer, type Expr, elementType, type Stmt } from "../../../ir/kernel/kernel.ts";
import { substituteIn } from "../../../ir/kernel/rewrite.ts";
import { haloOf } from "../../../ir/layout.ts";
import { sizeOf } from "../../../ir/type.ts";
import { probe } from "../contraction/work.ts";
import { unravel } from "../elements.ts";
import { workgroup } from "./shape.ts";

/** What the invocations of a dispatch do beside: the one of this number, of so many. */
export type Beside = (number: Expr, of: number) => readonly Stmt[];
export const nothing: Beside = () => [];

/** One invocation for each of so many positions. */
export function overPositions(count: number, axes: Axes, body: (position: Expr) => readonly Stmt[]): Stmt {
  // Invocations beyond the last do nothing, so that nothing need be tested for positions that there are not.
  const inside = probe(axes, count);
  const stmts = body(inside.axis);
  return axes.loop("grid", "group", Math.ceil(count / workgroup), (g) => [
    axes.loop("thread", "invocation", workgroup, (t) => {
      const position = at(g, workgroup, t);
      const own = substituteIn(stmts, new Map([[inside.name, position]]));
      return count % workgroup === 0 ? own : [within(position, count, own)];
    }),
  ]);
}
/** One invocation for each element of a box. */
export function overElements(
  extents: readonly number[],
  axes: Axes,
  body: (index: readonly Expr[]) => readonly Stmt[],
  beside: Beside = nothing,
): Stmt {
  const elements = sizeOf(extents);
  const groups = Math.ceil(elements / workgroup);
  return axes.loop("grid", "group", groups, (g) => [
    axes.loop("thread", "invocation", workgroup, (t) => {
      const position = at(g, workgroup, t);
      const inside = body(unravel(position, extents));
      const own = elements % workgroup === 0 ? inside : [within(position, elements, inside)];
      return [...own, ...beside(position, groups * workgroup)];
    }),
  ]);
}

/** Stores 0 in the halo of a buffer without blocks; in vectors where its innermost dimension allows. */
export function zeroHalo(b: Buffer, axes: Axes): Beside {
  const order = b.layout.dims.map((d) => d.axis);
  const innermost = order.at(-1) ?? 0;
  const isWide = haloOf(b.layout, innermost).every((n) => n === 0) && (b.shape[innermost] ?? 1) % 4 === 0;
  const slabs = order.flatMap((axis, i) => {
    const [before, after] = haloOf(b.layout, axis);
    const box = (start: number, extent: number) =>
      order.map((a, n) => (n < i ? { start: 0, extent: b.shape[a]! } : n === i ? { start, extent } : whole(b, a)));
    return [box(-before, before), box(b.shape[axis]!, after)];
  });
  const boxes = slabs.map((s) => (isWide ? s.with(-1, { start: 0, extent: s.at(-1)!.extent / 4 }) : s));
  const sizes = boxes.map((box) => sizeOf(box.map((d) => d.extent)));
  const total = sizes.reduce((n, size) => n + size, 0);
  const zero: Expr = { kind: "const", type: elementType(b), value: 0 };
  const clear = (position: Expr): readonly Stmt[] => {
    let start = 0;
    return boxes.flatMap((box, i) => {
      const [first, end] = [start, start + sizes[i]!];
      start = end;
      if (first === end) return [];
      const along = unravel(
        first === 0 ? position : max(sub(position, i32(first)), i32(0)),
        box.map((d) => d.extent),
      );
      const index = b.shape.map((): Expr => i32(0));
      order.forEach((axis, n) => {
        index[axis] = isWide && axis === innermost ? at(along[n]!, 4) : add(along[n]!, i32(box[n]!.start));
      });
      const conditions = [...(first > 0 ? [lt(i32(first - 1), position)] : []), lt(position, i32(end))];
      return [when(allOf(conditions), [store(b, index, isWide ? splat(zero) : zero)])];
    });
  };
  return (number, of) => {
    if (total === 0) return [];
    if (total <= of) return clear(number);
    return [axes.loop("serial", "round", Math.ceil(total / of), (round) => clear(at(round, of, number)))];
  };
}
const whole = (b: Buffer, axis: number) => {
  const [before, after] = haloOf(b.layout, axis);
  return { start: -before, extent: b.shape[axis]! + before + after };
};
