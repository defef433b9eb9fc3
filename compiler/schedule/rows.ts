/**
 * Stages that go by the same rows, one after the other over a few rows at a time, which stay in the cache:
 *
 *     grid i in 64 {
 *       serial r in 8 { row[r] = max over k of x[i * 8 + r, k] }                                    lanes along the row
 *       serial r in 8 { serial j in 128 { vector { kept[r, j] = exp(x[i * 8 + r, j] - row[r]) } } } scratch memory
 *       serial r in 8 { row_1[r] = sum over k of kept[r, k] }
 *       serial r in 8 { serial j in 128 { vector { y[i * 8 + r, j] = kept[r, j] / row_1[r] } } }
 *     }
 *
 * With several rows a stage need not wait for the end of the one before: engines work on the next row meanwhile. A reduction
 * runs in the order that it has along the fold as a kernel of its own, whatever the number of rows and threads.
 */

import { add, at, buffer, declare, i32, load, local, store } from "../../ir/kernel/build.ts";
import { type Axes, type Body, makeAxes, type RowComputation, type Stage, type StageRead } from "../../ir/kernel/computation.ts";
import { type Buffer, type Expr, type Kernel, type Stmt, typeOf } from "../../ir/kernel/kernel.ts";
import { sizeOf } from "../../ir/type.ts";
import { foldInLanes } from "./fold.ts";
import { simplified } from "./simplify.ts";
import { canVectorize } from "./vectorize.ts";

/** Rows shorter than this leave lanes idle. */
const shortestRow = 16;
/** What a thread keeps of a row should stay in its second-level cache. */
const mostScratch = 2 ** 18;
/** Fewer rows are too few for threads, unless there is little to do. */
const fewRows = 8;
const littleWork = 2 ** 14;

/** Null where rows are not the way to go: too short, too long, too few, or not along memory. */
export function scheduleRows(c: RowComputation): Kernel | null {
  if (!isWorthwhile(c)) return null;
  const w: Writer = { axes: makeAxes(), scratch: new Map(), legal: true };
  const { shape, output } = c.stages.at(-1)!;
  const inner = c.across.findLastIndex((a) => shape[a]! > 1);
  const size = inner < 0 ? 1 : blockSize(c, shape[c.across[inner]!]!);
  const nest = (n: number, place: readonly Expr[]): readonly Stmt[] => {
    const axis = c.across[n];
    if (axis === undefined) return block(c, 1, () => place, w);
    if (n !== inner) return [w.axes.loop("grid", "i", shape[axis]!, (i) => nest(n + 1, [...place, i]))];
    const zeros = c.across.slice(n + 1).map(() => i32(0));
    const rows = (count: number, start: number) => (i: Expr) => block(c, count, (r) => [...place, add(at(i, size, start), r), ...zeros], w);
    const full = Math.floor(shape[axis]! / size);
    const rest = shape[axis]! - full * size;
    const main = w.axes.loop("grid", "i", full, rows(size, 0));
    return rest === 0 ? [main] : [main, w.axes.loop("grid", "i", 1, rows(rest, full * size))];
  };
  const body =
    inner < 0
      ? [
          w.axes.loop("grid", "i", 1, () =>
            nest(
              c.across.length,
              c.across.map(() => i32(0)),
            ),
          ),
        ]
      : nest(0, []);
  if (!w.legal) return null;
  const others = c.stages.slice(0, -1).flatMap((s) => s.output ?? []);
  return { name: c.name, buffers: [...c.inputs, output!, ...others, ...w.scratch.values()], body };
}

/** Bytes of all stages' rows that a block may have. */
const blockBytes = 2 ** 14;
const mostRows = 32;
/** As many blocks as a program may have threads should remain. */
const wantedBlocks = 16;
/** Rows of a block; blocks of other sizes than the last are best. */
function blockSize(c: RowComputation, extent: number): number {
  const place = c.across.map(() => i32(0));
  const bytes = 4 * c.stages.reduce((sum, s) => sum + sizeOf(alongOf(s, place)), 0);
  const most = Math.max(1, Math.min(mostRows, extent, Math.floor(blockBytes / bytes), Math.floor(rowsOf(c) / wantedBlocks)));
  for (let size = most; size > most / 2; size--) if (extent % size === 0) return size;
  return most;
}
const rowsOf = ({ across, stages }: RowComputation): number => across.reduce((n, a) => n * stages.at(-1)!.shape[a]!, 1);

function isWorthwhile(c: RowComputation): boolean {
  const { across, stages } = c;
  const rows = rowsOf(c);
  const place = across.map(() => i32(0));
  const kept = stages.filter((s) => s.output === null).map((s) => 4 * sizeOf(alongOf(s, place)));
  if (kept.reduce((sum, n) => sum + n, 0) > mostScratch) return false;
  if (stages.some((s) => (s.body([]).fold?.axes.at(-1)?.extent ?? shortestRow) < shortestRow)) return false;
  const elements = Math.max(...stages.map((s) => sizeOf(s.shape)), ...stages.map((s) => rows * foldedBy(s)));
  return rows >= fewRows || elements <= littleWork;
}
const foldedBy = (s: Stage): number => sizeOf((s.body([]).fold?.axes ?? []).map((a) => a.extent));
/** Extents along the row. */
const alongOf = ({ shape, indexAt }: Stage, place: readonly Expr[]): readonly number[] =>
  indexAt(place).flatMap((e, a) => (e === null ? [shape[a]!] : []));

type RowIndex = readonly (Expr | null)[];
interface Writer {
  readonly axes: Axes;
  readonly scratch: Map<string, Buffer>;
  /** Every loop along rows has lanes. */
  legal: boolean;
}

/** `count` rows, stage by stage. */
function block(c: RowComputation, count: number, placeOf: (r: Expr) => readonly Expr[], w: Writer): readonly Stmt[] {
  const before: ((row: Row) => StageRead)[] = [];
  return c.stages.map((s, n) => {
    const memory = memoryOf(s, n, count, placeOf(i32(0)), w);
    const loop = w.axes.loop("serial", "r", count, (r) => {
      const row: Row = { number: r, known: new Map(), begin: [] };
      const body = s.body(before.map((read) => read(row)));
      const stmts = memory.isValue
        ? value(s, body, s.indexAt(placeOf(r)), memory, r, w)
        : along(s, body, s.indexAt(placeOf(r)), memory, r, w);
      return [...row.begin, ...stmts];
    });
    before.push((row) =>
      memory.isValue ? valueOfRow(memory.buffer, row, w) : (i) => load(memory.buffer, ...memory.placeOf(i, row.number)),
    );
    return loop;
  });
}
/** A row of the block, and what has been read of it already. */
interface Row {
  readonly number: Expr;
  readonly known: Map<Buffer, Expr>;
  readonly begin: Stmt[];
}
/** The value that a row has, read once. */
function valueOfRow(from: Buffer, row: Row, w: Writer): StageRead {
  return () => {
    const known = row.known.get(from);
    if (known) return known;
    const name = w.axes.fresh("value");
    const read = load(from, row.number);
    const variable = local(name, typeOf(read));
    row.begin.push(declare(name, read));
    row.known.set(from, variable);
    return variable;
  };
}

/** Where a stage leaves what the rows of a block have. */
interface Memory {
  readonly buffer: Buffer;
  /** One value for each row. */
  readonly isValue: boolean;
  readonly placeOf: (index: readonly Expr[], r: Expr) => readonly Expr[];
}
function memoryOf(s: Stage, n: number, count: number, place: readonly Expr[], w: Writer): Memory {
  const axes = s.indexAt(place).flatMap((e, a) => (e === null ? [a] : []));
  if (axes.length === 0) return { buffer: scratch(w, `row ${n} ${count}`, "row", [count], s.type), isValue: true, placeOf: (_, r) => [r] };
  if (s.output) return { buffer: s.output, isValue: false, placeOf: (i) => i };
  const kept = scratch(w, `kept ${n} ${count}`, "kept", [count, ...axes.map((a) => s.shape[a]!)], s.type);
  return { buffer: kept, isValue: false, placeOf: (i, r) => [r, ...axes.map((a) => i[a]!)] };
}

/** The one value of a row. */
function value(s: Stage, { fold, finish }: Body, at: RowIndex, memory: Memory, r: Expr, w: Writer): readonly Stmt[] {
  const { axes } = w;
  const index = at as readonly Expr[];
  const parts = (i: number, type: Buffer["type"]) => scratch(w, `parts ${i} ${type}`, "parts", [4], type);
  const wide = fold && foldInLanes(fold, index, axes, parts);
  if (wide) {
    const [lanes] = wide.body;
    w.legal &&= lanes?.kind === "for" && canVectorize(lanes.body, lanes.axis, axes.ranges);
  }
  const end = finish(index, wide?.value ?? null, axes);
  const name = axes.fresh("result");
  const result = local(name, typeOf(end.value));
  const stored = s.output ? [store(s.output, index, result)] : [];
  return [...(wide?.body ?? []), ...end.lets, declare(name, end.value), store(memory.buffer, [r], result), ...stored];
}

/** All elements of a row. */
function along(s: Stage, { finish }: Body, index: RowIndex, memory: Memory, r: Expr, w: Writer): readonly Stmt[] {
  const { axes } = w;
  const free = index.flatMap((e, a) => (e === null ? [a] : []));
  const element = (i: readonly Expr[]): readonly Stmt[] => {
    const end = finish(i, null, axes);
    return simplified([...end.lets, store(memory.buffer, memory.placeOf(i, r), end.value)], axes.ranges);
  };
  const nest = (n: number, i: RowIndex): readonly Stmt[] => {
    const axis = free[n]!;
    const inner = (e: Expr) => i.with(axis, e);
    if (n === free.length - 1) return inFours(s.shape[axis]!, w, (e) => element(inner(e) as readonly Expr[]));
    return [axes.loop("serial", "j", s.shape[axis]!, (e) => nest(n + 1, inner(e)))];
  };
  return nest(0, index);
}
function inFours(extent: number, w: Writer, body: (position: Expr) => readonly Stmt[]): readonly Stmt[] {
  const { axes } = w;
  const fours = Math.floor(extent / 4);
  w.legal &&= extent >= shortestRow;
  if (!w.legal) return [];
  const main = axes.loop("serial", "j", fours, (v) => [
    axes.loop("vector", "lane", 4, (lane) => {
      const inner = body(at(v, 4, lane));
      w.legal &&= lane.kind === "var" && canVectorize(inner, lane.name, axes.ranges);
      return inner;
    }),
  ]);
  const rest = extent - fours * 4;
  return rest === 0 ? [main] : [main, axes.loop("serial", "j", rest, (i) => body(at(i, 1, fours * 4)))];
}
/** Scratch memory of this kernel under a key. */
function scratch(w: Writer, key: string, base: string, extents: readonly number[], type: Buffer["type"]): Buffer {
  const known = w.scratch.get(key) ?? buffer(w.axes.fresh(base), "scratch", extents, null, type);
  w.scratch.set(key, known);
  return known;
}
