/** Axes of tensors: negative ones count from the end. */
import type { Node } from "../../../../ir/graph/graph.ts";
import { type BuiltinCall, intsArg, orNone } from "../builtin.ts";
import { complain } from "../frame.ts";
import { showType } from "../values.ts";

/** An axis of `x`; `extra` 1 allows the place behind the last, where a new axis may go. */
export function axisOf(c: BuiltinCall, x: Node, axis: number, extra = 0): number {
  const rank = x.type.shape.length + extra;
  const at = axis < 0 ? axis + rank : axis;
  if (at >= 0 && at < rank) return at;
  const range = rank === 0 ? "it is a scalar" : `its axes are ${rank === 1 ? "0" : `0 to ${rank - 1}`}, or -1 from the end`;
  return complain(c.frame, "shape", `${c.subject}: ${showType(x.type)} has no axis ${axis}`, c.span, { help: range });
}
/** All axes for none. */
export function axesOf(c: BuiltinCall, x: Node, axes: readonly number[] | null): number[] {
  const all = axes?.map((a) => axisOf(c, x, a)) ?? x.type.shape.map((_, a) => a);
  if (new Set(all).size !== all.length) complain(c.frame, "shape", `${c.subject} names an axis twice`, c.span);
  return all;
}
export const axesArg = orNone(intsArg);

/** The axes of `x` without `axis`, then `axis`. */
export const movedLast = (rank: number, axis: number): number[] => [...range(0, axis), ...range(axis + 1, rank), axis];
/** Back from `movedLast`. */
export const movedFromLast = (rank: number, axis: number): number[] => [...range(0, axis), rank - 1, ...range(axis, rank - 1)];
export const range = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
