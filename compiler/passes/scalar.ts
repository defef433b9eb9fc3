/** Values of closed scalar expressions, as far as every target rounds them the same. */
import { binaryThunk, castThunk, type Frame, unaryThunk } from "../../ir/kernel/arithmetic.ts";
import { type BinaryOp, type Expr, typeOf, type UnaryOp } from "../../ir/kernel/kernel.ts";

/** Whether every target rounds the f32 function correctly; others approximate it, each in its own way. */
const exact: Record<UnaryOp | BinaryOp, boolean> = {
  neg: true,
  abs: true,
  sign: true,
  sqrt: true,
  exp: false,
  log: false,
  sin: false,
  cos: false,
  tanh: false,
  erf: false,
  floor: true,
  ceil: true,
  round: true,
  not: true,
  add: true,
  sub: true,
  mul: true,
  div: true,
  mod: false,
  min: true,
  max: true,
  pow: false,
  lt: true,
  le: true,
  eq: true,
  ne: true,
  and: true,
  or: true,
  xor: true,
  shl: true,
  shr: true,
};
const nothing: Frame = { slots: new Float64Array(0), memory: [], subgroup: null };

/**
 * The value of an expression over constants, rounded after every operation; bool is 0 or 1. Null where it is not closed, or
 * where targets may differ in the last bit.
 */
export function evaluate(e: Expr): number | null {
  switch (e.kind) {
    case "const":
      return e.type === "f32" ? Math.fround(e.value) : e.value;
    case "unary": {
      const a = evaluate(e.a);
      return a === null || !exact[e.op] ? null : unaryThunk(e.op, typeOf(e.a), "single", () => a)(nothing);
    }
    case "binary":
      return binary(e.op, e.a, e.b);
    case "select": {
      const cond = evaluate(e.cond);
      if (cond !== null) return evaluate(cond ? e.a : e.b);
      const [a, b] = [evaluate(e.a), evaluate(e.b)];
      return Object.is(a, b) ? a : null;
    }
    case "cast": {
      const a = evaluate(e.a);
      return a === null ? null : castThunk(typeOf(e.a), e.to, "single", () => a)(nothing);
    }
    case "var":
    case "load":
    case "fma":
    case "bitcast":
    case "lanes":
    case "splat":
    case "pack":
    case "lane":
    case "zip":
    case "reduce":
    case "subgroups":
    case "subgroup":
      return null;
  }
}

function binary(op: BinaryOp, left: Expr, right: Expr): number | null {
  const [a, b] = [evaluate(left), evaluate(right)];
  const type = typeOf(left);
  if (a === null || b === null || (type === "f32" && !exact[op])) return null;
  const thunk = binaryThunk(
    op,
    type,
    "single",
    () => a,
    () => b,
  );
  return thunk(nothing);
}
