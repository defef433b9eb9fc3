/** Initial values as functions of the shape. Fans as in PyTorch: dimension 0 is out, 1 is in, the others multiply both. */
import type { Node } from "../../../../ir/graph/graph.ts";
import { shapeError } from "../../../../ir/op.ts";
import { ops } from "../../../../ir/ops/index.ts";
import { type Shape, sizeOf } from "../../../../ir/type.ts";
import { type Builtin, builtin, floatArg, optional } from "../builtin.ts";
import type { Initializer } from "../values.ts";
import { scalar } from "./elementwise.ts";
import { orthogonal } from "./orthogonal.ts";

type Random = Parameters<Initializer["make"]>[1];
const initializer = (name: string, make: Initializer["make"], constant: number | null = null): Initializer => ({
  kind: "initializer",
  name,
  make,
  constant,
});
const add = (a: Node, b: Node): Node => ops.add({ a, b });
const mul = (a: Node, b: Node): Node => ops.mul({ a, b });

const uniform = (random: Random, low: number, high: number): Node => add(mul(random("uniform"), scalar(high - low)), scalar(low));
const normal = (random: Random, std: number, mean: number): Node => {
  const x = mul(random("normal"), scalar(std));
  return mean === 0 ? x : add(x, scalar(mean));
};

interface Fans {
  readonly fanIn: number;
  readonly fanOut: number;
}
function fans(name: string, shape: Shape): Fans {
  if (shape.length < 2)
    return shapeError(
      `${name} needs at least 2 dimensions to count inputs and outputs, got [${shape.join(", ")}]`,
      "write normal(std) or uniform(low, high)",
    );
  const field = sizeOf(shape.slice(2));
  return { fanIn: shape[1]! * field, fanOut: shape[0]! * field };
}
/** Normal or uniform of a standard deviation that the fans give. */
const scaled = (name: string, kind: "normal" | "uniform", std: (f: Fans) => number): Initializer =>
  initializer(name, (shape, random) => {
    const s = std(fans(name, shape));
    const bound = Math.sqrt(3) * s;
    return kind === "normal" ? normal(random, s, 0) : uniform(random, -bound, bound);
  });
const xavier = (kind: "normal" | "uniform", doc: string): Builtin =>
  makes(
    builtin(`xavier_${kind}`, doc, { gain: optional(floatArg, 1) }, ({ gain }) =>
      scaled(`xavier_${kind}`, kind, ({ fanIn, fanOut }) => gain * Math.sqrt(2 / (fanIn + fanOut))),
    ),
  );
const he = (kind: "normal" | "uniform", doc: string): Builtin =>
  makes(builtin(`he_${kind}`, doc, {}, () => scaled(`he_${kind}`, kind, ({ fanIn }) => Math.sqrt(2 / fanIn))));
const makes = (f: Builtin): Builtin => ({ ...f, initializer: true });

/**
 * The inverse of erf in single precision: M. Giles, "Approximating the erfinv function" (GPU Computing Gems, 2010).
 * Polynomials in w = -log(1 - x^2) around 2.5, and in its root around 3 for the tails.
 */
const centre = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164, 0.246640727, 1.50140941,
];
const tail = [
  -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047, 1.00167406, 2.83297682,
];
function inverseErf(x: Node): Node {
  const one = scalar(1);
  const w = ops.neg({ x: ops.log({ x: mul(ops.sub({ a: one, b: x }), add(one, x)) }) });
  const horner = (coefficients: readonly number[], at: Node): Node =>
    coefficients.slice(1).reduce((p, k) => add(mul(p, at), scalar(k)), scalar(coefficients[0]!));
  const low = horner(centre, add(w, scalar(-2.5)));
  const high = horner(tail, add(ops.sqrt({ x: w }), scalar(-3)));
  return mul(x, ops.where({ cond: ops.less({ a: w, b: scalar(5) }), a: low, b: high }));
}
/** erf by its series, or its continued fraction in the tails; for the bounds of a truncated normal. */
export function erf(x: number): number {
  if (x < 0) return -erf(-x);
  if (x > 3) {
    let f = 0;
    for (let k = 60; k > 0; k--) f = k / 2 / (x + f);
    return 1 - Math.exp(-x * x) / (Math.sqrt(Math.PI) * (x + f));
  }
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum) && n < 200; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
/** A normal whose values lie in [low, high], by the inverse of its distribution. */
function truncated(random: Random, std: number, mean: number, low: number, high: number): Node {
  const bound = (x: number) => erf((x - mean) / (std * Math.SQRT2));
  const limit = 1 - 2 ** -23;
  const [from, to] = [Math.max(-limit, bound(low)), Math.min(limit, bound(high))];
  const x = add(mul(inverseErf(uniform(random, from, to)), scalar(std * Math.SQRT2)), scalar(mean));
  return ops.minimum({ a: ops.maximum({ a: x, b: scalar(low) }), b: scalar(high) });
}

export const initializers: readonly Builtin[] = [
  makes(
    builtin("constant", "`value` everywhere. Also a learning rate that stays.", { value: floatArg }, ({ value }) =>
      initializer("constant", () => scalar(value), value),
    ),
  ),
  makes(
    builtin("normal", "Normally distributed.", { std: optional(floatArg, 1), mean: optional(floatArg, 0) }, ({ std, mean }) =>
      initializer("normal", (_, random) => normal(random, std, mean)),
    ),
  ),
  makes(
    builtin(
      "uniform",
      "Evenly distributed between `low` and `high`.",
      { low: optional(floatArg, 0), high: optional(floatArg, 1) },
      ({ low, high }) => initializer("uniform", (_, random) => uniform(random, low, high)),
    ),
  ),
  makes(
    builtin(
      "truncated_normal",
      "Normally distributed, given that it lies between `low` and `high`.",
      { std: optional(floatArg, 1), mean: optional(floatArg, 0), low: optional(floatArg, -2), high: optional(floatArg, 2) },
      ({ std, mean, low, high }) => initializer("truncated_normal", (_, random) => truncated(random, std, mean, low, high)),
    ),
  ),
  xavier("normal", "Normal, standard deviation gain * sqrt(2 / (fan_in + fan_out))."),
  xavier("uniform", "Uniform, standard deviation gain * sqrt(2 / (fan_in + fan_out))."),
  he("normal", "Normal, standard deviation sqrt(2 / fan_in)."),
  he("uniform", "Uniform, standard deviation sqrt(2 / fan_in)."),
  makes(
    builtin(
      "orthogonal",
      "Orthonormal rows, or columns where these are fewer, times `gain`; dimension 0 by all others.",
      { gain: optional(floatArg, 1) },
      ({ gain }) => initializer("orthogonal", (shape, random) => orthogonal(shape, random("normal"), gain)),
    ),
  ),
];
