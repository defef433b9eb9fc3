/** How threads share a kernel: which phases are worth spreading, and where one has to wait for another. */
import { type Expr, type Kernel, lanesOf, type Stmt } from "../../ir/kernel/kernel.ts";
import { boundsOf, type Ranges } from "../../ir/kernel/linear.ts";
import { bodyOf, exprsOf, visitExpr, visitStmts } from "../../ir/kernel/rewrite.ts";
import { effectsOf, isShared } from "../effects.ts";
import { type Phase, phasesOf } from "../phases.ts";

/** Work below this many operations, about a microsecond, is done by one thread: spreading it costs a barrier. */
const smallWork = 2000;

export const sharedPhases = (k: Kernel): Phase[] =>
  phasesOf(k.name, k.body).map((p) => (p.kind === "grid" && workOf(p.body) < smallWork ? { kind: "once", body: p.body } : p));

/** Operations of a run, roughly: one for each node of an expression. */
function workOf(body: readonly Stmt[]): number {
  let work = 0;
  for (const s of body) {
    for (const e of exprsOf(s)) visitExpr(e, () => void work++);
    work += (s.kind === "for" ? s.extent : 1) * workOf(bodyOf(s));
  }
  return work;
}

/** Says of each phase, one after the other, whether it has to wait for what threads do since the last barrier. */
export function waiting(k: Kernel): (next: Phase) => boolean {
  const where = storesOf(k);
  let open: Phase[] = [];
  return (next) => {
    const mustWait = open.some((p) => !(p.kind === "once" && next.kind === "once") && depends(p, next, where));
    open = [...(mustWait ? [] : open), next];
    return mustWait;
  };
}
function depends(a: Phase, b: Phase, where: (s: Store) => Elements): boolean {
  const [first, second] = [effectsOf(a.body), effectsOf(b.body)];
  const names = (buffers: Iterable<{ name: string }>) => new Set([...buffers].map((x) => x.name));
  const [loaded, loadedLater] = [names(first.loaded), names(second.loaded)];
  if ([...first.stored].some((x) => isShared(x) && loadedLater.has(x.name))) return true;
  if ([...second.stored].some((x) => isShared(x) && loaded.has(x.name))) return true;
  return storesIn(a.body).some((p) =>
    storesIn(b.body).some((q) => isShared(p.buffer) && p.buffer.name === q.buffer.name && collide(where(p), where(q))),
  );
}

type Store = Extract<Stmt, { kind: "store" }>;
function storesIn(body: readonly Stmt[]): Store[] {
  const stores: Store[] = [];
  visitStmts(body, (s) => void (s.kind === "store" && stores.push(s)));
  return stores;
}
/** Elements that a store may write, inclusive, and the constant it writes if it is one. */
interface Elements {
  readonly from: number;
  readonly to: number;
  readonly constant: number | null;
}
/** The order of writes matters where they may meet, unless both write the same constant. */
const collide = (a: Elements, b: Elements) => a.from <= b.to && b.from <= a.to && (a.constant === null || a.constant !== b.constant);

function storesOf(k: Kernel): (s: Store) => Elements {
  const ranges = new Map<string, number>();
  const pointers = new Map<string, Extract<Stmt, { kind: "pointer" }>>();
  visitStmts(k.body, (s) => {
    if (s.kind === "for") ranges.set(s.axis, Math.max(s.extent, ranges.get(s.axis) ?? 0));
    if (s.kind === "pointer") pointers.set(s.name, s);
  });
  const behind = (name: string | null): readonly [number, number] => {
    const p = name === null ? undefined : pointers.get(name);
    return p ? plus(behind(p.from), boundsOf(p.offset, ranges)) : [0, 0];
  };
  return (s) => {
    const [from, to] = plus(behind(s.base), indexBounds(s.index, ranges));
    return { from, to: to + lanesOf(s.value) - 1, constant: constantOf(s.value) };
  };
}
const plus = (a: readonly [number, number], b: readonly [number, number]): readonly [number, number] => [a[0] + b[0], a[1] + b[1]];
const indexBounds = (index: readonly Expr[], ranges: Ranges) => boundsOf(index[0]!, ranges);
const constantOf = (e: Expr): number | null => (e.kind === "const" ? e.value : e.kind === "splat" ? constantOf(e.a) : null);
