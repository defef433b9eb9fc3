/**
 * Logical indices become one simplified element offset; buffers become one-dimensional.
 *
 *     x[y * 2 + r - 3, q / 3, q % 3]   =>   x[y * 1380 + r * 690 + q]
 *
 * Requires: no register arrays, no vector loops.
 */
import { bufferElements, flattenIndex } from "../../ir/kernel/address.ts";
import { flatBuffer } from "../../ir/kernel/build.ts";
import type { Buffer, Expr, Kernel, Stmt } from "../../ir/kernel/kernel.ts";
import { type Ranges, simplifyIndex } from "../../ir/kernel/linear.ts";
import { mapExpr, mapSame, mapStmt } from "../../ir/kernel/rewrite.ts";

export function flatten(k: Kernel): Kernel {
  const flat = new Map(k.buffers.map((b) => [b.name, flatBuffer(b, b.name, bufferElements(b))]));
  const place = (b: Buffer, index: readonly Expr[], ranges: Ranges) => ({
    buffer: flat.get(b.name)!,
    index: [simplifyIndex(flattenIndex(b, index), ranges)],
  });
  const expr = (e: Expr, ranges: Ranges): Expr => {
    const inside = mapExpr(e, (x) => expr(x, ranges));
    return inside.kind === "load" ? { ...inside, ...place(inside.buffer, inside.index, ranges) } : inside;
  };
  const stmts = (body: readonly Stmt[], ranges: Ranges): readonly Stmt[] =>
    mapSame(body, (s) => {
      const scope = s.kind === "for" ? new Map(ranges).set(s.axis, s.extent) : ranges;
      const inside = mapStmt(
        s,
        (e) => expr(e, ranges),
        (b) => stmts(b, scope),
      );
      return inside.kind === "store" ? { ...inside, ...place(inside.buffer, inside.index, ranges) } : inside;
    });
  return { ...k, buffers: [...flat.values()], body: stmts(k.body, new Map()) };
}
