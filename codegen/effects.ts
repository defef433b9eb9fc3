/** What statements touch: names, buffers, memory. */
import type { Buffer, Expr, Stmt } from "../ir/kernel/kernel.ts";
import { visitExprs, visitStmts } from "../ir/kernel/rewrite.ts";

export interface Effects {
  /** Axes, variables and pointers that are read or set, but declared elsewhere. */
  readonly free: ReadonlySet<string>;
  /** Names that are declared or set: what a later reader may depend on. */
  readonly defined: ReadonlySet<string>;
  /** Buffers whose address is taken directly, not through a pointer declared elsewhere. */
  readonly buffers: ReadonlyMap<string, Buffer>;
  readonly loaded: ReadonlySet<Buffer>;
  readonly stored: ReadonlySet<Buffer>;
  readonly hasGrid: boolean;
}

export function effectsOf(body: readonly Stmt[]): Effects {
  const used = new Set<string>();
  const declared = new Set<string>();
  const set = new Set<string>();
  const buffers = new Map<string, Buffer>();
  const loaded = new Set<Buffer>();
  const stored = new Set<Buffer>();
  let hasGrid = false;
  const address = (b: Buffer, base: string | null) => (base === null ? buffers.set(b.name, b) : used.add(base));
  visitExprs(body, (e: Expr) => {
    if (e.kind === "var") used.add(e.name);
    if (e.kind !== "load") return;
    address(e.buffer, e.base);
    loaded.add(e.buffer);
  });
  visitStmts(body, (s: Stmt) => {
    if (s.kind === "for") {
      declared.add(s.axis);
      hasGrid ||= s.loop === "grid";
    } else if (s.kind === "var" || s.kind === "exchange") declared.add(s.name);
    else if (s.kind === "set") set.add(s.name);
    else if (s.kind === "pointer") {
      declared.add(s.name);
      address(s.buffer, s.from);
    } else if (s.kind === "store") {
      address(s.buffer, s.base);
      stored.add(s.buffer);
    }
  });
  const free = new Set([...used, ...set].filter((n) => !declared.has(n)));
  return { free, defined: new Set([...declared, ...set]), buffers, loaded, stored, hasGrid };
}

/** Memory that a call binds. */
export const isBound = (b: Buffer): boolean => b.space === "in" || b.space === "out" || b.space === "inout";
/** Memory that all threads can see. */
export const isShared = (b: Buffer): boolean => isBound(b) || b.space === "global";
