/**
 * Cuts a loop where tests on its axis change sides, so that none is left inside:
 *
 *     for i in 12 { y[i] = select(i < 8, a[min(i, 7)], b[max(i - 8, 0)]) }   =>   [0, 8) and [8, 12)
 *
 * Borders of images, parts of a concatenation, padding.
 */
import type { Axes } from "../../ir/kernel/computation.ts";
import { type Expr, type Stmt, typeOf } from "../../ir/kernel/kernel.ts";
import { bounds, linear, plus, type Ranges, times } from "../../ir/kernel/linear.ts";
import { mentions, visitExprs } from "../../ir/kernel/rewrite.ts";
import { trial } from "./trial.ts";

export interface Piece {
  readonly start: number;
  readonly extent: number;
}

/** The pieces of `extent`, in order; one where `body` has no such tests, or more than `most`. */
export function pieces(extent: number, axes: Axes, most: number, body: (i: Expr, axes: Axes) => readonly Stmt[]): readonly Piece[] {
  const whole = [{ start: 0, extent }];
  if (extent === 1) return whole;
  const t = trial(axes);
  const name = t.fresh("i");
  t.declare({ name, extent });
  const cuts = new Set<number>();
  visitExprs(body({ kind: "var", type: "i32", lanes: 1, name }, t), (e) => {
    for (const cut of cutsOf(e, name, t.ranges)) if (cut > 0 && cut < extent) cuts.add(cut);
  });
  if (cuts.size === 0 || cuts.size >= most) return whole;
  const starts = [0, ...[...cuts].sort((a, b) => a - b)];
  return starts.map((start, i) => ({ start, extent: (starts[i + 1] ?? extent) - start }));
}

/** Where a comparison, or which of two is smaller, is decided from or up to. */
function cutsOf(e: Expr, axis: string, ranges: Ranges): readonly number[] {
  if (
    e.kind !== "binary" ||
    typeOf(e.a) !== "i32" ||
    !["lt", "le", "min", "max"].includes(e.op) ||
    !(mentions(e.a, axis) || mentions(e.b, axis))
  )
    return [];
  const difference = plus(linear(e.a, ranges), times(linear(e.b, ranges), -1));
  const own = difference.terms.get(axis);
  if (!own || [...difference.terms].some(([key, t]) => key !== axis && mentions(t.atom, axis))) return [];
  const terms = new Map(difference.terms);
  terms.delete(axis);
  const [lo, hi] = bounds({ terms, constant: difference.constant }, ranges);
  if (!Number.isFinite(lo) || !Number.isFinite(hi)) return [];
  // scale * i + [lo, hi] is below `below` for sure, or not below `above`.
  const below = e.op === "lt" ? 0 : 1;
  const above = e.op === "le" ? 1 : 0;
  const { scale } = own;
  const cuts =
    scale > 0
      ? [Math.ceil((above - lo) / scale), Math.ceil((below - hi) / scale)]
      : [Math.floor((lo - above) / -scale) + 1, Math.floor((hi - below) / -scale) + 1];
  if ((cuts[1]! - cuts[0]!) * Math.sign(scale) > 0) return cuts;
  // Both hold between the cuts, so one of them is enough: that of the tests that come with min and max.
  return [e.op === "min" ? Math.max(...cuts) : Math.min(...cuts)];
}
