/**
 * How a block of an operand comes to workgroup memory: every invocation brings squares of four rows by four places of the sum,
 * in vectors along what is contiguous in memory, and leaves vectors along the rows.
 */

import { flattenIndex, strideOf } from "../../../ir/kernel/address.ts";
import {
  add,
  allOf,
  at,
  declare,
  div,
  f32,
  i32,
  lane,
  lt,
  min,
  mod,
  pack,
  set,
  splat,
  store,
  sub,
  when,
} from "../../../ir/kernel/build.ts";
import type { Axes } from "../../../ir/kernel/computation.ts";
import type { Buffer, Expr, Stmt } from "../../../ir/kernel/kernel.ts";
import { bounds, linear } from "../../../ir/kernel/linear.ts";
import { visitExpr } from "../../../ir/kernel/rewrite.ts";
import { probe } from "../contraction/work.ts";
import { fourLanes } from "../vectorize.ts";
import { workgroup } from "./shape.ts";

/** One factor of the products: a matrix of rows by places of the sum. The columns of the result are rows of the second one. */
export interface Operand {
  /** Four places of the sum and four rows each. */
  readonly block: Buffer;
  readonly rows: number;
  readonly terms: number;
  readonly value: (row: Expr, term: Expr) => Expr;
}
/** Where a block begins. */
export interface Corner {
  readonly row: Expr;
  readonly term: Expr;
}
type Along = "terms" | "rows" | "neither";

export const squaresOf = ({ block }: Operand): number => (block.shape[0]! * block.shape[1]!) / 16;

/** Brings the block at `corner`; the first of its squares is for the invocation number `first`. */
export function bring(o: Operand, corner: Corner, invocation: Expr, first: number, axes: Axes): readonly Stmt[] {
  const squares = squaresOf(o);
  const along = direction(o, corner, axes);
  if (squares < workgroup) {
    const own = sub(invocation, i32(first));
    const conditions = [...(first > 0 ? [lt(i32(first - 1), invocation)] : []), lt(invocation, i32(first + squares))];
    return [when(allOf(first + squares < workgroup ? conditions : conditions.slice(0, -1)), bringSquare(o, corner, own, along, axes))];
  }
  return Array.from({ length: squares / workgroup }, (_, i) =>
    bringSquare(o, corner, add(invocation, i32(i * workgroup)), along, axes),
  ).flat();
}

/** Along what the loads of the operand are contiguous, from multiples of four on. */
function direction(o: Operand, corner: Corner, axes: Axes): Along {
  const four = probe(axes, 4);
  const square = probe(axes, 4).axis;
  const term = add(corner.term, at(square, 4));
  const row = add(corner.row, at(square, 4));
  const isWide = (e: Expr) =>
    loadsInFours(e, four.name, axes) && fourLanes([declare(axes.fresh("try"), e)], four.name, axes.ranges) !== null;
  if (o.terms % 4 === 0 && isWide(o.value(inside(row, o, axes), add(term, four.axis)))) return "terms";
  return o.rows % 4 === 0 && isWide(o.value(add(row, four.axis), term)) ? "rows" : "neither";
}
/** Whether some load has four neighbours for the four values of an axis. */
function loadsInFours(e: Expr, axis: string, axes: Axes): boolean {
  let found = false;
  visitExpr(e, (x) => {
    found ||= x.kind === "load" && strideOf(flattenIndex(x.buffer, x.index), axis, axes.ranges) === 1;
  });
  return found;
}
/** Rows beside the last are not used by anybody, and may hold what the last one has. */
function inside(row: Expr, { rows }: Operand, axes: Axes): Expr {
  return isBelow(row, rows, axes) ? row : min(row, i32(rows - 1));
}
const isBelow = (e: Expr, limit: number, axes: Axes): boolean => bounds(linear(e, axes.ranges), axes.ranges)[1] < limit;

function bringSquare(o: Operand, corner: Corner, square: Expr, along: Along, axes: Axes): readonly Stmt[] {
  const [terms, rows] = o.block.shape.map((n) => n / 4) as [number, number];
  // Neighbouring invocations read neighbours in memory.
  const [t, r] = along === "terms" ? [mod(square, i32(terms)), div(square, i32(terms))] : [div(square, i32(rows)), mod(square, i32(rows))];
  const term = (j: Expr | number) => add(corner.term, at(t, 4, j));
  const row = (i: Expr | number) => add(corner.row, at(r, 4, i));
  const leave = (j: number, value: Expr) => store(o.block, [at(t, 4, j), at(r, 4)], value);
  const exists = (place: Expr) => (isBelow(place, o.terms, axes) ? [] : [lt(place, i32(o.terms))]);
  const four = [0, 1, 2, 3] as const;
  const names = four.map(() => axes.fresh("four"));
  const vector = (n: number): Expr => ({ kind: "var", type: "f32", lanes: 4, name: names[n]! });
  /** Vector n: the four values of `at`, or zeros where a condition fails. */
  const wide = (n: number, value: (lane: Expr) => Expr, conditions: readonly Expr[]): readonly Stmt[] => {
    const l = probe(axes, 4);
    if (conditions.length === 0) return fourLanes([declare(names[n]!, value(l.axis))], l.name, axes.ranges)!;
    const change = fourLanes([set(names[n]!, value(l.axis))], l.name, axes.ranges, new Set([names[n]!]))!;
    return [declare(names[n]!, splat(f32(0))), when(allOf(conditions), change)];
  };
  switch (along) {
    case "terms":
      return [
        ...four.flatMap((i) => wide(i, (l) => o.value(inside(row(i), o, axes), term(l)), exists(term(0)))),
        ...four.map((j) => leave(j, pack(lane(vector(0), j), lane(vector(1), j), lane(vector(2), j), lane(vector(3), j)))),
      ];
    case "rows": {
      const isRow = isBelow(row(3), o.rows, axes) ? [] : [lt(row(0), i32(o.rows))];
      return four.flatMap((j) => [...wide(j, (l) => o.value(row(l), term(j)), [...isRow, ...exists(term(j))]), leave(j, vector(j))]);
    }
    case "neither":
      return four.flatMap((j) => {
        const [a, b, c, d] = four.map((i) => o.value(inside(row(i), o, axes), term(j)));
        const value = pack(a!, b!, c!, d!);
        const conditions = exists(term(j));
        const body =
          conditions.length === 0
            ? [declare(names[j]!, value)]
            : [declare(names[j]!, splat(f32(0))), when(allOf(conditions), [set(names[j]!, value)])];
        return [...body, leave(j, vector(j))];
      });
  }
}
