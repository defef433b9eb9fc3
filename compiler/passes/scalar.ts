/** Values of closed scalar expressions, as far as every target rounds them the same. */
import { type BinaryOp, type Expr, type ScalarType, typeOf, type UnaryOp } from "../../ir/kernel/kernel.ts";

/**
 * The value of an expression over constants; null where it is not closed, or where targets may differ in the last bit
 * (exp, fma, ...). bool is 0 or 1.
 */
export function evaluate(e: Expr): number | null {
  switch (e.kind) {
    case "const":
      return asType(e.type, e.value);
    case "unary":
      return unary(e.op, typeOf(e.a), evaluate(e.a));
    case "binary":
      return binary(e.op, typeOf(e.a), evaluate(e.a), evaluate(e.b));
    case "select":
      return select(evaluate(e.cond), e.a, e.b);
    case "cast":
      return cast(typeOf(e.a), e.to, evaluate(e.a));
    case "var":
    case "load":
    case "fma":
    case "bitcast":
    case "splat":
    case "lane":
    case "reduce":
      return null;
  }
}
const select = (cond: number | null, a: Expr, b: Expr): number | null => (cond === null ? null : evaluate(cond ? a : b));

/** `x` as the nearest value of the type; integers wrap. */
function asType(type: ScalarType, x: number): number {
  switch (type) {
    case "f32":
      return Math.fround(x);
    case "i32":
      return x | 0;
    case "u32":
      return x >>> 0;
    case "bool":
      return x ? 1 : 0;
  }
}
/** Float to int truncates and saturates, NaN gives 0; to bool is `!= 0`; between integers the bits stay. */
function cast(from: ScalarType, to: ScalarType, x: number | null): number | null {
  if (x === null || from !== "f32" || to === "f32" || to === "bool") return x === null ? null : asType(to, x);
  const [low, high] = to === "i32" ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  return Number.isNaN(x) ? 0 : Math.min(Math.max(Math.trunc(x), low), high) + 0;
}

const unaryRules: Record<UnaryOp, ((x: number) => number) | null> = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: (x) => (x > 0 ? 1 : x < 0 ? -1 : x),
  sqrt: Math.sqrt,
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundHalfEven,
  not: (x) => (x ? 0 : 1),
  exp: null,
  log: null,
  sin: null,
  cos: null,
  tanh: null,
  erf: null,
};
function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest === 0 || !Number.isFinite(x)) return x;
  const rounded = rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
  return rounded === 0 && x < 0 ? -0 : rounded;
}
function unary(op: UnaryOp, type: ScalarType, a: number | null): number | null {
  const rule = unaryRules[op];
  return rule === null || a === null ? null : asType(type, rule(a));
}

type Binary = (a: number, b: number) => number;
const floatRules: Partial<Record<BinaryOp, Binary>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: (a, b) => (b < a ? b : a),
  max: (a, b) => (a < b ? b : a),
};
const floorDiv: Binary = (a, b) => (b === 0 ? 0 : Math.floor(a / b));
const integerRules: Partial<Record<BinaryOp, Binary>> = {
  ...floatRules,
  mul: Math.imul,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
};
const signedRules: Partial<Record<BinaryOp, Binary>> = {
  ...integerRules,
  div: floorDiv,
  mod: (a, b) => (b === 0 ? 0 : a - b * floorDiv(a, b)),
};
const unsignedRules: Partial<Record<BinaryOp, Binary>> = { ...integerRules, shl: (a, b) => a << b, shr: (a, b) => a >>> b };
const rulesOf: Record<ScalarType, Partial<Record<BinaryOp, Binary>>> = {
  f32: floatRules,
  i32: signedRules,
  u32: unsignedRules,
  bool: integerRules,
};
const comparisons: Partial<Record<BinaryOp, (a: number, b: number) => boolean>> = {
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
};
function binary(op: BinaryOp, type: ScalarType, a: number | null, b: number | null): number | null {
  if (a === null || b === null) return null;
  const compare = comparisons[op];
  if (compare) return compare(a, b) ? 1 : 0;
  const rule = rulesOf[type][op];
  return rule ? asType(type, rule(a, b)) : null;
}
