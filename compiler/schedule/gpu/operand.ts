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
import { bounds, linear, simplifyIndex } from "../../../ir/kernel/linear.ts";
import { substituteIn, visitExpr } from "../../../ir/kernel/rewrite.ts";
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
/** Along what the loads of a square are vectors, from multiples of four on. */
type Along = "terms" | "rows";

export const squaresOf = ({ block }: Operand): number => (block.shape[0]! * block.shape[1]!) / 16;

/** Brings the block at `corner`; the first of its squares is for the invocation number `first`. */
export function bring(o: Operand, corner: Corner, invocation: Expr, first: number, axes: Axes): readonly Stmt[] {
  const squares = squaresOf(o);
  if (squares < workgroup) {
    const own = sub(invocation, i32(first));
    const conditions = [...(first > 0 ? [lt(i32(first - 1), invocation)] : []), lt(invocation, i32(first + squares))];
    return [when(allOf(first + squares < workgroup ? conditions : conditions.slice(0, -1)), bringSquare(o, corner, own, axes))];
  }
  return Array.from({ length: squares / workgroup }, (_, i) => bringSquare(o, corner, add(invocation, i32(i * workgroup)), axes)).flat();
}

function bringSquare(o: Operand, corner: Corner, number: Expr, axes: Axes): readonly Stmt[] {
  const [terms, rows] = o.block.shape.map((n) => n / 4) as [number, number];
  // Squares beyond the last are brought by nobody, so that nothing need be tested for places that there are not.
  const [t, r] = [probe(axes, terms), probe(axes, rows)];
  // Neighbouring invocations read neighbours in memory.
  const placed = (body: readonly Stmt[], along: Along): readonly Stmt[] => {
    const [inner, outer] = along === "terms" ? ([t, r] as const) : ([r, t] as const);
    const extent = i32(along === "terms" ? terms : rows);
    return substituteIn(body, new Map([[inner.name, mod(number, extent)] as const, [outer.name, div(number, extent)] as const]));
  };
  for (const along of ["terms", "rows"] as const) {
    const body = inVectors(o, corner, t.axis, r.axis, along, axes);
    if (body) return placed(body, along);
  }
  return placed(oneByOne(o, corner, t.axis, r.axis, axes), "rows");
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

const four = [0, 1, 2, 3] as const;
const vector = (name: string): Expr => ({ kind: "var", type: "f32", lanes: 4, name });
/** The places of a square of the block, and how a vector along its rows is left there. */
function placesOf(o: Operand, corner: Corner, t: Expr, r: Expr) {
  return {
    term: (j: number) => add(corner.term, at(t, 4, j)),
    row: (i: number) => add(corner.row, at(r, 4, i)),
    leave: (j: number, value: Expr) => store(o.block, [at(t, 4, j), at(r, 4)], value),
  };
}
const exists = (term: Expr, o: Operand, axes: Axes) => (isBelow(term, o.terms, axes) ? [] : [lt(term, i32(o.terms))]);

/** The square at a place of the block; null where its loads are no vectors. */
function inVectors(o: Operand, corner: Corner, t: Expr, r: Expr, along: Along, axes: Axes): readonly Stmt[] | null {
  const { term, row, leave } = placesOf(o, corner, t, r);
  const names = four.map(() => axes.fresh("four"));
  const vectors = names.map(vector);
  if ((along === "terms" ? o.terms : o.rows) % 4 !== 0) return null;
  const brought = four.map((n) =>
    along === "terms"
      ? wide(names[n]!, term(0), o.terms, (l) => o.value(inside(row(n), o, axes), l), [], axes)
      : wide(names[n]!, row(0), o.rows, (l) => o.value(l, term(n)), exists(term(n), o, axes), axes),
  );
  if (brought.some((b) => b === null)) return null;
  if (along === "rows") return brought.flatMap((b, j) => [...b!, leave(j, vectors[j]!)]);
  const across = (j: (typeof four)[number]) => vectors.map((v) => lane(v, j)) as [Expr, Expr, Expr, Expr];
  return [...brought.flatMap((b) => b!), ...four.map((j) => leave(j, pack(...across(j))))];
}
function oneByOne(o: Operand, corner: Corner, t: Expr, r: Expr, axes: Axes): readonly Stmt[] {
  const { term, row, leave } = placesOf(o, corner, t, r);
  return four.flatMap((j) => {
    const name = axes.fresh("four");
    const value = pack(...(four.map((i) => o.value(inside(row(i), o, axes), term(j))) as [Expr, Expr, Expr, Expr]));
    const conditions = exists(term(j), o, axes);
    const body =
      conditions.length === 0 ? [declare(name, value)] : [declare(name, splat(f32(0))), when(allOf(conditions), [set(name, value)])];
    return [...body, leave(j, vector(name))];
  });
}
/**
 * Declares the values at four places from `first` on, all of which are below `limit` or none; zeros where they are not, or another
 * condition fails. Null where they are not read as vectors.
 */
function wide(
  name: string,
  first: Expr,
  limit: number,
  value: (place: Expr) => Expr,
  others: readonly Expr[],
  axes: Axes,
): readonly Stmt[] | null {
  const l = probe(axes, 4);
  const isInside = isBelow(add(first, i32(3)), limit, axes);
  // Where some are not, the values are those of places that exist: one that may not would be tested again, lane by lane.
  const known = probe(axes, limit / 4);
  const e = value(isInside ? add(first, l.axis) : at(known.axis, 4, l.axis));
  if (!loadsInFours(e, l.name, axes)) return null;
  const conditions = [...(isInside ? [] : [lt(first, i32(limit))]), ...others];
  if (conditions.length === 0) return fourLanes([declare(name, e)], l.name, axes.ranges);
  const change = fourLanes([set(name, e)], l.name, axes.ranges, new Set([name]));
  if (!change) return null;
  const fours = simplifyIndex(div(first, i32(4)), axes.ranges);
  return [declare(name, splat(f32(0))), when(allOf(conditions), substituteIn(change, new Map([[known.name, fours]])))];
}
