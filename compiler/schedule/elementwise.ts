/**
 * Every element by itself: rows as long as all operands move evenly, four lanes at a time.
 *
 *     y[i, j] = x[i, j] + z[i, j]                             one row of all elements
 *     y[n, c, h, w] = x[n, c, h, w] + b[c]                    rows of h and w
 *     y[i, j] = j < 8 ? a[i, j] : b[i, j - 8]                 rows of j, in two pieces
 */
import { flattenIndex } from "../../ir/kernel/address.ts";
import { at, i32 } from "../../ir/kernel/build.ts";
import type { Axes, Computation } from "../../ir/kernel/computation.ts";
import { type Expr, type Stmt, typeOf } from "../../ir/kernel/kernel.ts";
import { linear, type Ranges } from "../../ir/kernel/linear.ts";
import { exprsOf, mentions, partsOf, visitExpr, visitStmts } from "../../ir/kernel/rewrite.ts";
import { haloOf } from "../../ir/layout.ts";
import { unravel } from "./elements.ts";
import { type Piece, pieces } from "./pieces.ts";
import { simplified } from "./simplify.ts";
import { trial } from "./trial.ts";
import { canVectorize } from "./vectorize.ts";

/** Statements that compute and store the element at a logical index. */
export type Element = (index: readonly Expr[], axes: Axes) => readonly Stmt[];

/** Shorter rows are not worth a loop of their own: then positions are taken apart by division. */
const shortestRow = 16;
/** Pieces of a row, and of a loop around rows. */
const mostPieces = 64;
const mostOuterPieces = 6;
/** An outermost loop of fewer steps would leave threads without work. */
const fewSteps = 16;

interface Rows {
  /** Physical dimensions that make a row. */
  readonly inner: readonly number[];
  readonly outer: readonly number[];
  readonly pieces: readonly Piece[];
}

/** Null where no row has lanes. */
export function elementwise(c: Computation, element: Element, axes: Axes): readonly Stmt[] | null {
  const { layout, shape } = c.output;
  if (layout.dims.some((d) => d.div > 1 || d.mod > 0)) return null;
  const dims = layout.dims.map((d) => d.axis).filter((axis) => shape[axis]! > 1);
  if (dims.length === 0) return null;
  const rows = chooseRows(c, dims, element, axes);
  return rows && loops(c, rows, element, axes);
}

/* ---- which dimensions make a row ------------------------------------------------------------------------------- */

function chooseRows(c: Computation, dims: readonly number[], element: Element, axes: Axes): Rows | null {
  const { shape, layout } = c.output;
  let uneven: Rows | null = null;
  for (let from = 0; from < dims.length; from++) {
    const inner = dims.slice(from);
    if (inner.slice(1).some((axis) => haloOf(layout, axis).some((n) => n > 0))) continue;
    const t = trial(axes);
    const index = shape.map((extent, axis) => (dims.indexOf(axis) < from ? probe(extent, t) : i32(0)));
    const rowLength = lengthOf(c, inner);
    const parts = pieces(rowLength, t, mostPieces, (p, a) => element(indexIn(c, index, inner, p), a));
    const form = formOf(c, index, inner, parts, element, t);
    if (form === "even" && (rowLength >= shortestRow || !uneven)) return { inner, outer: dims.slice(0, from), pieces: parts };
    if (form === "uneven") uneven ??= { inner, outer: dims.slice(0, from), pieces: parts };
  }
  return uneven;
}
function probe(extent: number, axes: Axes): Expr {
  const name = axes.fresh("p");
  axes.declare({ name, extent });
  return { kind: "var", type: "i32", lanes: 1, name };
}
const lengthOf = (c: Computation, dims: readonly number[]): number => dims.reduce((n, axis) => n * c.output.shape[axis]!, 1);
/** The index at a position of the row. */
function indexIn(c: Computation, index: readonly Expr[], inner: readonly number[], position: Expr): readonly Expr[] {
  const places = unravel(
    position,
    inner.map((axis) => c.output.shape[axis]!),
  );
  return index.map((e, axis) => (inner.includes(axis) ? places[inner.indexOf(axis)]! : e));
}
/** even: lanes, and no division finds an operand. null: no piece has lanes. */
function formOf(
  c: Computation,
  index: readonly Expr[],
  inner: readonly number[],
  parts: readonly Piece[],
  element: Element,
  axes: Axes,
): "even" | "uneven" | null {
  let wide = 0;
  let even = true;
  for (const { start, extent } of parts) {
    const body = vectorBody(c, index, inner, start, Math.floor(extent / 4), element, axes);
    if (!body) continue;
    wide += extent;
    even &&= isEven(body);
  }
  return wide * 2 < lengthOf(c, inner) ? null : even ? "even" : "uneven";
}
interface VectorBody {
  readonly stmts: readonly Stmt[];
  /** Of the loop over vectors and of the lane. */
  readonly names: readonly string[];
  readonly ranges: Ranges;
}
/** What a lane does in a piece of `fours` vectors; null where it cannot be widened. */
function vectorBody(
  c: Computation,
  index: readonly Expr[],
  inner: readonly number[],
  start: number,
  fours: number,
  element: Element,
  axes: Axes,
): VectorBody | null {
  if (fours === 0) return null;
  const t = trial(axes);
  const [v, lane] = [probe(fours, t), probe(4, t)];
  const stmts = element(indexIn(c, index, inner, at(v, 4, at(lane, 1, start))), t);
  const names = [v, lane].map((e) => (e.kind === "var" ? e.name : ""));
  return canVectorize(stmts, names[1]!, t.ranges) ? { stmts, names, ranges: t.ranges } : null;
}
/** No address or number of a lane takes its position apart. */
function isEven({ stmts, names, ranges }: VectorBody): boolean {
  let even = true;
  const look = (number: Expr): void => {
    for (const { atom } of linear(number, ranges).terms.values())
      visitExpr(atom, (e) => {
        if (e.kind === "binary" && (e.op === "div" || e.op === "mod") && names.some((name) => mentions(e, name))) even = false;
      });
  };
  const value = (e: Expr): void => {
    if (e.kind === "load") look(flattenIndex(e.buffer, e.index));
    else if (e.kind === "binary" && typeOf(e) === "i32") look(e);
    else partsOf(e).forEach(value);
  };
  visitStmts(stmts, (s) => {
    if (s.kind !== "store") return exprsOf(s).forEach(value);
    look(flattenIndex(s.buffer, s.index));
    value(s.value);
  });
  return even;
}

/* ---- loops ----------------------------------------------------------------------------------------------------- */

function loops(c: Computation, rows: Rows, element: Element, axes: Axes): readonly Stmt[] {
  const { shape } = c.output;
  const zero = shape.map((): Expr => i32(0));
  const joined = rows.outer.length > 1 && shape[rows.outer[0]!]! < fewSteps;
  if (joined) {
    const extents = rows.outer.map((axis) => shape[axis]!);
    const body = (i: Expr) => {
      const places = unravel(i, extents);
      return row(
        c,
        rows,
        zero.map((e, axis) => places[rows.outer.indexOf(axis)] ?? e),
        element,
        axes,
      );
    };
    return [axes.loop("grid", "i", lengthOf(c, rows.outer), body)];
  }
  const nest = (depth: number, index: readonly Expr[], a: Axes): readonly Stmt[] => {
    const axis = rows.outer[depth];
    if (axis === undefined) return row(c, rows, index, element, a);
    const body = (i: Expr, x: Axes) => nest(depth + 1, index.with(axis, i), x);
    return pieces(shape[axis]!, a, mostOuterPieces, body).map((p) => a.loop("grid", "i", p.extent, (i) => body(at(i, 1, p.start), a)));
  };
  return nest(0, zero, axes);
}
/** Piece by piece, vectors and then what is left. */
function row(c: Computation, rows: Rows, index: readonly Expr[], element: Element, axes: Axes): readonly Stmt[] {
  /** What the piece decides is gone before lanes come: then it would be a comparison of vectors. */
  const body = (position: Expr) => simplified(element(indexIn(c, index, rows.inner, position), axes), axes.ranges);
  return rows.pieces.flatMap(({ start, extent }) => {
    const fours = Math.floor(extent / 4);
    if (!vectorBody(c, index, rows.inner, start, fours, element, axes))
      return [axes.loop("grid", "i", extent, (i) => body(at(i, 1, start)))];
    const main = axes.loop("grid", "i", fours, (v) => [axes.loop("vector", "j", 4, (lane) => body(at(v, 4, at(lane, 1, start))))]);
    const rest = extent - fours * 4;
    return rest === 0 ? [main] : [main, axes.loop("grid", "i", rest, (i) => body(at(i, 1, start + fours * 4)))];
  });
}
