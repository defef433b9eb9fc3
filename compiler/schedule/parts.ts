/**
 * Buffers that lie in parts (ir/parts.ts) become a buffer for each. Grids are cut where other parts are touched, so that
 * each dispatch binds few; an access that may still go to several chooses by its index.
 *
 *     grid i in 8 {              in parts of 4 elements        grid i in 4 {
 *       y[i] = t[ids[i]]                                =>       var place: i32 = ids[i]
 *     }                                                          y_0[i] = select(place < 4, t_0[min(place, 3)], t_1[max(place - 4, 0)])
 *                                                              }
 *                                                              grid i_1 in 4 { var place_1 ... y_1[i_1] = ... }
 */
import { flattenIndex } from "../../ir/kernel/address.ts";
import {
  add,
  allOf,
  declare,
  div,
  flatBuffer,
  i32,
  lane,
  lt,
  max,
  min,
  mul,
  names,
  pack,
  select,
  store,
  sub,
  when,
} from "../../ir/kernel/build.ts";
import { type Buffer, type Expr, type Kernel, type Lanes, lanesOf, type Stmt, typeOf } from "../../ir/kernel/kernel.ts";
import { isMultiple, linear, type Ranges, simplifyIndex } from "../../ir/kernel/linear.ts";
import { declaredIn, mapExpr, mapStmt, namesOf, substitute, visitExprs, visitStmts } from "../../ir/kernel/rewrite.ts";
import { wordBytes } from "../../ir/limits.ts";
import { partSizes } from "../../ir/parts.ts";
import { bytesStored } from "../../ir/type.ts";
import { copyOf } from "./copy.ts";
import { flatten } from "./flatten.ts";
import { type Box, cut, elementsAt, type Known, knownIn, type Part, type Parts, partsIn, placesIn } from "./touched.ts";

type Fresh = (base: string) => string;

/** `most`: bytes of the largest part. */
export const parts =
  (most: number) =>
  (k: Kernel): Kernel => {
    const fresh = names(namesOf(k));
    const table = tableOf(k, most, fresh);
    if (table.size === 0) return k;
    const copies: Buffer[] = [];
    // An offset that is simple in the whole grid is so in its pieces; the other way round that is not easily seen.
    const flat = flatten(k);
    const pieces = flat.body.flatMap((s) => piecesOf(s, table, fresh, copies));
    const body = chosen(pieces, { table, known: knownIn(pieces), fresh }, new Map());
    return { ...k, buffers: [...flat.buffers.flatMap((b) => table.get(b.name)?.map((p) => p.buffer) ?? [b]), ...copies], body };
  };

function tableOf(k: Kernel, most: number, fresh: Fresh): Parts {
  return new Map(
    k.buffers.filter(isShared).flatMap((b) => {
      const width = b.stored ? bytesStored[b.stored] : wordBytes;
      const sizes = partSizes(b.shape, b.layout, most / width, width);
      if (sizes.length === 1) return [];
      let start = 0;
      const list = sizes.map((n): Part => {
        start += n;
        return { buffer: flatBuffer(b, fresh(`${b.name}_0`), n), start: start - n, end: start };
      });
      return [[b.name, list] as const];
    }),
  );
}

/* ---- grids ----------------------------------------------------------------------------------------------------- */

type Loop = Extract<Stmt, { kind: "for" }>;
const isGrid = (s: Stmt | undefined): s is Loop => s?.kind === "for" && s.loop === "grid";

/** A grid as several, one behind the other; each is a dispatch, with workgroup memory of its own among `copies`. */
function piecesOf(s: Stmt, table: Parts, fresh: Fresh, copies: Buffer[]): readonly Stmt[] {
  const loops: Loop[] = [];
  for (let inner: readonly Stmt[] = [s]; inner.length === 1 && isGrid(inner[0]); inner = inner[0].body) loops.push(inner[0]);
  const body = loops.at(-1)?.body ?? [];
  const whole: Box = loops.map(({ axis, extent }) => ({ axis, lo: 0, hi: extent }));
  const boxes = cut(whole, body, table);
  if (boxes.length === 1) return [s];
  return boxes.flatMap((box, i) => {
    const nest = box.reduceRight<readonly Stmt[]>(
      (inside, { axis, lo, hi }) => [{ kind: "for", axis, extent: hi - lo, loop: "grid", body: inside }],
      copyOf(body, new Map(), placesIn(box)),
    );
    if (i === 0) return nest;
    const own = new Map(privateIn(nest).map((b) => [b.name, { ...b, name: fresh(b.name) }]));
    copies.push(...own.values());
    const declared = [...declaredIn(nest)].map((name) => [name, fresh(name)] as const);
    return copyOf(nest, new Map([...declared, ...[...own].map(([name, b]) => [name, b.name] as const)]));
  });
}

/** Memory of a workgroup, or of an invocation. */
function privateIn(body: readonly Stmt[]): readonly Buffer[] {
  const found = new Map<string, Buffer>();
  const add = (b: Buffer) => void (isShared(b) || found.set(b.name, b));
  visitExprs(body, (e) => void (e.kind === "load" && add(e.buffer)));
  visitStmts(body, (s) => void (s.kind === "store" && add(s.buffer)));
  return [...found.values()];
}
const isShared = ({ space }: Buffer): boolean => space === "in" || space === "out" || space === "inout" || space === "global";

/* ---- accesses -------------------------------------------------------------------------------------------------- */

interface Scope {
  readonly table: Parts;
  readonly known: Known;
  readonly fresh: Fresh;
}
function chosen(body: readonly Stmt[], scope: Scope, ranges: Ranges): readonly Stmt[] {
  return body.flatMap((s) => {
    const inner = s.kind === "for" ? new Map(ranges).set(s.axis, s.extent) : ranges;
    const before: Stmt[] = [];
    const inside = mapStmt(
      s,
      (e) => reads(e, scope, ranges, before),
      (b) => chosen(b, scope, inner),
    );
    const own = inside.kind === "store" && scope.table.has(inside.buffer.name) ? stores(inside, scope, ranges) : [inside];
    return [...before, ...own];
  });
}
function reads(e: Expr, scope: Scope, ranges: Ranges, before: Stmt[]): Expr {
  const inside = mapExpr(e, (x) => reads(x, scope, ranges, before));
  return inside.kind === "load" && scope.table.has(inside.buffer.name) ? readOf(inside, scope, ranges, before) : inside;
}

/** Where an access goes: to a place of the whole buffer, in one of some parts. */
interface Target {
  readonly place: Expr;
  readonly parts: readonly Part[];
  /** Four lanes may lie in two parts. */
  readonly isRagged: boolean;
}
function targetOf(
  s: Pick<Extract<Expr, { kind: "load" }>, "buffer" | "index">,
  lanes: Lanes,
  { table, known }: Scope,
  ranges: Ranges,
): Target {
  const index = s.index.map((e) => substitute(e, known));
  const place = simplifyIndex(flattenIndex(s.buffer, s.index), ranges);
  const found = partsIn(table.get(s.buffer.name)!, elementsAt(s.buffer, index, lanes, ranges));
  return { place, parts: found, isRagged: lanes === 4 && !isMultiple(linear(flattenIndex(s.buffer, index), ranges), 4) };
}
const within = ({ buffer: b, start }: Part, place: Expr, lanes: Lanes): Expr => ({
  kind: "load",
  lanes,
  buffer: b,
  base: null,
  index: [sub(place, i32(start))],
});

function readOf(e: Extract<Expr, { kind: "load" }>, scope: Scope, ranges: Ranges, before: Stmt[]): Expr {
  const { place, parts: found, isRagged } = targetOf(e, e.lanes, scope, ranges);
  const [only, more] = found;
  if (only && !more) return within(only, place, e.lanes);
  const at = named("place", place, scope, before);
  if (!isRagged) return choice(found, at, e.lanes);
  const [a, b, c, d] = [0, 1, 2, 3].map((n) => choice(found, add(at, i32(n)), 1));
  return pack(a!, b!, c!, d!);
}
/** All parts are read, each at its nearest place; four lanes begin at a multiple of four. */
function choice(found: readonly Part[], place: Expr, lanes: Lanes): Expr {
  const nearest = (p: Part, n: number): Expr => {
    const unit = (elements: number) => i32(Math.floor(elements / lanes));
    const own = sub(div(place, i32(lanes)), unit(p.start));
    const low = n === 0 ? own : max(own, i32(0));
    const high = n === found.length - 1 ? low : min(low, sub(unit(p.end - p.start), i32(1)));
    return { kind: "load", lanes, buffer: p.buffer, base: null, index: [mul(high, i32(lanes))] };
  };
  return found.map(nearest).reduceRight((rest, value, n) => select(lt(place, i32(found[n]!.end)), value, rest));
}

function stores(s: Extract<Stmt, { kind: "store" }>, scope: Scope, ranges: Ranges): readonly Stmt[] {
  const lanes = lanesOf(s.value);
  const { place, parts: found, isRagged } = targetOf(s, lanes, scope, ranges);
  const [only, more] = found;
  const into = (p: Part, at: Expr, value: Expr) => store(p.buffer, [sub(at, i32(p.start))], value);
  if (only && !more) return [into(only, place, s.value)];
  const before: Stmt[] = [];
  const at = named("place", place, scope, before);
  const value = named("value", s.value, scope, before);
  const toOne = (to: Expr, v: Expr) =>
    found.map((p, n) =>
      when(allOf([...(n > 0 ? [lt(i32(p.start - 1), to)] : []), ...(n < found.length - 1 ? [lt(to, i32(p.end))] : [])]), [into(p, to, v)]),
    );
  const all = isRagged ? ([0, 1, 2, 3] as const).flatMap((n) => toOne(add(at, i32(n)), lane(value, n))) : toOne(at, value);
  return [...before, ...all];
}
function named(base: string, value: Expr, { fresh }: Scope, before: Stmt[]): Expr {
  const name = fresh(base);
  before.push(declare(name, value));
  return { kind: "var", type: typeOf(value), lanes: lanesOf(value), name };
}
