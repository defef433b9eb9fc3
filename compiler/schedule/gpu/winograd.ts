/**
 * Blocks through constant matrices on a GPU: an invocation has a block of four neighbours in memory, or of one, in variables from the
 * first load to the last store.
 *
 *     grid g, thread t { vector j in 4 {
 *       x_0 = x[.., 0, 0], ..; columns = matrix * x; rows = columns * matrix'; y[.., 0, 0] = rows_0, ..
 *     } }
 */
import { at, declare, i32, local, store, within } from "../../../ir/kernel/build.ts";
import type { Axes, Blockwise, Computation } from "../../../ir/kernel/computation.ts";
import { type Expr, type Stmt, typeOf } from "../../../ir/kernel/kernel.ts";
import { visitStmts } from "../../../ir/kernel/rewrite.ts";
import { sizeOf } from "../../../ir/type.ts";
import { multiply } from "../contraction/transform.ts";
import { unravel } from "../elements.ts";
import { trial } from "../trial.ts";
import { canVectorize } from "../vectorize.ts";
import { overPositions, zeroHalo } from "./elements.ts";

type Transform = Extract<Blockwise, { kind: "transform" }>;

/** The loops, or null where what is computed has no blocks, or lies in others. */
export function transforms(c: Computation, axes: Axes): readonly Stmt[] | null {
  const blocks = c.fold?.blocks;
  const { dims } = c.output.layout;
  if (blocks?.kind !== "transform" || dims.some((d) => d.div > 1 || d.mod > 0)) return null;
  const innermost = dims.at(-1)!.axis;
  if (blocks.axes.includes(innermost)) return null;
  const isWide = c.output.shape[innermost]! % 4 === 0 && isLegal(loops(c, blocks, 4, trial(axes)), trial(axes));
  return loops(c, blocks, isWide ? 4 : 1, axes);
}
