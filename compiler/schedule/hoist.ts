/**
 * Moves tests that a loop does not change in front of it.
 *
 *     serial r in 3 {                                       serial r in 3 {
 *       serial c in 64 {                                      var test: bool = (r + i) % 2 == 0
 *         s = fma(select((r + i) % 2 == 0, x[c], 0.0),  =>    serial c in 64 {
 *                 w[c], s)                                      s = fma(select(test, x[c], 0.0), w[c], s)
 *       }                                                     }
 *     }                                                     }
 *
 * Requires: unroll. Engines do not do this: a test is a division or two, and loops with many live values keep no copies.
 * Addresses are the business of `pointers`.
 */
import { names } from "../../ir/kernel/build.ts";
import { type Expr, type Kernel, lanesOf, type Stmt, typeOf } from "../../ir/kernel/kernel.ts";
import { keyOf } from "../../ir/kernel/linear.ts";
import { declaredIn, flatMapSame, mapExpr, mapSame, mapStmt, namesOf, visitExpr, visitStmts, withBody } from "../../ir/kernel/rewrite.ts";

export function hoist(k: Kernel): Kernel {
  const fresh = names(namesOf(k));
  const stmts = (body: readonly Stmt[]): readonly Stmt[] =>
    flatMapSame(body, (s): readonly Stmt[] => {
      const inside = mapStmt(s, (e) => e, stmts);
      return inside.kind === "for" && inside.loop === "serial" && inside.extent > 1 ? hoistFrom(inside, fresh) : [inside];
    });
  return withBody(k, stmts(k.body));
}

type For = Extract<Stmt, { kind: "for" }>;

/** The loop behind the tests that it leaves alone; equal tests are one. */
function hoistFrom(loop: For, fresh: (base: string) => string): readonly Stmt[] {
  const changing = declaredIn(loop.body);
  changing.add(loop.axis);
  visitStmts(loop.body, (s) => void (s.kind === "set" && changing.add(s.name)));
  const found = new Map<string, { readonly name: string; readonly value: Expr }>();
  const expr = (e: Expr): Expr => {
    if (!isTest(e) || !isFixed(e, changing)) return mapExpr(e, expr);
    const known = found.get(keyOf(e)) ?? { name: fresh("test"), value: e };
    found.set(keyOf(e), known);
    return { kind: "var", type: "bool", lanes: 1, name: known.name };
  };
  const stmts = (body: readonly Stmt[]): readonly Stmt[] => mapSame(body, (s) => mapStmt(s, expr, stmts));
  const body = stmts(loop.body);
  if (found.size === 0) return [loop];
  return [
    ...[...found.values()].map((t): Stmt => ({ kind: "var", name: t.name, type: "bool", lanes: 1, init: t.value })),
    { ...loop, body },
  ];
}
const isTest = (e: Expr): boolean => e.kind === "binary" && typeOf(e) === "bool" && lanesOf(e) === 1;
/** Reads no memory and nothing that changes in the loop. */
function isFixed(e: Expr, changing: ReadonlySet<string>): boolean {
  let fixed = true;
  visitExpr(e, (x) => {
    if (x.kind === "load" || (x.kind === "var" && changing.has(x.name))) fixed = false;
  });
  return fixed;
}
