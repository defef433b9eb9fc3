/**
 * Joins grid (or thread) loops that stand directly inside each other.
 *
 *     grid i in 4 { grid j in 8 { y[i, j] = 0.0 } }   =>   grid i_j in 32 { y[i_j / 8, i_j % 8] = 0.0 }
 *
 * One long loop splits evenly among threads. A dispatch has three dimensions, so WGSL keeps at most that many.
 */
import { axis, div, i32, mod, names } from "../../ir/kernel/build.ts";
import type { Kernel, LoopKind, Stmt } from "../../ir/kernel/kernel.ts";
import { mapSame, mapStmt, namesOf, substituteIn, withBody } from "../../ir/kernel/rewrite.ts";

type Loop = Extract<Stmt, { kind: "for" }>;

/** At most `most` loops of the kind around anything, if they are perfectly nested; outer ones are joined first. */
export const collapse =
  (kind: Extract<LoopKind, "grid" | "thread">, most = 1) =>
  (k: Kernel): Kernel => {
    const fresh = names(namesOf(k));
    const stmts = (body: readonly Stmt[]): readonly Stmt[] => mapSame(body, one);
    const one = (s: Stmt): Stmt => {
      if (s.kind !== "for" || s.loop !== kind) return mapStmt(s, (e) => e, stmts);
      let loop: Loop = s;
      for (let depth = depthOf(loop); depth > most; depth--) loop = joined(loop, fresh);
      return deeper(loop);
    };
    /** Loops of the kind that stand below statements of other kinds. */
    const deeper = (loop: Loop): Loop => {
      const next = onlyLoop(loop);
      const body = next ? mapSame(loop.body, () => deeper(next)) : stmts(loop.body);
      return body === loop.body ? loop : { ...loop, body };
    };
    return withBody(k, stmts(k.body));
  };

/** The loop of the same kind that is all of the body. */
function onlyLoop(loop: Loop): Loop | null {
  const [inner, more] = loop.body;
  return inner?.kind === "for" && inner.loop === loop.loop && !more ? inner : null;
}
function depthOf(loop: Loop): number {
  const inner = onlyLoop(loop);
  return inner ? 1 + depthOf(inner) : 1;
}
function joined(outer: Loop, fresh: (base: string) => string): Loop {
  const inner = onlyLoop(outer)!;
  const name = fresh(`${outer.axis}_${inner.axis}`);
  const by = new Map([
    [outer.axis, div(axis(name), i32(inner.extent))],
    [inner.axis, mod(axis(name), i32(inner.extent))],
  ]);
  return { ...outer, axis: name, extent: outer.extent * inner.extent, body: substituteIn(inner.body, by) };
}
