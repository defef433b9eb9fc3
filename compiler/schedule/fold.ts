/** A fold as a loop around an accumulator, at one element of the output. */
import { add, at, declare, fma, i32, le, load, local, lt, max, min, mul, ne, or, select, set, store } from "../../ir/kernel/build.ts";
import type { Axes, Computation, FoldAxis } from "../../ir/kernel/computation.ts";
import { type Buffer, type Expr, type ScalarType, type Stmt, typeOf } from "../../ir/kernel/kernel.ts";
import { substitute, substituteIn } from "../../ir/kernel/rewrite.ts";
import type { FoldOp } from "../../ir/op.ts";

export type Fold = NonNullable<Computation["fold"]>;

const limit = { f32: Number.POSITIVE_INFINITY, i32: 2147483647, u32: 4294967295, bool: 1 } as const;
/** What a fold starts from. */
export function identity(op: FoldOp, type: ScalarType): Expr {
  const value: Record<FoldOp, number> = {
    sum: 0,
    prod: 1,
    max: type === "f32" ? -limit.f32 : type === "i32" ? -2147483648 : 0,
    min: limit[type],
    argmax: 0,
    argmin: 0,
    any: 0,
    all: 1,
  };
  return { kind: "const", type, value: value[op] };
}
/** A NaN stays once it is met, as in PyTorch. */
const keepNaN = (type: ScalarType, best: Expr, better: Expr, acc: Expr, value: Expr): Expr =>
  type === "f32" ? select(or(better, ne(acc, acc)), acc, value) : best;
/** `acc` joined with one more value. */
export function combine(op: Exclude<FoldOp, "argmax" | "argmin">, acc: Expr, value: Expr): Expr {
  switch (op) {
    case "sum":
      return value.kind === "binary" && value.op === "mul" && typeOf(value) === "f32"
        ? fma(value.a, value.b, acc)
        : { kind: "binary", op: "add", a: acc, b: value };
    case "prod":
      return mul(acc, value);
    case "max":
      return keepNaN(typeOf(acc), max(acc, value), le(value, acc), acc, value);
    case "min":
      return keepNaN(typeOf(acc), min(acc, value), le(acc, value), acc, value);
    case "any":
      return or(acc, value);
    case "all":
      return { kind: "binary", op: "and", a: acc, b: value };
  }
}

/** Statements that leave the fold in a variable, and that variable. */
export interface Folded {
  readonly body: readonly Stmt[];
  readonly value: Expr;
}
/** `k` loops as they stand. */
export function foldSerially(f: Fold, index: readonly Expr[], axes: Axes): Folded {
  const term = renamed(f, index, axes);
  const type = typeOf(term.value);
  const acc = axes.fresh("acc");
  if (f.op === "argmax" || f.op === "argmin") return foldPosition(f.op, term, type, axes);
  return { body: foldByLevels(f.op, term, type, acc, axes), value: local(acc, type) };
}
/** Rows shorter than this are no level of their own. */
const shortestLevel = 16;
/**
 * Sums of innermost rows, then of rows, and so on outwards: each sum is short, so rounding errors stay small. One long sum
 * of like terms is off by their number times half an ulp, all in one direction. Other folds do not round.
 */
function foldByLevels(op: Exclude<FoldOp, "argmax" | "argmin">, term: Term, type: ScalarType, acc: string, axes: Axes): readonly Stmt[] {
  const start = declare(acc, identity(op, type));
  const onto = (value: Expr) => set(acc, combine(op, local(acc, type), value));
  const [outer, ...inner] = term.axes;
  const terms = inner.reduce((n, a) => n * a.extent, 1);
  if (!outer || op !== "sum" || terms < shortestLevel) return [start, ...nest(term.axes, [...term.lets, onto(term.value)])];
  const part = axes.fresh("acc");
  const row = foldByLevels(op, { ...term, axes: inner }, type, part, axes);
  return [start, ...nest([outer], [...row, onto(local(part, type))])];
}
/** The first position at which the best value stands. */
function foldPosition(op: "argmax" | "argmin", term: Term, type: ScalarType, axes: Axes): Folded {
  const best = axes.fresh("best");
  const where = axes.fresh("where");
  const value = axes.fresh("value");
  const v = local(value, type);
  const b = local(best, type);
  const better = op === "argmax" ? lt(b, v) : lt(v, b);
  const start = identity(op === "argmax" ? "max" : "min", type);
  const body = [
    ...term.lets,
    declare(value, term.value),
    set(where, select(better, positionOf(term.axes), local(where, "i32"))),
    set(best, select(better, v, b)),
  ];
  return { body: [declare(best, start), declare(where, i32(0)), ...nest(term.axes, body)], value: local(where, "i32") };
}
const positionOf = (axes: readonly FoldAxis[]): Expr =>
  axes.reduce<Expr>((p, a) => ({ kind: "binary", op: "add", a: mul(p, i32(a.extent)), b: axisOf(a) }), i32(0));
const axisOf = (a: FoldAxis): Expr => ({ kind: "var", type: "i32", lanes: 1, name: a.name });
const nest = (axes: readonly FoldAxis[], body: readonly Stmt[]): readonly Stmt[] =>
  axes.reduceRight<readonly Stmt[]>((inner, a) => [{ kind: "for", axis: a.name, extent: a.extent, loop: "serial", body: inner }], body);

interface Term {
  readonly axes: readonly FoldAxis[];
  readonly lets: readonly Stmt[];
  readonly value: Expr;
}
/** The term with fold axes of fresh names, since a kernel may hold several copies of the loop. */
function renamed(f: Fold, index: readonly Expr[], axes: Axes): Term {
  const term = f.term(index, axes);
  const own = f.axes.map((a) => ({ name: axes.fresh(a.name), extent: a.extent }));
  for (const a of own) axes.declare(a);
  const by = new Map(f.axes.map((a, i): [string, Expr] => [a.name, axisOf(own[i]!)]));
  return { axes: own, lets: substituteIn(term.lets, by), value: substitute(term.value, by) };
}

/** Shortest innermost axis that is worth four partial results side by side. */
export const shortestWideFold = 8;
/**
 * Four partial results along the innermost fold axis, four lanes wide, met in scratch memory; then what is left of the
 * axis. Null for folds that keep a position.
 */
export function foldInLanes(f: Fold, index: readonly Expr[], axes: Axes, scratch: Buffer): Folded | null {
  const innermost = f.axes.at(-1);
  if (f.op === "argmax" || f.op === "argmin" || !innermost || innermost.extent < shortestWideFold) return null;
  const op = f.op;
  const wide = Math.floor(innermost.extent / 4);
  const rest = innermost.extent - wide * 4;
  const type = typeOf(f.term(index, axes).value);
  const acc = axes.fresh("acc");
  /** acc joined with the terms at innermost positions `extent` long, `position` telling which. */
  const accumulate = (into: string, extent: number, position: (k: Expr) => Expr): readonly Stmt[] => {
    const t = renamed(f, index, axes);
    const last = t.axes.at(-1)!;
    const inner = axes.loop("serial", last.name, extent, (k) => {
      const by = new Map([[last.name, position(k)]]);
      return [...substituteIn(t.lets, by), set(into, combine(op, local(into, type), substitute(t.value, by)))];
    });
    return nest(t.axes.slice(0, -1), [inner]);
  };
  const parts = axes.loop("vector", "j", 4, (lane) => [
    declare(acc, identity(op, type)),
    ...accumulate(acc, wide, (k) => at(k, 4, lane)),
    store(scratch, [lane], local(acc, type)),
  ]);
  const total = axes.fresh("acc");
  const part = (i: number) => load(scratch, i32(i));
  const met = combine(op, combine(op, part(0), part(2)), combine(op, part(1), part(3)));
  const tail = rest === 0 ? [] : accumulate(total, rest, (k) => add(k, i32(wide * 4)));
  return { body: [parts, declare(total, met), ...tail], value: local(total, type) };
}
