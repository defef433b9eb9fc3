/**
 * Noise on gradients: normal with variance eta / (1 + updates) ** gamma (A. Neelakantan et al., "Adding Gradient Noise
 * Improves Learning for Very Deep Networks", 2015).
 */
import type { Node } from "../../ir/graph/graph.ts";
import { hashText } from "../../ir/hash.ts";
import { ops } from "../../ir/ops/index.ts";
import type { Settings } from "../frontend/module.ts";
import { add, f32Scalar, mul, scaled, toFloat } from "./scalars.ts";

interface Counters {
  readonly seed: Node;
  readonly microStep: Node;
  readonly updates: Node;
}
/** `names`: of the parameters; the noise of one depends on the seed, its name and the micro-step alone. */
export function noisy(
  gradients: readonly Node[],
  names: readonly string[],
  { eta, gamma }: NonNullable<Settings["gradientNoise"]>,
  { seed, microStep, updates }: Counters,
): readonly Node[] {
  const age = ops.log({ x: add(toFloat(updates), f32Scalar(1)) });
  const deviation = gamma === 0 ? f32Scalar(Math.sqrt(eta)) : scaled(ops.exp({ x: scaled(age, -gamma / 2) }), Math.sqrt(eta));
  return gradients.map((g, i) => {
    const normal = ops.randomNormal({ seed, counter: microStep }, { key: hashText(`gradient_noise ${names[i]}`), shape: g.type.shape });
    return add(g, mul(normal, deviation));
  });
}
