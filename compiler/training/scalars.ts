/** Arithmetic on scalars of the step: learning rates, corrections, counts. */
import type { Node } from "../../ir/graph/graph.ts";
import { ops } from "../../ir/ops/index.ts";

export const f32Scalar = (value: number): Node => ops.full({}, { value, dtype: "f32", shape: [] });
export const i32Scalar = (value: number): Node => ops.full({}, { value, dtype: "i32", shape: [] });

export const add = (a: Node, b: Node): Node => ops.add({ a, b });
export const sub = (a: Node, b: Node): Node => ops.sub({ a, b });
export const mul = (a: Node, b: Node): Node => ops.mul({ a, b });
export const div = (a: Node, b: Node): Node => ops.div({ a, b });
export const scaled = (x: Node, by: number): Node => (by === 1 ? x : mul(x, f32Scalar(by)));
export const where = (cond: Node, a: Node, b: Node): Node => ops.where({ cond, a, b });
export const toFloat = (x: Node): Node => ops.cast({ x }, { to: "f32" });
export const atMost = (x: Node, limit: number): Node => ops.minimum({ a: x, b: i32Scalar(limit) });
export const atLeast = (x: Node, limit: number): Node => ops.maximum({ a: x, b: i32Scalar(limit) });

/**
 * base ** n for integers n >= 0: the product of base ** 2^i over the bits i of n. Each factor is rounded once from double
 * precision, so that the result is as good as the few products, which `pow` on f32 is not.
 */
export function integerPower(base: number, n: Node): Node {
  const powers = Array.from({ length: 31 }, (_, bit) => ({ unit: 2 ** bit, factor: Math.fround(base ** (2 ** bit)) }));
  const end = powers.findIndex(({ factor }) => factor === 0 || !Number.isFinite(factor));
  // From a factor of 0 or infinity on, any higher bit decides alone.
  const used = powers.slice(0, end < 0 ? 31 : end + 1).filter(({ factor }) => factor !== 1);
  if (used.length === 0) return f32Scalar(1);
  const table = (dtype: "f32" | "i32", of: (p: { unit: number; factor: number }, i: number) => number): Node =>
    ops.dense({}, { data: used.map(of), dtype, shape: [used.length] });
  const units = div(
    ops.reshape({ x: n }, { shape: [...n.type.shape, 1] }),
    table("i32", (p) => p.unit),
  );
  const digits = table("i32", (_, i) => (end >= 0 && i === used.length - 1 ? 2 ** 31 - 1 : 2));
  const isClear = ops.equal({ a: ops.mod({ a: units, b: digits }), b: i32Scalar(0) });
  const factors = table("f32", (p) => Math.min(p.factor, largest));
  return ops.reduceProd({ x: where(isClear, f32Scalar(1), factors) }, { axes: [n.type.shape.length] });
}
/** In f32. */
const largest = 2 ** 128 - 2 ** 104;

/**
 * 1 - base ** n for integers n >= 1 and a base in [0, 1): 1 - e^-y for y = -n log(base), by its series where y is small.
 * Relative errors of y become no larger, and a base near 1 cancels nothing.
 */
export function complementOfPower(base: number, n: Node): Node {
  if (base === 0) return f32Scalar(1);
  const y = scaled(toFloat(n), -Math.log(base));
  // y (1 - y/2 (1 - y/3 (1 - ...))); the first term left out is y^10 / 10!.
  let series: Node = f32Scalar(1);
  for (let k = 9; k >= 2; k--) series = sub(f32Scalar(1), mul(scaled(y, 1 / k), series));
  const plain = sub(f32Scalar(1), ops.exp({ x: scaled(y, -1) }));
  return where(ops.less({ a: y, b: f32Scalar(0.5) }), mul(y, series), plain);
}
