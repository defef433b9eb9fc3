/**
 * Every element by itself, where what is written lies side by side along one axis and what is read along another: tiles of four
 * by four, read along the one, transposed in registers and written along the other.
 *
 *     y[i, j] = x[j, i] + z[i, j]                             tiles of i and j
 *     y[n, h, w, c] = x[n, c, h, w]                           tiles of (h, w) and c
 *
 * Tiles follow each other along what is written, in strips as wide as a cache line, so that all of a line is used while it is near.
 */
import { at, i32 } from "../../ir/kernel/build.ts";
import type { Axes, Computation } from "../../ir/kernel/computation.ts";
import type { Expr, Stmt } from "../../ir/kernel/kernel.ts";
import { placesOf, unravel } from "./elements.ts";
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
  readonly extents: readonly number[];
  /** Where lanes lie: the innermost dimensions of what is written. */
  readonly along: Run;
  /** Where elements that are read lie side by side. */
  readonly across: Run;
  /** Statements for the element at a position along and one across; `outer`: the other dimensions. */
  readonly element: (outer: readonly Expr[], along: Expr, across: Expr, axes: Axes) => readonly Stmt[];
}

/** Null where no two runs of dimensions make tiles. */
export function crosswise(c: Computation, element: Element, axes: Axes): readonly Stmt[] | null {
  const tiling = findTiling(c, element, axes);
  return tiling && loops(tiling, axes);
}

const lengthOf = (extents: readonly number[], { from, to }: Run): number => extents.slice(from, to).reduce((n, d) => n * d, 1);

/** The longest runs first: the fewer dimensions are left, the fewer tiles are cut short. */
function findTiling(c: Computation, element: Element, axes: Axes): Tiling | null {
  const places = placesOf(c.output);
  // Dimensions of one element are no loops, and would only part those beside them.
  const kept = places.extents.flatMap((extent, i) => (extent > 1 ? [i] : []));
  const extents = kept.map((i) => places.extents[i]!);
  const indexAt = (place: readonly Expr[]) => places.indexAt(places.extents.map((_, i) => place[kept.indexOf(i)] ?? i32(0)));
  for (let start = 1; start < extents.length; start++) {
    const along = { from: start, to: extents.length };
    if (lengthOf(extents, along) < 4) return null;
    for (let to = start; to > 0; to--)
      for (let from = 0; from < to; from++) {
        const across = { from, to };
        if (lengthOf(extents, across) < 4) continue;
        const tiling: Tiling = {
          extents,
          along,
          across,
          element: (outer, i, j, a) => {
            const [inner, other] = [placesIn(extents, along, i), placesIn(extents, across, j)];
            return element(indexAt([...outer.slice(0, from), ...other, ...outer.slice(from), ...inner]), a);
          },
        };
        if (hasTiles(tiling, axes)) return tiling;
      }
  }
  return null;
}
const placesIn = (extents: readonly number[], { from, to }: Run, position: Expr): readonly Expr[] =>
  unravel(position, extents.slice(from, to));
const outerExtents = ({ extents, along, across }: Tiling): readonly number[] =>
  extents.filter((_, i) => i < along.from && (i < across.from || i >= across.to));

function hasTiles(t: Tiling, axes: Axes): boolean {
  const own = trial(axes);
  const probe = (extent: number): Expr => {
    const name = own.fresh("p");
    own.declare({ name, extent });
    return { kind: "var", type: "i32", lanes: 1, name };
  };
  const fours = (run: Run) => probe(Math.floor(lengthOf(t.extents, run) / 4));
  const vector = tile(t, outerExtents(t).map(probe), fours(t.along), fours(t.across), own);
  return vector.kind === "for" && canVectorize(vector.body, vector.axis, own.ranges);
}

/** Four by four elements, at the fours `v` along and `w` across. */
const tile = (t: Tiling, outer: readonly Expr[], v: Expr, w: Expr, axes: Axes): Stmt =>
  axes.loop("vector", "j", 4, (lane) => [
    axes.loop("unrolled", "k", 4, (k) => simplified(t.element(outer, at(v, 4, lane), at(w, 4, k), axes), axes.ranges)),
  ]);

function loops(t: Tiling, axes: Axes): readonly Stmt[] {
  const nest = (extents: readonly number[], outer: readonly Expr[]): readonly Stmt[] => {
    const [extent, ...rest] = extents;
    if (extent === undefined) return plane(t, outer, axes);
    return [axes.loop("grid", "i", extent, (i) => nest(rest, [...outer, i]))];
  };
  return nest(outerExtents(t), []);
}
/** Whole strips, a narrower one, and single elements where no four are left. */
function plane(t: Tiling, outer: readonly Expr[], axes: Axes): readonly Stmt[] {
  const [along, across] = [lengthOf(t.extents, t.along), lengthOf(t.extents, t.across)];
  const fours = Math.floor(across / 4);
  const strips = Math.floor(fours / strip);
  const single = (i: Expr, j: Expr) => simplified(t.element(outer, i, j, axes), axes.ranges);
  /** `count` tiles across, from the four `first`. */
  const columns = (first: Expr, count: number): readonly Stmt[] => {
    const whole = Math.floor(along / 4);
    const rest = along - 4 * whole;
    const row = axes.loop("grid", "i", whole, (v) => [axes.loop("serial", "t", count, (w) => [tile(t, outer, v, at(w, 1, first), axes)])]);
    const left = () =>
      axes.loop("grid", "i", rest, (i) => [axes.loop("serial", "j", 4 * count, (j) => single(at(i, 1, 4 * whole), at(first, 4, j)))]);
    return rest === 0 ? [row] : [row, left()];
  };
  const main = strips === 0 ? [] : [axes.loop("grid", "s", strips, (s) => columns(at(s, strip), strip))];
  const narrow = fours === strips * strip ? [] : columns(i32(strips * strip), fours - strips * strip);
  const rest = across - 4 * fours;
  const last = (j: Expr) => [axes.loop("grid", "i", along, (i) => single(i, at(j, 1, 4 * fours)))];
  return [...main, ...narrow, ...(rest === 0 ? [] : [axes.loop("grid", "j", rest, last)])];
}
