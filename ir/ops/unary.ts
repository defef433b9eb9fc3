/** Elementwise operations of one operand. */
import type { Node } from "../graph/graph.ts";
import * as k from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";
import { type CallableOp, op } from "../op.ts";
import type { DType } from "../type.ts";
import { div, less, mul, sub } from "./binary.ts";
import { scalar } from "./broadcasting.ts";
import { expectDType, numeric, plain } from "./expect.ts";
import { where } from "./where.ts";

export type Unary = CallableOp<readonly ["x"], Record<never, never>>;
interface Row {
  readonly types?: readonly DType[];
  readonly lower: (x: Expr) => Expr;
  /** Left out for what is no float. */
  readonly grad?: "zero" | ((x: Node, dy: Node, y: Node) => Node);
}
const unary = (name: string, { types = ["f32"], lower, grad }: Row): Unary =>
  op({ name, inputs: ["x"], kind: "elementwise" }).rules({
    infer: ({ x }) => {
      expectDType(name, "x", x, types);
      return plain(x);
    },
    ...(grad && { grad: grad === "zero" ? grad : ({ x }, _, y, dy) => ({ x: grad(x, dy, y) }) }),
    lower:
      ({ x }) =>
      (...i) =>
        lower(x(...i)),
  });
const times = (a: Node, b: Node) => mul({ a, b });

/** -x, elementwise. */
export const neg: Unary = unary("neg", { types: numeric, lower: k.neg, grad: (_, dy) => neg({ x: dy }) });
/** |x|, elementwise; the derivative at 0 is 0. */
export const abs: Unary = unary("abs", { types: numeric, lower: k.abs, grad: (x, dy) => times(dy, sign({ x })) });
/** -1, 0 or 1, elementwise. */
export const sign: Unary = unary("sign", { types: numeric, lower: k.sign, grad: "zero" });
/** The square root, elementwise. */
export const sqrt: Unary = unary("sqrt", {
  lower: k.sqrt,
  grad: (_, dy, y) => div({ a: times(scalar(0.5), dy), b: y }),
});
/** The exponential, elementwise. */
export const exp: Unary = unary("exp", { lower: k.exp, grad: (_, dy, y) => times(dy, y) });
/** The natural logarithm, elementwise. */
export const log: Unary = unary("log", { lower: k.log, grad: (x, dy) => div({ a: dy, b: x }) });
/** The sine, elementwise. */
export const sin: Unary = unary("sin", { lower: k.sin, grad: (x, dy) => times(dy, cos({ x })) });
/** The cosine, elementwise. */
export const cos: Unary = unary("cos", { lower: k.cos, grad: (x, dy) => neg({ x: times(dy, sin({ x })) }) });
/** The hyperbolic tangent, elementwise. */
export const tanh: Unary = unary("tanh", {
  lower: k.tanh,
  grad: (_, dy, y) => times(dy, sub({ a: scalar(1), b: times(y, y) })),
});
/** The error function, elementwise: d erf(x) = 2/sqrt(pi) exp(-x^2). */
export const erf: Unary = unary("erf", {
  lower: k.erf,
  grad: (x, dy) => times(dy, times(scalar(2 / Math.sqrt(Math.PI)), exp({ x: neg({ x: times(x, x) }) }))),
});
/** Rounded down, elementwise. */
export const floor: Unary = unary("floor", { lower: k.floor, grad: "zero" });
/** Rounded up, elementwise. */
export const ceil: Unary = unary("ceil", { lower: k.ceil, grad: "zero" });
/** To the nearest integer, halves to the even one, elementwise. */
export const round: Unary = unary("round", { lower: k.round, grad: "zero" });
/** !x, elementwise. */
export const logicalNot: Unary = unary("logical_not", { types: ["bool"], lower: k.not });
/** 1 / (1 + exp(-x)), elementwise. */
export const sigmoid: Unary = unary("sigmoid", {
  lower: (x) => k.div(k.f32(1), k.add(k.f32(1), k.exp(k.neg(x)))),
  grad: (_, dy, y) => times(dy, times(y, sub({ a: scalar(1), b: y }))),
});
/** max(x, 0), elementwise; NaN stays; the derivative at 0 is 0. It asks the result, so that a step need not keep the operand. */
export const relu: Unary = unary("relu", {
  lower: (x) => k.max(x, k.f32(0)),
  grad: (_, dy, y) => where({ cond: less({ a: scalar(0), b: y }), a: dy, b: scalar(0) }),
});
/** x itself, without a gradient. */
export const stopGradient: Unary = op({ name: "stop_gradient", inputs: ["x"], kind: "composite" }).rules({
  infer: ({ x }) => plain(x),
  grad: "zero",
  decompose: ({ x }) => x,
});
