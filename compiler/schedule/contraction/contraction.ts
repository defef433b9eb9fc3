/**
 * Register-tiled sums of products: matrix products, convolutions and their gradients are one schedule, told apart by strides.
 *
 *     y[.., i, .., j] = finish(sum over k of a[.., i, k] * b[k, j])
 *
 * j is the innermost axis of y in memory and `a` does not know it; `b` does not know i. Then a tile of rows i and vectors j
 * shares every load of `a` and `b`. Weights lie in panels of eight columns because `assign-layouts` packed them; what does
 * not, and is used by enough rows, is copied into panels here, slice by slice where the sum is long.
 */
import { add, at, buffer, eq, f32, i32, load, mul, outline, select, store } from "../../../ir/kernel/build.ts";
import type { Axes, Computation } from "../../../ir/kernel/computation.ts";
import type { Buffer, Expr, Stmt } from "../../../ir/kernel/kernel.ts";
import { unravel } from "../elements.ts";
import { type Form, formOf, tileRows } from "./form.ts";
import { type Panel, packPanel, panelsOf, widthOf } from "./panel.ts";
import { joinable, positionOf, reduction, type Slices, slicesOf } from "./reduction.ts";
import { grouped, phases } from "./split.ts";
import { type Run, registerTile, splitRows } from "./tile.ts";
import { sizeOf, type Work, workOf } from "./work.ts";

/** The tiled loops, or null when the computation has not this form. `scratch` receives the memory that they need. */
export function contraction(c: Computation, axes: Axes, scratch: Buffer[]): readonly Stmt[] | null {
  const whole = workOf(c, axes);
  if (!whole) return null;
  const plans: Plan[] = [];
  const empty: Work[] = [];
  for (const work of phases(whole, axes)) {
    const plan = sizeOf(work.fold) > 0 ? planOf(work, axes) : null;
    if (plan) plans.push(plan);
    else if (sizeOf(work.fold) === 0) empty.push(work);
    else return null;
  }
  const memory = memoryFor(plans, axes);
  scratch.push(...[memory.packed, memory.parts].filter((b) => sizeOf(b.shape) > 0));
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
}

/** Rows of `a` that stay in the second-level cache while all panels of `b` pass by; elements of them where that repeats packing. */
const blockRows = 96;
const blockElements = 2 ** 17;
/** Sums that are packed whole, and slices of longer ones: a panel of those stays in the first-level cache. */
const longestPacked = 1536;
const sliceLength = 512;
/** Rows that make packing a small part of the work. */
const enoughRows = 48;

function planOf(work: Work, axes: Axes): Plan | null {
  const forms = [work, ...grouped(work, axes)].map((w) => formOf(w, axes));
  const form = forms.find((f) => f !== null);
  return form ? planFor(form) : null;
}
function planFor(form: Form): Plan {
  const { extents, fold } = form.work;
  const { row, packs } = form;
  const slices = packs ? slicesOf(fold, longestPacked, sliceLength) : slicesOf(fold, Number.POSITIVE_INFINITY, 0);
  const rows = row === null ? 1 : extents[row]!;
  const most = packs ? Math.max(blockRows, Math.floor(blockElements / sizeOf(slices.fold))) : blockRows;
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
  };
}
/** Free axes that a panel is kept for: not those outer ones without which enough rows are left. */
function passingAxes({ free, work }: Form, others: readonly number[]): readonly number[] {
  let left = sizeOf(free.map((axis) => work.extents[axis]!));
  return others.filter((axis) => {
    if (!free.includes(axis)) return false;
    const without = left / work.extents[axis]!;
    if (without < enoughRows) return true;
    left = without;
    return false;
  });
}

interface Memory {
  /** A panel of `b`. */
  readonly packed: Buffer;
  /** Sums that wait for their next slice, or are finished column by column. */
  readonly parts: Buffer;
}
function memoryFor(plans: readonly Plan[], axes: Axes): Memory {
  const most = (size: (p: Plan) => number) => Math.max(0, ...plans.map(size));
  const width = (p: Plan) => Math.max(...p.panels.map(widthOf));
  const packed = most((p) => (p.form.packs ? sizeOf(p.slices.fold) * width(p) : 0));
  const parts = most((p) => (p.panels.some((x) => usesParts(p, x)) ? p.blocks[0]!.size * sizeOf(passingExtents(p)) * width(p) : 0));
  return {
    packed: buffer(axes.fresh("packed"), "scratch", [packed]),
    parts: buffer(axes.fresh("parts"), "scratch", [parts]),
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
/** Where tiles of a panel are: an index of the work with the first row and column in it. */
interface Place {
  readonly index: readonly Expr[];
  readonly rows: number;
  readonly panel: Panel;
}

/** grid over the other axes, blocks of rows and panels { [slices of the sum] { pack; tiles }; finish }. */
function loops(p: Plan, memory: Memory, axes: Axes): readonly Stmt[] {
  const { extents } = p.form.work;
  const { row } = p.form;
  const extentsOf = (list: readonly number[]) => list.map((axis) => extents[axis]!);
  return p.blocks.flatMap((block) =>
    p.panels.map((panel) =>
      overGrid([...extentsOf(p.outer), block.count, panel.count, ...extentsOf(p.inner)], axes, (g) => {
        const [b, n] = g.slice(p.outer.length) as [Expr, Expr];
        const set = new Map<number, Expr>([[extents.length - 1, at(n, panel.size, panel.start)]]);
        if (row !== null) set.set(row, at(b, block.size, block.start));
        p.outer.forEach((axis, i) => void set.set(axis, g[i]!));
        p.inner.forEach((axis, i) => void set.set(axis, g[p.outer.length + 2 + i]!));
        const index = extents.map((_, axis) => set.get(axis) ?? i32(0));
        return onePanel(p, memory, { index, rows: block.size, panel }, axes);
      }),
    ),
  );
}
function onePanel(p: Plan, memory: Memory, place: Place, axes: Axes): readonly Stmt[] {
  const { slices } = p;
  const all = (slice: Expr): readonly Stmt[] => [...pack(p, memory, place, slice, axes), ...passing(p, memory, place, slice, axes)];
  const sums = slices.count > 1 ? [axes.loop("serial", "slice", slices.count, all)] : all(i32(0));
  return usesParts(p, place.panel) ? [...sums, ...finishParts(p, memory, place, axes)] : sums;
}
const columnAt = (index: readonly Expr[], j: Expr) => [...index.slice(0, -1), add(index.at(-1)!, j)];

function pack(p: Plan, { packed }: Memory, { index, panel }: Place, slice: Expr, axes: Axes): readonly Stmt[] {
  if (!p.form.packs) return [];
  const b = (column: Expr, k: readonly Expr[]) => p.form.work.factors(columnAt(index, column), p.slices.whole(slice, k)).b;
  return [packPanel(packed, panel, p.slices.fold, b, p.form.isWide, axes)];
}
/** Loops over the axes that pass by the panel, the innermost of which are tiles. */
function passing(p: Plan, memory: Memory, place: Place, slice: Expr, axes: Axes): readonly Stmt[] {
  const nest = (i: number, position: Expr, index: readonly Expr[]): readonly Stmt[] => {
    const axis = p.passing[i];
    if (axis === undefined) return tiles(p, memory, { ...place, index }, position, slice, axes);
    const extent = p.form.work.extents[axis]!;
    return [axes.loop("serial", "i", extent, (e) => nest(i + 1, add(mul(position, i32(extent)), e), index.with(axis, e)))];
  };
  return nest(0, i32(0), place.index);
}
/** All rows of a block for one panel: a body worth a function, with the sum nested in the loop over tiles. */
function tiles(p: Plan, memory: Memory, place: Place, position: Expr, slice: Expr, axes: Axes): readonly Stmt[] {
  const { work, row, packs } = p.form;
  const { panel, rows } = place;
  const inParts = usesParts(p, panel);
  return splitRows(rows, tileRows).map((run) =>
    outline(axes.fresh("panel"), [
      axes.loop("serial", "m", run.count, (m) => {
        const within = (i: Expr) => add(at(m, run.size, run.start), i);
        const rowAt = (i: Expr) => (row === null ? place.index : place.index.with(row, add(place.index[row]!, within(i))));
        const a = (i: Expr, k: readonly Expr[]) => work.factors(rowAt(i), p.slices.whole(slice, k)).a;
        const b = (j: Expr, k: readonly Expr[]) =>
          packs
            ? load(memory.packed, at(positionOf(k, p.slices.fold), widthOf(panel), j))
            : work.factors(columnAt(place.index, j), p.slices.whole(slice, k)).b;
        const part = (i: Expr, j: Expr) => at(add(mul(position, i32(rows)), within(i)), widthOf(panel), j);
        const joined = joinable(p.slices.fold, (k) => [a(i32(0), k), ...(packs ? [] : [b(i32(0), k)])], axes);
        const { loops: reduce, k } = reduction(p.slices.fold, joined, axes);
        const body = {
          ...(p.slices.count > 1 ? { init: (i: Expr, j: Expr) => select(eq(slice, i32(0)), f32(0), load(memory.parts, part(i, j))) } : {}),
          reduce,
          a: (i: Expr) => a(i, k),
          b: (j: Expr) => b(j, k),
          finish: (i: Expr, j: Expr, sum: Expr) =>
            inParts ? [store(memory.parts, [part(i, j)], sum)] : work.finish(columnAt(rowAt(i), j), sum),
        };
        return [registerTile({ rows: run.size, vectors: panel.vectors, lanes: panel.lanes }, body, axes)];
      }),
    ]),
  );
}

/** Takes finished sums out of `parts`: four columns at a time where that is possible, then one by one. */
function finishParts(p: Plan, { parts }: Memory, { index, rows, panel }: Place, axes: Axes): readonly Stmt[] {
  const { work, row, finishesWide } = p.form;
  const extents = [...passingExtents(p), rows];
  return [
    axes.loop("serial", "r", sizeOf(extents), (r) => {
      const where = unravel(r, extents);
      const passed = new Map(p.passing.map((axis, i) => [axis, where[i]!]));
      if (row !== null) passed.set(row, add(index[row]!, where.at(-1)!));
      const here = index.map((e, axis) => passed.get(axis) ?? e);
      const one = (j: Expr) => work.finish(columnAt(here, j), load(parts, at(r, widthOf(panel), j)));
      const fours = finishesWide && panel.lanes === 4 ? Math.floor(panel.size / 4) : 0;
      const wide = (v: Expr) => [axes.loop("vector", "j", 4, (lane) => one(at(v, 4, lane)))];
      const rest = panel.size - 4 * fours;
      return [
        ...(fours > 0 ? [axes.loop("serial", "v", fours, wide)] : []),
        ...(rest > 0 ? [axes.loop("serial", "j", rest, (j) => one(at(j, 1, 4 * fours)))] : []),
      ];
    }),
  ];
}

/** What an empty sum comes to. */
function zeros(w: Work, axes: Axes): readonly Stmt[] {
  const columns = w.extents.at(-1)!;
  return [overGrid(w.extents.slice(0, -1), axes, (g) => [axes.loop("serial", "j", columns, (j) => w.finish([...g, j], f32(0)))])];
}
