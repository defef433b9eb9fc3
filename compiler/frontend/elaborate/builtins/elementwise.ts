/** Functions of single elements: of tensors, and some of numbers too. */
import type { Node } from "../../../../ir/graph/graph.ts";
import { ops } from "../../../../ir/ops/index.ts";
import { type Builtin, type BuiltinCall, builtin, elementArg, floatArg, operation, optional, stringArg, tensorArg } from "../builtin.ts";
import { complain } from "../frame.ts";
import { adapt, promote } from "../operators.ts";
import { tensorValue } from "../tensors.ts";
import { describe, float, int, isNumber, type Value } from "../values.ts";

export const scalar = (value: number, dtype = "f32"): Node => ops.full({}, { value, dtype, shape: [] });
const add = (a: Node, b: Node): Node => ops.add({ a, b });
const sub = (a: Node, b: Node): Node => ops.sub({ a, b });
export const mul = (a: Node, b: Node): Node => ops.mul({ a, b });
const div = (a: Node, b: Node): Node => ops.div({ a, b });
const exp = (x: Node): Node => ops.exp({ x });
const where = (cond: Node, a: Node, b: Node): Node => ops.where({ cond, a, b });
const less = (a: Node, b: Node): Node => ops.less({ a, b });

/** One tensor in, one of its shape out. */
const activation = (name: string, doc: string, f: (x: Node) => Node): Builtin => operation(name, doc, { x: tensorArg }, ({ x }) => f(x));

/** The same function on a number. */
function overNumbers(name: string, doc: string, f: (x: Node) => Node, g: (x: number) => number, result: "int" | "float" | "same"): Builtin {
  return builtin(name, doc, { x: elementArg }, ({ x }, c) => {
    if (x.kind === "tensor") return tensorValue(c.frame, c.span, () => f(x.node));
    if (!isNumber(x)) return complain(c.frame, "type", `${name} expects a tensor or number, got ${describe(x)}`, c.span);
    const y = g(x.value);
    if (Number.isNaN(y) || (!Number.isFinite(y) && Number.isFinite(x.value))) {
      return complain(c.frame, "constant", `${name}(${x.value}) is not a number`, c.span);
    }
    return result === "int" || (result === "same" && x.kind === "int") ? wholeNumber(name, y, c) : float(y);
  });
}
const wholeNumber = (name: string, y: number, c: BuiltinCall): Value =>
  Number.isSafeInteger(y) ? int(y + 0) : complain(c.frame, "limit", `${name} gives an int that is too large`, c.span);
/** Half to even, as in Python. */
function roundEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  if (rest !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}

/** log(1 + exp(x)): m + log(exp(x - m) + exp(-m)) for m = max(x, 0), which no derivative sees. */
export function softplus(x: Node): Node {
  const m = ops.stopGradient({ x: ops.maximum({ a: x, b: scalar(0) }) });
  return add(m, ops.log({ x: add(exp(sub(x, m)), exp(ops.neg({ x: m }))) }));
}
const positive = (x: Node): Node => less(scalar(0), x);
/** exp(x) - 1 where x is not positive; elsewhere 0, so that nothing overflows. */
const expm1 = (x: Node): Node => sub(exp(where(positive(x), scalar(0), x)), scalar(1));
const seluAlpha = 1.6732632423543772;
const seluScale = 1.0507009873554805;

function gelu(x: Node, approximate: string, c: BuiltinCall): Node {
  const half = mul(scalar(0.5), x);
  if (approximate === "none") return mul(half, add(scalar(1), ops.erf({ x: mul(x, scalar(Math.SQRT1_2)) })));
  if (approximate !== "tanh") return complain(c.frame, "constant", `gelu: approximate is "none" or "tanh", got "${approximate}"`, c.span);
  const cubic = add(x, mul(scalar(0.044715), mul(x, mul(x, x))));
  return mul(half, add(scalar(1), ops.tanh({ x: mul(scalar(Math.sqrt(2 / Math.PI)), cubic) })));
}
/** 0 up to -3, 1 from 3 on, a line between. */
const hardSigmoid = (x: Node): Node => div(clamped(add(x, scalar(3)), scalar(0), scalar(6)), scalar(6));
/** Elements outside take the bound, `high` where they are swapped; at a bound the derivative is that of x. */
const clamped = (x: Node, low: Node | null, high: Node | null): Node => {
  const raised = low ? where(less(x, low), low, x) : x;
  return high ? where(less(high, raised), high, raised) : raised;
};

function clamp(x: Node, low: Value | null, high: Value | null, c: BuiltinCall): Node {
  const bound = (v: Value | null): Node | null => {
    if (v === null || v.kind === "none") return null;
    return v.kind === "tensor" ? v.node : adapt(c.frame, "clamp", v, x.type.dtype, c.span);
  };
  return clamped(x, bound(low), bound(high));
}
const pairwise = (name: string, doc: string, f: (a: Node, b: Node) => Node): Builtin =>
  operation(name, doc, { a: elementArg, b: elementArg }, ({ a, b }, c) => {
    const [x, y] = promote(c.frame, name, [a, b], c.span);
    return f(x!, y!);
  });
const noValue = optional<Value>(
  { ...elementArg, decode: (v, c, s) => (v.kind === "none" ? v : elementArg.decode(v, c, s)) },
  { kind: "none" },
  "none",
);

export const elementwise: readonly Builtin[] = [
  overNumbers("exp", "The exponential. Of f32[...] or a number.", exp, Math.exp, "float"),
  overNumbers("log", "The natural logarithm. Of f32[...] or a number.", (x) => ops.log({ x }), Math.log, "float"),
  overNumbers("sqrt", "The square root. Of f32[...] or a number.", (x) => ops.sqrt({ x }), Math.sqrt, "float"),
  overNumbers("sin", "The sine. Of f32[...] or a number.", (x) => ops.sin({ x }), Math.sin, "float"),
  overNumbers("cos", "The cosine. Of f32[...] or a number.", (x) => ops.cos({ x }), Math.cos, "float"),
  overNumbers("tanh", "The hyperbolic tangent. Of f32[...] or a number.", (x) => ops.tanh({ x }), Math.tanh, "float"),
  overNumbers(
    "abs",
    "The absolute value; its derivative at 0 is 0. Of f32[...], i32[...] or a number.",
    (x) => ops.abs({ x }),
    Math.abs,
    "same",
  ),
  overNumbers("sign", "-1, 0 or 1. Of f32[...], i32[...] or a number.", (x) => ops.sign({ x }), Math.sign, "same"),
  overNumbers("floor", "Rounded down. Of f32[...]; of a number an int.", (x) => ops.floor({ x }), Math.floor, "int"),
  overNumbers("ceil", "Rounded up. Of f32[...]; of a number an int.", (x) => ops.ceil({ x }), Math.ceil, "int"),
  overNumbers(
    "round",
    "Rounded to the nearest integer, halves to the even one. Of f32[...]; of a number an int.",
    (x) => ops.round({ x }),
    roundEven,
    "int",
  ),
  activation("erf", "The error function: f32[...] to f32[...].", (x) => ops.erf({ x })),
  activation("relu", "max(x, 0): f32[...] to f32[...].", (x) => ops.relu({ x })),
  activation("relu6", "min(max(x, 0), 6): f32[...] to f32[...].", (x) =>
    where(ops.lessEqual({ a: scalar(6), b: x }), scalar(6), ops.relu({ x })),
  ),
  operation(
    "leaky_relu",
    "x where it is positive, else slope * x: f32[...] to f32[...].",
    { x: tensorArg, slope: optional(floatArg, 0.01) },
    ({ x, slope }) => where(positive(x), x, mul(scalar(slope), x)),
  ),
  operation(
    "elu",
    "x where it is positive, else alpha * (exp(x) - 1): f32[...] to f32[...].",
    { x: tensorArg, alpha: optional(floatArg, 1) },
    ({ x, alpha }) => where(positive(x), x, mul(scalar(alpha), expm1(x))),
  ),
  activation("selu", "1.0507 * (x where it is positive, else 1.6733 * (exp(x) - 1)): f32[...] to f32[...].", (x) =>
    mul(scalar(seluScale), where(positive(x), x, mul(scalar(seluAlpha), expm1(x)))),
  ),
  operation(
    "gelu",
    'x times the distribution function of the normal at x, exactly or by approximate = "tanh": f32[...] to f32[...].',
    { x: tensorArg, approximate: optional(stringArg, "none") },
    ({ x, approximate }, c) => gelu(x, approximate, c),
  ),
  activation("sigmoid", "1 / (1 + exp(-x)): f32[...] to f32[...].", (x) => ops.sigmoid({ x })),
  activation("silu", "x * sigmoid(x): f32[...] to f32[...].", (x) => mul(x, ops.sigmoid({ x }))),
  activation("log_sigmoid", "log(sigmoid(x)), without overflow: f32[...] to f32[...].", (x) => ops.neg({ x: softplus(ops.neg({ x })) })),
  operation(
    "softplus",
    "log(1 + exp(beta * x)) / beta, without overflow: f32[...] to f32[...].",
    { x: tensorArg, beta: optional(floatArg, 1) },
    ({ x, beta }) => (beta === 1 ? softplus(x) : div(softplus(mul(scalar(beta), x)), scalar(beta))),
  ),
  activation("softsign", "x / (1 + |x|): f32[...] to f32[...].", (x) => div(x, add(scalar(1), ops.abs({ x })))),
  activation("hard_sigmoid", "0 up to -3, 1 from 3 on, (x + 3) / 6 between: f32[...] to f32[...].", hardSigmoid),
  activation("hard_swish", "x * hard_sigmoid(x): f32[...] to f32[...].", (x) => mul(x, hardSigmoid(x))),
  activation("stop_gradient", "x, as a constant to all derivatives: any type and shape.", (x) => ops.stopGradient({ x })),
  operation(
    "clamp",
    "x, but not below `low` nor above `high`, numbers or tensors that broadcast; `none` is no bound. At a bound the derivative is 1.",
    { x: tensorArg, low: noValue, high: noValue },
    ({ x, low, high }, c) => clamp(x, low, high, c),
  ),
  pairwise("maximum", "The larger of two, element by element; they broadcast. Equal ones share the gradient.", (a, b) =>
    ops.maximum({ a, b }),
  ),
  pairwise("minimum", "The smaller of two, element by element; they broadcast. Equal ones share the gradient.", (a, b) =>
    ops.minimum({ a, b }),
  ),
  builtin(
    "where",
    "`a` where `cond` is true, else `b`; all three broadcast, `cond` is bool[...].",
    { cond: elementArg, a: elementArg, b: elementArg },
    ({ cond, a, b }, c) => {
      if (cond.kind !== "tensor") {
        const help = "write if condition { a } else { b }";
        return complain(c.frame, "type", `where expects a bool tensor for \`cond\`, got ${describe(cond)}`, c.span, { help });
      }
      return tensorValue(c.frame, c.span, () => {
        const dtypeOf = a.kind === "tensor" || b.kind === "tensor" ? [a, b] : [a, b].map((v) => asFloatIfMixed(v, a, b));
        const [x, y] = promote(c.frame, "where", dtypeOf, c.span);
        return where(cond.node, x!, y!);
      });
    },
  ),
];
/** Of an int and a float, both become floats. */
const asFloatIfMixed = (v: Value, a: Value, b: Value): Value =>
  v.kind === "int" && (a.kind === "float" || b.kind === "float") ? float(v.value) : v;
