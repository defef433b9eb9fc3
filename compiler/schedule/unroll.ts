/**
 * Copies the body of unrolled loops.
 *
 *     unrolled r in 2 { var a: f32 = x[r] }   =>   var a.0: f32 = x[0]; var a.1: f32 = x[1]
 *
 * Names declared in the body get the position behind a dot, so they stay unique.
 */
import { i32 } from "../../ir/kernel/build.ts";
import type { Kernel, Stmt } from "../../ir/kernel/kernel.ts";
import { declaredIn, flatMapSame, mapStmt, withBody } from "../../ir/kernel/rewrite.ts";
import { copyOf } from "./copy.ts";

export const unroll = (k: Kernel): Kernel => withBody(k, expand(k.body));

const expand = (body: readonly Stmt[]): readonly Stmt[] =>
  flatMapSame(body, (s): readonly Stmt[] => {
    const inside = mapStmt(s, (e) => e, expand);
    if (inside.kind !== "for" || inside.loop !== "unrolled") return [inside];
    const declared = declaredIn(inside.body);
    return Array.from({ length: inside.extent }, (_, i) => {
      const renamed = new Map([...declared].map((name) => [name, `${name}.${i}`]));
      return copyOf(inside.body, renamed, new Map([[inside.axis, i32(i)]]));
    }).flat();
  });
