/**
 * Gradients over several micro-batches: their mean is the gradient of the batch that they make up.
 *
 *     first = micro_step % k == 0        total = gradient + where(first, 0, @fc.weight.accumulated)
 *     last = micro_step % k == k - 1     update @fc.weight.accumulated = total
 *
 * The slot is never cleared: the first micro-step of the next update does not read it. On other micro-steps than the last
 * what is made of the total goes nowhere.
 */
import type { Node } from "../../ir/graph/graph.ts";
import { ops } from "../../ir/ops/index.ts";
import { constantOf, type Memory } from "./memory.ts";
import { add, f32Scalar, i32Scalar, scaled, where } from "./scalars.ts";

/** Where a micro-step stands in its update. */
export interface Phase {
  /** bool[]. */
  readonly isFirst: Node;
  readonly isLast: Node;
  readonly count: number;
}
/** Null: every micro-step is an update. */
export function phaseOf(microStep: Node, count: number): Phase | null {
  if (count === 1) return null;
  const at = ops.mod({ a: microStep, b: i32Scalar(count) });
  const is = (n: number): Node => ops.equal({ a: at, b: i32Scalar(n) });
  return { isFirst: is(0), isLast: is(count - 1), count };
}

/** Means over the micro-batches so far, divided as if the update were complete. */
export function accumulated(
  trained: readonly { readonly leaf: Node }[],
  gradients: readonly Node[],
  phase: Phase | null,
  memory: Memory,
): readonly Node[] {
  if (!phase) return gradients;
  return gradients.map((gradient, i) => {
    const slot = memory.slot(`${String(trained[i]!.leaf.attrs.name)}.accumulated`, constantOf(0, gradient.type));
    const total = add(gradient, where(phase.isFirst, f32Scalar(0), slot));
    return scaled(memory.set(slot, total), 1 / phase.count);
  });
}
