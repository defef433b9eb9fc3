/**
 * Names the inner parts of expressions that nest deeply.
 *
 *     y[i] = abs(abs(... abs(x[i] * 0.5 - 1.0) ...) * 0.5 - 1.0)   =>   var part: f32 = abs(... abs(x[i] * 0.5 - 1.0) ...)
 *                                                                       y[i] = abs(... abs(part * 0.5 - 1.0) ...)
 *
 * Compilers of shaders give up on expressions that nest too deeply: Tint, in Chromium, on more than 128 parentheses. Expressions are
 * pure, and a statement evaluates all of its own before it does anything, so that parts may be evaluated in front of it.
 */
import { names } from "../../ir/kernel/build.ts";
import { type Expr, type Kernel, lanesOf, type Stmt, typeOf } from "../../ir/kernel/kernel.ts";
import { flatMapSame, mapExpr, mapStmt, namesOf, partsOf, withBody } from "../../ir/kernel/rewrite.ts";

/** Expressions inside of one another; each is spelled with two or three parentheses at most. */
const deepest = 32;

export function shallow(k: Kernel): Kernel {
  const fresh = names(namesOf(k));
  const depths = new WeakMap<Expr, number>();
  const depthOf = (e: Expr): number => {
    const known = depths.get(e);
    if (known !== undefined) return known;
    const depth = partsOf(e).reduce((most, x) => Math.max(most, 1 + depthOf(x)), 0);
    depths.set(e, depth);
    return depth;
  };
  /** `before` receives the parts that got names. */
  const cut = (e: Expr, before: Stmt[]): Expr => {
    if (depthOf(e) <= deepest) return e;
    const inside = mapExpr(e, (x) => cut(x, before));
    return depthOf(inside) < deepest ? inside : mapExpr(inside, (x) => (depthOf(x) < deepest - 1 ? x : named(x, before)));
  };
  const named = (e: Expr, before: Stmt[]): Expr => {
    const variable = { name: fresh("part"), type: typeOf(e), lanes: lanesOf(e) };
    before.push({ kind: "var", ...variable, init: e });
    return { kind: "var", ...variable };
  };
  const stmts = (body: readonly Stmt[]): readonly Stmt[] =>
    flatMapSame(body, (s): readonly Stmt[] => {
      const before: Stmt[] = [];
      // What a loop asks before each round depends on what the rounds do.
      const inside = mapStmt(s, (e) => (s.kind === "for" ? e : cut(e, before)), stmts);
      return before.length > 0 ? [...before, inside] : [inside];
    });
  return withBody(k, stmts(k.body));
}
