/** The one inner loop of matrix products and convolutions: a tile of rows x 4*vectors accumulators in registers. */
import { array, at, buffer, declare, f32, fma, load, local, store } from "../../../ir/kernel/build.ts";
import type { Axes } from "../../../ir/kernel/computation.ts";
import type { Expr, Stmt } from "../../../ir/kernel/kernel.ts";

export interface Tile {
  readonly rows: number;
  readonly vectors: number;
  /** Lanes of a column vector: 4, or fewer at a ragged edge, which is then worked off lane by lane. */
  readonly lanes: 1 | 2 | 3 | 4;
}
/** One reduction loop; `name` is an axis that `a` and `b` mention. */
export interface ReduceLoop {
  readonly name: string;
  readonly extent: number;
}
export const nested = (loops: readonly ReduceLoop[], body: readonly Stmt[]): readonly Stmt[] =>
  loops.reduceRight<readonly Stmt[]>((inner, l) => [{ kind: "for", axis: l.name, extent: l.extent, loop: "serial", body: inner }], body);

export interface TileBody {
  /** Outermost first. */
  readonly reduce: readonly ReduceLoop[];
  readonly a: (row: Expr) => Expr;
  readonly b: (column: Expr) => Expr;
  /** Where the sum starts; 0 when absent. */
  readonly init?: (row: Expr, column: Expr) => Expr;
  /** Consumes a finished accumulator: fusion of what follows. */
  readonly finish: (row: Expr, column: Expr, sum: Expr) => readonly Stmt[];
}

/** vector j { acc = init; for k { b[..] = B; for rows { a = A; acc += a*b } }; finish(acc) } */
export function registerTile({ rows, vectors, lanes }: Tile, t: TileBody, axes: Axes): Stmt {
  const acc = buffer(axes.fresh("acc"), "register", [rows, vectors]);
  const bs = buffer(axes.fresh("bs"), "register", [vectors]);
  const unroll = (base: string, extent: number, body: (i: Expr) => readonly Stmt[]) => axes.loop("unrolled", base, extent, body);
  const column = (v: Expr, lane: Expr) => at(v, lanes, lane);
  const row = (r: Expr): Stmt[] => {
    const as = axes.fresh("as");
    return [declare(as, t.a(r)), unroll("v", vectors, (v) => [store(acc, [r, v], fma(local(as), load(bs, v), load(acc, r, v)))])];
  };
  const step = (lane: Expr): Stmt[] => [unroll("v", vectors, (v) => [store(bs, [v], t.b(column(v, lane)))]), unroll("r", rows, row)];
  const body = (lane: Expr): Stmt[] => [
    array(acc),
    array(bs),
    unroll("r", rows, (r) => [unroll("v", vectors, (v) => [store(acc, [r, v], t.init?.(r, column(v, lane)) ?? f32(0))])]),
    ...nested(t.reduce, step(lane)),
    unroll("r", rows, (r) => [unroll("v", vectors, (v) => t.finish(r, column(v, lane), load(acc, r, v)))]),
  ];
  return axes.loop(lanes === 4 ? "vector" : "serial", "j", lanes, body);
}

/** A run of equal tiles: `count` tiles of `size` from `start`. */
export interface Run {
  readonly size: number;
  readonly count: number;
  readonly start: number;
}
/** Covers `extent` with tiles of at most `most`, as equal as possible: 7 by 4 is 4 + 3. */
export function splitRows(extent: number, most: number): Run[] {
  const n = Math.ceil(extent / most);
  const big = extent % n;
  const small = Math.floor(extent / n);
  return [
    { size: small + 1, count: big, start: 0 },
    { size: small, count: n - big, start: big * (small + 1) },
  ].filter((r) => r.count > 0);
}
