/**
 * Turns vector loops into operations on four lanes.
 *
 *     vector j in 4 {                            var s: f32x4 = splat(x[i])
 *       var s: f32 = x[i]                  =>    y[i, 0] = s * w[0]:4
 *       y[i, j] = s * w[j]
 *     }
 *
 * Requires: lanes do not depend on each other through memory. What is declared inside gets four lanes (f32 always, so that one load serves
 * all uses; other types where lanes differ). An access is wide where its physical stride along the axis is 1, and one for
 * all where it is 0. As a number, i * 4 + j is splat(i * 4) + lanes(). A vector loop of 4n becomes a serial loop of n around
 * four lanes.
 *
 * Lanes that lie apart are read and written one by one. A load of such is four wide ones and a transposition where its elements lie side by side along an unrolled
 * loop of four:
 *
 *     vector j in 4 { unrolled k in 4 { y[k, j] = x[j, k] } }
 */

import { invariant } from "../../ir/diagnostic.ts";
import { flattenIndex, strideOf } from "../../ir/kernel/address.ts";
import { add, at, axis as axisVar, declare, i32, lane, lanes, buffer as makeBuffer, mul, splat } from "../../ir/kernel/build.ts";
import { type Buffer, type Expr, type Kernel, lanesOf, type Stmt, typeOf } from "../../ir/kernel/kernel.ts";
import { isSmall, keyOf, linear, type Ranges, toExpr } from "../../ir/kernel/linear.ts";
import {
  declaredIn,
  exprsOf,
  flatMapSame,
  mapExpr,
  mapStmt,
  mentions,
  partsOf,
  substitute,
  substituteIn,
  visitExpr,
  visitExprs,
  visitStmts,
  withBody,
} from "../../ir/kernel/rewrite.ts";
import { joined, transposed } from "./transpose.ts";

export const vectorize = (k: Kernel): Kernel => withBody(k, walk(k.name, k.body, new Map()));

/**
 * Whether a vector loop over `axis` around `body` is legal, and worth it: without accesses lane by lane, unless `apart` says so.
 * `ranges`: extents of the axes around.
 */
export function canVectorize(body: readonly Stmt[], axis: string, ranges: Ranges, { apart = false } = {}): boolean {
  const extent = ranges.get(axis) ?? 4;
  if (extent % 4 !== 0) return false;
  const wide = widen(body, axis, new Map(ranges).set(axis, extent));
  return wide.problems.length === 0 && (apart || !wide.apart);
}

/**
 * `body` for the four values of `axis` at once; null where that is not legal. Variables in `each` are declared outside, with a
 * lane for each value.
 */
export function fourLanes(
  body: readonly Stmt[],
  axis: string,
  ranges: Ranges,
  each: ReadonlySet<string> = new Set(),
): readonly Stmt[] | null {
  const { body: wide, problems } = widenFour(body, axis, new Map(ranges).set(axis, 4), each);
  return problems.length > 0 ? null : wide;
}

const walk = (kernel: string, body: readonly Stmt[], ranges: Ranges): readonly Stmt[] =>
  flatMapSame(body, (s): readonly Stmt[] => {
    if (s.kind !== "for")
      return [
        mapStmt(
          s,
          (e) => e,
          (b) => walk(kernel, b, ranges),
        ),
      ];
    const inner = new Map(ranges).set(s.axis, s.extent);
    if (s.loop !== "vector")
      return [
        mapStmt(
          s,
          (e) => e,
          (b) => walk(kernel, b, inner),
        ),
      ];
    invariant(s.extent % 4 === 0, `${kernel}: a vector loop of ${s.extent} over ${s.axis}`);
    const { body: wide, problems } = widen(s.body, s.axis, inner);
    invariant(problems.length === 0, `${kernel}: ${problems[0]}, in the vector loop over ${s.axis}`);
    return wide;
  });

interface Widened {
  readonly body: readonly Stmt[];
  /** Why the loop is not legal; then the body means nothing. */
  readonly problems: readonly string[];
  /** Some access goes lane by lane. */
  readonly apart: boolean;
}
function widen(body: readonly Stmt[], axis: string, ranges: Ranges): Widened {
  const extent = ranges.get(axis)!;
  if (extent === 4) return widenFour(body, axis, ranges);
  const outer = `${axis}.4`;
  const four = substituteIn(body, new Map([[axis, at(axisVar(outer), 4, axisVar(axis))]]));
  const result = widenFour(four, axis, new Map(ranges).set(axis, 4).set(outer, extent / 4));
  return { ...result, body: [{ kind: "for", axis: outer, extent: extent / 4, loop: "serial", body: result.body }] };
}

/* ---- what differs between lanes -------------------------------------------------------------------------------- */

/** Names of variables and register arrays. */
interface Lanes {
  readonly axis: string;
  /** Lanes may hold different values. */
  readonly differ: Set<string>;
  /** Declared inside, with four lanes. */
  readonly wide: Set<string>;
}
const strideIn = (b: Buffer, index: readonly Expr[], l: Lanes, ranges: Ranges): number =>
  index.some((e) => [...l.differ].some((name) => mentions(e, name))) ? Number.NaN : strideOf(flattenIndex(b, index), l.axis, ranges);

function differs(e: Expr, l: Lanes, ranges: Ranges): boolean {
  if (e.kind === "var") return e.name === l.axis || l.differ.has(e.name);
  if (e.kind !== "load") {
    const isFixed = isSmall(e, ranges) && strideOf(e, l.axis, ranges) === 0;
    return !isFixed && partsOf(e).some((x) => differs(x, l, ranges));
  }
  if (e.buffer.space === "register" && l.differ.has(e.buffer.name)) return true;
  return e.index.some((x) => differs(x, l, ranges)) && strideIn(e.buffer, e.index, l, ranges) !== 0;
}
/** One round of marking; true when something was new. */
function mark(body: readonly Stmt[], l: Lanes, ranges: Ranges): boolean {
  const before = l.differ.size;
  for (const s of body) {
    if (s.kind === "for") mark(s.body, l, new Map(ranges).set(s.axis, s.extent));
    else if (s.kind === "if" || s.kind === "outline") mark(s.body, l, ranges);
    else if (s.kind === "var" && s.init && differs(s.init, l, ranges)) l.differ.add(s.name);
    else if (s.kind === "set" && differs(s.value, l, ranges)) l.differ.add(s.name);
    else if (s.kind === "store" && s.buffer.space === "register" && differs(s.value, l, ranges)) l.differ.add(s.buffer.name);
  }
  return l.differ.size > before;
}

/* ---- lanes that lie apart -------------------------------------------------------------------------------------- */

type Load = Extract<Expr, { kind: "load" }>;
type Loop = Extract<Stmt, { kind: "for" }>;

/** Loads that a loop certainly makes, whose lanes lie apart and whose elements along the loop lie side by side; by key. */
function loadsAcross(loop: Loop, l: Lanes, ranges: Ranges): ReadonlyMap<string, Load> {
  const found = new Map<string, Load>();
  if (loop.loop !== "unrolled" || loop.extent !== 4) return found;
  const own = declaredIn(loop.body);
  visitStmts(loop.body, (s) => void (s.kind === "store" && own.add(s.buffer.name)));
  const isAcross = (e: Load): boolean => {
    const { buffer, index } = e;
    if (own.has(buffer.name) || (buffer.type !== "f32" && buffer.type !== "i32")) return false;
    if (index.some((x) => [...own].some((name) => mentions(x, name)))) return false;
    const stride = strideIn(buffer, index, l, ranges);
    return Number.isFinite(stride) && stride !== 0 && stride !== 1 && strideOf(flattenIndex(buffer, index), loop.axis, ranges) === 1;
  };
  for (const e of loop.body.flatMap(exprsOf))
    visitExpr(e, (x) => void (x.kind === "load" && x.buffer.space !== "register" && isAcross(x) && found.set(keyOf(x), x)));
  return found;
}

/* ---- four lanes ------------------------------------------------------------------------------------------------ */

const toFour = (e: Expr): Expr => (lanesOf(e) === 4 ? e : splat(e));

function widenFour(body: readonly Stmt[], axis: string, ranges: Ranges, each: ReadonlySet<string> = new Set()): Widened {
  const l: Lanes = { axis, differ: new Set(each), wide: new Set(each) };
  while (mark(body, l, ranges));
  const declared = new Set(each);
  /** Buffers with a place that all lanes write. */
  const narrow = new Set<string>();
  /** Buffers with a place for each lane. */
  const spread = new Set<string>();
  /** What is read instead of loads across, by their keys. */
  const across = new Map<string, Expr>();
  const problems: string[] = [];
  let apart = 0;
  const refuse = (problem: string): void => {
    problems.push(problem);
  };
  const lane0 = new Map([[axis, i32(0)]]);
  const first = (index: readonly Expr[]) => index.map((e) => substitute(one(e), lane0));
  const ofLane = (index: readonly Expr[], n: number) => index.map((e) => substitute(one(e), new Map([[axis, i32(n)]])));

  /** The value of lane 0, for what all lanes share. */
  function one(e: Expr): Expr {
    if (e.kind === "var" && l.wide.has(e.name)) return lane({ ...e, lanes: 4 }, 0);
    if (e.kind === "load" && e.buffer.space === "register" && l.wide.has(e.buffer.name))
      return lane({ ...e, lanes: 4, index: e.index.map(one) }, 0);
    return mapExpr(e, one);
  }
  function shared(e: Expr, ranges: Ranges, what: string): Expr {
    if (differs(e, l, ranges)) refuse(`${what} differs between lanes`);
    return substitute(one(e), lane0);
  }
  function load(e: Load, ranges: Ranges): Expr {
    if (e.buffer.space === "register") {
      if (e.index.some((x) => differs(x, l, ranges))) refuse(`an index of ${e.buffer.name} differs between lanes`);
      return { ...e, lanes: l.wide.has(e.buffer.name) ? 4 : 1, index: first(e.index) };
    }
    const known = across.get(keyOf(e));
    if (known) return known;
    const stride = strideIn(e.buffer, e.index, l, ranges);
    if (stride === 0) return { ...e, index: first(e.index) };
    if (Number.isNaN(stride)) refuse(`a load from ${e.buffer.name} whose lanes do not move evenly`);
    if (stride === 1) return { ...e, lanes: 4, index: first(e.index) };
    apart++;
    return joined([0, 1, 2, 3].map((n) => ({ ...e, index: ofLane(e.index, n) })));
  }
  /** Arithmetic on axes: what lanes share is computed once. null: not inside 32 bits. */
  function position(e: Expr, ranges: Ranges): Expr | null {
    const { terms, constant } = linear(e, ranges);
    if (!isSmall(toExpr({ terms, constant }), ranges)) return null;
    const own = [...terms].filter(([, t]) => mentions(t.atom, axis));
    const base = toExpr({ terms: new Map([...terms].filter(([, t]) => !mentions(t.atom, axis))), constant });
    const parts = own.map(([key, { atom, scale }]) => {
      const each = key === axis ? lanes : mapExpr(atom, (x) => toFour(expr(x, ranges)));
      return scale === 1 ? each : mul(splat(i32(scale)), each);
    });
    if (parts.length === 0) return base;
    return (base.kind === "const" && base.value === 0 ? parts : [splat(base), ...parts]).reduce(add);
  }
  /** One lane where all are equal, else four. */
  function expr(e: Expr, ranges: Ranges): Expr {
    const small = mentions(e, axis) && isSmall(e, ranges) ? position(e, ranges) : null;
    if (small) return small;
    switch (e.kind) {
      case "const":
        return e;
      case "var":
        return l.wide.has(e.name) ? { ...e, lanes: 4 } : e;
      case "load":
        return load(e, ranges);
      case "splat":
      case "pack":
      case "lane":
      case "reduce":
        refuse(`${e.kind} inside`);
        return e;
      case "select": {
        const [cond, a, b] = [expr(e.cond, ranges), expr(e.a, ranges), expr(e.b, ranges)];
        if ([cond, a, b].every((x) => lanesOf(x) === 1)) return { ...e, cond, a, b };
        return { ...e, cond, a: toFour(a), b: toFour(b) };
      }
      default: {
        const parts = mapExpr(e, (x) => expr(x, ranges));
        return partsOf(parts).some((x) => lanesOf(x) === 4) ? mapExpr(parts, toFour) : parts;
      }
    }
  }
  function store(s: Extract<Stmt, { kind: "store" }>, ranges: Ranges): readonly Stmt[] {
    const { buffer } = s;
    if (buffer.space === "register") {
      if (!declared.has(buffer.name)) refuse(`${buffer.name} is declared outside`);
      if (s.index.some((x) => differs(x, l, ranges))) refuse(`an index of ${buffer.name} differs between lanes`);
      return [{ ...s, index: first(s.index), value: valueFor(buffer.name, s.value, ranges) }];
    }
    const stride = strideIn(buffer, s.index, l, ranges);
    if (stride === 0) {
      if (reads(body, buffer.name)) refuse(`all lanes read and write ${buffer.name} at one place`);
      narrow.add(buffer.name);
      return [{ ...s, index: first(s.index), value: shared(s.value, ranges, `what is stored to one place of ${buffer.name}`) }];
    }
    if (Number.isNaN(stride)) refuse(`a store to ${buffer.name} whose lanes do not move evenly`);
    spread.add(buffer.name);
    const value = toFour(expr(s.value, ranges));
    if (stride === 1) return [{ ...s, index: first(s.index), value }];
    const name = `${axis}.lanes${apart++}`;
    const all: Expr = { kind: "var", type: typeOf(value), lanes: 4, name };
    return [declare(name, value), ...([0, 1, 2, 3] as const).map((n) => ({ ...s, index: ofLane(s.index, n), value: lane(all, n) }))];
  }
  const valueFor = (name: string, e: Expr, ranges: Ranges): Expr => (l.wide.has(name) ? toFour(expr(e, ranges)) : shared(e, ranges, name));
  function begin(name: string, type: string): void {
    declared.add(name);
    if (type === "f32" || l.differ.has(name)) l.wide.add(name);
  }
  /** In front of a loop: four wide loads for each across it, in an array with the lanes of each of its steps. */
  function turned(s: Loop, ranges: Ranges): readonly Stmt[] {
    return [...loadsAcross(s, l, ranges)].flatMap(([key, e], n) => {
      const columns = makeBuffer(`${s.axis}.${n}`, "register", [4], null, e.buffer.type);
      const rows = [0, 1, 2, 3].map((row): Expr => {
        const by = new Map([[axis, i32(row)]]).set(s.axis, i32(0));
        return { ...e, lanes: 4, index: e.index.map((x) => substitute(one(x), by)) };
      });
      across.set(key, { kind: "load", lanes: 4, buffer: columns, base: null, index: [axisVar(s.axis)] });
      return transposed(columns, rows);
    });
  }
  function loop(s: Loop, ranges: Ranges): readonly Stmt[] {
    if (s.loop === "vector" || s.while) refuse(`the ${s.loop} loop over ${s.axis} inside`);
    const inner = new Map(ranges).set(s.axis, s.extent);
    const before = turned(s, inner);
    return [...before, { ...s, body: s.body.flatMap((x) => stmts(x, inner)) }];
  }
  const stmts = (s: Stmt, ranges: Ranges): readonly Stmt[] =>
    s.kind === "for" ? loop(s, ranges) : s.kind === "store" ? store(s, ranges) : [stmt(s, ranges)];
  function stmt(s: Exclude<Stmt, { kind: "for" | "store" }>, ranges: Ranges): Stmt {
    switch (s.kind) {
      case "var":
        begin(s.name, s.type);
        return { ...s, lanes: l.wide.has(s.name) ? 4 : 1, init: s.init && valueFor(s.name, s.init, ranges) };
      case "set":
        if (!declared.has(s.name)) refuse(`${s.name} is declared outside`);
        return { ...s, value: valueFor(s.name, s.value, ranges) };
      case "array":
        begin(s.buffer.name, s.buffer.type);
        return { ...s, lanes: l.wide.has(s.buffer.name) ? 4 : 1 };
      case "if":
        return { ...s, cond: shared(s.cond, ranges, "a condition"), body: s.body.flatMap((x) => stmts(x, ranges)) };
      case "outline":
        return { ...s, body: s.body.flatMap((x) => stmts(x, ranges)) };
      case "pointer":
      case "exchange":
        refuse(`a ${s.kind} inside`);
        return s;
      case "barrier":
        return s;
    }
  }
  const wide = body.flatMap((s) => stmts(s, ranges));
  for (const name of narrow) if (spread.has(name)) refuse(`stores to one place and to several of ${name}`);
  return { body: wide, problems, apart: apart > 0 };
}

function reads(body: readonly Stmt[], name: string): boolean {
  let found = false;
  visitExprs(body, (e) => {
    found ||= e.kind === "load" && e.buffer.name === name;
  });
  return found;
}
