/**
 * Sums of products on a GPU: matrix products, convolutions and their gradients, told apart by strides alone.
 *
 *     y[b, i, j] = finish(sum over k of a[b, i, k] * b[b, k, j])
 *
 * Axes that only one factor knows are rows and columns, those that both know number the products. A workgroup computes a tile:
 * block by block of the sum it brings rows of `a` and columns of `b` to its memory, and every invocation adds the products of
 * some of them in registers. Where there are few tiles, workgroups share long sums in parts of which a second pass makes the sum,
 * always in the same order.
 */

import type { Choose } from "../../../ir/choice.ts";
import {
  add,
  at,
  barrier,
  buffer,
  declare,
  div,
  f32,
  fma,
  i32,
  lane,
  local,
  lt,
  mod,
  mul,
  set,
  splat,
  store,
  when,
} from "../../../ir/kernel/build.ts";
import type { Axes, Computation } from "../../../ir/kernel/computation.ts";
import type { Buffer, Expr, Stmt } from "../../../ir/kernel/kernel.ts";
import { bounds, linear } from "../../../ir/kernel/linear.ts";
import { mentions } from "../../../ir/kernel/rewrite.ts";
import { type Limits, wordBytes } from "../../../ir/limits.ts";
import { sizeOf } from "../../../ir/type.ts";
import type { Ask } from "../contraction/form.ts";
import { positionOf } from "../contraction/reduction.ts";
import { grouped, phases } from "../contraction/split.ts";
import { probe, type Work, workOf } from "../contraction/work.ts";
import { unravel } from "../elements.ts";
import { fourLanes } from "../vectorize.ts";
import { type Beside, nothing, overElements, zeroHalo } from "./elements.ts";
import { bring, type Operand, squaresOf } from "./operand.ts";
import { columnsOf, groupsOf, partsOfSum, rowsOf, type Shape, shapeFor, workgroup } from "./shape.ts";

/** The loops, or null when the computation has not this form. `own` receives the memory that they need. */
export function product(c: Computation, axes: Axes, own: Buffer[], choose: Choose, limits: Limits): readonly Stmt[] | null {
  const whole = workOf(c, axes);
  if (!whole) return null;
  const ask: Ask = (kind, options) => choose({ kind, about: c.about, options, of: { kernel: c.name } });
  // Inputs, the result, and parts of sums are bound.
  const mayPart = c.inputs.length + 2 <= limits.maxStorageBuffersPerShaderStage;
  const loops: Stmt[] = [];
  const memory: Buffer[] = [];
  const works = phases(whole, axes);
  for (const [i, work] of works.entries()) {
    const beside = i === works.length - 1 ? zeroHalo(c.output, axes) : nothing;
    const plan = sizeOf(work.fold) > 0 ? planOf(work, mayPart, limits.maxComputeWorkgroupStorageSize / wordBytes, axes, ask) : null;
    if (plan) loops.push(...tiles(plan, beside, axes, memory));
    else if (sizeOf(work.fold) === 0) loops.push(overElements(work.extents, axes, (index) => work.finish(index, f32(0)), beside));
    else return null;
  }
  own.push(...memory);
  return loops;
}

/* ---- plan ------------------------------------------------------------------------------------------------------ */

interface Plan {
  readonly work: Work;
  /** Axes of the work. */
  readonly batch: readonly number[];
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  readonly shape: Shape;
  /** Terms of a block of the sum. */
  readonly depth: number;
  /** Blocks of the sum, as a box. */
  readonly blocks: readonly number[];
  readonly parts: number;
}
/** Sums of fewer terms are not worth tiles. */
const fewestTerms = 8;
/** Terms of a block, longest first. */
const depths = [16, 8] as const;

/** `words`: what a workgroup has memory for. */
function planOf(work: Work, mayPart: boolean, words: number, axes: Axes, ask: Ask): Plan | null {
  if (sizeOf(work.fold) < fewestTerms) return null;
  for (const w of [work, ...grouped(work, axes)]) {
    const form = formOf(w, axes);
    const { depth, blocks } = blocksOf(w.fold);
    const count = sizeOf(blocks);
    const shape = form && shapeFor(extentsOf(form), mayPart ? count : 1, words / depth, ask);
    if (!shape) continue;
    return { ...form, shape, depth, blocks, parts: mayPart ? partsOfSum(groupsOf(extentsOf(form), shape), count, ask) : 1 };
  }
  return null;
}
type Form = Pick<Plan, "work" | "batch" | "rows" | "columns">;
const extentsOf = ({ work, batch, rows, columns }: Form) => {
  const size = (list: readonly number[]) => sizeOf(list.map((axis) => work.extents[axis]!));
  return { batch: size(batch), rows: size(rows), columns: size(columns) };
};

/** The innermost axis, which vectors run along, is a column. */
function formOf(work: Work, axes: Axes): Form | null {
  const index = work.extents.map((n) => probe(axes, n));
  const { a, b } = work.factors(
    index.map((p) => p.axis),
    work.fold.map((n) => probe(axes, n).axis),
  );
  const knows = (e: Expr, axis: number) => mentions(e, index[axis]!.name);
  const last = work.extents.length - 1;
  if (knows(a, last) === knows(b, last)) return null;
  const [first, second] = knows(b, last) ? [a, b] : [b, a];
  const all = work.extents.map((_, axis) => axis);
  return {
    work: first === a ? work : { ...work, factors: (i, k) => swapped(work.factors(i, k)) },
    rows: all.filter((axis) => knows(first, axis) && !knows(second, axis)),
    columns: all.filter((axis) => knows(second, axis) && !knows(first, axis)),
    batch: all.filter((axis) => knows(first, axis) === knows(second, axis)),
  };
}
const swapped = ({ a, b }: ReturnType<Work["factors"]>) => ({ a: b, b: a });

/** Blocks that end where rows of innermost axes end, if there are such; else the last one is not full. */
function blocksOf(fold: readonly number[]): Pick<Plan, "depth" | "blocks"> {
  for (const depth of depths)
    for (let outer = fold.length - 1; outer >= 0; outer--) {
      const inner = sizeOf(fold.slice(outer));
      if (inner % depth === 0) return { depth, blocks: [...fold.slice(0, outer), inner / depth] };
    }
  return { depth: depths[0], blocks: [Math.ceil(sizeOf(fold) / depths[0])] };
}

/* ---- loops ----------------------------------------------------------------------------------------------------- */

/** A place of the product. */
interface Point {
  readonly batch: Expr;
  readonly row: Expr;
  readonly column: Expr;
}
function indexOf({ work, ...p }: Form, point: Point): readonly Expr[] {
  const index = work.extents.map((): Expr => i32(0));
  const place = (list: readonly number[], position: Expr) => {
    const along = unravel(
      position,
      list.map((axis) => work.extents[axis]!),
    );
    list.forEach((axis, i) => {
      index[axis] = along[i]!;
    });
  };
  place(p.batch, point.batch);
  place(p.rows, point.row);
  place(p.columns, point.column);
  return index;
}
/** What is done with a finished sum. */
type Finish = (point: Point, sum: Expr) => readonly Stmt[];

function tiles(p: Plan, beside: Beside, axes: Axes, own: Buffer[]): readonly Stmt[] {
  const whole: Finish = (point, sum) => p.work.finish(indexOf(p, point), sum);
  if (p.parts === 1) return [tileLoops(p, () => whole, beside, axes, own)];
  const { batch, rows, columns } = extentsOf(p);
  const sums = buffer(axes.fresh("sums"), "global", [p.parts, batch, rows, columns]);
  own.push(sums);
  const keep =
    (part: Expr): Finish =>
    (point, sum) => [store(sums, [part, point.batch, point.row, point.column], sum)];
  return [tileLoops(p, keep, nothing, axes, own), joinParts(p, sums, whole, beside, axes)];
}
/** Adds the parts of every sum, one after the other; four columns at once where that is possible. */
function joinParts(p: Plan, sums: Buffer, finish: Finish, beside: Beside, axes: Axes): Stmt {
  const { batch, rows, columns } = extentsOf(p);
  const total = (width: 1 | 4, name: string, { batch: b, row, column }: Point): readonly Stmt[] => {
    const value: Expr = { kind: "var", type: "f32", lanes: width, name };
    const of = (part: Expr): Expr => ({ kind: "load", lanes: width, buffer: sums, base: null, index: [part, b, row, column] });
    const next = (part: Expr) => [set(name, { kind: "binary", op: "add", a: value, b: of(part) })];
    return [declare(name, width === 4 ? splat(f32(0)) : f32(0)), axes.loop("serial", "part", p.parts, next)];
  };
  let isWide = columns % 4 === 0;
  const fours = (position: readonly Expr[]): readonly Stmt[] => {
    const [b, row, four] = position as readonly [Expr, Expr, Expr];
    const point = { batch: b, row, column: mul(four, i32(4)) };
    const name = axes.fresh("total");
    const end = finishFour(point, name, columns, finish, axes);
    isWide &&= end !== null;
    return [...total(4, name, point), ...(end ?? [])];
  };
  const ones = (position: readonly Expr[]): readonly Stmt[] => {
    const [b, row, column] = position as readonly [Expr, Expr, Expr];
    const name = axes.fresh("total");
    return [...total(1, name, { batch: b, row, column }), ...finish({ batch: b, row, column }, local(name))];
  };
  const wide = isWide ? overElements([batch, rows, columns / 4], axes, fours, beside) : null;
  return wide && isWide ? wide : overElements([batch, rows, columns], axes, ones, beside);
}

/** Grid loops over products, parts and tiles, around the invocations of a workgroup. */
function tileLoops(p: Plan, finish: (part: Expr) => Finish, beside: Beside, axes: Axes, own: Buffer[]): Stmt {
  const { shape, depth } = p;
  const { batch, rows, columns } = extentsOf(p);
  const block = (name: string, extent: number) => {
    const b = buffer(axes.fresh(name), "workgroup", [depth, extent]);
    own.push(b);
    return b;
  };
  const [aBlock, bBlock] = [block("rows", rowsOf(shape)), block("columns", columnsOf(shape))];
  const tilesOf = [Math.ceil(rows / rowsOf(shape)), Math.ceil(columns / columnsOf(shape))] as const;
  const over = (name: string, extent: number, body: (i: Expr) => readonly Stmt[]): readonly Stmt[] =>
    extent === 1 ? body(i32(0)) : [axes.loop("grid", name, extent, body)];
  const tile = (b: Expr, part: Expr, row: Expr, column: Expr): readonly Stmt[] => {
    const from = { batch: b, row: mul(row, i32(rowsOf(shape))), column: mul(column, i32(columnsOf(shape))) };
    const value = (of: "a" | "b") => (point: Point, term: Expr) => p.work.factors(indexOf(p, point), unravel(term, p.work.fold))[of];
    const terms = sizeOf(p.work.fold);
    const a: Operand = { block: aBlock, rows, terms, value: (r, t) => value("a")({ ...from, row: r }, t) };
    const w: Operand = { block: bBlock, rows: columns, terms, value: (c, t) => value("b")({ ...from, column: c }, t) };
    const extents = [batch, p.parts, ...tilesOf];
    return [
      axes.loop("thread", "invocation", workgroup, (t) => [
        ...invocation(p, a, w, from, part, t, finish(part), axes),
        ...beside(at(positionOf([b, part, row, column], extents), workgroup, t), sizeOf(extents) * workgroup),
      ]),
    ];
  };
  const loops = over("b", batch, (b) =>
    over("part", p.parts, (part) =>
      over("row", tilesOf[0], (row) => [axes.loop("grid", "column", tilesOf[1], (column) => tile(b, part, row, column))]),
    ),
  );
  return loops[0]!;
}

/** One invocation: blocks of the sum, each brought by all, then its own sums finished. */
function invocation(p: Plan, a: Operand, b: Operand, from: Point, part: Expr, t: Expr, finish: Finish, axes: Axes): readonly Stmt[] {
  const { shape } = p;
  const sums = buffer(axes.fresh("sum"), "register", [shape.rows, shape.vectors]);
  const each = <T>(body: (r: number, v: number) => T): T[] => range(shape.rows).flatMap((r) => range(shape.vectors).map((v) => body(r, v)));
  const down = div(t, i32(shape.across));
  const across = mod(t, i32(shape.across));
  // Rows of an invocation come in fours that lie apart, so that those of its neighbours are between them.
  const row = (r: number) => at(down, 4, Math.floor(r / 4) * shape.down * 4 + (r % 4));
  const column = (v: number) => at(across, 4, v * shape.across * 4);
  const step = (n: Expr): readonly Stmt[] => {
    const first = mul(n, i32(p.depth));
    const second = squaresOf(a) + squaresOf(b) <= workgroup ? squaresOf(a) : 0;
    return [
      ...bring(a, { row: from.row, term: first }, t, 0, axes),
      ...bring(b, { row: from.column, term: first }, t, second, axes),
      barrier,
      axes.loop("serial", "k", p.depth, (k) => products(p, a, b, k, row, column, sums, axes)),
      barrier,
    ];
  };
  return [
    { kind: "array", buffer: sums, lanes: 4 },
    ...each((r, v) => store(sums, [i32(r), i32(v)], splat(f32(0)))),
    ...overBlocks(p, part, step, axes),
    ...range(shape.rows).flatMap((r) => finishRow(p, r, { ...from, row: add(from.row, row(r)) }, column, sums, finish, axes)),
  ];
}
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Loops over the blocks of the sum, or over those of a part. */
function overBlocks(p: Plan, part: Expr, step: (n: Expr) => readonly Stmt[], axes: Axes): readonly Stmt[] {
  const count = sizeOf(p.blocks);
  if (p.parts > 1) {
    const each = Math.ceil(count / p.parts);
    return [axes.loop("serial", "block", each, (n) => step(at(part, each, n)))];
  }
  const nest = (i: number, index: readonly Expr[]): readonly Stmt[] => {
    const extent = p.blocks[i];
    if (extent === undefined) return step(positionOf(index, p.blocks));
    if (extent === 1) return nest(i + 1, [...index, i32(0)]);
    return [axes.loop("serial", "block", extent, (n) => nest(i + 1, [...index, n]))];
  };
  return nest(0, []);
}

/** Four lanes of a buffer. */
const vectorAt = (b: Buffer, ...index: readonly Expr[]): Expr => ({ kind: "load", lanes: 4, buffer: b, base: null, index });
const vectorOf = (name: string): Expr => ({ kind: "var", type: "f32", lanes: 4, name });

/** One term of all sums of an invocation. */
function products(
  { shape }: Plan,
  a: Operand,
  b: Operand,
  k: Expr,
  row: (r: number) => Expr,
  column: (v: number) => Expr,
  sums: Buffer,
  axes: Axes,
): readonly Stmt[] {
  const as = range(shape.rows / 4).map(() => axes.fresh("a"));
  const bs = range(shape.vectors).map(() => axes.fresh("b"));
  return [
    ...as.map((name, i) => declare(name, vectorAt(a.block, k, row(4 * i)))),
    ...bs.map((name, v) => declare(name, vectorAt(b.block, k, column(v)))),
    ...range(shape.rows).flatMap((r) =>
      bs.map((name, v) => {
        const place = [i32(r), i32(v)];
        const factor = splat(lane(vectorOf(as[Math.floor(r / 4)]!), (r % 4) as 0 | 1 | 2 | 3));
        return store(sums, place, fma(factor, vectorOf(name), vectorAt(sums, ...place)));
      }),
    ),
  ];
}

/** Finishes a row of sums, four columns at once where that is possible. */
function finishRow(
  p: Plan,
  r: number,
  first: Point,
  column: (v: number) => Expr,
  sums: Buffer,
  finish: Finish,
  axes: Axes,
): readonly Stmt[] {
  const { rows, columns } = extentsOf(p);
  const body = range(p.shape.vectors).flatMap((v) => {
    const name = axes.fresh("done");
    const from = add(first.column, column(v));
    return [
      declare(name, vectorAt(sums, i32(r), i32(v))),
      ...(finishFour({ ...first, column: from }, name, columns, finish, axes) ??
        range(4).flatMap((l) => {
          const here = add(from, i32(l));
          const value = axes.fresh("value");
          return guarded(
            here,
            columns,
            [declare(value, lane(vectorOf(name), l as 0 | 1 | 2 | 3)), ...finish({ ...first, column: here }, local(value))],
            axes,
          );
        })),
    ];
  });
  return guarded(first.row, rows, body, axes);
}
function finishFour(point: Point, name: string, columns: number, finish: Finish, axes: Axes): readonly Stmt[] | null {
  if (columns % 4 !== 0) return null;
  const four = probe(axes, 4);
  const body = finish({ ...point, column: add(point.column, four.axis) }, local(name));
  const wide = fourLanes(body, four.name, axes.ranges, new Set([name]));
  return wide && guarded(point.column, columns, wide, axes);
}
/** Where tiles reach beyond the matrix, what lies there is left alone. */
function guarded(place: Expr, extent: number, body: readonly Stmt[], axes: Axes): readonly Stmt[] {
  const [least, most] = bounds(linear(place, axes.ranges), axes.ranges);
  if (least >= extent) return [];
  return most < extent ? body : [when(lt(place, i32(extent)), body)];
}
