/** Which places of a fold make a tile of registers, and how much of its terms is written out: as much as registers hold. */
import { flattenIndex } from "../../ir/kernel/address.ts";
import { at, i32 } from "../../ir/kernel/build.ts";
import type { Axes, Computation, FoldAxis } from "../../ir/kernel/computation.ts";
import { type Expr, typeOf } from "../../ir/kernel/kernel.ts";
import { keyOf, linear, simplifyIndex } from "../../ir/kernel/linear.ts";
import { mentions, substitute, visitExpr, visitExprs } from "../../ir/kernel/rewrite.ts";
import { tileRows } from "../../ir/register-tile.ts";
import { type Running, running } from "./accumulate.ts";
import { axisOf, type Fold, renamed, type Term } from "./fold.ts";
import { trial } from "./trial.ts";

/** Registers that a tile may fill with states and what one step loads: engines keep 15, and need one for temporary values. */
const registersAtMost = 14;
/** A fold of so many terms may be a window: it is worked off at each place, and places are tiled. */
const largestWindow = 128;
const shortFold = 16;
/** Terms of a window that are written out. */
const unrolledAtMost = 8;
const unrolledBySteps = 64;
const tileVectors = 4;
/** Largest distance of elements with the same windows that is unrolled. */
const longestStep = 4;

export interface Tile {
  readonly rows: number;
  readonly vectors: number;
  /** Partial results along the innermost fold axis: for sums of few columns. */
  readonly chains: number;
  /** How many of the innermost fold axes are written out. */
  readonly unrolled: number;
}
export interface Shape {
  readonly fold: Fold;
  readonly running: Running;
  readonly column: number;
  /** The axis whose places share loads. */
  readonly row: number | null;
  /** Steps of the other axes. */
  readonly steps: readonly number[];
  readonly tile: Tile;
}

/** Null where lanes along the innermost dimension are not possible at first sight. */
export function shapeOf(c: Computation, axes: Axes): Shape | null {
  const { fold, output } = c;
  const dims = output.layout.dims;
  const column = dims.findLast((d) => output.shape[d.axis]! > 1)?.axis;
  if (!fold || column === undefined || dims.some((d) => d.div > 1 || d.mod > 0)) return null;
  if (output.shape[column]! < 4) return null;
  const t = trial(axes);
  const index = output.shape.map((extent) => {
    const name = t.fresh("p");
    t.declare({ name, extent });
    return axisOf({ name, extent });
  });
  const term = renamed(fold, index, t);
  const r = running(fold.op, typeOf(term.value));
  const steps = output.shape.map((extent, axis) => (axis === column ? 1 : stepOf(term, index[axis]!, extent, t)));
  const shape = { fold, running: r, column, steps };
  const row = rowOf(c, term, index, column, t);
  const tile = tileOf(c, { ...shape, row }, t);
  return { ...shape, row: tile.rows > 1 ? row : null, tile };
}
/** Elements so far apart along an axis have windows of one form: the stride of a convolution, in its gradient. */
function stepOf(term: Term, axis: Expr, extent: number, axes: Axes): number {
  let step = 1;
  visitTerm(term, (e) => {
    if (e.kind !== "binary" || e.op !== "mod" || e.b.kind !== "const" || e.b.value <= 1 || typeOf(e) !== "i32") return;
    const scale = linear(e.a, axes.ranges).terms.get(keyOf(axis))?.scale ?? 0;
    if (scale % e.b.value !== 0) step = Math.max(step, e.b.value);
  });
  return step <= longestStep && extent >= 2 * step ? step : 1;
}
function visitTerm(term: Term, f: (e: Expr) => void): void {
  visitExprs(term.lets, f);
  visitExpr(term.value, f);
}
const countOf = (axes: readonly FoldAxis[]): number => axes.reduce((n, a) => n * a.extent, 1);

/** The innermost other axis, of a window any, of a long fold one whose places share a load. */
function rowOf(c: Computation, term: Term, index: readonly Expr[], column: number, axes: Axes): number | null {
  const candidates = c.output.layout.dims.map((d) => d.axis).filter((a) => a !== column && c.output.shape[a]! > 1);
  const shares = (axis: number): boolean => {
    const name = keyOf(index[axis]!);
    const reads = loadsOf(term).map((e) => mentions(simplifyIndex(flattenIndex(e.buffer, e.index), axes.ranges), name));
    return reads.includes(false) && reads.includes(true);
  };
  return candidates.findLast(shares) ?? (countOf(c.fold!.axes) <= largestWindow ? candidates.at(-1) : undefined) ?? null;
}
function loadsOf(term: Term): Extract<Expr, { kind: "load" }>[] {
  const loads: Extract<Expr, { kind: "load" }>[] = [];
  visitTerm(term, (e) => void (e.kind === "load" && e.buffer.space !== "register" && loads.push(e)));
  return loads;
}

/** The largest tile whose states and loads fit the registers. */
function tileOf(c: Computation, s: Omit<Shape, "tile">, axes: Axes): Tile {
  const fold = s.fold.axes;
  const width = c.output.shape[s.column]!;
  const most = (n: number, extent: number) => Math.max(1, Math.min(n, extent));
  const rows = s.row === null ? 1 : most(tileRows, c.output.shape[s.row]!);
  if (isWindow(s, axes)) {
    const limit = s.steps.some((n) => n > 1) ? unrolledBySteps : unrolledAtMost;
    const unrolled = unrolledAxes(fold, limit);
    if (rows === 1) return { rows, vectors: most(tileVectors, Math.floor(width / 4)), chains: 1, unrolled };
    const step = s.steps[s.row!]!;
    const fits = (n: number) => n * s.running.parts.length + countLoads(s, n, unrolled, axes) <= registersAtMost;
    const sizes = Array.from({ length: Math.ceil(rows / step) }, (_, i) => (Math.ceil(rows / step) - i) * step);
    return { rows: sizes.find(fits) ?? step, vectors: 1, chains: 1, unrolled };
  }
  const vectors = most(rows > 1 ? 2 : tileVectors, Math.floor(width / 4));
  const chains = rows > 1 || s.fold.op === "argmax" || s.fold.op === "argmin" ? 1 : tileVectors / (vectors === 3 ? 4 : vectors);
  return { rows, vectors, chains: fold.at(-1)!.extent >= 4 * chains ? chains : 1, unrolled: 0 };
}
/** Few terms, or windows that overlap: worked off at each place. */
function isWindow(s: Omit<Shape, "tile">, axes: Axes): boolean {
  const terms = countOf(s.fold.axes);
  if (terms > largestWindow) return false;
  return (
    terms <= shortFold || (s.row !== null && countLoads(s, 2, s.fold.axes.length, axes) < 2 * countLoads(s, 1, s.fold.axes.length, axes))
  );
}
function unrolledAxes(axes: readonly FoldAxis[], most: number): number {
  let n = 0;
  while (n < axes.length && countOf(axes.slice(-1 - n)) <= most) n++;
  return n;
}
/** Different loads of one unrolled step, vectors wide. */
function countLoads(s: Omit<Shape, "tile">, rows: number, unrolled: number, axes: Axes): number {
  const term = renamed(s.fold, placesOf(s, axes), axes);
  const inner = term.axes.slice(term.axes.length - unrolled);
  const keys = new Set<string>();
  const loads = loadsOf(term);
  const visit = (by: ReadonlyMap<string, Expr>, i: number): void => {
    const a = inner[i];
    if (a) for (let k = 0; k < a.extent; k++) visit(new Map(by).set(a.name, i32(k)), i + 1);
    else
      for (const e of loads)
        keys.add(
          `${e.buffer.name} ${keyOf(
            simplifyIndex(
              flattenIndex(
                e.buffer,
                e.index.map((x) => substitute(x, by)),
              ),
              axes.ranges,
            ),
          )}`,
        );
  };
  for (let row = 0; row < rows; row++) visit(new Map([[rowProbe, i32(row)]]), 0);
  return keys.size;
}
const rowProbe = "trial.row";
function placesOf(s: Omit<Shape, "tile">, axes: Axes): Expr[] {
  const rank = s.steps.length;
  axes.declare({ name: rowProbe, extent: 4 });
  return Array.from({ length: rank }, (_, axis) => {
    const name = axes.fresh("q");
    axes.declare({ name, extent: 64 });
    const e = axisOf({ name, extent: 64 });
    return axis === s.row ? at(e, 4, axisOf({ name: rowProbe, extent: 4 })) : e;
  });
}
