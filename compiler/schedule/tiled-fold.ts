/**
 * Folds in tiles of registers: vectors along the innermost dimension of the result, several of them, or several places of a
 * further dimension that share what they read. Sums of columns, pooling, depthwise convolutions and their gradients, in
 * channels-last memory:
 *
 *     grid h { serial jt { serial c { vector j in 4 {
 *       array acc[4]
 *       serial r in 3 { unrolled s in 3 { unrolled w in 4 { acc[w] = fma(x[h + r, jt * 4 + w + s, c * 4 + j], k[r, s, c * 4 + j], acc[w]) } } }
 *       unrolled w in 4 { y[h, jt * 4 + w, c * 4 + j] = acc[w] }
 *     } } } }
 *
 * Loops are cut where a window reaches over the border (`pieces`), and run in steps of the stride where only every other
 * element has a window.
 */

import { add, allOf, array, at, buffer, declare, i32, load, local, store, when } from "../../ir/kernel/build.ts";
import type { Axes, Computation, FoldAxis } from "../../ir/kernel/computation.ts";
import { type Expr, type Stmt, typeOf } from "../../ir/kernel/kernel.ts";
import { keyOf } from "../../ir/kernel/linear.ts";
import { visitExpr } from "../../ir/kernel/rewrite.ts";
import type { FoldOp } from "../../ir/op.ts";
import { identity, named, positionOf, type Running } from "./accumulate.ts";
import { axisOf, extentsOf, isLevel, termAt, tree } from "./fold.ts";
import { type Piece, pieces } from "./pieces.ts";
import { simplified } from "./simplify.ts";
import { type Shape, shapeOf } from "./tile-shape.ts";
import { trial } from "./trial.ts";
import { canVectorize } from "./vectorize.ts";

/** More pieces of a loop than this are not worth their code. */
const mostPieces = 6;
const mostColumnPieces = 64;
/** The tiled loops, or null when lanes along the innermost dimension are not possible. */
export function tiledFold(c: Computation, axes: Axes): readonly Stmt[] | null {
  const shape = shapeOf(c, axes);
  return shape && fitsLanes(c, shape, trial(axes)) ? loops(c, shape, axes) : null;
}

/** Whether every tile, anywhere, may be widened to four lanes. */
function fitsLanes(c: Computation, s: Shape, axes: Axes): boolean {
  const { shape } = c.output;
  const probe = (base: string, extent: number): Expr => {
    const own = { name: axes.fresh(base), extent };
    axes.declare(own);
    return axisOf(own);
  };
  const index = shape.map((extent) => probe("p", extent));
  const row0 = s.row === null ? i32(0) : at(probe("m", Math.floor(shape[s.row]! / s.tile.rows)), s.tile.rows);
  return columnPieces(c, s, { index, row0, rows: s.tile.rows }, axes).every(({ start, extent }) => {
    if (extent < 4) return true;
    const vectors = Math.min(s.tile.vectors, Math.floor(extent / 4));
    const column0 = at(probe("n", Math.floor(extent / (4 * vectors))), vectors * 4, start);
    const body = tileLoop(c, s, { index, row0, column0, rows: s.tile.rows, vectors, lanes: 4 }, axes);
    return body.kind === "for" && canVectorize(body.body, body.axis, axes.ranges);
  });
}

/* ---- loops ----------------------------------------------------------------------------------------------------- */

interface Place {
  readonly index: readonly Expr[];
  readonly row0: Expr;
  readonly column0: Expr;
  readonly rows: number;
  readonly vectors: number;
  readonly lanes: 1 | 2 | 3 | 4;
}
type Body = (i: Expr, axes: Axes) => readonly Stmt[];

/** grid over the other axes { serial over tiles of rows { serial over columns { tile } } } */
function loops(c: Computation, s: Shape, axes: Axes): readonly Stmt[] {
  const { shape, layout } = c.output;
  const order = layout.dims.map((d) => d.axis).filter((axis) => axis !== s.column && axis !== s.row && shape[axis]! > 1);
  const nest = (rest: readonly number[], index: readonly Expr[], kind: "grid" | "serial", a: Axes): readonly Stmt[] => {
    const [axis, ...more] = rest;
    if (axis === undefined) return overRows(c, s, index, kind, a);
    const inner = (e: Expr, x: Axes) => nest(more, index.with(axis, e), "grid", x);
    return inPieces("grid", shape[axis]!, s.steps[axis]!, a, inner);
  };
  return nest(
    order,
    shape.map(() => i32(0)),
    "grid",
    axes,
  );
}
/** A loop over `extent` places in steps, cut in pieces; the places of a step are written out. */
function inPieces(kind: "grid" | "serial", extent: number, step: number, axes: Axes, body: Body): readonly Stmt[] {
  const full = Math.floor(extent / step);
  const each = (i: Expr, a: Axes) => Array.from({ length: step }, (_, n) => body(at(i, step, n), a)).flat();
  const loop = (from: number, count: number) => axes.loop(kind, "i", count, (i) => each(at(i, 1, from), axes));
  const main = pieces(full, axes, mostPieces, each).map((p) => loop(p.start, p.extent));
  const rest = extent - full * step;
  const last = Array.from({ length: rest }, (_, n) => axes.loop(kind, "i", 1, (i) => body(at(i, 1, full * step + n), axes)));
  return [...main, ...last];
}
function overRows(c: Computation, s: Shape, index: readonly Expr[], kind: "grid" | "serial", axes: Axes): readonly Stmt[] {
  if (s.row === null) return overColumns(c, s, { index, row0: i32(0), rows: 1 }, kind, axes);
  const extent = c.output.shape[s.row]!;
  const full = Math.floor(extent / s.tile.rows);
  const tiles = (rows: number, start: number) => (i: Expr, a: Axes) =>
    overColumns(c, s, { index, row0: at(i, s.tile.rows, start), rows }, "grid", a);
  const main = pieces(full, axes, mostPieces, tiles(s.tile.rows, 0)).map((p) =>
    axes.loop("grid", "m", p.extent, (m) => tiles(s.tile.rows, 0)(at(m, 1, p.start), axes)),
  );
  const rest = extent - full * s.tile.rows;
  return rest === 0 ? main : [...main, axes.loop("grid", "m", 1, (m) => tiles(rest, full * s.tile.rows)(m, axes))];
}
type Rows = Pick<Place, "index" | "row0" | "rows">;
/** Columns with operands of their own, such as parts of a concatenation. */
const columnPieces = (c: Computation, s: Shape, rows: Rows, axes: Axes): readonly Piece[] =>
  pieces(c.output.shape[s.column]!, axes, mostColumnPieces, (column0, t) => [
    tileLoop(c, s, { ...rows, column0, vectors: 1, lanes: 1 }, t),
  ]);
/** Of each piece full tiles, a narrower one, and what is left of a vector. */
function overColumns(c: Computation, s: Shape, rows: Rows, kind: "grid" | "serial", axes: Axes): readonly Stmt[] {
  const run = (count: number, start: number, vectors: number, lanes: Place["lanes"]) => {
    const body = (n: Expr) => [tileLoop(c, s, { ...rows, column0: at(n, vectors * 4, start), vectors, lanes }, axes)];
    return count === 0 ? [] : [axes.loop(kind, "n", count, body)];
  };
  return columnPieces(c, s, rows, axes).flatMap(({ start, extent }) => {
    const fours = Math.floor(extent / 4);
    const full = Math.floor(fours / s.tile.vectors);
    const narrow = fours - full * s.tile.vectors;
    const rest = extent - fours * 4;
    return [
      ...run(full, start, s.tile.vectors, 4),
      ...(narrow > 0 ? run(1, start + full * s.tile.vectors * 4, narrow, 4) : []),
      ...(rest > 0 ? run(1, start + fours * 4, 1, rest as 1 | 2 | 3) : []),
    ];
  });
}

/* ---- a tile ---------------------------------------------------------------------------------------------------- */

/** States in register arrays. */
interface Cells {
  readonly begin: readonly Stmt[];
  readonly now: (place: readonly Expr[]) => readonly Expr[];
  readonly set: (place: readonly Expr[], next: readonly Expr[]) => readonly Stmt[];
}
function cells(r: Running, extents: readonly number[], axes: Axes): Cells {
  const arrays = r.parts.map((p) => buffer(axes.fresh("acc"), "register", extents, null, p.type));
  const set: Cells["set"] = (place, next) => next.map((e, i) => store(arrays[i]!, place, e));
  const start = everywhere(extents, axes, (place) =>
    set(
      place,
      r.parts.map((p) => p.start),
    ),
  );
  return { begin: [...arrays.map(array), ...start], now: (place) => arrays.map((b) => load(b, ...place)), set };
}
/** Unrolled loops over all places of an array. */
function everywhere(extents: readonly number[], axes: Axes, body: (place: readonly Expr[]) => readonly Stmt[]): readonly Stmt[] {
  const nest = (i: number, place: readonly Expr[]): readonly Stmt[] => {
    if (i === extents.length) return body(place);
    if (extents[i] === 1) return nest(i + 1, [...place, i32(0)]);
    return [axes.loop("unrolled", "u", extents[i]!, (e) => nest(i + 1, [...place, e]))];
  };
  return nest(0, []);
}

function tileLoop(c: Computation, s: Shape, p: Place, axes: Axes): Stmt {
  return axes.loop(p.lanes === 4 ? "vector" : "serial", "j", p.lanes, (lane) => {
    const index = ([row, v]: readonly Expr[]): readonly Expr[] =>
      p.index.map((e, axis) => (axis === s.row ? add(p.row0, row!) : axis === s.column ? add(p.column0, at(v!, 4, lane)) : e));
    const tile = [p.rows, p.vectors];
    const acc = cells(s.running, tile, axes);
    const ends = everywhere(tile, axes, (place) => {
      const value = s.running.result(acc.now(place));
      const name = axes.fresh("folded");
      const isPlain = value.kind === "load";
      const end = c.finish(index(place), isPlain ? value : local(name, typeOf(value)), axes);
      return [...(isPlain ? [] : [declare(name, value)]), ...end.lets, store(c.output, index(place), end.value)];
    });
    return simplified([...acc.begin, ...byLevels(s, tile, index, lane, s.fold.axes, acc, [], axes), ...ends], axes.ranges);
  });
}
type Index = (place: readonly Expr[]) => readonly Expr[];

/** As `fold.ts` does it: sums of innermost rows first. `outside`: the axes of outer levels. */
function byLevels(
  s: Shape,
  tile: readonly number[],
  index: Index,
  lane: Expr,
  rest: readonly FoldAxis[],
  acc: Cells,
  outside: readonly FoldAxis[],
  axes: Axes,
): readonly Stmt[] {
  const [outer, ...inner] = rest;
  if (!outer || !isLevel(s.fold, inner)) return accumulate(s, tile, index, lane, rest, acc, outside, axes);
  const own = { name: axes.fresh(outer.name), extent: outer.extent };
  axes.declare(own);
  const part = cells(s.running, tile, axes);
  const row = byLevels(s, tile, index, lane, inner, part, [...outside, own], axes);
  const join = everywhere(tile, axes, (place) => acc.set(place, s.running.join(acc.now(place), part.now(place))));
  return [{ kind: "for", axis: own.name, extent: own.extent, loop: "serial", body: [...part.begin, ...row, ...join] }];
}
/** Loops over the fold axes `rest`, in several chains where the tile has them. */
function accumulate(
  s: Shape,
  tile: readonly number[],
  index: Index,
  lane: Expr,
  rest: readonly FoldAxis[],
  acc: Cells,
  outside: readonly FoldAxis[],
  axes: Axes,
): readonly Stmt[] {
  const { chains } = s.tile;
  const last = rest.at(-1)!;
  const run = (
    extent: number,
    cell: (place: readonly Expr[], chain: Expr) => readonly Expr[],
    into: Cells,
    position: (k: Expr, chain: Expr) => Expr,
  ) => {
    const loop = (i: number, at: readonly Expr[]): readonly Stmt[] => {
      const a = rest[i]!;
      const isLast = i === rest.length - 1;
      const kind = i >= rest.length - s.tile.unrolled ? "unrolled" : "serial";
      return [axes.loop(kind, a.name, isLast ? extent : a.extent, (k) => (isLast ? leaf([...at, k]) : loop(i + 1, [...at, k])))];
    };
    const leaf = (at: readonly Expr[]): readonly Stmt[] =>
      everywhere([...tile, chainsOf(into)], axes, (place) => {
        const chain = place.at(-1)!;
        const folded = [...at.slice(0, -1), position(at.at(-1)!, chain)];
        return step(s, index(place), [...outside.map(axisOf), ...folded], lane, into, cell(place, chain), axes);
      });
    return loop(0, []);
  };
  const chainsOf = (into: Cells) => (into === acc ? 1 : chains);
  if (chains === 1 || last.extent < 2 * chains)
    return run(
      last.extent,
      (place) => place.slice(0, 2),
      acc,
      (k) => k,
    );
  const parts = cells(s.running, [...tile, chains], axes);
  const full = Math.floor(last.extent / chains);
  const left = last.extent - full * chains;
  const met = everywhere(tile, axes, (place) =>
    acc.set(
      place,
      tree(
        Array.from({ length: chains }, (_, n) => parts.now([...place, i32(n)])),
        s.running,
      ),
    ),
  );
  const tail =
    left === 0
      ? []
      : run(
          left,
          (place) => place.slice(0, 2),
          acc,
          (k) => add(k, i32(full * chains)),
        );
  return [
    ...parts.begin,
    ...run(
      full,
      (place) => place,
      parts,
      (k, chain) => at(k, chains, chain),
    ),
    ...met,
    ...tail,
  ];
}
/** One more term in a state. */
function step(
  s: Shape,
  index: readonly Expr[],
  folded: readonly Expr[],
  lane: Expr,
  into: Cells,
  cell: readonly Expr[],
  axes: Axes,
): readonly Stmt[] {
  const term = termAt(s.fold, index, folded, axes);
  const { tests, value } = guarded(s.fold.op, term.value, lane, axes);
  const v = named(s.running, value, axes);
  const position = () => positionOf(folded, extentsOf(s.fold.axes));
  const body = [...v.lets, ...into.set(cell, s.running.step(into.now(cell), v.value, position))];
  return [...term.lets, ...(tests.length > 0 ? [when(allOf(tests), body)] : body)];
}

interface Guarded {
  readonly tests: readonly Expr[];
  readonly value: Expr;
}
/** A term that is nothing unless tests on axes hold: then it is left out. */
function guarded(op: FoldOp, value: Expr, lane: Expr, axes: Axes): Guarded {
  if (op === "argmax" || op === "argmin") return { tests: [], value };
  const nothing = identity(op, typeOf(value));
  if (value.kind === "select" && isConst(value.b, nothing) && isShared(value.cond, lane, axes)) {
    const inner = guarded(op, value.a, lane, axes);
    return { tests: [value.cond, ...inner.tests], value: inner.value };
  }
  if (op !== "sum" || value.kind !== "binary" || value.op !== "mul") return { tests: [], value };
  const [a, b] = [guarded(op, value.a, lane, axes), guarded(op, value.b, lane, axes)];
  return { tests: [...a.tests, ...b.tests], value: { ...value, a: a.value, b: b.value } };
}
const isConst = (e: Expr, like: Expr): boolean => e.kind === "const" && like.kind === "const" && e.value === like.value;
/** Arithmetic on axes that all lanes have in common. */
function isShared(e: Expr, lane: Expr, axes: Axes): boolean {
  let shared = true;
  visitExpr(e, (x) => {
    if (x.kind === "load" || (x.kind === "var" && (x === lane || keyOf(x) === keyOf(lane) || !axes.ranges.has(x.name)))) shared = false;
  });
  return shared;
}
