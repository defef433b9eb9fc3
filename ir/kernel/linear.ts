/**
 * Index arithmetic in normal form: sum of scale * atom + constant. An atom is an axis, a floor-div, a mod, a min or max,
 * or any other i32 expression, taken as it is. Indices never overflow, so integers here are those of mathematics.
 */
import { printLayout } from "../layout.ts";
import { add, div, floorDiv, floorMod, i32, max, min, mod, mul, sub } from "./build.ts";
import { type Expr, lanesOf, type OfSubgroup, typeOf } from "./kernel.ts";
import { partsOf } from "./rewrite.ts";

export interface Term {
  readonly atom: Expr;
  readonly scale: number;
}
export interface Linear {
  /** By `keyOf` of the atom; no scale is 0. */
  readonly terms: ReadonlyMap<string, Term>;
  readonly constant: number;
}
/** Extents of the loop axes in scope: axis in [0, extent). Axes may be added to a map, but extents may not change: results are remembered. */
export type Ranges = ReadonlyMap<string, number>;
/** Inclusive. */
export type Bounds = readonly [lo: number, hi: number];

const keys = new WeakMap<Expr, string>();
/** Equal for equal expressions. */
export function keyOf(e: Expr): string {
  if (e.kind === "var") return e.name;
  if (e.kind === "const") return e.type === "i32" ? String(e.value) : `${e.type}:${Object.is(e.value, -0) ? "-0" : e.value}`;
  const known = keys.get(e);
  if (known !== undefined) return known;
  const key = spell(e);
  keys.set(e, key);
  return key;
}
function spell(e: Exclude<Expr, { kind: "const" | "var" }>): string {
  const parts = partsOf(e).map(keyOf).join(",");
  switch (e.kind) {
    case "lanes":
      return "lanes()";
    case "subgroups":
      return `subgroups ${e.least} ${e.most}`;
    case "subgroup":
      return `subgroup ${e.what}`;
    case "load":
      return `${e.base ?? `${e.buffer.name}{${e.buffer.shape}|${printLayout(e.buffer.layout)}}`}[${parts}]:${e.lanes}`;
    case "unary":
    case "binary":
      return `${e.op}(${parts})`;
    case "cast":
    case "bitcast":
      return `${e.kind} ${e.to}(${parts})`;
    case "lane":
      return `lane ${e.index}(${parts})`;
    case "zip":
      return `zip ${e.half}(${parts})`;
    case "reduce":
      return `reduce ${e.op}(${parts})`;
    case "fma":
    case "select":
    case "splat":
    case "pack":
      return `${e.kind}(${parts})`;
  }
}

/* ---- arithmetic on normal forms -------------------------------------------------------------------------------- */

const constant = (value: number): Linear => ({ terms: new Map(), constant: value });
const atom = (e: Expr): Linear =>
  e.kind === "const" ? constant(e.value) : { terms: new Map([[keyOf(e), { atom: e, scale: 1 }]]), constant: 0 };

export function plus(a: Linear, b: Linear): Linear {
  const terms = new Map(a.terms);
  for (const [key, t] of b.terms) {
    const scale = (terms.get(key)?.scale ?? 0) + t.scale;
    if (scale === 0) terms.delete(key);
    else terms.set(key, { atom: t.atom, scale });
  }
  return { terms, constant: a.constant + b.constant };
}
export const times = (a: Linear, n: number): Linear =>
  n === 0
    ? constant(0)
    : { terms: new Map([...a.terms].map(([key, t]) => [key, { atom: t.atom, scale: t.scale * n }])), constant: a.constant * n };

/** The only atom of `l` when l is that atom itself. */
function soleAtom(l: Linear): Expr | null {
  const [t, more] = l.terms.values();
  return t && !more && t.scale === 1 && l.constant === 0 ? t.atom : null;
}
/** Whether every value of `l` is a multiple of n, as far as scales tell. */
export const isMultiple = (l: Linear, n: number): boolean => l.constant % n === 0 && [...l.terms.values()].every((t) => t.scale % n === 0);

/** Largest scales first, what is subtracted last; one spelling for each normal form. */
export function toExpr(l: Linear): Expr {
  const rank = (t: Term) => (t.scale > 0 ? 0 : 1);
  const order = [...l.terms].sort(
    ([p, a], [q, b]) => rank(a) - rank(b) || Math.abs(b.scale) - Math.abs(a.scale) || (p < q ? -1 : p > q ? 1 : 0),
  );
  let sum: Expr = i32(0);
  for (const [, t] of order) {
    const isFirst = sum.kind === "const";
    sum = t.scale > 0 || isFirst ? add(sum, mul(t.atom, i32(t.scale))) : sub(sum, mul(t.atom, i32(-t.scale)));
  }
  return l.constant < 0 && sum.kind !== "const" ? sub(sum, i32(-l.constant)) : add(sum, i32(l.constant));
}

/* ---- bounds ---------------------------------------------------------------------------------------------------- */

/** Invocations of a subgroup: WGSL, "Subgroup Builtin Values". */
export const leastSubgroup = 4;
export const mostSubgroup = 128;
const boundsOfSubgroup: Record<OfSubgroup, Bounds> = {
  size: [leastSubgroup, mostSubgroup],
  bits: [Math.log2(leastSubgroup), Math.log2(mostSubgroup)],
  lane: [0, mostSubgroup - 1],
};
const anything: Bounds = [-Infinity, Infinity];

export function bounds(l: Linear, ranges: Ranges): Bounds {
  let lo = l.constant;
  let hi = l.constant;
  for (const { atom, scale } of l.terms.values()) {
    const [from, to] = boundsOf(atom, ranges);
    lo += scale * (scale > 0 ? from : to);
    hi += scale * (scale > 0 ? to : from);
  }
  return [lo, hi];
}
/** Least and greatest value of an i32 expression, of any lane, as far as its form tells. */
export function boundsOf(e: Expr, ranges: Ranges): Bounds {
  switch (e.kind) {
    case "const":
      return [e.value, e.value];
    case "var": {
      const extent = ranges.get(e.name);
      return extent === undefined ? anything : [0, extent - 1];
    }
    case "load":
      return e.buffer.type === "u8" ? [0, 255] : anything;
    case "lanes":
      return [0, 3];
    case "subgroup":
      return boundsOfSubgroup[e.what];
    case "splat":
      return boundsOf(e.a, ranges);
    case "cast":
      return typeOf(e.a) === "bool" ? [0, 1] : anything;
    case "select":
      return union(boundsOf(e.a, ranges), boundsOf(e.b, ranges));
    case "unary":
      return e.op === "sign" ? [-1, 1] : anything;
    case "binary":
      return boundsOfBinary(e, ranges);
    default:
      return anything;
  }
}
const union = (a: Bounds, b: Bounds): Bounds => [Math.min(a[0], b[0]), Math.max(a[1], b[1])];

function boundsOfBinary(e: Extract<Expr, { kind: "binary" }>, ranges: Ranges): Bounds {
  if (typeOf(e) !== "i32") return anything;
  const part = (x: Expr) => (x.kind === "binary" ? bounds(linear(x, ranges), ranges) : boundsOf(x, ranges));
  const a = part(e.a);
  const b = part(e.b);
  switch (e.op) {
    case "add":
      return [a[0] + b[0], a[1] + b[1]];
    case "sub":
      return [a[0] - b[1], a[1] - b[0]];
    case "mul": {
      const corners = [a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1]];
      return corners.some(Number.isNaN) ? anything : [Math.min(...corners), Math.max(...corners)];
    }
    case "min":
      return [Math.min(a[0], b[0]), Math.min(a[1], b[1])];
    case "max":
      return [Math.max(a[0], b[0]), Math.max(a[1], b[1])];
    case "div":
      return b[0] === b[1] && b[0] > 0 ? [Math.floor(a[0] / b[0]), Math.floor(a[1] / b[0])] : anything;
    case "mod":
      if (b[0] !== b[1] || b[0] <= 0) return anything;
      return a[0] >= 0 && a[1] < b[0] ? a : [0, b[0] - 1];
    default:
      return anything;
  }
}

/** Arithmetic on axes whose every step is known to stay inside 32 bits. */
export function isSmall(e: Expr, ranges: Ranges): boolean {
  if (typeOf(e) !== "i32" || lanesOf(e) !== 1 || (e.kind !== "binary" && e.kind !== "const" && e.kind !== "var")) return false;
  const [lo, hi] = boundsOf(e, ranges);
  return lo >= -(2 ** 31) && hi < 2 ** 31 && partsOf(e).every((x) => isSmall(x, ranges));
}

/* ---- the normal form ------------------------------------------------------------------------------------------- */

export function linear(e: Expr, ranges: Ranges): Linear {
  if (e.kind === "const") return constant(e.value);
  const known = remembered(ranges);
  const key = keyOf(e);
  const before = known.get(key);
  if (before) return before;
  const l = normalize(e, ranges);
  known.set(key, l);
  return l;
}
const memo = new WeakMap<Ranges, { readonly axes: number; readonly known: Map<string, Linear> }>();
/** Results so far; forgotten when the scope has got another axis. */
function remembered(ranges: Ranges): Map<string, Linear> {
  const before = memo.get(ranges);
  if (before?.axes === ranges.size) return before.known;
  const known = new Map<string, Linear>();
  memo.set(ranges, { axes: ranges.size, known });
  return known;
}

function normalize(e: Expr, ranges: Ranges): Linear {
  // An axis of extent 1 is 0.
  if (e.kind === "var" && ranges.get(e.name) === 1) return constant(0);
  if (e.kind === "unary" && e.op === "neg") return times(linear(e.a, ranges), -1);
  if (e.kind !== "binary" || typeOf(e) !== "i32") return atom(e);
  const a = linear(e.a, ranges);
  const b = linear(e.b, ranges);
  switch (e.op) {
    case "add":
      return joinDivMod(plus(a, b), ranges);
    case "sub":
      return joinDivMod(plus(a, times(b, -1)), ranges);
    case "mul":
      if (b.terms.size === 0) return times(a, b.constant);
      return a.terms.size === 0 ? times(b, a.constant) : atom(commute(mul, a, b));
    case "div":
      return b.terms.size === 0 ? divBy(a, b.constant, ranges) : atom(div(toExpr(a), toExpr(b)));
    case "mod":
      return b.terms.size === 0 ? joinDivMod(modBy(a, b.constant, ranges), ranges) : atom(mod(toExpr(a), toExpr(b)));
    case "min":
    case "max":
      return extreme(e.op, a, b, ranges);
    default:
      return atom(e);
  }
}
/** One spelling for a op b and b op a. */
function commute(op: (a: Expr, b: Expr) => Expr, a: Linear, b: Linear): Expr {
  const [p, q] = [toExpr(a), toExpr(b)];
  return keyOf(p) < keyOf(q) ? op(p, q) : op(q, p);
}
function extreme(op: "min" | "max", a: Linear, b: Linear, ranges: Ranges): Linear {
  const [lo, hi] = bounds(plus(a, times(b, -1)), ranges);
  if (hi <= 0) return op === "min" ? a : b;
  if (lo >= 0) return op === "min" ? b : a;
  return atom(commute(op === "min" ? min : max, a, b));
}
/** a = n*quotient + rest; the rest is what n does not divide, its constant lies in [0, n). */
function split(a: Linear, n: number): readonly [quotient: Linear, rest: Linear] {
  const q = new Map<string, Term>();
  const r = new Map<string, Term>();
  for (const [key, t] of a.terms) {
    if (t.scale % n === 0) q.set(key, { atom: t.atom, scale: t.scale / n });
    else r.set(key, t);
  }
  return [
    { terms: q, constant: floorDiv(a.constant, n) },
    { terms: r, constant: floorMod(a.constant, n) },
  ];
}
/** r div n, where all values of r have the same; else null. */
function sameQuotient(r: Linear, n: number, ranges: Ranges): number | null {
  const [lo, hi] = bounds(r, ranges);
  return Number.isFinite(lo) && Math.floor(lo / n) === Math.floor(hi / n) ? Math.floor(lo / n) : null;
}
/** The largest g dividing n with r = g*X + small, 0 <= small < g: then r div n = X div (n/g), r mod n = g*(X mod n/g) + small. */
function factorOf(r: Linear, n: number, ranges: Ranges): number {
  const divisors = new Set<number>();
  for (const t of r.terms.values()) for (const g of [n, ...divisors]) divisors.add(gcd(g, Math.abs(t.scale)));
  for (const g of [...divisors].sort((a, b) => b - a)) {
    if (g > 1 && g < n && sameQuotient(split(r, g)[1], g, ranges) === 0) return g;
  }
  return 1;
}
const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

function divBy(a: Linear, n: number, ranges: Ranges): Linear {
  if (n === 0) return constant(0);
  if (n < 0) return a.terms.size === 0 ? constant(floorDiv(a.constant, n)) : atom(div(toExpr(a), i32(n)));
  const [q, r] = split(a, n);
  const same = sameQuotient(r, n, ranges);
  if (same !== null) return plus(q, constant(same));
  const g = factorOf(r, n, ranges);
  return plus(q, divAtom(split(r, g)[0], n / g, ranges));
}
/** x div n, n > 0: (y div p) div n = y div p*n, and (y mod p) div n = (y div n) mod p/n where n divides p. */
function divAtom(x: Linear, n: number, ranges: Ranges): Linear {
  const inner = soleAtom(x);
  if (inner?.kind === "binary" && inner.b.kind === "const" && inner.b.value > 0) {
    if (inner.op === "div") return divBy(linear(inner.a, ranges), inner.b.value * n, ranges);
    if (inner.op === "mod" && inner.b.value % n === 0) return modBy(divBy(linear(inner.a, ranges), n, ranges), inner.b.value / n, ranges);
  }
  return atom(div(toExpr(x), i32(n)));
}
function modBy(a: Linear, n: number, ranges: Ranges): Linear {
  if (n === 0) return constant(0);
  if (n < 0) return a.terms.size === 0 ? constant(floorMod(a.constant, n)) : atom(mod(toExpr(a), i32(n)));
  const r = split(a, n)[1];
  const same = sameQuotient(r, n, ranges);
  if (same !== null) return plus(r, constant(-same * n));
  const free = dropMods(r, n, ranges);
  if (free) return modBy(free, n, ranges);
  const g = factorOf(r, n, ranges);
  const [x, small] = split(r, g);
  const m = n / g;
  return plus(times(g === 1 ? atom(mod(toExpr(x), i32(m))) : modBy(x, m, ranges), g), small);
}
/** Under mod n, scale * (y mod p) is scale * y where n divides scale * p; null where no term is of that kind. */
function dropMods(r: Linear, n: number, ranges: Ranges): Linear | null {
  for (const [key, { atom: e, scale }] of r.terms) {
    if (e.kind !== "binary" || e.op !== "mod" || e.b.kind !== "const" || e.b.value <= 0 || (scale * e.b.value) % n !== 0) continue;
    const rest = new Map(r.terms);
    rest.delete(key);
    return plus({ terms: rest, constant: r.constant }, times(linear(e.a, ranges), scale));
  }
  return null;
}
/** k*n*(x div n) + k*(x mod n) = k*x: a fused loop over contiguous axes becomes one stride. */
function joinDivMod(l: Linear, ranges: Ranges): Linear {
  for (const [key, { atom: e, scale }] of l.terms) {
    if (e.kind !== "binary" || e.op !== "mod" || e.b.kind !== "const" || e.b.value <= 0) continue;
    const x = linear(e.a, ranges);
    const quotient = soleAtom(divBy(x, e.b.value, ranges));
    const found = quotient && l.terms.get(keyOf(quotient));
    if (!found || found.scale !== scale * e.b.value) continue;
    const rest = new Map(l.terms);
    rest.delete(key);
    rest.delete(keyOf(quotient));
    return joinDivMod(plus({ terms: rest, constant: l.constant }, times(x, scale)), ranges);
  }
  return l;
}
/** The same value, in normal form. */
export const simplifyIndex = (e: Expr, ranges: Ranges): Expr => toExpr(linear(e, ranges));
