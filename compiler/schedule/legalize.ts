/**
 * Says in other operations what a target cannot.
 *
 *     y_0[0] = tanh(x_0[0])   =>   var tanh_x: f32 = x_0[0]; var tanh_z: f32 = tanh_x * tanh_x; ...; y_0[0] = select(...)
 *
 * wasm: exp, log, sin, cos, tanh, erf, sign, pow, f32 mod. wgsl: the same without exp, whose accuracy is guaranteed
 * (3 + 2|x| ulp), and outlined bodies come back in line. Both: i32 division of four lanes by a power of two; other i32
 * divisions, casts and the NaN rules of min and max are spelled by the emitters. Values that are used twice become variables
 * in front of the statement.
 */
import { and, binary, bitcast, i32, names, splat, sub, u32, unary, xor } from "../../ir/kernel/build.ts";
import { type BinaryOp, type Expr, type Kernel, lanesOf, type Stmt, typeOf, type UnaryOp } from "../../ir/kernel/kernel.ts";
import { flatMapSame, mapExpr, mapStmt, namesOf, partsOf, withBody } from "../../ir/kernel/rewrite.ts";
import type { Exp, Let } from "./functions.ts";
import * as functions from "./functions.ts";

export type LegalizeTarget = "wasm" | "wgsl";
type Expansion = (x: Expr, bind: Let, expOf: Exp) => Expr;

const nativeExp: Exp = (x) => unary("exp", x);
const expansions: Record<LegalizeTarget, Partial<Record<UnaryOp, Expansion>>> = {
  wasm: {
    exp: functions.exp,
    log: functions.log,
    sin: functions.sin,
    cos: functions.cos,
    tanh: functions.tanh,
    erf: functions.erf,
    sign: functions.sign,
  },
  wgsl: {
    log: functions.log,
    sin: functions.sin,
    cos: functions.cos,
    tanh: functions.tanh,
    erf: functions.erf,
    sign: functions.sign,
  },
};
const expOf: Record<LegalizeTarget, Exp> = { wasm: functions.exp, wgsl: nativeExp };

export const legalize =
  ({ target }: { readonly target: LegalizeTarget }) =>
  (k: Kernel): Kernel => {
    const fresh = names(namesOf(k));

    function expr(e: Expr, bind: Let): Expr {
      const inside = mapExpr(e, (x) => expr(x, bind));
      if (inside.kind === "unary") return expansions[target][inside.op]?.(inside.a, bind, expOf[target]) ?? inside;
      return (inside.kind === "binary" && binaryExpansion(inside.op, inside.a, inside.b, bind)) || inside;
    }
    function binaryExpansion(op: BinaryOp, a: Expr, b: Expr, bind: Let): Expr | null {
      if (op === "pow") return functions.pow(a, b, bind, expOf[target]);
      if (op === "mod" && typeOf(a) === "f32") return functions.mod(a, b, bind);
      return op === "div" || op === "mod" ? divisionByPower(op, a, b) : null;
    }
    const stmts = (body: readonly Stmt[]): readonly Stmt[] =>
      flatMapSame(body, (s): readonly Stmt[] => {
        if (s.kind === "outline" && target === "wgsl") return stmts(s.body);
        const before: Stmt[] = [];
        const bind: Let = (base, value) => {
          if (isLeaf(value)) return value;
          const v = { name: fresh(base), type: typeOf(value), lanes: lanesOf(value) };
          before.push({ kind: "var", ...v, init: value });
          return { kind: "var", ...v };
        };
        const inside = mapStmt(s, (e) => expr(e, bind), stmts);
        return before.length === 0 ? [inside] : [...before, inside];
      });
    return withBody(k, stmts(k.body));
  };
/** Division of i32x4 by 2, 4, 8, ...; null: it is something else. A shift of words rounds down what has been made positive. */
function divisionByPower(op: "div" | "mod", a: Expr, b: Expr): Expr | null {
  if (b.kind !== "splat" || b.a.kind !== "const" || b.a.type !== "i32") return null;
  const bits = 31 - Math.clz32(b.a.value);
  if (bits < 1 || b.a.value !== 2 ** bits) return null;
  if (op === "mod") return and(a, splat(i32(b.a.value - 1)));
  const positive = xor(bitcast("u32", a), splat(u32(2 ** 31)));
  return sub(bitcast("i32", binary("shr", positive, splat(u32(bits)))), splat(i32(2 ** (31 - bits))));
}
const isLeaf = (e: Expr): boolean => e.kind === "const" || e.kind === "var" || (e.kind === "splat" && partsOf(e).every(isLeaf));
