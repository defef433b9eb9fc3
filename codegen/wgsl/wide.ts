/**
 * Storage of buffers: as arrays of four lanes where every access of four lanes starts at a multiple of four, and no element is
 * written alone: a write of one lane may touch the others, which another invocation may be writing.
 */
import type { Buffer, Expr, Kernel } from "../../ir/kernel/kernel.ts";
import { lanesOf } from "../../ir/kernel/kernel.ts";
import { isMultiple, linear } from "../../ir/kernel/linear.ts";
import { visitExprs, visitStmts } from "../../ir/kernel/rewrite.ts";

/** Names of buffers; `groupOf` says which buffers are the same memory. */
export function wideBuffers(k: Kernel, groupOf: (name: string) => string): ReadonlySet<string> {
  const ranges = new Map<string, number>();
  const wide = new Set<string>();
  const narrow = new Set<string>();
  const access = (b: Buffer, index: Expr | undefined) => {
    const isAligned = index !== undefined && isMultiple(linear(index, ranges), 4);
    (isAligned ? wide : narrow).add(groupOf(b.name));
  };
  visitStmts(k.body, (s) => void (s.kind === "for" && ranges.set(s.axis, s.extent)));
  visitStmts(k.body, (s) => {
    if (s.kind !== "store") return;
    if (lanesOf(s.value) === 4) access(s.buffer, s.index[0]);
    else if (s.buffer.space !== "scratch") narrow.add(groupOf(s.buffer.name));
  });
  visitExprs(k.body, (e) => void (e.kind === "load" && e.lanes === 4 && access(e.buffer, e.index[0])));
  return new Set(k.buffers.map((b) => b.name).filter((n) => wide.has(groupOf(n)) && !narrow.has(groupOf(n))));
}
