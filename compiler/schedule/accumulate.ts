/** What a fold keeps while it runs: one value for a sum, two where a NaN or a position has to be remembered. */
import { add, declare, f32, fma, i32, lt, max, min, mul, ne, or, select } from "../../ir/kernel/build.ts";
import type { Axes } from "../../ir/kernel/computation.ts";
import type { Expr, ScalarType, Stmt } from "../../ir/kernel/kernel.ts";
import { typeOf } from "../../ir/kernel/kernel.ts";
import type { FoldOp } from "../../ir/op.ts";

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

export interface Part {
  readonly type: ScalarType;
  readonly start: Expr;
}
/**
 * The state of a fold. New parts are set in order, so that of a later one may read only what is not set yet: itself and
 * those behind it.
 */
export interface Running {
  readonly parts: readonly Part[];
  /** The state with one more value, which stands at `position` (row-major along the fold axes). */
  readonly step: (now: readonly Expr[], value: Expr, position: () => Expr) => readonly Expr[];
  /** Two states as one. */
  readonly join: (a: readonly Expr[], b: readonly Expr[]) => readonly Expr[];
  readonly result: (end: readonly Expr[]) => Expr;
  /** The step mentions the value more than once, which then should be a variable. */
  readonly repeats: boolean;
}

export function running(op: FoldOp, type: ScalarType): Running {
  switch (op) {
    case "max":
    case "min":
      return type === "f32" ? extremeOrNaN(op) : simple(op, type, op === "max" ? max : min);
    case "argmax":
    case "argmin":
      return place(op, type);
    case "sum":
      return { ...simple(op, type, plus), step: ([acc], value) => [accumulated(acc!, value)] };
    case "prod":
      return simple(op, type, mul);
    case "any":
      return simple(op, type, or);
    case "all":
      return simple(op, type, (a, b) => ({ kind: "binary", op: "and", a, b }));
  }
}
const plus = (a: Expr, b: Expr): Expr => ({ kind: "binary", op: "add", a, b });
/** A product is added at once. */
const accumulated = (acc: Expr, value: Expr): Expr =>
  value.kind === "binary" && value.op === "mul" && typeOf(value) === "f32" ? fma(value.a, value.b, acc) : plus(acc, value);

function simple(op: FoldOp, type: ScalarType, f: (a: Expr, b: Expr) => Expr): Running {
  return {
    parts: [{ type, start: identity(op, type) }],
    step: ([acc], value) => [f(acc!, value)],
    join: ([a], [b]) => [f(a!, b!)],
    result: ([acc]) => acc!,
    repeats: false,
  };
}
/** A NaN wins, as in PyTorch: whether there was one is kept beside the largest of the others. */
function extremeOrNaN(op: "max" | "min"): Running {
  const f = op === "max" ? max : min;
  return {
    parts: [
      { type: "bool", start: { kind: "const", type: "bool", value: 0 } },
      { type: "f32", start: identity(op, "f32") },
    ],
    step: ([nan, best], value) => [or(nan!, ne(value, value)), f(best!, value)],
    join: ([p, a], [q, b]) => [or(p!, q!), f(a!, b!)],
    result: ([nan, best]) => select(nan!, f32(Number.NaN), best!),
    repeats: true,
  };
}
/** The first position at which the best value stands. */
function place(op: "argmax" | "argmin", type: ScalarType): Running {
  const better = (a: Expr, b: Expr) => (op === "argmax" ? lt(b, a) : lt(a, b));
  const start = identity(op === "argmax" ? "max" : "min", type);
  return {
    parts: [
      { type: "i32", start: i32(0) },
      { type, start },
    ],
    step: ([where, best], value, position) => {
      const wins = better(value, best!);
      return [select(wins, position(), where!), select(wins, value, best!)];
    },
    join: ([p, a], [q, b]) => {
      const wins = or(better(b!, a!), { kind: "binary", op: "and", a: { kind: "binary", op: "eq", a: a!, b: b! }, b: lt(q!, p!) });
      return [select(wins, q!, p!), select(better(b!, a!), b!, a!)];
    },
    result: ([where]) => where!,
    repeats: true,
  };
}

/** Declares the value under a name where the step mentions it more than once. */
export function named(r: Running, value: Expr, axes: Axes): { readonly lets: readonly Stmt[]; readonly value: Expr } {
  if (!r.repeats || value.kind === "var") return { lets: [], value };
  const name = axes.fresh("value");
  return { lets: [declare(name, value)], value: { kind: "var", type: typeOf(value), lanes: 1, name } };
}

/** Row-major position along fold axes. */
export const positionOf = (index: readonly Expr[], extents: readonly number[]): Expr =>
  index.reduce<Expr>((p, e, i) => add(mul(p, i32(extents[i]!)), e), i32(0));
