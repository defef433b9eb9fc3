/** Columns in panels, and the copy of what the sum reads of `b` into one. */
import { add, at, i32, mul, store } from "../../../ir/kernel/build.ts";
import type { Axes } from "../../../ir/kernel/computation.ts";
import type { Buffer, Expr, Stmt } from "../../../ir/kernel/kernel.ts";
import { reduction } from "./reduction.ts";
import type { Run } from "./tile.ts";

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

/** Copies `b` at the columns of a panel into `to`, row behind row of the sum; what lies beside the last column is left alone. */
export function packPanel(
  to: Buffer,
  panel: Panel,
  fold: readonly number[],
  b: (column: Expr, k: readonly Expr[]) => Expr,
  isWide: boolean,
  axes: Axes,
): Stmt {
  const width = widthOf(panel);
  const fours = isWide ? Math.floor(panel.size / 4) : 0;
  const copies = (column: (v: Expr) => Expr, count: number, axis: string): readonly Stmt[] => {
    const { loops, k } = reduction(fold, 0, axes);
    const row = k.reduce<Expr>((p, e, i) => add(mul(p, i32(fold[i]!)), e), i32(0));
    const step = axes.loop("unrolled", axis, count, (v) => [store(to, [at(row, width, column(v))], b(column(v), k))]);
    return loops.reduceRight<readonly Stmt[]>((body, l) => [{ kind: "for", axis: l.name, extent: l.extent, loop: "serial", body }], [step]);
  };
  const wide = fours > 0 ? [axes.loop("vector", "j", 4, (lane) => copies((v) => at(v, 4, lane), fours, "v"))] : [];
  const rest = panel.size - 4 * fours;
  const narrow = rest > 0 ? copies((v) => at(v, 1, 4 * fours), rest, "c") : [];
  return { kind: "outline", name: axes.fresh("pack"), body: [...wide, ...narrow] };
}
