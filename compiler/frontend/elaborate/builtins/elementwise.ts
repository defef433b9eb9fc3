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
const activation = (name: string, f: (x: Node) => Node): Builtin => operation(name, { x: tensorArg }, ({ x }) => f(x));

/** The same function on a number. */
function overNumbers(name: string, f: (x: Node) => Node, g: (x: number) => number, result: "int" | "float" | "same"): Builtin {
  return builtin(name, { x: elementArg }, ({ x }, c) => {
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
/** Elements outside take the bound; at a bound the derivative is that of x. */
const clamped = (x: Node, low: Node | null, high: Node | null): Node => {
  const raised = low ? where(less(x, low), low, x) : x;
  return high ? where(less(high, x), high, raised) : raised;
};

function clamp(x: Node, low: Value | null, high: Value | null, c: BuiltinCall): Node {
  const bound = (v: Value | null): Node | null => {
    if (v === null || v.kind === "none") return null;
    return v.kind === "tensor" ? v.node : adapt(c.frame, "clamp", v, x.type.dtype, c.span);
  };
  return clamped(x, bound(low), bound(high));
}
const pairwise = (name: string, f: (a: Node, b: Node) => Node): Builtin =>
  operation(name, { a: elementArg, b: elementArg }, ({ a, b }, c) => {
    const [x, y] = promote(c.frame, name, [a, b], c.span);
    return f(x!, y!);
  });
const noValue = optional<Value>(
  { ...elementArg, decode: (v, c, s) => (v.kind === "none" ? v : elementArg.decode(v, c, s)) },
  { kind: "none" },
);

export const elementwise: readonly Builtin[] = [
  overNumbers("exp", exp, Math.exp, "float"),
  overNumbers("log", (x) => ops.log({ x }), Math.log, "float"),
  overNumbers("sqrt", (x) => ops.sqrt({ x }), Math.sqrt, "float"),
  overNumbers("sin", (x) => ops.sin({ x }), Math.sin, "float"),
  overNumbers("cos", (x) => ops.cos({ x }), Math.cos, "float"),
  overNumbers("tanh", (x) => ops.tanh({ x }), Math.tanh, "float"),
  overNumbers("abs", (x) => ops.abs({ x }), Math.abs, "same"),
  overNumbers("sign", (x) => ops.sign({ x }), Math.sign, "same"),
  overNumbers("floor", (x) => ops.floor({ x }), Math.floor, "int"),
  overNumbers("ceil", (x) => ops.ceil({ x }), Math.ceil, "int"),
  overNumbers("round", (x) => ops.round({ x }), roundEven, "int"),
  activation("erf", (x) => ops.erf({ x })),
  activation("relu", (x) => ops.relu({ x })),
  activation("relu6", (x) => where(ops.lessEqual({ a: scalar(6), b: x }), scalar(6), ops.relu({ x }))),
  operation("leaky_relu", { x: tensorArg, slope: optional(floatArg, 0.01) }, ({ x, slope }) =>
    where(positive(x), x, mul(scalar(slope), x)),
  ),
  operation("elu", { x: tensorArg, alpha: optional(floatArg, 1) }, ({ x, alpha }) => where(positive(x), x, mul(scalar(alpha), expm1(x)))),
  activation("selu", (x) => mul(scalar(seluScale), where(positive(x), x, mul(scalar(seluAlpha), expm1(x))))),
  operation("gelu", { x: tensorArg, approximate: optional(stringArg, "none") }, ({ x, approximate }, c) => gelu(x, approximate, c)),
  activation("sigmoid", (x) => ops.sigmoid({ x })),
  activation("silu", (x) => mul(x, ops.sigmoid({ x }))),
  activation("log_sigmoid", (x) => ops.neg({ x: softplus(ops.neg({ x })) })),
  operation("softplus", { x: tensorArg, beta: optional(floatArg, 1) }, ({ x, beta }) =>
    beta === 1 ? softplus(x) : div(softplus(mul(scalar(beta), x)), scalar(beta)),
  ),
  activation("softsign", (x) => div(x, add(scalar(1), ops.abs({ x })))),
  activation("hard_sigmoid", hardSigmoid),
  activation("hard_swish", (x) => mul(x, hardSigmoid(x))),
  activation("stop_gradient", (x) => ops.stopGradient({ x })),
  operation("clamp", { x: tensorArg, low: noValue, high: noValue }, ({ x, low, high }, c) => clamp(x, low, high, c)),
  pairwise("maximum", (a, b) => ops.maximum({ a, b })),
  pairwise("minimum", (a, b) => ops.minimum({ a, b })),
  builtin("where", { cond: elementArg, a: elementArg, b: elementArg }, ({ cond, a, b }, c) => {
    if (cond.kind !== "tensor") {
      const help = "write if condition { a } else { b }";
      return complain(c.frame, "type", `where expects a bool tensor for \`cond\`, got ${describe(cond)}`, c.span, { help });
    }
    return tensorValue(c.frame, c.span, () => {
      const dtypeOf = a.kind === "tensor" || b.kind === "tensor" ? [a, b] : [a, b].map((v) => asFloatIfMixed(v, a, b));
      const [x, y] = promote(c.frame, "where", dtypeOf, c.span);
      return where(cond.node, x!, y!);
    });
  }),
];
/** Of an int and a float, both become floats. */
const asFloatIfMixed = (v: Value, a: Value, b: Value): Value =>
  v.kind === "int" && (a.kind === "float" || b.kind === "float") ? float(v.value) : v;
