/** Copies of statements: what they declare gets other names, so that names stay unique in the kernel. */
import type { Buffer, Expr, Stmt } from "../../ir/kernel/kernel.ts";
import { mapExpr, mapStmt } from "../../ir/kernel/rewrite.ts";

/** `renamed`: new names of what `body` declares. `by`: values of variables from outside, which may speak of others. */
export function copyOf(
  body: readonly Stmt[],
  renamed: ReadonlyMap<string, string>,
  by: ReadonlyMap<string, Expr> = new Map(),
): readonly Stmt[] {
  const buffers = new Map<string, Buffer>();
  const rename = (name: string) => renamed.get(name) ?? name;
  const bufferOf = (b: Buffer): Buffer => {
    if (!renamed.has(b.name)) return b;
    const known = buffers.get(b.name) ?? { ...b, name: rename(b.name) };
    buffers.set(b.name, known);
    return known;
  };
  const expr = (e: Expr): Expr => {
    if (e.kind === "var") return by.get(e.name) ?? (renamed.has(e.name) ? { ...e, name: rename(e.name) } : e);
    const inside = mapExpr(e, expr);
    return inside.kind === "load" && renamed.has(inside.buffer.name) ? { ...inside, buffer: bufferOf(inside.buffer) } : inside;
  };
  const stmts = (list: readonly Stmt[]): readonly Stmt[] => list.map((s) => declared(mapStmt(s, expr, stmts)));
  const declared = (s: Stmt): Stmt => {
    switch (s.kind) {
      case "for":
        return { ...s, axis: rename(s.axis) };
      case "var":
      case "exchange":
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
