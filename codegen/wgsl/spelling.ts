/** How WGSL spells types, constants and operations. null: `legalize` says it in other operations. */
import { invariant } from "../../ir/diagnostic.ts";
import type { BinaryOp, Lanes, ScalarType, UnaryOp } from "../../ir/kernel/kernel.ts";
import type { Value } from "../translate.ts";
import type { Prelude } from "./prelude.ts";

export const typeName = ({ type, lanes }: Value): string => (lanes === 4 ? `vec4<${type}>` : type);
export const vectorOf = (lanes: Lanes, type: ScalarType, a: string): string => (lanes === 4 ? `vec4<${type}>(${a})` : a);

/** Some constants come from a variable: a constant expression may not be infinite or NaN, and -0 loses its sign in it. */
export function constant(value: number, { type, lanes }: Value, p: Prelude): string {
  return vectorOf(lanes, type, scalars[type](value, p));
}
const scalars: Record<ScalarType, (value: number, p: Prelude) => string> = {
  f32: float,
  // -2^31 is no i32 literal: the sign is an operator.
  i32: (v) => ((v | 0) === -(2 ** 31) ? "i32(-2147483648)" : (v | 0) < 0 ? `(${v | 0}i)` : `${v | 0}i`),
  u32: (v) => `${v >>> 0}u`,
  bool: (v) => (v ? "true" : "false"),
};
function float(value: number, p: Prelude): string {
  const v = Math.fround(value);
  if (!Number.isFinite(v)) return p.bits(v > 0 ? "infinity" : v < 0 ? "minus_infinity" : "not_a_number");
  if (Object.is(v, -0)) return p.bits("minus_zero");
  // The shortest decimal of the double that is equal to this f32: it rounds to nothing else.
  const digits = String(Math.abs(v));
  const text = /[.e]/.test(digits) ? `${digits}f` : `${digits}.0f`;
  return v < 0 ? `(-${text})` : text;
}

type Unary = (a: string) => string;
type Binary = (a: string, b: string) => string;
const infix =
  (op: string): Binary =>
  (a, b) =>
    `(${a} ${op} ${b})`;
const call =
  (f: string): Unary =>
  (a) =>
    `${f}(${a})`;
const neg: Unary = (a) => `(-${a})`;

const noUnary: Record<UnaryOp, null> = {
  neg: null,
  abs: null,
  sign: null,
  sqrt: null,
  exp: null,
  log: null,
  sin: null,
  cos: null,
  tanh: null,
  erf: null,
  floor: null,
  ceil: null,
  round: null,
  not: null,
};
const unaryOps = ({ lanes }: Value, p: Prelude): Record<ScalarType, Record<UnaryOp, Unary | null>> => ({
  f32: {
    ...noUnary,
    neg,
    abs: call("abs"),
    sqrt: call("sqrt"),
    // Within 3 + 2|x| units in the last place; other functions have no useful bound.
    exp: (a) => `${p.exp(lanes)}(${a})`,
    floor: call("floor"),
    ceil: call("ceil"),
    // Halves to even, by definition of the language.
    round: call("round"),
  },
  i32: { ...noUnary, neg, abs: call("abs") },
  u32: noUnary,
  bool: { ...noUnary, not: (a) => `(!${a})` },
});
export function spellUnary(op: UnaryOp, a: string, of: Value, p: Prelude): string {
  const f = unaryOps(of, p)[of.type][op];
  invariant(f, `${op} of ${of.type} is no WGSL operation; legalize has to remove it`);
  return f(a);
}

const compare = { lt: infix("<"), le: infix("<="), eq: infix("=="), ne: infix("!=") };
const bits = { and: infix("&"), or: infix("|"), xor: infix("^") };
const arithmetic = { add: infix("+"), sub: infix("-"), mul: infix("*") };
const noBinary: Record<BinaryOp, null> = {
  add: null,
  sub: null,
  mul: null,
  div: null,
  mod: null,
  min: null,
  max: null,
  pow: null,
  lt: null,
  le: null,
  eq: null,
  ne: null,
  and: null,
  or: null,
  xor: null,
  shl: null,
  shr: null,
};
function binaryOps({ lanes }: Value, p: Prelude): Record<ScalarType, Record<BinaryOp, Binary | null>> {
  const extreme = (op: "min" | "max", type: ScalarType): Binary => {
    return (a, b) => `${p.extreme(op, { type, lanes })}(${a}, ${b})`;
  };
  const extremes = (type: ScalarType) => ({ min: extreme("min", type), max: extreme("max", type) });
  const shift = (op: string): Binary => {
    return (a, b) => `(${a} ${op} ${vectorOf(lanes, "u32", b)})`;
  };
  return {
    // `!=` is ordered where shaders become SPIR-V: false for NaN.
    f32: { ...noBinary, ...arithmetic, ...compare, ...extremes("f32"), div: infix("/"), ne: (a, b) => `(!(${a} == ${b}))` },
    i32: { ...noBinary, ...arithmetic, ...compare, ...bits, ...extremes("i32") },
    u32: { ...noBinary, ...arithmetic, ...compare, ...bits, shl: shift("<<"), shr: shift(">>") },
    bool: {
      ...noBinary,
      lt: (a, b) => `(!${a} & ${b})`,
      le: (a, b) => `(!${a} | ${b})`,
      eq: compare.eq,
      ne: compare.ne,
      and: bits.and,
      or: bits.or,
      xor: compare.ne,
    },
  };
}
export function spellBinary(op: BinaryOp, a: string, b: string, of: Value, p: Prelude): string {
  const f = binaryOps(of, p)[of.type][op];
  invariant(f, `${op} of ${of.type} is no WGSL operation; legalize has to remove it`);
  return f(a, b);
}

/** float to int truncates, saturates, NaN gives 0; to bool is `!= 0`. */
export function spellCast(a: string, of: Value, to: ScalarType, p: Prelude): string {
  if (of.type === to) return a;
  if (of.type === "f32" && (to === "i32" || to === "u32")) return `${p.saturate(to, of.lanes)}(${a})`;
  return `${typeName({ type: to, lanes: of.lanes })}(${a})`;
}
