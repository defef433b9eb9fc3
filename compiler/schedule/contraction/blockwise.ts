/** Folds that say how to go block by block are scheduled that way. */
import type { Choose } from "../../../ir/choice.ts";
import type { Axes, Computation } from "../../../ir/kernel/computation.ts";
import type { Buffer, Stmt } from "../../../ir/kernel/kernel.ts";
import { transformBlocks } from "./transform.ts";
import { winograd } from "./winograd.ts";
import { winogradKernel } from "./winograd-kernel.ts";

/** The loops, or null when the computation does not say, or its operands do not lie as they should. */
export function blockwise(c: Computation, axes: Axes, scratch: Buffer[], choose: Choose): readonly Stmt[] | null {
  const blocks = c.fold?.blocks;
  switch (blocks?.kind) {
    case undefined:
      return null;
    case "transform":
      return transformBlocks(c, blocks, axes, scratch);
    case "convolution":
      return winograd(c, blocks, axes, scratch, choose);
    case "kernel":
      return winogradKernel(c, blocks, axes, scratch);
  }
}
