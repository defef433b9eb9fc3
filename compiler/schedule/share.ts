/**
 * Loads once what a run of statements loads several times.
 *
 *     a.0 = fma(x[i]:4, w[0]:4, a.0)         var x_0: f32x4 = x[i]:4
 *     a.1 = fma(x[i]:4, w[4]:4, a.1)    =>   a.0 = fma(x_0, w[0]:4, a.0)
 *                                            a.1 = fma(x_0, w[4]:4, a.1)
 *
 * Requires: flatten. Overlapping windows and unrolled tiles read the same elements; engines do not see that, since a store
 * elsewhere might change memory. Buffers that the run stores to are left alone.
 */
import { names } from "../../ir/kernel/build.ts";
import { type Expr, elementType, type Kernel, type Stmt } from "../../ir/kernel/kernel.ts";
import { keyOf } from "../../ir/kernel/linear.ts";
import { exprsOf, flatMapSame, mapExpr, mapStmt, namesOf, visitExpr, visitStmts, withBody } from "../../ir/kernel/rewrite.ts";

type Load = Extract<Expr, { kind: "load" }>;

export function share(k: Kernel): Kernel {
  const fresh = names(namesOf(k));
  const axes = new Set<string>();
  visitStmts(k.body, (s) => void (s.kind === "for" && axes.add(s.axis)));
  const isFixed = (e: Load): boolean => {
    let fixed = true;
    visitExpr(e.index[0]!, (x) => {
      if (x.kind === "load" || (x.kind === "var" && !axes.has(x.name))) fixed = false;
    });
    return fixed;
  };
  /** Statements without bodies, one after the other. */
  const run = (list: readonly Stmt[]): readonly Stmt[] => {
    const stored = new Set(list.flatMap((s) => (s.kind === "store" ? [s.buffer.name] : [])));
    const count = new Map<string, number>();
    const isCandidate = (e: Expr): e is Load => e.kind === "load" && !stored.has(e.buffer.name) && isFixed(e);
    for (const s of list)
      for (const e of exprsOf(s)) visitExpr(e, (x) => void (isCandidate(x) && count.set(keyOf(x), (count.get(keyOf(x)) ?? 0) + 1)));
    const known = new Map<string, string>();
    return flatMapSame(list, (s): readonly Stmt[] => {
      const before: Stmt[] = [];
      const expr = (e: Expr): Expr => {
        if (!isCandidate(e) || count.get(keyOf(e))! < 2) return mapExpr(e, expr);
        let name = known.get(keyOf(e));
        const variable = { type: elementType(e.buffer), lanes: e.lanes };
        if (name === undefined) {
          name = fresh(`${e.buffer.name}_at`);
          known.set(keyOf(e), name);
          before.push({ kind: "var", name, ...variable, init: e });
        }
        return { kind: "var", name, ...variable };
      };
      const inside = mapStmt(s, expr, (b) => b);
      return before.length > 0 ? [...before, inside] : [inside];
    });
  };
  const stmts = (body: readonly Stmt[]): readonly Stmt[] => {
    const out: Stmt[] = [];
    let open: Stmt[] = [];
    const close = (): void => {
      out.push(...run(open));
      open = [];
    };
    for (const s of body) {
      if (s.kind === "for" || s.kind === "if" || s.kind === "outline" || s.kind === "barrier") {
        close();
        out.push(mapStmt(s, (e) => e, stmts));
      } else open.push(s);
    }
    close();
    return out.length === body.length && out.every((s, i) => s === body[i]) ? body : out;
  };
  return withBody(k, stmts(k.body));
}
