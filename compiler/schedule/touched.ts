/** Which parts of buffers a grid touches, and where to cut it so that each piece touches few. */
import { bufferElements, flattenIndex } from "../../ir/kernel/address.ts";
import { add, axis, i32, sub } from "../../ir/kernel/build.ts";
import { type Buffer, type Expr, lanesOf, type Stmt } from "../../ir/kernel/kernel.ts";
import { type Bounds, bounds, linear, type Ranges } from "../../ir/kernel/linear.ts";
import { bodyOf, exprsOf, substitute, visitExpr, visitStmts } from "../../ir/kernel/rewrite.ts";

export interface Part {
  readonly buffer: Buffer;
  /** Elements of the whole buffer. */
  readonly start: number;
  readonly end: number;
}
/** The parts of each buffer that has several, by name. */
export type Parts = ReadonlyMap<string, readonly Part[]>;

/* ---- what is touched ------------------------------------------------------------------------------------------- */

/** Variables that never change, as expressions of axes. */
export type Known = ReadonlyMap<string, Expr>;
export function knownIn(body: readonly Stmt[]): Known {
  const changing = new Set<string>();
  visitStmts(body, (s) => void (s.kind === "set" && changing.add(s.name)));
  const known = new Map<string, Expr>();
  visitStmts(body, (s) => {
    if (s.kind === "var" && s.type === "i32" && s.lanes === 1 && s.init && !changing.has(s.name))
      known.set(s.name, substitute(s.init, known));
  });
  return known;
}
/** Elements that an access at `index` may touch, those of all lanes. */
export function elementsAt(b: Buffer, index: readonly Expr[], lanes: number, ranges: Ranges): Bounds {
  const [lo, hi] = bounds(linear(flattenIndex(b, index), ranges), ranges);
  // What is accessed lies in the buffer.
  return [Math.max(lo, 0), Math.min(hi + lanes, bufferElements(b)) - 1];
}
/** The parts with elements in an interval; the first, where nothing is accessed after all. */
export function partsIn(parts: readonly Part[], [lo, hi]: Bounds): readonly Part[] {
  const found = parts.filter((p) => p.start <= hi && lo < p.end);
  return found.length > 0 ? found : parts.slice(0, 1);
}

interface Access {
  readonly buffer: Buffer;
  readonly index: readonly Expr[];
  readonly lanes: number;
  /** Conditions that hold there. */
  readonly guards: readonly Expr[];
}
function accessesIn(body: readonly Stmt[], parts: Parts): readonly Access[] {
  const known = knownIn(body);
  const found: Access[] = [];
  const add = (buffer: Buffer, index: readonly Expr[], lanes: number, guards: readonly Expr[]) => {
    if (parts.has(buffer.name)) found.push({ buffer, index: index.map((e) => substitute(e, known)), lanes, guards });
  };
  const visit = (list: readonly Stmt[], guards: readonly Expr[]): void => {
    for (const s of list) {
      for (const e of exprsOf(s)) visitExpr(e, (x) => void (x.kind === "load" && add(x.buffer, x.index, x.lanes, guards)));
      if (s.kind === "store") add(s.buffer, s.index, lanesOf(s.value), guards);
      visit(bodyOf(s), s.kind === "if" ? [...guards, substitute(s.cond, known)] : guards);
    }
  };
  visit(body, []);
  return found;
}
function neverHolds(cond: Expr, ranges: Ranges): boolean {
  if (cond.kind !== "binary") return false;
  if (cond.op === "and") return neverHolds(cond.a, ranges) || neverHolds(cond.b, ranges);
  if (cond.op !== "lt" && cond.op !== "le") return false;
  const [least] = bounds(linear(sub(cond.a, cond.b), ranges), ranges);
  return cond.op === "lt" ? least >= 0 : least > 0;
}

/* ---- pieces of a grid ------------------------------------------------------------------------------------------ */

/** A range of each grid axis, outermost first. */
export type Box = readonly { readonly axis: string; readonly lo: number; readonly hi: number }[];

/** Boxes that make up the whole one, each of which touches few parts. `body`: what is inside of the grid loops. */
export function cut(whole: Box, body: readonly Stmt[], parts: Parts): readonly Box[] {
  const touched = touchedBy(body, parts);
  const pieces = (box: Box): readonly Box[] => {
    const all = touched(box).count;
    if (all <= touched(box).buffers) return [box];
    let best: { readonly runs: readonly Box[]; readonly cost: number } = { runs: [box], cost: all };
    box.forEach(({ lo, hi }, n) => {
      if (hi - lo < 2) return;
      const runs = runsAlong(box, n, touched);
      const cost = runs.reduce((sum, r) => sum + touched(r).count * (r[n]!.hi - r[n]!.lo), 0) / (hi - lo);
      if (cost < best.cost) best = { runs, cost };
    });
    return best.runs.length === 1 ? [box] : best.runs.flatMap(pieces);
  };
  return pieces(whole);
}
interface Touched {
  /** Equal where the same parts are touched. */
  readonly key: string;
  /** Buffers in parts, and parts of them. */
  readonly buffers: number;
  readonly count: number;
}
function touchedBy(body: readonly Stmt[], parts: Parts): (box: Box) => Touched {
  const accesses = accessesIn(body, parts);
  const inner = new Map<string, number>();
  visitStmts(body, (s) => void (s.kind === "for" && inner.set(s.axis, s.extent)));
  const seen = new Map<string, Touched>();
  return (box) => {
    const name = box.map(({ lo, hi }) => `${lo}-${hi}`).join();
    const before = seen.get(name);
    if (before) return before;
    const ranges = new Map([...inner, ...box.map(({ axis: a, lo, hi }) => [a, hi - lo] as const)]);
    const places = placesIn(box);
    const all = new Set<string>();
    for (const { buffer, index, lanes, guards } of accesses) {
      if (guards.some((g) => neverHolds(substitute(g, places), ranges))) continue;
      const interval = elementsAt(
        buffer,
        index.map((e) => substitute(e, places)),
        lanes,
        ranges,
      );
      for (const p of partsIn(parts.get(buffer.name)!, interval)) all.add(p.buffer.name);
    }
    const buffers = [...parts.values()].filter((list) => list.some((p) => all.has(p.buffer.name))).length;
    const made = { key: [...all].sort().join(), buffers, count: all.size };
    seen.set(name, made);
    return made;
  };
}
/** Axes of the whole grid by those of a box, which begin at 0. */
export const placesIn = (box: Box): ReadonlyMap<string, Expr> =>
  new Map(box.flatMap(({ axis: a, lo }) => (lo === 0 ? [] : [[a, add(axis(a), i32(lo))] as const])));

/** Cuts an axis of the box where other parts are touched. */
function runsAlong(box: Box, n: number, touched: (box: Box) => Touched): readonly Box[] {
  const { lo, hi } = box[n]!;
  const key = (from: number, to: number) => touched(box.with(n, { ...box[n]!, lo: from, hi: to })).key;
  const runs: Box[] = [];
  for (let from = lo; from < hi; ) {
    const own = key(from, from + 1);
    let to = last(from + 1, hi, (at) => key(from, at) === own);
    // A tile across two parts is alone: those behind it touch one.
    if (key(to - 1, to) !== own) to = last(from + 1, to, (at) => key(at - 1, at) === own);
    runs.push(box.with(n, { ...box[n]!, lo: from, hi: to }));
    from = to;
  }
  return runs;
}
/** The last number from `first`, for which `holds` is true, to `end`, for which it is: it does not become true again. */
function last(first: number, end: number, holds: (at: number) => boolean): number {
  let [low, high] = [first, end];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}
