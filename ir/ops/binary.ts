/** Elementwise operations of two operands, which broadcast. */
import type { Node } from "../graph/graph.ts";
import * as k from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";
import { type CallableOp, op } from "../op.ts";
import { type DType, tensor } from "../type.ts";
import { commonShape, readBroadcast, scalar, sumTo } from "./broadcasting.ts";
import { expectDType, expectSameDType, numeric, ordered } from "./expect.ts";
import { floor, log, neg } from "./unary.ts";
import { where } from "./where.ts";

export type Binary = CallableOp<readonly ["a", "b"], Record<never, never>>;
interface Row {
  readonly types: readonly DType[];
  readonly result?: DType;
  readonly lower: (a: Expr, b: Expr) => Expr;
  /** With respect to the broadcast operands. */
  readonly grad?: (a: Node, b: Node, dy: Node, y: Node) => { readonly a: Node; readonly b: Node };
}
const binary = (name: string, { types, result, lower, grad }: Row): Binary =>
  op({ name, inputs: ["a", "b"], kind: "elementwise" }).rules({
    infer: ({ a, b }) => {
      expectSameDType(name, "a", a, "b", b);
      expectDType(name, "a", a, types);
      return tensor(result ?? a.dtype, commonShape(name, [a, b]));
    },
    ...(grad && {
      grad: ({ a, b }, _, y, dy) => {
        const d = grad(a, b, dy, y);
        return { a: sumTo(d.a, a.type.shape), b: sumTo(d.b, b.type.shape) };
      },
    }),
    lower:
      ({ a, b }) =>
      (...i) =>
        lower(readBroadcast(a, i), readBroadcast(b, i)),
  });
const times = (a: Node, b: Node) => mul({ a, b });

/** a + b; shapes broadcast. */
export const add: Binary = binary("add", { types: numeric, lower: k.add, grad: (_a, _b, dy) => ({ a: dy, b: dy }) });
/** a - b; shapes broadcast. */
export const sub: Binary = binary("sub", { types: numeric, lower: k.sub, grad: (_a, _b, dy) => ({ a: dy, b: neg({ x: dy }) }) });
/** a * b; shapes broadcast. */
export const mul: Binary = binary("mul", { types: numeric, lower: k.mul, grad: (a, b, dy) => ({ a: times(dy, b), b: times(dy, a) }) });
/** a / b; shapes broadcast. Integers round down and give 0 for a divisor of 0. */
export const div: Binary = binary("div", {
  types: numeric,
  lower: k.div,
  grad: (_a, b, dy, y) => {
    const a = div({ a: dy, b });
    return { a, b: neg({ x: times(a, y) }) };
  },
});
/** a - floor(a / b) * b, with the sign of the divisor; shapes broadcast. An integer divisor of 0 gives 0. */
export const mod: Binary = binary("mod", {
  types: numeric,
  lower: k.mod,
  grad: (a, b, dy) => ({ a: dy, b: neg({ x: times(dy, floor({ x: div({ a, b }) })) }) }),
});
/** The larger element; shapes broadcast. Equal operands share the gradient. */
export const maximum: Binary = binary("maximum", {
  types: numeric,
  lower: k.max,
  grad: (a, b, dy) => ({ a: winner(less({ a: b, b: a }), equal({ a, b }), dy), b: winner(less({ a, b }), equal({ a, b }), dy) }),
});
/** The smaller element; shapes broadcast. Equal operands share the gradient. */
export const minimum: Binary = binary("minimum", {
  types: numeric,
  lower: k.min,
  grad: (a, b, dy) => ({ a: winner(less({ a, b }), equal({ a, b }), dy), b: winner(less({ a: b, b: a }), equal({ a, b }), dy) }),
});
const winner = (wins: Node, ties: Node, dy: Node): Node =>
  where({ cond: ties, a: times(scalar(0.5), dy), b: where({ cond: wins, a: dy, b: scalar(0) }) });

/** a ** b; shapes broadcast. The derivative by the exponent is 0 where the base is 0, that by the base is 0 where the exponent is 0. */
export const pow: Binary = binary("pow", {
  types: ["f32"],
  lower: k.pow,
  grad: (a, b, dy, y) => {
    const zero = scalar(0);
    const byBase = times(b, pow({ a, b: sub({ a: b, b: scalar(1) }) }));
    const isZero = equal({ a, b: zero });
    const byExponent = times(y, log({ x: where({ cond: isZero, a: scalar(1), b: a }) }));
    return { a: times(dy, where({ cond: equal({ a: b, b: zero }), a: zero, b: byBase })), b: times(dy, byExponent) };
  },
});

const any: readonly DType[] = ["f32", "i32", "u8", "bool"];
const bool = (types: readonly DType[], lower: Row["lower"]): Row => ({ types, result: "bool", lower });
/** a < b as bool; shapes broadcast. */
export const less: Binary = binary("less", bool(ordered, k.lt));
/** a <= b as bool; shapes broadcast. */
export const lessEqual: Binary = binary("less_equal", bool(ordered, k.le));
/** a == b as bool, of any type; shapes broadcast. */
export const equal: Binary = binary("equal", bool(any, k.eq));
/** a != b as bool, of any type; shapes broadcast. */
export const notEqual: Binary = binary("not_equal", bool(any, k.ne));
/** Both, of bool; shapes broadcast. */
export const logicalAnd: Binary = binary("logical_and", bool(["bool"], k.and));
/** Either, of bool; shapes broadcast. */
export const logicalOr: Binary = binary("logical_or", bool(["bool"], k.or));
