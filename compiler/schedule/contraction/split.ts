/**
 * Work in parts, each of which has the form of a tile.
 *
 * Phases: in a convolution with the windows apart, transposed, a position meets only taps of its own residue.
 *
 *     y[h] = sum over r in 3 of select((h - r) % 2 == 0, x[(h - r) / 2], 0.0) * w[r]
 *
 * becomes, for even and odd h, y[2*h] = sum over r in 2 of x[h - r] * w[2*r] and y[2*h + 1] = sum over r in 1 of x[h - r] * w[2*r + 1].
 *
 * Groups: columns o of which `a` knows o / n alone are groups of n columns, so the group is an axis in front of them.
 *
 * Merged: rows and columns of an image that nothing tells apart, as in a convolution of 1x1, are one axis: 14 places in a row fill tiles
 * of four badly, 196 places do not.
 */

import { add, at, div, f32, i32, mod, mul } from "../../../ir/kernel/build.ts";
import type { Axes } from "../../../ir/kernel/computation.ts";
import type { Expr } from "../../../ir/kernel/kernel.ts";
import { linear } from "../../../ir/kernel/linear.ts";
import { mentions, visitExpr, visitExprs } from "../../../ir/kernel/rewrite.ts";
import { sizeOf } from "../../../ir/type.ts";
import { goesEvenly } from "./reduction.ts";
import { probe, type Work } from "./work.ts";

/** More parts would be too much code. */
const mostParts = 64;

/** Parts without tests of divisibility, where those are of an axis and of a fold axis; else the work as it is. */
export function phases(w: Work, axes: Axes): readonly Work[] {
  let parts: readonly Work[] = [w];
  for (;;) {
    const next = parts.flatMap((p) => splitByResidue(p, axes) ?? [p]);
    if (next.length === parts.length || next.length > mostParts) return parts;
    parts = next;
  }
}

/** alpha * axis + beta * k + multiples of `modulus` + constant is tested for divisibility by it. */
interface Test {
  readonly modulus: number;
  readonly axis: number;
  readonly alpha: number;
  /** Null: the test is of the axis alone, and beta is 0. */
  readonly k: number | null;
  readonly beta: number;
  readonly constant: number;
}
function splitByResidue(w: Work, axes: Axes): readonly Work[] | null {
  const test = sizeOf(w.fold) > 0 ? findTest(w, axes) : null;
  if (!test) return null;
  const { modulus, axis, alpha, k, beta, constant } = test;
  const period = modulus / gcd(alpha, modulus);
  const foldPeriod = modulus / gcd(beta, modulus);
  return Array.from({ length: Math.min(period, w.extents[axis]!) }, (_, residue) => {
    const met = Array.from({ length: foldPeriod }, (_, r) => r).find((r) => (alpha * residue + beta * r + constant) % modulus === 0);
    const extent = Math.ceil((w.extents[axis]! - residue) / period);
    const index = (i: readonly Expr[]) => i.with(axis, at(i[axis]!, period, residue));
    const folds = (f: readonly Expr[]) => (k === null ? f : f.with(k, at(f[k]!, foldPeriod, met ?? 0)));
    const taps = met === undefined ? 0 : k === null ? 1 : Math.max(0, Math.ceil((w.fold[k]! - met) / foldPeriod));
    return {
      extents: w.extents.with(axis, extent),
      fold: taps === 0 ? [0] : k === null ? w.fold : w.fold.with(k, taps),
      factors: (i, f) => w.factors(index(i), folds(f)),
      finish: (i, sum) => w.finish(index(i), sum),
    };
  });
}
function findTest(w: Work, axes: Axes): Test | null {
  const index = w.extents.map((n) => probe(axes, n));
  const folds = w.fold.map((n) => probe(axes, n));
  const { a, b } = w.factors(
    index.map((p) => p.axis),
    folds.map((p) => p.axis),
  );
  let found: Test | null = null;
  const visit = (e: Expr): void => {
    if (found || e.kind !== "binary" || e.op !== "eq" || e.b.kind !== "const" || e.b.value !== 0) return;
    if (e.a.kind !== "binary" || e.a.op !== "mod" || e.a.b.kind !== "const" || e.a.b.value < 2) return;
    const modulus = e.a.b.value;
    const { terms, constant } = linear(e.a.a, axes.ranges);
    const open = [...terms].filter(([, t]) => t.scale % modulus !== 0);
    const axis = index.findIndex((p) => open.some(([key]) => key === p.name));
    const k = folds.findIndex((p) => open.some(([key]) => key === p.name));
    // Columns stay together: they are the vectors.
    if (axis < 0 || axis === index.length - 1 || open.length !== (k < 0 ? 1 : 2)) return;
    const scale = (name: string) => terms.get(name)!.scale;
    const alpha = scale(index[axis]!.name);
    found = { modulus, axis, alpha, k: k < 0 ? null : k, beta: k < 0 ? 0 : scale(folds[k]!.name), constant };
  };
  visitExpr(a, visit);
  visitExpr(b, visit);
  return found;
}
const gcd = (a: number, b: number): number => (b === 0 ? Math.abs(a) : gcd(b, a % b));

/** Columns in groups of each size that the factors show, the group as an axis of its own. */
export function grouped(w: Work, axes: Axes): readonly Work[] {
  const index = w.extents.map((n) => probe(axes, n));
  const { a, b } = w.factors(
    index.map((p) => p.axis),
    w.fold.map((n) => probe(axes, n).axis),
  );
  const columns = w.extents.at(-1)!;
  const sizes = new Set<number>();
  for (const e of [a, b])
    visitExpr(e, (x) => {
      if (x.kind !== "binary" || x.op !== "div" || x.a.kind !== "var" || x.a.name !== index.at(-1)!.name || x.b.kind !== "const") return;
      if (x.b.value > 1 && x.b.value < columns && columns % x.b.value === 0) sizes.add(x.b.value);
    });
  return [...sizes].map((size) => inGroups(w, size));
}
function inGroups(w: Work, size: number): Work {
  const columns = w.extents.at(-1)!;
  const whole = (i: readonly Expr[]) => [...i.slice(0, -2), add(mul(i.at(-2)!, i32(size)), i.at(-1)!)];
  return {
    extents: [...w.extents.slice(0, -1), columns / size, size],
    fold: w.fold,
    factors: (i, f) => w.factors(whole(i), f),
    finish: (i, sum) => w.finish(whole(i), sum),
  };
}

/** Neighbouring axes that `b` does not know as one, where all memory goes by both at even steps; else the work as it is. */
export function merged(w: Work, rows: number, axes: Axes): Work {
  for (let axis = w.extents.length - 3; axis >= 0; axis--) {
    const [outer, inner] = [w.extents[axis]!, w.extents[axis + 1]!];
    if (outer === 1 || inner === 1 || inner % rows === 0) continue;
    const joined = inOne(w, axis);
    if (passesEvenly(joined, axis, axes)) return joined;
  }
  return w;
}
function inOne(w: Work, axis: number): Work {
  const inner = w.extents[axis + 1]!;
  const whole = (i: readonly Expr[]) => [...i.slice(0, axis), div(i[axis]!, i32(inner)), mod(i[axis]!, i32(inner)), ...i.slice(axis + 1)];
  return {
    extents: [...w.extents.slice(0, axis), w.extents[axis]! * inner, ...w.extents.slice(axis + 2)],
    fold: w.fold,
    factors: (i, f) => w.factors(whole(i), f),
    finish: (i, sum) => w.finish(whole(i), sum),
  };
}
/** Whether everything that the work reads and writes moves by constants with the axis, and nothing asks where it is. */
function passesEvenly(w: Work, axis: number, axes: Axes): boolean {
  const index = w.extents.map((n) => probe(axes, n));
  const { name } = index[axis]!;
  const places = index.map((p) => p.axis);
  const { a, b } = w.factors(
    places,
    w.fold.map((n) => probe(axes, n).axis),
  );
  if (mentions(b, name) || a.kind !== "load") return false;
  let even = true;
  const visit = (e: Expr): void => {
    if (e.kind === "load") even &&= goesEvenly(e.buffer, e.index, name, axes);
    else if (e.kind === "select") even &&= !mentions(e.cond, name);
  };
  visitExpr(a, visit);
  const end = w.finish(places, f32(0));
  visitExprs(end, visit);
  return even && end.every((s) => s.kind === "var" || (s.kind === "store" && goesEvenly(s.buffer, s.index, name, axes)));
}
