/** Learning rates as functions of the number of updates so far, computed inside the step. */
import type { Node } from "../../ir/graph/graph.ts";
import { ops } from "../../ir/ops/index.ts";
import type { Schedule } from "../frontend/module.ts";

export const f32Scalar = (value: number): Node => ops.full({}, { value, dtype: "f32", shape: [] });
export const i32Scalar = (value: number): Node => ops.full({}, { value, dtype: "i32", shape: [] });

/** The learning rate, f32[], when `updates` (i32[]) updates have been made. Formulas as in PyTorch. */
export function learningRate(schedule: Schedule, updates: Node): Node {
  switch (schedule.name) {
    case "constant":
      return f32Scalar(schedule.lr);
    case "step_decay": {
      const decays = ops.div({ a: updates, b: i32Scalar(schedule.every) });
      return ops.mul({ a: integerPower(schedule.factor, decays), b: f32Scalar(schedule.lr) });
    }
  }
}

/**
 * base ** n for an i32[] n >= 0: the product of base ** 2^i over the bits i of n. Each factor is rounded once from double
 * precision, so that the result is as good as the few products, which `pow` on f32 is not.
 */
function integerPower(base: number, n: Node): Node {
  let product: Node | null = null;
  for (let bit = 0; bit < 31; bit++) {
    const factor = Math.fround(base ** (2 ** bit));
    if (factor === 1) continue;
    const isSet = ops.equal({ a: ops.mod({ a: ops.div({ a: n, b: i32Scalar(2 ** bit) }), b: i32Scalar(2) }), b: i32Scalar(1) });
    // From a factor of 0 or infinity on, any higher bit decides alone.
    const last = factor === 0 || !Number.isFinite(factor);
    const applies = last ? ops.less({ a: i32Scalar(2 ** bit - 1), b: n }) : isSet;
    const term: Node = ops.where({ cond: applies, a: f32Scalar(factor), b: f32Scalar(1) });
    product = product ? ops.mul({ a: product, b: term }) : term;
    if (last) break;
  }
  return product ?? f32Scalar(1);
}
