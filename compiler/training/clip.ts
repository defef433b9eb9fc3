/** Gradient clipping, as torch.nn.utils.clip_grad_value_ and clip_grad_norm_. */
import type { Node } from "../../ir/graph/graph.ts";
import { ops } from "../../ir/ops/index.ts";
import { f32Scalar } from "./scalars.ts";

/** Every element between -limit and limit. */
export const clipValue = (gradient: Node, limit: number): Node =>
  ops.minimum({ a: ops.maximum({ a: gradient, b: f32Scalar(-limit) }), b: f32Scalar(limit) });

/** All gradients times min(1, limit / (norm + 1e-6)), norm over all elements of all of them. */
export function clipNorm(gradients: readonly Node[], limit: number): readonly Node[] {
  if (gradients.length === 0) return gradients;
  const norm = ops.sqrt({ x: gradients.map(sumOfSquares).reduce((a, b) => ops.add({ a, b })) });
  const wanted = ops.div({ a: f32Scalar(limit), b: ops.add({ a: norm, b: f32Scalar(1e-6) }) });
  const scale = ops.minimum({ a: wanted, b: f32Scalar(1) });
  return gradients.map((g) => ops.mul({ a: g, b: scale }));
}
const sumOfSquares = (x: Node): Node => ops.reduceSum({ x: ops.mul({ a: x, b: x }) }, { axes: x.type.shape.map((_, axis) => axis) });
