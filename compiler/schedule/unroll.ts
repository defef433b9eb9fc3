/**
 * Copies the body of unrolled loops.
 *
 *     unrolled r in 2 { var a: f32 = x[r] }   =>   var a.0: f32 = x[0]; var a.1: f32 = x[1]
 *
 * Names declared in the body get the position behind a dot, so they stay unique.
 */
import { i32 } from "../../ir/kernel/build.ts";
import type { Buffer, Expr, Kernel, Stmt } from "../../ir/kernel/kernel.ts";
import { declaredIn, flatMapSame, mapExpr, mapStmt, withBody } from "../../ir/kernel/rewrite.ts";

export const unroll = (k: Kernel): Kernel => withBody(k, expand(k.body));

const expand = (body: readonly Stmt[]): readonly Stmt[] =>
  flatMapSame(body, (s): readonly Stmt[] => {
    const inside = mapStmt(s, (e) => e, expand);
    if (inside.kind !== "for" || inside.loop !== "unrolled") return [inside];
    const declared = declaredIn(inside.body);
    return Array.from({ length: inside.extent }, (_, i) => copy(inside.body, inside.axis, i, declared)).flat();
  });

/** `body` with axis = i. */
function copy(body: readonly Stmt[], axis: string, i: number, declared: ReadonlySet<string>): readonly Stmt[] {
  const position = i32(i);
  const buffers = new Map<string, Buffer>();
  const rename = (name: string) => (declared.has(name) ? `${name}.${i}` : name);
  const bufferOf = (b: Buffer): Buffer => {
    if (!declared.has(b.name)) return b;
    const known = buffers.get(b.name) ?? { ...b, name: rename(b.name) };
    buffers.set(b.name, known);
    return known;
  };
  const expr = (e: Expr): Expr => {
    if (e.kind === "var") return e.name === axis ? position : declared.has(e.name) ? { ...e, name: rename(e.name) } : e;
    const inside = mapExpr(e, expr);
    return inside.kind === "load" && declared.has(inside.buffer.name) ? { ...inside, buffer: bufferOf(inside.buffer) } : inside;
  };
  const stmts = (list: readonly Stmt[]): readonly Stmt[] => list.map((s) => renamed(mapStmt(s, expr, stmts)));
  const renamed = (s: Stmt): Stmt => {
    switch (s.kind) {
      case "for":
        return { ...s, axis: rename(s.axis) };
      case "var":
      case "set":
      case "pointer":
        return { ...s, name: rename(s.name) };
      case "array":
      case "store":
        return { ...s, buffer: bufferOf(s.buffer) };
      case "if":
      case "outline":
      case "barrier":
        return s;
    }
  };
  return stmts(body);
}
