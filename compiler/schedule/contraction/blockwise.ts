/** Folds that say how to go block by block are scheduled that way. */
import type { Choose } from "../../../ir/choice.ts";
import { invariant } from "../../../ir/diagnostic.ts";
import type { Axes, Blockwise, Computation } from "../../../ir/kernel/computation.ts";
import type { Buffer, Stmt } from "../../../ir/kernel/kernel.ts";
import { transformBlocks } from "./transform.ts";
import { winograd } from "./winograd.ts";
import { winogradKernel } from "./winograd-kernel.ts";

/** The loops, or null when the computation does not say. */
export function blockwise(c: Computation, axes: Axes, scratch: Buffer[], choose: Choose): readonly Stmt[] | null {
  const blocks = c.fold?.blocks;
  if (!blocks) return null;
  const loops = loopsOf(c, blocks, axes, scratch, choose);
  // Other loops would transform every block again for each result: thousands of times the work.
  invariant(loops !== null || blocks.kind === "transform", `${c.name}: its operands do not lie as its blocks need them`);
  return loops;
}
function loopsOf(c: Computation, blocks: Blockwise, axes: Axes, scratch: Buffer[], choose: Choose): readonly Stmt[] | null {
  switch (blocks.kind) {
    case "transform":
      return transformBlocks(c, blocks, axes, scratch);
    case "convolution":
      return winograd(c, blocks, axes, scratch, choose);
    case "kernel":
      return winogradKernel(c, blocks, axes, scratch);
  }
}
