/**
 * Register arrays become variables.
 *
 *     array acc: f32x4[2]; acc[1] = acc[0]   =>   var acc.0: f32x4; var acc.1: f32x4; acc.1 = acc.0
 *
 * Requires: constant indices, so no loop that unroll has to copy.
 */
import { invariant } from "../../ir/diagnostic.ts";
import { type Buffer, type Expr, elementType, type Kernel, type Stmt } from "../../ir/kernel/kernel.ts";
import { linear, type Ranges } from "../../ir/kernel/linear.ts";
import { flatMapSame, mapExpr, mapStmt, withBody } from "../../ir/kernel/rewrite.ts";

export const registers = (k: Kernel): Kernel => withBody(k, stmts(k.body));

const noAxes: Ranges = new Map();

function nameOf(b: Buffer, index: readonly Expr[]): string {
  const at = index.map((e) => linear(e, noAxes));
  invariant(
    at.every((l, axis) => l.terms.size === 0 && l.constant >= 0 && l.constant < b.shape[axis]!),
    `${b.name}: a register index must be a constant inside [${b.shape}]`,
  );
  return [b.name, ...at.map((l) => l.constant)].join(".");
}
const expr = (e: Expr): Expr =>
  e.kind === "load" && e.buffer.space === "register"
    ? { kind: "var", type: elementType(e.buffer), lanes: e.lanes, name: nameOf(e.buffer, e.index) }
    : mapExpr(e, expr);

const stmts = (body: readonly Stmt[]): readonly Stmt[] =>
  flatMapSame(body, (s): readonly Stmt[] => {
    if (s.kind === "array") {
      return elements(s.buffer).map((name) => ({ kind: "var", name, type: elementType(s.buffer), lanes: s.lanes, init: null }));
    }
    if (s.kind === "store" && s.buffer.space === "register")
      return [{ kind: "set", name: nameOf(s.buffer, s.index), value: expr(s.value) }];
    return [mapStmt(s, expr, stmts)];
  });
const elements = (b: Buffer): readonly string[] =>
  b.shape.reduce((names, n) => names.flatMap((p) => Array.from({ length: n }, (_, i) => `${p}.${i}`)), [b.name]);
