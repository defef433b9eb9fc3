/** Values of closed scalar expressions, as far as every target rounds them the same. */
import { binaryThunk, castThunk, type Frame, unaryThunk } from "../../ir/kernel/arithmetic.ts";
import { type BinaryOp, type Expr, typeOf, type UnaryOp } from "../../ir/kernel/kernel.ts";

/** Targets approximate these, each in its own way. */
const approximated: ReadonlySet<UnaryOp | BinaryOp> = new Set<UnaryOp | BinaryOp>([
  "exp",
  "log",
  "sin",
  "cos",
  "tanh",
  "erf",
  "pow",
  "mod",
]);
const nothing: Frame = { slots: new Float64Array(0), memory: [] };

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
      return a === null || approximated.has(e.op) ? null : unaryThunk(e.op, typeOf(e.a), "single", () => a)(nothing);
    }
    case "binary":
      return binary(e.op, e.a, e.b);
    case "select": {
      const cond = evaluate(e.cond);
      return cond === null ? null : evaluate(cond ? e.a : e.b);
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
    case "lane":
    case "reduce":
      return null;
  }
}

function binary(op: BinaryOp, left: Expr, right: Expr): number | null {
  const [a, b] = [evaluate(left), evaluate(right)];
  const type = typeOf(left);
  if (a === null || b === null || (type === "f32" && approximated.has(op))) return null;
  const thunk = binaryThunk(
    op,
    type,
    "single",
    () => a,
    () => b,
  );
  return thunk(nothing);
}
