/**
 * Simplifies index arithmetic, and what constant conditions decide.
 *
 *     if i * 4 + j < 32 { y[select(true, i, 0), (i * 4 + j) / 4] = ... }   =>   y[i, i] = ...      (i in 8, j in 4)
 *
 * Indices never overflow; elsewhere i32 arithmetic is touched only where the extents of its axes say so.
 */
import { bool } from "../../ir/kernel/build.ts";
import type { Expr, Kernel, Stmt } from "../../ir/kernel/kernel.ts";
import { bounds, isSmall, keyOf, linear, plus, type Ranges, simplifyIndex, times } from "../../ir/kernel/linear.ts";
import { flatMapSame, mapExpr, mapSame, mapStmt, withBody } from "../../ir/kernel/rewrite.ts";

export const simplify = (k: Kernel): Kernel => withBody(k, simplified(k.body, new Map()));
/** The same for one expression, with the axes in scope. */
export const simplifyValue = (e: Expr, ranges: Ranges): Expr => expr(e, ranges);

/** The same for statements inside of loops over `ranges`. */
export const simplified = (body: readonly Stmt[], ranges: Ranges): readonly Stmt[] =>
  flatMapSame(body, (s): readonly Stmt[] => {
    const inner = s.kind === "for" ? new Map(ranges).set(s.axis, s.extent) : ranges;
    const inside = mapStmt(
      s,
      (e) => expr(e, inner),
      (b) => simplified(b, inner),
    );
    if (inside.kind === "if" && inside.cond.kind === "const") return inside.cond.value ? inside.body : [];
    if ((inside.kind === "for" || inside.kind === "if" || inside.kind === "outline") && inside.body.length === 0) return [];
    if (inside.kind !== "store" || inside.base !== null) return [inside];
    const index = mapSame(inside.index, (e) => inNormalForm(e, ranges));
    return [index === inside.index ? inside : { ...inside, index }];
  });

/** The same object where nothing changes. */
function inNormalForm(e: Expr, ranges: Ranges): Expr {
  const simple = simplifyIndex(e, ranges);
  return keyOf(simple) === keyOf(e) ? e : simple;
}
function expr(e: Expr, ranges: Ranges): Expr {
  if (isSmall(e, ranges)) return inNormalForm(e, ranges);
  const inside = mapExpr(e, (x) => expr(x, ranges));
  switch (inside.kind) {
    case "load": {
      if (inside.base !== null) return inside;
      const index = mapSame(inside.index, (x) => inNormalForm(x, ranges));
      return index === inside.index ? inside : { ...inside, index };
    }
    case "binary":
      return condition(inside, ranges) ?? inside;
    case "unary":
      return inside.op === "not" && inside.a.kind === "const" ? bool(!inside.a.value) : inside;
    case "select":
      if (inside.cond.kind === "const") return inside.cond.value ? inside.a : inside.b;
      return keyOf(inside.a) === keyOf(inside.b) ? inside.a : inside;
    default:
      return inside;
  }
}
/** A comparison or connective that extents or constants decide; null: they do not. */
function condition(e: Extract<Expr, { kind: "binary" }>, ranges: Ranges): Expr | null {
  if (e.op === "and" || e.op === "or") return connective(e.op, e.a, e.b);
  if (!isSmall(e.a, ranges) || !isSmall(e.b, ranges)) return null;
  const [lo, hi] = bounds(plus(linear(e.a, ranges), times(linear(e.b, ranges), -1)), ranges);
  switch (e.op) {
    case "lt":
      return hi < 0 ? bool(true) : lo >= 0 ? bool(false) : null;
    case "le":
      return hi <= 0 ? bool(true) : lo > 0 ? bool(false) : null;
    case "eq":
      return lo === 0 && hi === 0 ? bool(true) : lo > 0 || hi < 0 ? bool(false) : null;
    case "ne":
      return lo === 0 && hi === 0 ? bool(false) : lo > 0 || hi < 0 ? bool(true) : null;
    default:
      return null;
  }
}
function connective(op: "and" | "or", a: Expr, b: Expr): Expr | null {
  for (const [known, other] of [
    [a, b],
    [b, a],
  ] as const) {
    if (known.kind !== "const" || known.type !== "bool") continue;
    return Boolean(known.value) === (op === "and") ? other : known;
  }
  return null;
}
