/**
 * Stages that go by the same rows, one after the other, on a GPU: a workgroup has a row, or a few, whose elements its invocations
 * share; what they keep is in variables or in workgroup memory, where the parts of a fold meet.
 *
 *     grid g in 64 { thread j in 128 {
 *       var acc = -inf; serial n in 6 { acc = max(acc, x[g, n * 128 + j]) }
 *       met[j] = acc; barrier; ...; var folded = max of all met
 *       kept_0 = exp(x[g, j] - folded); kept_1 = exp(x[g, 128 + j] - folded); ...
 *       ... the sum of what is kept, and what is written
 *     } }
 *
 * All invocations reach all barriers. The order of a sum follows from extents alone.
 */

import { invariant } from "../../../ir/diagnostic.ts";
import { allOf, at, barrier, buffer, declare, i32, load, local, lt, set, store, when } from "../../../ir/kernel/build.ts";
import { type Axes, makeAxes, type RowComputation } from "../../../ir/kernel/computation.ts";
import { type Buffer, type Expr, type Kernel, type ScalarType, type Stmt, typeOf } from "../../../ir/kernel/kernel.ts";
import { bounds, linear } from "../../../ir/kernel/linear.ts";
import { type Limits, profiles, wordBytes } from "../../../ir/limits.ts";
import { sizeOf } from "../../../ir/type.ts";
import { named, positionOf, type Running, running } from "../accumulate.ts";
import { unravel } from "../elements.ts";
import { variables } from "../fold.ts";
import { meet } from "./meet.ts";
import {
  alongOf,
  type Evaluator,
  evaluator,
  indexAt,
  isValue,
  liesAlong,
  mostStraight,
  type Part,
  type ReadOf,
  roundsOf,
  rowParts,
  type Way,
  type Workgroup,
  waysOf,
} from "./row-stages.ts";
import { lineElements, mostInvocations, powerOfTwo, workgroup } from "./shape.ts";

/** Null where there are too few rows to be a workgroup each, or no place for what stages share, or for folds to meet. `limits`: what the device has. */
export function scheduleGpuRows(c: RowComputation, limits: Limits = profiles.default): Kernel | null {
  if (c.stages.some((s) => s.type === "u8")) return null;
  const parts = rowParts(c);
  const division = divisionOf(c, parts, limits);
  const ways = division && waysOf(c, parts, division);
  if (!ways) return null;
  const axes = makeAxes();
  const own: Buffer[] = [];
  const loop = axes.loop("grid", "group", division.groups, (g) =>
    threads(division, axes, (row, slice) => {
      const number = at(g, division.rows, row);
      return stages({ c, parts, ways, division, row, slice, number, axes, own });
    }),
  );
  const others = c.stages.slice(0, -1).flatMap((s) => s.output ?? []);
  return { name: c.name, buffers: [...c.inputs, c.stages.at(-1)!.output!, ...others, ...own], body: [loop] };
}

/* ---- division -------------------------------------------------------------------------------------------------- */

interface Division extends Workgroup {
  readonly groups: number;
  /** Neighbouring invocations have neighbours along the row, not neighbouring rows. */
  readonly along: boolean;
}
/** Positions of a row that each should have. */
const fewestRounds = 4;
/** Invocations that keep a GPU busy. Fewer leave most of it idle, which costs more than another kernel where each goes through much. */
const manyInvocations = 2 ** 15;
const manyRounds = 32;
/** Parts of states that meet, at most: in two places by turns, of three types, one of them beside another. */
const mostMeeting = 10;

function divisionOf(c: RowComputation, parts: readonly Part[], limits: Limits): Division | null {
  const count = sizeOf(c.across.map((a) => c.stages.at(-1)!.shape[a]!));
  const length = Math.max(...parts.map((p) => p.length));
  const along = liesAlong(c, parts);
  const invocations = mostInvocations(limits);
  const most = along ? invocations : Math.max(1, Math.min(invocations / lineElements, manyInvocations / count));
  const share = powerOfTwo(length / fewestRounds, most);
  const rows = Math.min(
    Math.max(along ? 1 : Math.min(lineElements, invocations / share), workgroup / share),
    2 ** Math.ceil(Math.log2(count)),
  );
  const groups = Math.ceil(count / rows);
  const isIdle = groups * rows * share < manyInvocations && roundsOf(length, { share }) > manyRounds;
  // Folds keep it no busier as kernels of their own.
  if (isIdle && parts.some((p) => !isValue(p))) return null;
  const folds = parts.reduce((n, p) => n + (p.terms.length > 0 ? running(p.stage.body([]).fold!.op, "f32").parts.length : 0), 0);
  const words = limits.maxComputeWorkgroupStorageSize / wordBytes - Math.min(folds, mostMeeting) * rows * share;
  return words < 0 ? null : { rows, share, along, groups, words };
}

/** Loops over rows and invocations of a row; the inner one numbers neighbours. */
function threads(d: Division, axes: Axes, body: (row: Expr, slice: Expr) => readonly Stmt[]): readonly Stmt[] {
  const loop = (base: string, extent: number, inner: (i: Expr) => readonly Stmt[]): readonly Stmt[] =>
    extent === 1 ? inner(i32(0)) : [axes.loop("thread", base, extent, inner)];
  return d.along
    ? loop("row", d.rows, (row) => loop("slice", d.share, (slice) => body(row, slice)))
    : loop("slice", d.share, (slice) => loop("row", d.rows, (row) => body(row, slice)));
}

/* ---- stages ---------------------------------------------------------------------------------------------------- */

interface Given {
  readonly c: RowComputation;
  readonly parts: readonly Part[];
  readonly ways: readonly Way[];
  readonly division: Division;
  /** The row of the workgroup, and which of its invocations this is. */
  readonly row: Expr;
  readonly slice: Expr;
  /** The row of all. */
  readonly number: Expr;
  readonly axes: Axes;
  /** Receives workgroup memory. */
  readonly own: Buffer[];
}
interface Writer extends Given {
  readonly place: readonly Expr[];
  /** Conditions under which there is such a row: without it an invocation only waits for the others, and reads nothing. */
  readonly exists: readonly Expr[];
  readonly values: Evaluator;
  /** What is kept of each stage. */
  readonly kept: (Kept | null)[];
  /** The round in straight code. */
  round: number;
  readonly met: Map<string, Buffer>;
  folds: number;
}
type Kept =
  | { readonly kind: "value"; readonly value: Expr }
  | { readonly kind: "registers"; readonly names: readonly string[] }
  | { readonly kind: "memory"; readonly buffer: Buffer };

function stages(given: Given): readonly Stmt[] {
  const w = writerOf(given);
  return given.parts.flatMap((p, n) => (isValue(p) ? value(p, n, w) : along(p, n, w)));
}
function writerOf(given: Given): Writer {
  const { c, parts, ways, division, number, row, axes } = given;
  const extents = c.across.map((a) => c.stages.at(-1)!.shape[a]!);
  const count = sizeOf(extents);
  const isRagged = count % division.rows !== 0;
  const place = unravel(number, extents);
  const kept: (Kept | null)[] = parts.map(() => null);
  const read: ReadOf = (m, index) => {
    if (ways[m]!.kind === "again") return null;
    const from = kept[m];
    invariant(from, `${c.name}: stage ${m} is read, but nothing is kept of it`);
    switch (from.kind) {
      case "value":
        return from.value;
      case "registers":
        return local(from.names[w.round]!, parts[m]!.type);
      case "memory":
        return load(from.buffer, ...(from.buffer.space === "workgroup" ? [row, ...alongOf(parts[m]!, place, index)] : index));
    }
  };
  const values = evaluator(parts, place, read, axes);
  const exists = isRagged ? [lt(number, i32(count))] : [];
  const w: Writer = { ...given, place, exists, values, kept, round: 0, met: new Map(), folds: 0 };
  return w;
}

/** The one value of a row: the invocations share the fold, and all of them have what comes of it. */
function value(p: Part, n: number, w: Writer): readonly Stmt[] {
  const index = indexAt(p, w.place, i32(0));
  const folded = p.terms.length > 0 ? fold(p, n, w) : null;
  const end = w.values.finish(n, index, folded?.value ?? null);
  const name = w.axes.fresh("value");
  const type = typeOf(end.value);
  w.kept[n] = { kind: "value", value: local(name, type) };
  const made =
    w.exists.length === 0
      ? [...end.lets, declare(name, end.value)]
      : [undefinedYet(name, type), ...guarded(w.exists, [...end.lets, set(name, end.value)])];
  const first = w.division.share > 1 ? [lt(w.slice, i32(1))] : [];
  const stored = p.stage.output ? guarded([...first, ...w.exists], [store(p.stage.output, index, local(name, type))]) : [];
  return [...(folded?.body ?? []), ...made, ...stored];
}
const undefinedYet = (name: string, type: ScalarType): Stmt => ({ kind: "var", name, type, lanes: 1, init: null });
const guarded = (conditions: readonly Expr[], body: readonly Stmt[]): readonly Stmt[] =>
  conditions.length === 0 ? body : [when(allOf(conditions), body)];

interface Folded {
  readonly body: readonly Stmt[];
  readonly value: Expr;
}
function fold(p: Part, n: number, w: Writer): Folded {
  const { axes } = w;
  const { op } = p.stage.body([]).fold!;
  const r = running(op, typeOf(w.values.term(n, i32(0)).value));
  const state = variables(r, axes);
  const terms = rounds(p, w, (position) => {
    const t = w.values.term(n, position);
    const v = named(r, t.value, axes);
    const place = () => positionOf(unravel(position, p.terms), p.terms);
    return [...t.lets, ...v.lets, ...state.set(r.step(state.now, v.value, place))];
  });
  const { slice, division } = w;
  const place = (i: Expr) => [w.row, i];
  const { share, rows } = division;
  const met =
    share === 1
      ? { body: [], now: state.now }
      : meet({ r, now: state.now, memory: meetingPlaces(r, w), place, slice, share, alone: rows === 1, axes });
  const name = axes.fresh("folded");
  const result = r.result(met.now);
  return { body: [...state.begin, ...terms, ...met.body, declare(name, result)], value: local(name, typeOf(result)) };
}
/** Workgroup memory for the states of all invocations. */
function meetingPlaces(r: Running, w: Writer): readonly Buffer[] {
  const { rows, share } = w.division;
  // The fold before may still be read, the one before that is not.
  const turn = w.folds++ % 2;
  return r.parts.map(({ type }, i) => {
    const key = `${turn} ${i} ${type}`;
    const known = w.met.get(key);
    if (known) return known;
    const made = buffer(w.axes.fresh("met"), "workgroup", [rows, share], null, type);
    w.met.set(key, made);
    w.own.push(made);
    return made;
  });
}

/** All elements along a row. */
function along(p: Part, n: number, w: Writer): readonly Stmt[] {
  const { axes } = w;
  const way = w.ways[n]!;
  const { output } = p.stage;
  if (way.kind === "again") return [];
  const names = way.kind === "registers" ? Array.from({ length: roundsOf(p.length, w.division) }, () => axes.fresh("kept")) : [];
  const memory = way.kind === "workgroup" ? buffer(axes.fresh("row"), "workgroup", [w.division.rows, ...p.free], null, p.stage.type) : null;
  if (memory) w.own.push(memory);
  const body = rounds(p, w, (position) => {
    const index = indexAt(p, w.place, position);
    const end = w.values.finish(n, index, null);
    const name = axes.fresh("element");
    const element = local(name, p.type);
    return [
      ...end.lets,
      declare(name, end.value),
      ...(way.kind === "registers" ? [set(names[w.round]!, element)] : []),
      ...(memory ? [store(memory, [w.row, ...unravel(position, p.free)], element)] : []),
      ...(output ? [store(output, index, element)] : []),
    ];
  });
  w.kept[n] = keptBy(way, names, memory ?? output);
  const begin = names.map((name) => undefinedYet(name, p.type));
  const isShared = (way.kind === "workgroup" || way.kind === "output") && way.isShared;
  return [...begin, ...body, ...(isShared && w.division.share > 1 ? [barrier] : [])];
}
function keptBy(way: Way, names: readonly string[], memory: Buffer | null): Kept | null {
  switch (way.kind) {
    case "none":
    case "again":
      return null;
    case "registers":
      return { kind: "registers", names };
    case "workgroup":
    case "output":
      return memory && { kind: "memory", buffer: memory };
  }
}

/** The positions of this invocation in its row, if there is such a row: in straight code, where they are few, else in a loop. */
function rounds(p: Part, w: Writer, body: (position: Expr) => readonly Stmt[]): readonly Stmt[] {
  const { share } = w.division;
  const count = roundsOf(p.length, w.division);
  const inside = (n: Expr): readonly Stmt[] => {
    const position = at(n, share, w.slice);
    const [, most] = bounds(linear(position, w.axes.ranges), w.axes.ranges);
    const stmts = body(position);
    return most < p.length ? stmts : [when(lt(position, i32(p.length)), stmts)];
  };
  if (count > mostStraight) return guarded(w.exists, [w.axes.loop("serial", "n", count, inside)]);
  const straight = Array.from({ length: count }, (_, n) => {
    w.round = n;
    return inside(i32(n));
  });
  return guarded(w.exists, straight.flat());
}
