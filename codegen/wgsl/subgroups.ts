/**
 * A kernel that asks whether there are subgroups, as one for each answer:
 *
 *     if subgroups(8, 128) { a = 1 }; if not(subgroups(8, 128)) { a = 2 }   =>   a = 2   and, for sizes 8..128,   a = 1
 */
import { invariant } from "../../ir/diagnostic.ts";
import type { Expr, Kernel, Stmt } from "../../ir/kernel/kernel.ts";
import { flatMapSame, mapStmt, visitExprs, withBody } from "../../ir/kernel/rewrite.ts";
import type { SubgroupSizes } from "../../ir/program.ts";

export const withoutSubgroups = (k: Kernel): Kernel => withBody(k, answered(k.body, false));
/** null: it does not ask. */
export function withSubgroups(k: Kernel): { readonly kernel: Kernel; readonly sizes: SubgroupSizes } | null {
  const asked: SubgroupSizes[] = [];
  visitExprs(k.body, (e) => void (e.kind === "subgroups" && asked.push({ least: e.least, most: e.most })));
  if (asked.length === 0) return null;
  const sizes = { least: Math.max(...asked.map((a) => a.least)), most: Math.min(...asked.map((a) => a.most)) };
  invariant(sizes.least <= sizes.most, `${k.name} asks for subgroups of ${sizes.least} and of ${sizes.most} at most`);
  return { kernel: withBody(k, answered(k.body, true)), sizes };
}

const answered = (body: readonly Stmt[], answer: boolean): readonly Stmt[] =>
  flatMapSame(body, (s): readonly Stmt[] => {
    const holds = s.kind === "if" ? answerTo(s.cond, answer) : null;
    if (s.kind === "if" && holds !== null) return holds ? answered(s.body, answer) : [];
    return [
      mapStmt(
        s,
        (e) => e,
        (b) => answered(b, answer),
      ),
    ];
  });
/** null: another question. */
function answerTo(cond: Expr, answer: boolean): boolean | null {
  if (cond.kind === "unary" && cond.op === "not") {
    const negated = answerTo(cond.a, answer);
    return negated === null ? null : !negated;
  }
  return cond.kind === "subgroups" ? answer : null;
}
