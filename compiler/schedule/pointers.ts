/**
 * Address strength reduction.
 *
 *     serial m in 8 { serial k in 64 { s = s + x[m * 256 + k] * x[m * 256 + k + 64] } }
 *
 * becomes
 *
 *     pointer x_2 = x
 *     serial m in 8 { pointer x_1 = x_2 + m * 256; serial k in 64 { pointer x_0 = x_1 + k; s = s + x_0[0] * x_0[64] } }
 *
 * Requires: flatten. Every term of an offset is added at the top of the loop whose axis it mentions; terms that mention a
 * variable or a load are added right before the statement. Accesses that differ by a constant share a pointer, and the
 * constant becomes an immediate; it is never negative, and the pointer in front of it never points before the buffer,
 * because targets add the two without wrapping. Pointers never change: bumping them instead is slower.
 * Workgroup memory keeps its indices.
 */
import { i32, names } from "../../ir/kernel/build.ts";
import type { Buffer, Expr, Kernel, Space, Stmt } from "../../ir/kernel/kernel.ts";
import { bounds, linear, type Ranges, type Term, toExpr } from "../../ir/kernel/linear.ts";
import { mapExpr, mapStmt, mentions, namesOf, visitExpr, visitStmts } from "../../ir/kernel/rewrite.ts";

/** A pointer wanted at some level of the nest: the address of `buffer` at these terms and this constant. */
interface Want {
  readonly name: string;
  readonly buffer: Buffer;
  readonly terms: ReadonlyMap<string, Term>;
  readonly constant: number;
}
type Wants = Map<string, Want>;

const hasPointers: Record<Space, boolean> = {
  in: true,
  out: true,
  inout: true,
  scratch: true,
  workgroup: false,
  global: false,
  register: false,
};

export function pointers(k: Kernel): Kernel {
  const axes = new Set<string>();
  visitStmts(k.body, (s) => {
    if (s.kind === "for") axes.add(s.axis);
  });
  const fresh = names(namesOf(k));
  const known = new Map<string, string>();

  /** Equal addresses have equal names. `local`: seen by one statement only, so its name is its own. */
  function want(wants: Wants, buffer: Buffer, terms: ReadonlyMap<string, Term>, constant: number, local = false): string {
    const key = [buffer.name, constant, ...[...terms].map(([atom, t]) => `${atom}*${t.scale}`).sort()].join(" ");
    const here = wants.get(key);
    if (here) return here.name;
    const name = local ? fresh(buffer.name) : (known.get(key) ?? fresh(buffer.name));
    if (!local) known.set(key, name);
    wants.set(key, { name, buffer, terms, constant });
    return name;
  }
  /** Pointers that one statement needs, and where it asks for more. */
  interface Statement {
    readonly outer: Wants;
    readonly local: Wants;
    readonly ranges: Ranges;
    readonly before: Stmt[];
  }
  const movable = (e: Expr): boolean => {
    let ok = true;
    visitExpr(e, (x) => {
      ok &&= x.kind !== "load" && (x.kind !== "var" || axes.has(x.name));
    });
    return ok;
  };
  /** The pointer to `terms + constant` as this statement sees it. */
  function address(st: Statement, buffer: Buffer, terms: ReadonlyMap<string, Term>, constant: number): string {
    const fixed = new Map([...terms].filter(([, t]) => movable(t.atom)));
    if (fixed.size === terms.size) return want(st.outer, buffer, terms, constant);
    const own = st.local.size;
    const name = want(st.local, buffer, terms, constant, true);
    if (st.local.size > own) {
      const from = want(st.outer, buffer, fixed, 0);
      const rest = new Map([...terms].filter(([key]) => !fixed.has(key)));
      st.before.push({ kind: "pointer", name, buffer, from, offset: expr(toExpr({ terms: rest, constant }), st) });
    }
    return name;
  }
  function access(st: Statement, buffer: Buffer, index: Expr): { base: string; index: readonly Expr[] } {
    const l = linear(index, st.ranges);
    const [lowest] = bounds({ terms: l.terms, constant: 0 }, st.ranges);
    // A pointer `shift` elements on never points before the buffer; what lies before that has a pointer of its own.
    const shift = Number.isFinite(lowest) ? Math.max(0, -lowest) : Number.POSITIVE_INFINITY;
    const own = l.constant < shift ? l.constant : shift;
    return { base: address(st, buffer, l.terms, own), index: [i32(l.constant - own)] };
  }
  function expr(e: Expr, st: Statement): Expr {
    if (e.kind === "load" && hasPointers[e.buffer.space]) return { ...e, ...access(st, e.buffer, e.index[0]!) };
    return mapExpr(e, (x) => expr(x, st));
  }
  function body(list: readonly Stmt[], wants: Wants, ranges: Ranges): readonly Stmt[] {
    return list.flatMap((s): readonly Stmt[] => {
      if (s.kind === "for") return [loop(s, wants, ranges)];
      const st: Statement = { outer: wants, local: new Map(), ranges, before: [] };
      const inside = mapStmt(
        s,
        (e) => expr(e, st),
        (b) => body(b, wants, ranges),
      );
      if (inside.kind !== "store" || s.kind !== "store" || !hasPointers[s.buffer.space]) return [...st.before, inside];
      const place = access(st, s.buffer, s.index[0]!);
      return [...st.before, { ...inside, ...place }];
    });
  }
  function loop(s: Extract<Stmt, { kind: "for" }>, outer: Wants, ranges: Ranges): Stmt {
    const inner: Wants = new Map();
    const rest = body(s.body, inner, new Map(ranges).set(s.axis, s.extent));
    const top = [...inner.values()].flatMap(({ name, buffer, terms, constant }): readonly Stmt[] => {
      const here = new Map([...terms].filter(([, t]) => mentions(t.atom, s.axis)));
      const others = new Map([...terms].filter(([key]) => !here.has(key)));
      if (here.size === 0) {
        want(outer, buffer, terms, constant);
        return [];
      }
      return [{ kind: "pointer", name, buffer, from: want(outer, buffer, others, 0), offset: toExpr({ terms: here, constant }) }];
    });
    return { ...s, body: [...top, ...rest] };
  }
  const wants: Wants = new Map();
  const rest = body(k.body, wants, new Map());
  const start = [...wants.values()].map(
    ({ name, buffer, terms, constant }): Stmt => ({ kind: "pointer", name, buffer, from: null, offset: toExpr({ terms, constant }) }),
  );
  return { ...k, body: [...start, ...rest] };
}
