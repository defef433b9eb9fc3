/**
 * Register-tiled sums of products: matrix products, convolutions and their gradients are one schedule, told apart by strides.
 *
 *     y[.., i, .., j] = finish(sum over k of a[.., i, k] * b[k, j])
 *
 * j is the innermost axis of y in memory; `b` has stride 1 along it and does not know i; `a` does not know j. Then a tile
 * of rows i and vectors j shares every load of `a` and `b`. Weights have stride 1 because `assign-layouts` packed them.
 */
import { flattenIndex, strideOf } from "../../../ir/kernel/address.ts";
import { add, at, div, eq, f32, i32, load, mod, outline, select, store } from "../../../ir/kernel/build.ts";
import type { Axes, Computation, FoldAxis } from "../../../ir/kernel/computation.ts";
import type { Expr, Stmt } from "../../../ir/kernel/kernel.ts";
import { linear } from "../../../ir/kernel/linear.ts";
import { mentions, substitute, visitExpr } from "../../../ir/kernel/rewrite.ts";
import { canVectorize } from "../vectorize.ts";
import { type ReduceLoop, type Run, registerTile, splitRows } from "./tile.ts";

/** Most rows of a tile and its vectors: 8 accumulators fit the registers of every engine (see ARCHITECTURE.md, "From values to loops"). */
const tileRows = 4;
const tileVectors = 2;
/** Without rows to share loads of `b`, more vectors keep more sums in flight. */
const vectorsAlone = 4;
/** Rows of `a` that stay in the second-level cache while all panels of `b` pass by. */
const blockRows = 96;

type Product = (index: readonly Expr[]) => { readonly a: Expr; readonly b: Expr };
interface Shape {
  readonly rank: number;
  readonly column: number;
  readonly row: number | null;
  readonly product: Product;
  readonly reduce: readonly ReduceLoop[];
}

/** The tiled loops, or null when the computation has not this form. */
export function contraction(c: Computation, axes: Axes): readonly Stmt[] | null {
  const shape = recognise(c, axes);
  return shape && loops(c, shape, axes);
}

/* ---- recognition ----------------------------------------------------------------------------------------------- */

function recognise(c: Computation, axes: Axes): Shape | null {
  const { fold, output } = c;
  const dims = output.layout.dims;
  if (fold?.op !== "sum" || dims.some((d) => d.div > 1 || d.mod > 0) || dims.length === 0) return null;
  const column = dims.at(-1)!.axis;
  const extent = output.shape[column]!;
  if (extent < 4) return null;
  const probes = output.shape.map((n) => probe(axes, n));
  const index = probes.map((p): Expr => p.axis);
  for (const swap of [false, true]) {
    const product = productOf(c, axes, swap);
    const here = product?.(index);
    if (!product || !here || mentions(here.a, probes[column]!.name) || here.b.kind !== "load") continue;
    const free = dims.map((d) => d.axis).filter((axis) => axis !== column && !mentions(here.b, probes[axis]!.name));
    if (!fitsLanes(c, product, column, index, axes)) continue;
    return { rank: dims.length, column, row: bestRow(free, output.shape), product, reduce: fold.axes };
  }
  return null;
}
function probe(axes: Axes, extent: number): { readonly name: string; readonly axis: Expr } {
  const name = axes.fresh("p");
  axes.declare({ name, extent });
  return { name, axis: { kind: "var", type: "i32", lanes: 1, name } };
}
/** The two factors of what is summed; null when it is not a plain product. */
function productOf(c: Computation, axes: Axes, swap: boolean): Product | null {
  const at = (index: readonly Expr[]) => {
    const term = c.fold!.term(index, axes);
    const v = term.value;
    return term.lets.length === 0 && v.kind === "binary" && v.op === "mul" ? v : null;
  };
  const zero = c.output.shape.map(() => i32(0));
  if (!at(zero)) return null;
  return (index) => {
    const v = at(index)!;
    return swap ? { a: v.b, b: v.a } : { a: v.a, b: v.b };
  };
}
/** Loads of `b`, and what `finish` loads and stores, are wide along the columns of a full panel. */
function fitsLanes(c: Computation, product: Product, column: number, index: readonly Expr[], axes: Axes): boolean {
  const width = panelWidth(c.output.shape[column]!, true);
  const panel = probe(axes, Math.max(1, Math.floor(c.output.shape[column]! / width)));
  const vector = probe(axes, width / 4);
  const lane = probe(axes, 4);
  const wide = index.map((e, axis) => (axis === column ? at(panel.axis, width, at(vector.axis, 4, lane.axis)) : e));
  const { b } = product(wide);
  if (b.kind !== "load" || strideOf(flattenIndex(b.buffer, b.index), lane.name, axes.ranges) !== 1) return false;
  const sum: Expr = { kind: "var", type: "f32", lanes: 1, name: axes.fresh("sum") };
  const end = c.finish(wide, sum, axes);
  return canVectorize([...end.lets, store(c.output, wide, end.value)], lane.name, axes.ranges);
}
const panelWidth = (extent: number, rows: boolean) => {
  const widest = 4 * (rows ? tileVectors : vectorsAlone);
  return extent >= widest ? widest : extent >= 4 * tileVectors ? 4 * tileVectors : 4;
};
/** The axis whose tiles share most loads of `b`; of equally good ones the innermost. */
function bestRow(free: readonly number[], shape: readonly number[]): number | null {
  const rows = (axis: number) => shape[axis]! / Math.ceil(shape[axis]! / tileRows);
  let best: number | null = null;
  for (const axis of free) if (shape[axis]! > 1 && (best === null || rows(axis) >= rows(best))) best = axis;
  return best;
}

/* ---- loops ----------------------------------------------------------------------------------------------------- */

/** grid over the other axes { grid blocks of rows { grid panels { [slices of the reduction] { outline { tiles } } } } } */
function loops(c: Computation, s: Shape, axes: Axes): readonly Stmt[] {
  const order = c.output.layout.dims.map((d) => d.axis).filter((axis) => axis !== s.column && axis !== s.row);
  const extents = c.output.shape;
  const joined = canJoin(c, s, axes);
  const sliced = wantsSlices(c, s, axes);
  const panels = panelsOf(extents[s.column]!, s.row !== null);
  const rowRuns = s.row === null ? [{ size: 1, count: 1, start: 0 }] : splitRows(extents[s.row]!, blockRows);
  const outer = order.slice(0, 1).filter((axis) => extents[axis]! > 1);
  const inner = order.filter((axis) => extents[axis]! > 1 && !outer.includes(axis));
  type Body = (index: readonly Expr[]) => readonly Stmt[];
  const nest = (kind: "grid" | "serial", rest: readonly number[], index: readonly Expr[], body: Body): readonly Stmt[] => {
    const [axis, ...more] = rest;
    if (axis === undefined) return body(index);
    return [axes.loop(kind, `i${axis}`, extents[axis]!, (i) => nest(kind, more, index.with(axis, i), body))];
  };
  const zero = extents.map(() => i32(0));
  return nest("grid", outer, zero, (index) =>
    rowRuns.flatMap((block) => {
      const overPanels = (row0: Expr) =>
        panels.map((p) =>
          axes.loop("grid", "n", p.count, (n) => {
            const place = { row0, rows: block.size, column0: at(n, p.size, p.start), panel: p };
            const body = (slice: Expr | null) =>
              nest(slice ? "serial" : "grid", inner, index, (at2) => tiles(c, { ...s, slice }, joined, at2, place, axes));
            return sliced ? [axes.loop("serial", "slice", s.reduce[0]!.extent, body)] : body(null);
          }),
        );
      return rowRuns.length === 1 && block.count === 1
        ? overPanels(i32(block.start))
        : [axes.loop("grid", "block", block.count, (b) => overPanels(at(b, block.size, block.start)))];
    }),
  );
}
interface Sliced extends Shape {
  /** The outermost fold axis, when tiles see one place of it at a time and keep partial sums in the output. */
  readonly slice: Expr | null;
}
/** Longest reduction that a tile runs through at once; behind that, operands fall out of the cache between tiles. */
const longReduction = 2048;
const shortestSlice = 128;
/** Only sums that are stored as they are may rest in the output between slices. */
function wantsSlices(c: Computation, s: Shape, axes: Axes): boolean {
  const [outer, ...rest] = s.reduce;
  const inner = rest.reduce((n, a) => n * a.extent, 1);
  if (!outer || rest.length === 0 || inner < shortestSlice || inner * outer.extent <= longReduction) return false;
  const sum = axisOf(outer);
  const end = c.finish(
    c.output.shape.map((n) => probe(axes, n).axis),
    sum,
    axes,
  );
  return end.lets.length === 0 && end.value === sum;
}
interface Panel extends Run {
  readonly vectors: number;
  readonly lanes: 1 | 2 | 3 | 4;
}
/** Full panels, one of a single vector, and what is left of it. */
function panelsOf(extent: number, rows: boolean): Panel[] {
  const width = panelWidth(extent, rows);
  const full = Math.floor(extent / width);
  const out: Panel[] = [{ size: width, count: full, start: 0, vectors: width / 4, lanes: 4 }];
  let start = full * width;
  const four = Math.floor((extent - start) / 4);
  if (four > 0) out.push({ size: 4, count: four, start, vectors: 1, lanes: 4 });
  start += four * 4;
  const rest = extent - start;
  if (rest > 0) out.push({ size: rest, count: 1, start, vectors: 1, lanes: rest as 1 | 2 | 3 });
  return out.filter((p) => p.count > 0);
}
interface Place {
  readonly row0: Expr;
  readonly rows: number;
  readonly column0: Expr;
  readonly panel: Panel;
}
/** All rows of a block for one panel: a body worth a function, with the reduction nested in the loop over tiles. */
function tiles(c: Computation, s: Sliced, joined: boolean, index: readonly Expr[], p: Place, axes: Axes): readonly Stmt[] {
  return splitRows(p.rows, tileRows).map((run) =>
    outline(axes.fresh("panel"), [
      axes.loop("serial", "m", run.count, (m) => {
        const row = (i: Expr) => add(p.row0, add(at(m, run.size, run.start), i));
        const place = (i: Expr | null, j: Expr | null) =>
          index.map((e, axis) => (axis === s.row && i ? row(i) : axis === s.column && j ? add(p.column0, j) : e));
        const r = reduction(s, joined, axes);
        const part = (i: Expr, j: Expr) => load(c.output, ...place(i, j));
        const body = {
          ...(s.slice ? { init: (i: Expr, j: Expr) => select(eq(s.slice!, i32(0)), f32(0), part(i, j)) } : {}),
          reduce: r.reduce,
          a: (i: Expr) => r.rename(s.product(place(i, null)).a),
          b: (j: Expr) => r.rename(s.product(place(null, j)).b),
          finish: (i: Expr, j: Expr, sum: Expr): readonly Stmt[] => {
            const full = place(i, j);
            const end = c.finish(full, sum, axes);
            return [...end.lets, store(c.output, full, end.value)];
          },
        };
        return [registerTile({ rows: run.size, vectors: p.panel.vectors, lanes: p.panel.lanes }, body, axes)];
      }),
    ]),
  );
}

interface Reduction {
  readonly reduce: readonly ReduceLoop[];
  /** From the fold axes of the computation to the loops. */
  readonly rename: (e: Expr) => Expr;
}
/** Loops of fresh names over the fold axes, without the sliced one; `joined`: the two innermost run as one. */
function reduction(s: Sliced, joined: boolean, axes: Axes): Reduction {
  const own = s.reduce.map((a) => ({ name: axes.fresh(a.name), extent: a.extent }));
  const by = new Map(s.reduce.map((a, i): [string, Expr] => [a.name, i === 0 && s.slice ? s.slice : axisOf(own[i]!)]));
  let reduce: ReduceLoop[] = s.slice ? own.slice(1) : own;
  if (joined) {
    const [outer, inner] = s.reduce.slice(-2) as [FoldAxis, FoldAxis];
    const both = { name: axes.fresh("q"), extent: outer.extent * inner.extent };
    const q = axisOf(both);
    by.set(outer.name, div(q, i32(inner.extent))).set(inner.name, mod(q, i32(inner.extent)));
    reduce = [...reduce.slice(0, -2), both];
  }
  for (const a of reduce) axes.declare(a);
  return { reduce, rename: (e) => substitute(e, by) };
}
const axisOf = (a: FoldAxis): Expr => ({ kind: "var", type: "i32", lanes: 1, name: a.name });

/** Whether both operands are contiguous over the two innermost fold axes: (s, c) of a convolution. */
function canJoin(c: Computation, s: Shape, axes: Axes): boolean {
  if (s.reduce.length < 2) return false;
  const { reduce, rename } = reduction({ ...s, slice: null }, true, axes);
  const { a, b } = s.product(c.output.shape.map((n) => probe(axes, n).axis));
  return [a, b].every((e) => e.kind === "load" && isEven(flattenIndex(e.buffer, e.index.map(rename)), reduce.at(-1)!.name, axes));
}
/** Moves by a constant with the axis; loads in the index would not. */
function isEven(offset: Expr, name: string, axes: Axes): boolean {
  let plain = true;
  for (const [key, t] of linear(offset, axes.ranges).terms)
    visitExpr(t.atom, (e) => {
      if (key !== name && e.kind === "var" && e.name === name) plain = false;
    });
  return plain;
}
