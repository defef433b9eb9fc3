/** Columns in panels, and copies of what a sum reads into the order in which it is read. */
import { add, at, i32, mul, store } from "../../../ir/kernel/build.ts";
import type { Axes } from "../../../ir/kernel/computation.ts";
import type { Buffer, Expr, Stmt } from "../../../ir/kernel/kernel.ts";
import { positionOf, reduction } from "./reduction.ts";
import { nested, type Run } from "./tile.ts";

/** Equal panels; their `size` columns are worked off in `vectors` of `lanes`, the last of which may reach beyond them. */
export interface Panel extends Run {
  readonly vectors: number;
  /** Less than 4: lane by lane. */
  readonly lanes: 1 | 2 | 3 | 4;
}
export const widthOf = (p: Panel): number => p.vectors * p.lanes;

/** Full panels of so many vectors, then what is left; `hasSlack`: the last vector may reach beyond the columns. */
export function panelsOf(columns: number, vectors: number, hasSlack: boolean): readonly Panel[] {
  const panels: Panel[] = [];
  let start = 0;
  const take = (size: number, count: number, wide: number, lanes: Panel["lanes"] = 4) => {
    if (count > 0) panels.push({ size, count, start, vectors: wide, lanes });
    start += size * count;
  };
  for (let v = vectors; v >= 2; v /= 2) take(4 * v, Math.floor((columns - start) / (4 * v)), v);
  if (hasSlack && columns > start) take(columns - start, 1, Math.ceil((columns - start) / 4));
  take(4, Math.floor((columns - start) / 4), 1);
  if (columns > start) take(columns - start, 1, 1, (columns - start) as Panel["lanes"]);
  return panels;
}

/** A block of `size` elements behind each other for every term of a sum, at `from` in `to`. */
interface Target {
  readonly to: Buffer;
  readonly from: Expr;
  readonly width: number;
}
/** Copies `size` neighbours for every term of the sum; `isWide`: they are contiguous in memory. What lies behind them is left alone. */
export function pack(
  { to, from, width }: Target,
  size: number,
  fold: readonly number[],
  element: (i: Expr, k: readonly Expr[]) => Expr,
  isWide: boolean,
  axes: Axes,
): readonly Stmt[] {
  const fours = isWide ? Math.floor(size / 4) : 0;
  const copies = (place: (v: Expr) => Expr, count: number, axis: string): readonly Stmt[] => {
    const { loops, k } = reduction(fold, 0, axes);
    const row = add(from, mul(positionOf(k, fold), i32(width)));
    const step = axes.loop("unrolled", axis, count, (v) => [store(to, [add(row, place(v))], element(place(v), k))]);
    return nested(loops, [step]);
  };
  const wide = fours > 0 ? [axes.loop("vector", "j", 4, (lane) => copies((v) => at(v, 4, lane), fours, "v"))] : [];
  const rest = size - 4 * fours;
  return [...wide, ...(rest > 0 ? copies((v) => at(v, 1, 4 * fours), rest, "c") : [])];
}
