/** Tensors from nothing: constants and random numbers. */
import type { Node } from "../../../../ir/graph/graph.ts";
import { ops } from "../../../../ir/ops/index.ts";
import { type DType, sizeOf } from "../../../../ir/type.ts";
import {
  type Builtin,
  type BuiltinCall,
  builtin,
  dtypeArg,
  elementArg,
  floatArg,
  intArg,
  intsArg,
  operation,
  optional,
  orNone,
  tensorArg,
} from "../builtin.ts";
import { complain } from "../frame.ts";
import { adapt } from "../operators.ts";
import { hashText } from "../paths.ts";
import { limits } from "../session.ts";
import { tensorValue } from "../tensors.ts";
import { describe } from "../values.ts";

const f32 = optional<DType>(dtypeArg, "f32", "f32");
function shapeOf(shape: readonly number[], c: BuiltinCall): readonly number[] {
  if (shape.some((d) => d < 1)) complain(c.frame, "shape", `${c.subject}: extents are positive, got [${shape.join(", ")}]`, c.span);
  if (sizeOf(shape) > limits.elements)
    complain(c.frame, "limit", `${c.subject}: [${shape.join(", ")}] has more than ${limits.elements} elements`, c.span);
  return shape;
}
const filled = (name: string, doc: string, value: number): Builtin =>
  operation(name, doc, { shape: intsArg, dtype: f32 }, ({ shape, dtype }, c) => ops.full({}, { value, dtype, shape: shapeOf(shape, c) }));

/** arange(stop), arange(start, stop, step): ints, or floats if one of them is. */
const arange: Builtin = builtin(
  "arange",
  "arange(stop), arange(start, stop), arange(start, stop, step): numbers before `stop`, i32[K], f32[K] if one of them is a float.",
  { start: elementArg, stop: orNone(elementArg), step: orNone(elementArg) },
  ({ start, stop, step }, c) => {
    const parts = [stop === null ? { kind: "int" as const, value: 0 } : start, stop ?? start, step ?? { kind: "int" as const, value: 1 }];
    const numbers = parts.map((v) =>
      v.kind === "int" || v.kind === "float"
        ? v.value
        : complain(c.frame, v.kind === "tensor" ? "constant" : "type", `arange expects numbers, got ${describe(v)}`, c.span),
    );
    const [from, to, by] = numbers as [number, number, number];
    if (by === 0) complain(c.frame, "constant", "the step of arange is not 0", c.span);
    const count = Math.ceil((to - from) / by);
    if (!(count >= 1)) complain(c.frame, "shape", `arange(${from}, ${to}, ${by}) is empty`, c.span);
    const dtype = parts.some((v) => v.kind === "float") ? "f32" : "i32";
    return tensorValue(c.frame, c.span, () => {
      const index = ops.iota({}, { axis: 0, dtype, shape: shapeOf([count], c) });
      const constant = (value: number) => ops.full({}, { value, dtype, shape: [] });
      const scaled = by === 1 ? index : ops.mul({ a: index, b: constant(by) });
      return from === 0 ? scaled : ops.add({ a: scaled, b: constant(from) });
    });
  },
);

function eye(n: number, m: number, dtype: DType, c: BuiltinCall): Node {
  const shape = shapeOf([n, m], c);
  const index = (axis: number) => ops.iota({}, { axis, dtype: "i32", shape });
  return ops.cast({ x: ops.equal({ a: index(0), b: index(1) }) }, { to: dtype });
}

/** Random numbers depend on the seed, the micro-step (0 when predicting) and the place of the call. */
function uniform(shape: readonly number[], c: BuiltinCall): Node {
  const { world } = c.frame.session;
  return ops.randomUniform({ seed: world.seed, counter: c.frame.counter }, { key: hashText(c.place), shape: shapeOf(shape, c) });
}
function normal(shape: readonly number[], c: BuiltinCall): Node {
  const { world } = c.frame.session;
  return ops.randomNormal({ seed: world.seed, counter: c.frame.counter }, { key: hashText(c.place), shape: shapeOf(shape, c) });
}
const scaled = (x: Node, factor: number, offset: number): Node => {
  const constant = (value: number) => ops.full({}, { value, dtype: "f32", shape: [] });
  const y = factor === 1 ? x : ops.mul({ a: x, b: constant(factor) });
  return offset === 0 ? y : ops.add({ a: y, b: constant(offset) });
};
/** low, ..., high - 1: the last value takes what rounding up to `high` would give. */
function randomInt(shape: readonly number[], low: number, high: number, c: BuiltinCall): Node {
  if (high <= low) complain(c.frame, "constant", `random_int: ${low} to ${high} holds no int`, c.span);
  if (high - low > 2 ** 24) complain(c.frame, "limit", "random_int: the range is at most 2 ** 24 wide", c.span);
  const constant = (value: number) => ops.full({}, { value, dtype: "i32", shape: [] });
  const offset = ops.cast({ x: scaled(uniform(shape, c), high - low, 0) }, { to: "i32" });
  return ops.add({ a: ops.minimum({ a: offset, b: constant(high - low - 1) }), b: constant(low) });
}

export const creations: readonly Builtin[] = [
  filled("zeros", "Zeros of `shape`.", 0),
  filled("ones", "Ones of `shape`.", 1),
  operation(
    "full",
    "`value` everywhere, of its own type unless `dtype` is given; a tensor is broadcast.",
    { shape: intsArg, value: elementArg, dtype: orNone(dtypeArg) },
    ({ shape, value, dtype }, c) => {
      if (value.kind === "tensor") return ops.broadcast({ x: value.node }, { shape: shapeOf(shape, c) });
      const type = dtype ?? (value.kind === "int" ? "i32" : value.kind === "bool" ? "bool" : "f32");
      return ops.broadcast({ x: adapt(c.frame, "full", value, type, c.span) }, { shape: shapeOf(shape, c) });
    },
  ),
  operation(
    "eye",
    "1 where row and column are equal, else 0: [n, m], square unless `m` is given.",
    { n: intArg, m: orNone(intArg), dtype: f32 },
    ({ n, m, dtype }, c) => eye(n, m ?? n, dtype, c),
  ),
  arange,
  operation("zeros_like", "Zeros of x's shape and type.", { x: tensorArg }, ({ x }) =>
    ops.full({}, { value: 0, dtype: x.type.dtype, shape: x.type.shape }),
  ),
  operation("ones_like", "Ones of x's shape and type.", { x: tensorArg }, ({ x }) =>
    ops.full({}, { value: 1, dtype: x.type.dtype, shape: x.type.shape }),
  ),
  operation(
    "random_uniform",
    "f32 of `shape`, evenly distributed in low <= x < high.",
    { shape: intsArg, low: optional(floatArg, 0), high: optional(floatArg, 1) },
    ({ shape, low, high }, c) => scaled(uniform(shape, c), high - low, low),
  ),
  operation(
    "random_normal",
    "f32 of `shape`, normally distributed.",
    { shape: intsArg, std: optional(floatArg, 1), mean: optional(floatArg, 0) },
    ({ shape, std, mean }, c) => scaled(normal(shape, c), std, mean),
  ),
  builtin(
    "random_int",
    "i32 of `shape`, low to high - 1 with equal probabilities; with one bound from 0 to that minus 1.",
    { shape: intsArg, low: intArg, high: orNone(intArg) },
    ({ shape, low, high }, c) => tensorValue(c.frame, c.span, () => randomInt(shape, high === null ? 0 : low, high ?? low, c)),
  ),
];
