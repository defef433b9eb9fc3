/**
 * Every element by itself, where what is written lies side by side along one axis and what is read along another: tiles of four
 * by four, read along the one, transposed in registers and written along the other.
 *
 *     y[i, j] = x[j, i] + z[i, j]                             tiles of i and j
 *     y[n, h, w, c] = x[n, c, h, w]                           tiles of (h, w) and c
 *     y[n, c * 49 + p] = x[n, p, c]                           tiles of c and p
 *
 * Tiles follow each other along what is written, in strips as wide as a cache line, so that all of a line is used while it is near.
 */
import { flattenIndex } from "../../ir/kernel/address.ts";
import { at, i32 } from "../../ir/kernel/build.ts";
import type { Axes, Computation } from "../../ir/kernel/computation.ts";
import type { Expr, Stmt } from "../../ir/kernel/kernel.ts";
import { linear } from "../../ir/kernel/linear.ts";
import { visitExpr, visitExprs } from "../../ir/kernel/rewrite.ts";
import { type Places, placesOf, unravel } from "./elements.ts";
import type { Element } from "./elementwise.ts";
import { simplified } from "./simplify.ts";
import { trial } from "./trial.ts";
import { canVectorize } from "./vectorize.ts";

/** Tiles of a strip: together they read whole cache lines. */
const strip = 4;

/** Dimensions of memory, by position: [from, to). */
interface Run {
  readonly from: number;
  readonly to: number;
}
interface Tiling {
  /** Of the dimensions that are neither along nor across. */
  readonly outer: readonly number[];
  /** Extent of the innermost dimensions of what is written. */
  readonly along: number;
  /** Extent where elements that are read lie side by side. */
  readonly across: number;
  /** Statements for the element at a position along and one across. */
  readonly element: (outer: readonly Expr[], along: Expr, across: Expr, axes: Axes) => readonly Stmt[];
}

/** Null where no two runs of dimensions make tiles. */
export function crosswise(c: Computation, element: Element, axes: Axes): readonly Stmt[] | null {
  const places = cut(withoutOnes(placesOf(c.output)), element, axes);
  const tiling = findTiling(places, element, axes);
  if (!tiling) return null;
  const nest = (depth: number, outer: readonly Expr[]): readonly Stmt[] => {
    const extent = tiling.outer[depth];
    return extent === undefined ? plane(tiling, outer, axes) : [axes.loop("grid", "i", extent, (i) => nest(depth + 1, [...outer, i]))];
  };
  return nest(0, []);
}

/* ---- dimensions ------------------------------------------------------------------------------------------------ */

/** Dimensions of one element are no loops, and would only part those beside them. */
function withoutOnes({ extents, indexAt }: Places): Places {
  const kept = extents.flatMap((extent, i) => (extent > 1 ? [i] : []));
  return {
    extents: kept.map((i) => extents[i]!),
    indexAt: (place) => indexAt(extents.map((_, i) => place[kept.indexOf(i)] ?? i32(0))),
  };
}
/** Dimensions whose positions are taken apart by division, as those of a reshaped operand are, in the parts that this gives. */
function cut(places: Places, element: Element, axes: Axes): Places {
  const own = trial(axes);
  const probes = places.extents.map((extent) => probe(extent, own));
  const cuts = places.extents.map(() => new Set<number>());
  visitExprs(simplified(element(places.indexAt(probes), own), own.ranges), (e) => {
    if (e.kind !== "load") return;
    for (const { atom } of linear(flattenIndex(e.buffer, e.index), own.ranges).terms.values())
      visitExpr(atom, (x) => {
        const found = cutOf(x);
        if (found) cuts[probes.findIndex((p) => p.kind === "var" && p.name === found.name)]?.add(found.at);
      });
  });
  const parts = places.extents.map((extent, i) => factorsOf(extent, [...cuts[i]!]));
  const starts = parts.map((_, i) => parts.slice(0, i).reduce((n, p) => n + p.length, 0));
  const joined = (p: readonly number[], place: readonly Expr[]) => p.reduce((sum: Expr, extent, i) => at(sum, extent, place[i]!), i32(0));
  return {
    extents: parts.flat(),
    indexAt: (place) => places.indexAt(parts.map((p, i) => joined(p, place.slice(starts[i]!, starts[i]! + p.length)))),
  };
}
/** Where a quotient or remainder of a position cuts it, in positions; null: `e` is something else. */
function cutOf(e: Expr): { readonly name: string; readonly at: number } | null {
  if (e.kind !== "binary" || (e.op !== "div" && e.op !== "mod") || e.b.kind !== "const") return null;
  const step = stepOf(e.a);
  return step && { name: step.name, at: step.size * e.b.value };
}
/** How many positions make one step of a number that is taken from a position by division. */
function stepOf(e: Expr): { readonly name: string; readonly size: number } | null {
  if (e.kind === "var") return { name: e.name, size: 1 };
  if (e.kind !== "binary" || (e.op !== "div" && e.op !== "mod") || e.b.kind !== "const") return null;
  const step = stepOf(e.a);
  return step && e.op === "div" ? { ...step, size: step.size * e.b.value } : step;
}
/** Extents of the parts of a dimension, outermost first; the whole where the cuts do not fit into each other. */
function factorsOf(extent: number, cuts: readonly number[]): readonly number[] {
  const ends = [1, ...cuts.toSorted((a, b) => a - b), extent].filter((n, i, all) => n !== all[i - 1]);
  const parts = ends.slice(1).map((end, i) => end / ends[i]!);
  return parts.every((n) => Number.isInteger(n) && n > 0) ? parts.reverse() : [extent];
}
function probe(extent: number, axes: Axes): Expr {
  const name = axes.fresh("p");
  axes.declare({ name, extent });
  return { kind: "var", type: "i32", lanes: 1, name };
}

/* ---- which dimensions make tiles ------------------------------------------------------------------------------- */

/** The longest runs first: the fewer dimensions are left, the fewer tiles are cut short. */
function findTiling(places: Places, element: Element, axes: Axes): Tiling | null {
  const dims = places.extents.length;
  for (let start = 1; start < dims; start++)
    for (let to = start; to > 0; to--)
      for (let from = 0; from < to; from++) {
        const tiling = tilingOf(places, { from: start, to: dims }, { from, to }, element);
        if (fits(tiling, axes)) return tiling;
      }
  return null;
}
function tilingOf({ extents, indexAt }: Places, along: Run, across: Run, element: Element): Tiling {
  const within = ({ from, to }: Run) => extents.slice(from, to);
  const length = (run: Run) => within(run).reduce((n, d) => n * d, 1);
  return {
    outer: [...extents.slice(0, across.from), ...extents.slice(across.to, along.from)],
    along: length(along),
    across: length(across),
    element: (outer, i, j, axes) => {
      const [before, behind] = [outer.slice(0, across.from), outer.slice(across.from)];
      const place = [...before, ...unravel(j, within(across)), ...behind, ...unravel(i, within(along))];
      return simplified(element(indexAt(place), axes), axes.ranges);
    },
  };
}
/** Whether all is read and written in tiles; or, where none fits, lanes across are worth it though what is written lies apart. */
function fits(t: Tiling, axes: Axes): boolean {
  if (t.across < 4) return false;
  const own = trial(axes);
  const outer = t.outer.map((n) => probe(n, own));
  const w = probe(Math.floor(t.across / 4), own);
  if (t.along < 4) return isVector(besides(t, outer, 0, w, own), own, true);
  return isVector(tile(t, outer, probe(Math.floor(t.along / 4), own), w, own), own, false);
}
const isVector = (s: Stmt, axes: Axes, apart: boolean): boolean => s.kind === "for" && canVectorize(s.body, s.axis, axes.ranges, { apart });

/* ---- loops ----------------------------------------------------------------------------------------------------- */

type Outer = readonly Expr[];

/** Four by four elements, at the fours `v` along and `w` across. */
const tile = (t: Tiling, outer: Outer, v: Expr, w: Expr, axes: Axes): Stmt =>
  axes.loop("vector", "j", 4, (lane) => [axes.loop("unrolled", "k", 4, (k) => t.element(outer, at(v, 4, lane), at(w, 4, k), axes))]);
/** Four across, at the four `w`, by what is left along behind `whole` fours: what is written lies apart. */
const besides = (t: Tiling, outer: Outer, whole: number, w: Expr, axes: Axes): Stmt =>
  axes.loop("vector", "j", 4, (lane) => [
    axes.loop("unrolled", "k", t.along % 4, (k) => t.element(outer, at(k, 1, 4 * whole), at(w, 4, lane), axes)),
  ]);
/** Four along, at the four `v`, by what is left across behind `whole` fours: what is read lies apart. */
const below = (t: Tiling, outer: Outer, v: Expr, whole: number, axes: Axes): Stmt =>
  axes.loop("vector", "j", 4, (lane) => [
    axes.loop("unrolled", "k", t.across % 4, (k) => t.element(outer, at(v, 4, lane), at(k, 1, 4 * whole), axes)),
  ]);
/** The loop, if it can be of vectors, else one element at a time. */
function vectorOrSerial(s: Stmt, axes: Axes): Stmt {
  return s.kind === "for" && !isVector(s, axes, true) ? { ...s, loop: "serial" } : s;
}

/** Whole strips, a narrower one, and what is left where no four are. */
function plane(t: Tiling, outer: Outer, axes: Axes): readonly Stmt[] {
  const [v4, w4] = [Math.floor(t.along / 4), Math.floor(t.across / 4)];
  const strips = Math.floor(w4 / strip);
  /** `count` tiles across, from the four `first`. */
  const columns = (first: Expr, count: number): readonly Stmt[] => {
    const main = () =>
      axes.loop("grid", "i", v4, (v) => [axes.loop("serial", "t", count, (w) => [tile(t, outer, v, at(w, 1, first), axes)])]);
    const rest = () => axes.loop("grid", "i", count, (w) => [vectorOrSerial(besides(t, outer, v4, at(w, 1, first), axes), axes)]);
    return [...(v4 > 0 ? [main()] : []), ...(t.along % 4 > 0 ? [rest()] : [])];
  };
  const main = strips === 0 ? [] : [axes.loop("grid", "s", strips, (s) => columns(at(s, strip), strip))];
  const narrow = w4 === strips * strip ? [] : columns(i32(strips * strip), w4 - strips * strip);
  return [...main, ...narrow, ...(t.across % 4 > 0 ? last(t, outer, v4, w4, axes) : [])];
}
/** What is left across behind all strips. */
function last(t: Tiling, outer: Outer, v4: number, w4: number, axes: Axes): readonly Stmt[] {
  const main = () => axes.loop("grid", "i", v4, (v) => [vectorOrSerial(below(t, outer, v, w4, axes), axes)]);
  const corner = () =>
    axes.loop("grid", "i", t.along % 4, (i) => [
      axes.loop("serial", "j", t.across % 4, (j) => t.element(outer, at(i, 1, 4 * v4), at(j, 1, 4 * w4), axes)),
    ]);
  return [...(v4 > 0 ? [main()] : []), ...(t.along % 4 > 0 ? [corner()] : [])];
}
