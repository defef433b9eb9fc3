/** A fold as a loop around an accumulator, at one element of the output. */
import { add, at, declare, i32, load, local, set, store } from "../../ir/kernel/build.ts";
import type { Axes, Computation, FoldAxis } from "../../ir/kernel/computation.ts";
import { type Buffer, type Expr, type ScalarType, type Stmt, typeOf } from "../../ir/kernel/kernel.ts";
import { substitute, substituteIn } from "../../ir/kernel/rewrite.ts";
import { named, positionOf, type Running, running } from "./accumulate.ts";

export type Fold = NonNullable<Computation["fold"]>;

/** Statements that leave the fold in a variable, and that variable. */
export interface Folded {
  readonly body: readonly Stmt[];
  readonly value: Expr;
}
/** `k` loops as they stand. */
export function foldSerially(f: Fold, index: readonly Expr[], axes: Axes): Folded {
  const term = renamed(f, index, axes);
  const r = running(f.op, typeOf(term.value));
  const acc = variables(r, axes);
  return resultOf(r, acc.now, [...acc.begin, ...byLevels(f, r, term, acc, axes)], axes);
}
/** Rows shorter than this are no level of their own. */
const shortestLevel = 16;
/** Whether the fold over `inner` axes is a level of its own inside of a further one. */
export const isLevel = (f: Fold, inner: readonly FoldAxis[]): boolean =>
  f.op === "sum" && inner.reduce((n, a) => n * a.extent, 1) >= shortestLevel;

/**
 * Sums of innermost rows, then of rows, and so on outwards: each sum is short, so rounding errors stay small. One long sum
 * of like terms is off by their number times half an ulp, all in one direction. Other folds do not round.
 */
function byLevels(f: Fold, r: Running, term: Term, acc: Variables, axes: Axes): readonly Stmt[] {
  const [outer, ...inner] = term.axes;
  if (!outer || !isLevel(f, inner)) {
    const v = named(r, term.value, axes);
    const position = () => positionOf(term.axes.map(axisOf), extentsOf(term.axes));
    return nest(term.axes, [...term.lets, ...v.lets, ...acc.set(r.step(acc.now, v.value, position))]);
  }
  const part = variables(r, axes);
  const row = byLevels(f, r, { ...term, axes: inner }, part, axes);
  return nest([outer], [...part.begin, ...row, ...acc.set(r.join(acc.now, part.now))]);
}
/** The result in a variable; it is one already where a state has one part. */
export function resultOf(r: Running, end: readonly Expr[], body: readonly Stmt[], axes: Axes): Folded {
  const value = r.result(end);
  if (value.kind === "var") return { body, value };
  const name = axes.fresh("folded");
  return { body: [...body, declare(name, value)], value: local(name, typeOf(value)) };
}

/** A state in variables. */
export interface Variables {
  readonly begin: readonly Stmt[];
  readonly now: readonly Expr[];
  readonly set: (next: readonly Expr[]) => readonly Stmt[];
}
/** `start` null: undefined until set. */
export function variables(r: Running, axes: Axes, start: readonly (Expr | null)[] = r.parts.map((p) => p.start)): Variables {
  const names = r.parts.map(() => axes.fresh("acc"));
  return {
    begin: names.map((name, i) => ({ kind: "var", name, type: r.parts[i]!.type, lanes: 1, init: start[i]! })),
    now: names.map((name, i) => local(name, r.parts[i]!.type)),
    set: (next) => next.map((e, i) => set(names[i]!, e)),
  };
}

export const extentsOf = (axes: readonly FoldAxis[]): readonly number[] => axes.map((a) => a.extent);
export const axisOf = (a: FoldAxis): Expr => ({ kind: "var", type: "i32", lanes: 1, name: a.name });
/** Loops over axes, outermost first. */
export const nest = (axes: readonly FoldAxis[], body: readonly Stmt[]): readonly Stmt[] =>
  axes.reduceRight<readonly Stmt[]>((inner, a) => [{ kind: "for", axis: a.name, extent: a.extent, loop: "serial", body: inner }], body);

export interface Term {
  readonly axes: readonly FoldAxis[];
  readonly lets: readonly Stmt[];
  readonly value: Expr;
}
/** The term with fold axes of fresh names, since a kernel may hold several copies of the loop. */
export function renamed(f: Fold, index: readonly Expr[], axes: Axes): Term {
  const term = f.term(index, axes);
  const own = f.axes.map((a) => ({ name: axes.fresh(a.name), extent: a.extent }));
  for (const a of own) axes.declare(a);
  const by = new Map(f.axes.map((a, i): [string, Expr] => [a.name, axisOf(own[i]!)]));
  return { axes: own, lets: substituteIn(term.lets, by), value: substitute(term.value, by) };
}

/** The term at given places along the fold axes. */
export function termAt(f: Fold, index: readonly Expr[], folded: readonly Expr[], axes: Axes): Pick<Term, "lets" | "value"> {
  const term = f.term(index, axes);
  const by = new Map(f.axes.map((a, i): [string, Expr] => [a.name, folded[i]!]));
  return { lets: substituteIn(term.lets, by), value: substitute(term.value, by) };
}

/** Shortest innermost axis that is worth four partial results side by side. */
export const shortestWideFold = 8;
/** Vectors of partial results side by side: one addition need not wait for the other. */
const chains = 4;
/**
 * Four partial results along the innermost fold axis, four lanes wide, met in scratch memory; then what is left of the
 * axis. `scratch` gives memory for four numbers. Null where the axis is too short.
 */
export function foldInLanes(
  f: Fold,
  index: readonly Expr[],
  axes: Axes,
  scratch: (part: number, type: ScalarType) => Buffer,
): Folded | null {
  const innermost = f.axes.at(-1);
  if (!innermost || innermost.extent < shortestWideFold) return null;
  const r = running(f.op, typeOf(f.term(index, axes).value));
  const fours = Math.floor(innermost.extent / 4);
  const long = fours >= 2 * chains ? Math.floor(fours / chains) : 0;
  /** States joined with the terms at innermost positions, `position` telling which, one after the other. */
  const accumulate = (into: readonly Variables[], extent: number, position: (k: Expr, chain: number) => Expr): readonly Stmt[] => {
    const outer = f.axes.slice(0, -1).map((a) => ({ name: axes.fresh(a.name), extent: a.extent }));
    for (const a of outer) axes.declare(a);
    const steps = (k: Expr) =>
      into.flatMap((acc, chain) => {
        const folded = [...outer.map(axisOf), position(k, chain)];
        const t = termAt(f, index, folded, axes);
        const v = named(r, t.value, axes);
        return [...t.lets, ...v.lets, ...acc.set(r.step(acc.now, v.value, () => positionOf(folded, extentsOf(f.axes))))];
      });
    return nest(outer, [axes.loop("serial", innermost.name, extent, steps)]);
  };
  const buffers = r.parts.map((p, i) => scratch(i, p.type));
  const vectors = axes.loop("vector", "j", 4, (lane) => {
    const accs = Array.from({ length: long > 0 ? chains : 1 }, () => variables(r, axes));
    const first = long > 0 ? accumulate(accs, long, (k, chain) => at(k, 4 * chains, at(lane, 1, 4 * chain))) : [];
    const done = long * chains;
    const others = fours > done ? accumulate(accs.slice(0, 1), fours - done, (k) => at(k, 4, at(lane, 1, 4 * done))) : [];
    const met = tree(
      accs.map((a) => a.now),
      r,
    );
    return [...accs.flatMap((a) => a.begin), ...first, ...others, ...met.map((e, i) => store(buffers[i]!, [lane], e))];
  });
  const lane = (i: number) => buffers.map((b) => load(b, i32(i)));
  const total = variables(r, axes, tree([0, 1, 2, 3].map(lane), r));
  const rest = innermost.extent - fours * 4;
  const tail = rest === 0 ? [] : accumulate([total], rest, (k) => add(k, i32(fours * 4)));
  return resultOf(r, total.now, [vectors, ...total.begin, ...tail], axes);
}
/** States as (0 with 2) with (1 with 3). */
export function tree(states: readonly (readonly Expr[])[], r: Running): readonly Expr[] {
  if (states.length === 1) return states[0]!;
  const half = states.length / 2;
  return tree(
    states.slice(0, half).map((s, i) => r.join(s, states[half + i]!)),
    r,
  );
}
