/**
 * Register-tiled sums of products: matrix products, convolutions and their gradients are one schedule, told apart by strides.
 *
 *     y[.., i, .., j] = finish(sum over k of a[.., i, k] * b[k, j])
 *
 * j is the innermost axis of y in memory and `a` does not know it; `b` does not know i. Then a tile of rows i and vectors j
 * shares every load of `a` and `b`. Weights lie in panels of eight columns because `assign-layouts` packed them; what does
 * not, and is used by enough rows, is copied into panels here, slice by slice where the sum is long.
 */

import type { Choose } from "../../../ir/choice.ts";
import { flattenIndex, strideOf } from "../../../ir/kernel/address.ts";
import { add, at, buffer, eq, f32, i32, load, mul, outline, select, store } from "../../../ir/kernel/build.ts";
import type { Axes, Computation } from "../../../ir/kernel/computation.ts";
import type { Buffer, Expr, Stmt } from "../../../ir/kernel/kernel.ts";
import { tileRows } from "../../../ir/register-tile.ts";
import { sizeOf } from "../../../ir/type.ts";
import { unravel } from "../elements.ts";
import { type Ask, type Form, finishesWide, formOf, lineElements } from "./form.ts";
import { type Panel, pack, panelsOf, widthOf } from "./panel.ts";
import { joinable, positionOf, reduction, type Slices, slicesOf } from "./reduction.ts";
import { grouped, merged, phases } from "./split.ts";
import { nested, type Run, registerTile, splitRows } from "./tile.ts";
import { inLanes } from "./transform.ts";
import { probe, type Work, workOf } from "./work.ts";

/** The tiled loops, or null when the computation has not this form. `scratch` receives the memory that they need. */
export function contraction(c: Computation, axes: Axes, scratch: Buffer[], choose: Choose): readonly Stmt[] | null {
  const whole = workOf(c, axes);
  if (!whole) return null;
  const plans: Plan[] = [];
  const empty: Work[] = [];
  const ask: Ask = (kind, options) => choose({ kind, about: c.about, options, of: { kernel: c.name } });
  for (const work of phases(whole, axes)) {
    const plan = sizeOf(work.fold) > 0 ? planOf(work, axes, ask) : null;
    if (plan) plans.push(plan);
    else if (sizeOf(work.fold) === 0) empty.push(work);
    else return null;
  }
  const memory = memoryFor(plans, axes);
  scratch.push(...[memory.packed, memory.rows, memory.parts].filter((b) => sizeOf(b.shape) > 0));
  return [...empty.flatMap((w) => zeros(w, axes)), ...plans.flatMap((p) => loops(p, memory, axes))];
}

/* ---- plan ------------------------------------------------------------------------------------------------------ */

interface Plan {
  readonly form: Form;
  readonly slices: Slices;
  /** Blocks of rows. */
  readonly blocks: readonly Run[];
  readonly panels: readonly Panel[];
  /** Axes of the grid: around blocks and panels, and inside. */
  readonly outer: readonly number[];
  readonly inner: readonly number[];
  /** Free axes that pass by one panel beside the rows. */
  readonly passing: readonly number[];
  /** Panels that rows pass by at once. */
  readonly together: number;
}

/** Rows of `a` that stay in the second-level cache while all panels of `b` pass by; elements of them where that repeats packing. */
const blockRows = 96;
const blockElements = 2 ** 17;
/** Sums that are packed whole, and slices of longer ones: a panel of those stays in the first-level cache. */
const longestPacked = 1536;
const sliceLength = 512;
/** Rows that make packing a small part of the work, and those that do where there is little to share among threads. */
const enoughRows = 128;
const fewerRows = 48;
const enoughTasks = 8;
/** Panels that make gathering rows a small part of the work. */
const panelsTogether = 8;

function planOf(work: Work, axes: Axes, ask: Ask): Plan | null {
  const forms = [work, ...grouped(work, axes)].map((w) => formOf(merged(w, tileRows, axes), axes, ask));
  const form = forms.find((f) => f !== null);
  return form ? planFor(form, ask) : null;
}
function planFor(form: Form, ask: Ask): Plan {
  const { extents, fold } = form.work;
  const { row, packs, gathersRows } = form;
  const slices = packs
    ? slicesOf(fold, gathersRows ? sliceLength : longestPacked, sliceLength)
    : slicesOf(fold, Number.POSITIVE_INFINITY, 0);
  const rows = row === null ? 1 : extents[row]!;
  const most = Number(
    rowsOfBlock(rows, packs && !gathersRows ? Math.max(blockRows, Math.floor(blockElements / sizeOf(slices.fold))) : blockRows, ask),
  );
  const others = extents.flatMap((n, axis) => (n === 1 || axis === row || axis === extents.length - 1 ? [] : [axis]));
  const passing = packs ? passingAxes(form, others) : [];
  const grid = others.filter((axis) => !passing.includes(axis));
  return {
    form,
    slices,
    blocks: splitRows(rows, most),
    panels: panelsOf(extents.at(-1)!, form.vectors, packs || form.hasSlack),
    outer: packs ? grid : grid.slice(0, 1),
    inner: packs ? [] : grid.slice(1),
    passing,
    together: gathersRows ? panelsTogether : 1,
  };
}
/** At most so many; short works have one block in any case. */
function rowsOfBlock(rows: number, most: number, ask: Ask): string {
  const others = [most / 2, most * 2, most * 4].map(Math.floor).filter((n) => Math.min(n, rows) !== Math.min(most, rows));
  const distinct = others.filter((n, i) => others.findIndex((m) => Math.min(m, rows) === Math.min(n, rows)) === i);
  return distinct.length > 0 ? ask("rows of a block", [String(most), ...distinct.map(String)]) : String(most);
}
/** Free axes that a panel is kept for: not those outer ones without which enough rows are left. */
function passingAxes({ free, work, vectors, gathersRows }: Form, others: readonly number[]): readonly number[] {
  let left = sizeOf(free.map((axis) => work.extents[axis]!));
  let tasks = Math.ceil(work.extents.at(-1)! / (4 * vectors * (gathersRows ? panelsTogether : 1)));
  return others.filter((axis) => {
    if (!free.includes(axis)) return false;
    const without = left / work.extents[axis]!;
    if (without < (tasks < enoughTasks ? fewerRows : enoughRows)) return true;
    left = without;
    tasks *= work.extents[axis]!;
    return false;
  });
}

interface Memory {
  /** Panels of `b`. */
  readonly packed: Buffer;
  /** A block of rows of `a`, tile behind tile. */
  readonly rows: Buffer;
  /** Sums that wait for their next slice, or are finished column by column. */
  readonly parts: Buffer;
}
function memoryFor(plans: readonly Plan[], axes: Axes): Memory {
  const scratch = (name: string, size: (p: Plan, panel: Panel) => number) => {
    const most = Math.max(0, ...plans.flatMap((p) => p.panels.map((panel) => size(p, panel))));
    return buffer(axes.fresh(name), "scratch", [most]);
  };
  const panels = (p: Plan, panel: Panel) => Math.min(p.together, panel.count);
  return {
    packed: scratch("packed", (p, panel) => (p.form.packs ? panels(p, panel) * panelElements(p, panel) : 0)),
    rows: scratch("rows", (p) => (p.form.gathersRows ? (sizeOf(p.slices.fold) + lineElements) * p.blocks[0]!.size : 0)),
    parts: scratch("parts", (p, panel) =>
      usesParts(p, panel) ? p.blocks[0]!.size * sizeOf(passingExtents(p)) * panels(p, panel) * widthOf(panel) : 0,
    ),
  };
}
const passingExtents = (p: Plan): number[] => p.passing.map((axis) => p.form.work.extents[axis]!);
const usesParts = (p: Plan, panel: Panel): boolean =>
  p.slices.count > 1 || (panel.lanes === 4 && (!p.form.finishesWide || panel.size % 4 !== 0));

/* ---- loops ----------------------------------------------------------------------------------------------------- */

/** One grid loop over places in a box. */
function overGrid(extents: readonly number[], axes: Axes, body: (index: readonly Expr[]) => readonly Stmt[]): Stmt {
  return axes.loop("grid", "g", sizeOf(extents), (g) => body(unravel(g, extents)));
}
/** Where tiles are: an index of the work with the first row and column in it. */
interface Place {
  readonly index: readonly Expr[];
  readonly rows: number;
  /** So many panels of this form. */
  readonly panel: Panel;
  readonly panels: number;
}

/** grid over the other axes, blocks of rows and panels { [slices of the sum] { pack; tiles }; finish }. */
function loops(p: Plan, memory: Memory, axes: Axes): readonly Stmt[] {
  const { extents } = p.form.work;
  const { row } = p.form;
  const extentsOf = (list: readonly number[]) => list.map((axis) => extents[axis]!);
  const one = (block: Run, panel: Panel, group: Run): Stmt =>
    overGrid([...extentsOf(p.outer), block.count, group.count, ...extentsOf(p.inner)], axes, (g) => {
      const [b, n] = g.slice(p.outer.length) as [Expr, Expr];
      const first = at(n, group.size, group.start);
      const set = new Map<number, Expr>([[extents.length - 1, at(first, panel.size, panel.start)]]);
      if (row !== null) set.set(row, at(b, block.size, block.start));
      p.outer.forEach((axis, i) => void set.set(axis, g[i]!));
      p.inner.forEach((axis, i) => void set.set(axis, g[p.outer.length + 2 + i]!));
      const index = extents.map((_, axis) => set.get(axis) ?? i32(0));
      return task(p, memory, { index, rows: block.size, panel, panels: group.size }, axes);
    });
  return p.blocks.flatMap((block) =>
    p.panels.flatMap((panel) => splitRows(panel.count, p.together).map((group) => one(block, panel, group))),
  );
}
function task(p: Plan, memory: Memory, place: Place, axes: Axes): readonly Stmt[] {
  const { slices } = p;
  const all = (slice: Expr): readonly Stmt[] => [...packColumns(p, memory, place, slice, axes), ...passing(p, memory, place, slice, axes)];
  const sums = slices.count > 1 ? [axes.loop("serial", "slice", slices.count, all)] : all(i32(0));
  return usesParts(p, place.panel) ? [...sums, ...finishParts(p, memory, place, axes)] : sums;
}
/** `index` at column j of panel n. */
const columnAt = (index: readonly Expr[], panel: Panel, n: Expr, j: Expr) => [
  ...index.slice(0, -1),
  add(index.at(-1)!, at(n, panel.size, j)),
];
const overPanels = ({ panels }: Place, axes: Axes, body: (n: Expr) => readonly Stmt[]): readonly Stmt[] =>
  panels === 1 ? body(i32(0)) : [axes.loop("serial", "n", panels, body)];
/** Elements of a panel of `b` for a slice. */
const panelElements = (p: Plan, panel: Panel): number => sizeOf(p.slices.fold) * widthOf(panel) + lineElements;

function packColumns(p: Plan, { packed }: Memory, place: Place, slice: Expr, axes: Axes): readonly Stmt[] {
  if (!p.form.packs) return [];
  const { panel, index } = place;
  const copy = (n: Expr) => {
    const b = (j: Expr, k: readonly Expr[]) => p.form.work.factors(columnAt(index, panel, n, j), p.slices.whole(slice, k)).b;
    const target = { to: packed, from: mul(n, i32(panelElements(p, panel))), width: widthOf(panel) };
    return pack(target, panel.size, p.slices.fold, b, p.form.isWide, axes);
  };
  return [outline(axes.fresh("pack"), overPanels(place, axes, copy))];
}
/** Copies a block of rows: a whole cache line of neighbouring rows for each term of the sum, then the next term. */
function gatherRows(p: Plan, { rows }: Memory, { index, ...place }: Place, slice: Expr, axes: Axes): readonly Stmt[] {
  const { work, row, gathersRows } = p.form;
  if (!gathersRows || row === null) return [];
  const { fold } = p.slices;
  const a = (i: Expr, k: readonly Expr[]) => work.factors(index.with(row, add(index[row]!, i)), p.slices.whole(slice, k)).a;
  const copies = splitRows(place.rows, tileRows).map((run) => {
    const isWide = run.size === 4 && isContiguous(a, fold, axes);
    const { loops: terms, k } = reduction(fold, 0, axes);
    const copy = (i: Expr) => [
      axes.loop("serial", "m", run.count, (m) => [store(rows, [gathered(p, run, m, i, k)], a(add(at(m, run.size, run.start), i), k))]),
    ];
    return isWide
      ? axes.loop("vector", "j", 4, (lane) => nested(terms, copy(lane)))
      : nested(terms, [axes.loop("unrolled", "r", run.size, copy)])[0]!;
  });
  return [outline(axes.fresh("gather"), copies)];
}
/** Where row i of tile m of a run lies among the gathered ones; a line between tiles keeps them out of each other's cache sets. */
const gathered = (p: Plan, run: Run, m: Expr, i: Expr, k: readonly Expr[]): Expr => {
  const { fold } = p.slices;
  // The run before has tiles of one row more.
  const before = run.start * sizeOf(fold) + (run.start / (run.size + 1)) * lineElements;
  return add(at(m, run.size * sizeOf(fold) + lineElements, before), at(positionOf(k, fold), run.size, i));
};
/** Neighbouring rows are neighbours in memory. */
function isContiguous(a: (i: Expr, k: readonly Expr[]) => Expr, fold: readonly number[], axes: Axes): boolean {
  const row = probe(axes, tileRows);
  const e = a(
    row.axis,
    fold.map((n) => probe(axes, n).axis),
  );
  return e.kind === "load" && strideOf(flattenIndex(e.buffer, e.index), row.name, axes.ranges) === 1;
}
/** Loops over the axes that pass by the panels, the innermost of which are tiles. */
function passing(p: Plan, memory: Memory, place: Place, slice: Expr, axes: Axes): readonly Stmt[] {
  const nest = (i: number, position: Expr, index: readonly Expr[]): readonly Stmt[] => {
    const axis = p.passing[i];
    if (axis === undefined) {
      const here = { ...place, index };
      return [...gatherRows(p, memory, here, slice, axes), ...tiles(p, memory, here, position, slice, axes)];
    }
    const extent = p.form.work.extents[axis]!;
    return [axes.loop("serial", "i", extent, (e) => nest(i + 1, add(mul(position, i32(extent)), e), index.with(axis, e)))];
  };
  return nest(0, i32(0), place.index);
}
/** All rows of a block: a body worth a function, with the sum nested in the loop over tiles. */
function tiles(p: Plan, memory: Memory, place: Place, position: Expr, slice: Expr, axes: Axes): readonly Stmt[] {
  const { work, row, packs, gathersRows } = p.form;
  const { panel, rows, index } = place;
  const { fold } = p.slices;
  const width = widthOf(panel);
  return splitRows(rows, tileRows).map((run) =>
    outline(axes.fresh("panel"), [
      axes.loop("serial", "m", run.count, (m) => {
        const within = (i: Expr) => add(at(m, run.size, run.start), i);
        const rowAt = (i: Expr) => (row === null ? index : index.with(row, add(index[row]!, within(i))));
        const inPlace = (i: Expr, k: readonly Expr[]) => work.factors(rowAt(i), p.slices.whole(slice, k)).a;
        const a = (i: Expr, k: readonly Expr[]) => (gathersRows ? load(memory.rows, gathered(p, run, m, i, k)) : inPlace(i, k));
        const tile = (n: Expr): readonly Stmt[] => {
          const b = (j: Expr, k: readonly Expr[]) =>
            packs
              ? load(memory.packed, add(mul(n, i32(panelElements(p, panel))), at(positionOf(k, fold), width, j)))
              : work.factors(columnAt(index, panel, n, j), p.slices.whole(slice, k)).b;
          const part = (i: Expr, j: Expr) => at(at(add(mul(position, i32(rows)), within(i)), place.panels, n), width, j);
          const joined = joinable(fold, (k) => [a(i32(0), k), b(i32(0), k)], axes);
          const { loops: reduce, k } = reduction(fold, joined, axes);
          const init = (i: Expr, j: Expr) => select(eq(slice, i32(0)), f32(0), load(memory.parts, part(i, j)));
          const body = {
            ...(p.slices.count > 1 ? { init } : {}),
            reduce,
            a: (i: Expr) => a(i, k),
            b: (j: Expr) => b(j, k),
            finish: (i: Expr, j: Expr, sum: Expr) =>
              usesParts(p, panel) ? [store(memory.parts, [part(i, j)], sum)] : work.finish(columnAt(rowAt(i), panel, n, j), sum),
          };
          return [registerTile({ rows: run.size, vectors: panel.vectors, lanes: panel.lanes }, body, axes)];
        };
        return overPanels(place, axes, tile);
      }),
    ]),
  );
}
/** Four columns at a time where that is possible, then one by one. */
function columnsOf(count: number, isWide: boolean, one: (j: Expr) => readonly Stmt[], axes: Axes): readonly Stmt[] {
  const fours = isWide ? Math.floor(count / 4) : 0;
  const wide = (v: Expr) => [axes.loop("vector", "j", 4, (lane) => one(at(v, 4, lane)))];
  const rest = count - 4 * fours;
  return [
    ...(fours > 0 ? [axes.loop("serial", "v", fours, wide)] : []),
    ...(rest > 0 ? [axes.loop("serial", "j", rest, (j) => one(at(j, 1, 4 * fours)))] : []),
  ];
}
/** Takes finished sums out of `parts`. */
function finishParts(p: Plan, { parts }: Memory, place: Place, axes: Axes): readonly Stmt[] {
  const { work, row, finishesWide } = p.form;
  const { index, panel } = place;
  const extents = [...passingExtents(p), place.rows, place.panels];
  const one = (r: Expr, j: Expr) => {
    const where = unravel(r, extents);
    const passed = new Map(p.passing.map((axis, i) => [axis, where[i]!]));
    if (row !== null) passed.set(row, add(index[row]!, where.at(-2)!));
    const here = index.map((e, axis) => passed.get(axis) ?? e);
    return work.finish(columnAt(here, panel, where.at(-1)!, j), load(parts, at(r, widthOf(panel), j)));
  };
  const rows = sizeOf(extents);
  const wide = finishesWide && panel.lanes === 4 ? panel.size - (panel.size % 4) : 0;
  const main = () => axes.loop("serial", "r", rows, (r) => columnsOf(wide, true, (j) => one(r, j), axes));
  /** Columns that make no vector are finished four rows at a time: what comes then may be long. */
  const rest = () =>
    inLanes(rows, axes, (r) => [axes.loop("serial", "j", panel.size - wide, (j) => one(r, at(j, 1, wide)))], { apart: true });
  return [...(wide > 0 ? [main()] : []), ...(panel.size > wide ? rest() : [])];
}

/** What an empty sum comes to. */
function zeros(w: Work, axes: Axes): readonly Stmt[] {
  const columns = w.extents.at(-1)!;
  const isWide = finishesWide(w, axes);
  return [
    overGrid(w.extents.slice(0, -1), axes, (g) => {
      const one = (j: Expr) => w.finish([...g, j], f32(0));
      return columnsOf(columns, isWide, one, axes);
    }),
  ];
}
