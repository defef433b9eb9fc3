/** Which axes of a work are rows and columns of tiles, told by strides alone, and whether `b` is worth packing. */
import type { Kind } from "../../../ir/choice.ts";
import { bufferElements, flattenIndex, strideOf } from "../../../ir/kernel/address.ts";
import { at } from "../../../ir/kernel/build.ts";
import type { Axes } from "../../../ir/kernel/computation.ts";
import type { Expr } from "../../../ir/kernel/kernel.ts";
import { bounds, linear } from "../../../ir/kernel/linear.ts";
import { mentions } from "../../../ir/kernel/rewrite.ts";
import { haloOf, paddedExtent } from "../../../ir/layout.ts";
import { tileRows, tileVectors } from "../../../ir/register-tile.ts";
import { sizeOf } from "../../../ir/type.ts";
import { canVectorize } from "../vectorize.ts";
import { type Factors, probe, type Work } from "./work.ts";

/** A work with its factors told apart: `a` does not know the columns. */
export interface Form {
  readonly work: Work;
  readonly row: number | null;
  /** Axes that `b` does not know, the row among them: its panels are used again along them. */
  readonly free: readonly number[];
  /** Vectors of a full panel. */
  readonly vectors: number;
  /** `b` goes through memory of its own, in panels. */
  readonly packs: boolean;
  /** Every term of the sum is in another cache line of `a`: rows of a tile are copied together for several panels. */
  readonly gathersRows: boolean;
  /** Rows of `b` are contiguous in memory. */
  readonly isWide: boolean;
  /** Reads of `b` beside the last column stay inside its memory. */
  readonly hasSlack: boolean;
  /** What `finish` does is possible four columns at a time. */
  readonly finishesWide: boolean;
}

/** With hardly any rows to share loads of `b`, more vectors keep more sums in flight. */
const vectorsOfFewRows = 4;
const fewRows = 2;

/** So many rows make up for packing `b`: where its rows are contiguous, and where they are gathered. */
const rowsToPack = { wide: 24, gathered: 8 } as const;

/** Fewer columns do not make up for gathering rows. */
const columnsToGather = 16;

/** Settles what is a matter of speed alone; the first option is what a count prefers. */
export type Ask = (kind: Kind, options: readonly [string, ...string[]]) => string;

/** Null when the work has not the form of a tile. */
export function formOf(work: Work, axes: Axes, ask: Ask): Form | null {
  for (const swap of [false, true]) {
    const form = formWith(swap ? swapped(work) : work, axes, ask);
    if (form) return form;
  }
  return null;
}
const swapped = (w: Work): Work => ({
  ...w,
  factors: (index, k) => {
    const { a, b } = w.factors(index, k);
    return { a: b, b: a };
  },
});

function formWith(work: Work, axes: Axes, ask: Ask): Form | null {
  const { extents, fold } = work;
  const last = extents.length - 1;
  if (extents[last]! < 2) return null;
  const index = extents.map((n) => probe(axes, n));
  const k = fold.map((n) => probe(axes, Math.max(1, n)).axis);
  const { a, b } = work.factors(
    index.map((p) => p.axis),
    k,
  );
  if (mentions(a, index[last]!.name) || !mentions(b, index[last]!.name)) return null;
  const free = extents.flatMap((_, axis) => (axis === last || mentions(b, index[axis]!.name) ? [] : [axis]));
  const row = bestRow(free, extents);
  const rows = row === null ? 1 : extents[row]!;
  const vectors = rows <= fewRows && extents[last]! >= 4 * vectorsOfFewRows ? vectorsOfFewRows : tileVectors;
  const access = accessOf(work, vectors, index, k, axes);
  const shared = sizeOf(free.map((axis) => extents[axis]!));
  const isRagged = extents[last]! % 4 !== 0 && !access.hasSlack;
  const isWorthPacking = (!access.isPanel || isRagged) && shared >= rowsToPack[access.isWide ? "wide" : "gathered"];
  if (!isWorthPacking && !access.isWide) return null;
  const isFree = access.isWide && !isRagged && !access.isPanel && shared > 1;
  const packs = isFree ? ask("columns", isWorthPacking ? ["packed", "in place"] : ["in place", "packed"]) === "packed" : isWorthPacking;
  const isWorthGathering = packs && row !== null && extents[last]! > columnsToGather && isScattered(a, k, axes);
  const gathersRows = isWorthGathering && ask("rows", ["gathered", "in place"]) === "gathered";
  return { work, row, free, vectors, packs, gathersRows, ...access };
}
/** Elements of a cache line. */
export const lineElements = 16;
/** Whether every step along the innermost fold axis leaves a cache line. */
function isScattered(a: Expr, k: readonly Expr[], axes: Axes): boolean {
  const innermost = k.findLast((e) => e.kind === "var" && axes.ranges.get(e.name)! > 1);
  if (a.kind !== "load" || innermost?.kind !== "var") return false;
  return Math.abs(strideOf(flattenIndex(a.buffer, a.index), innermost.name, axes.ranges)) > lineElements;
}

/** The axis whose tiles share most loads of `b`; of equally good ones the innermost, unless it is much shorter. */
function bestRow(free: readonly number[], extents: readonly number[]): number | null {
  const rows = (axis: number) => extents[axis]! / Math.ceil(extents[axis]! / tileRows);
  let best: number | null = null;
  for (const axis of free) {
    if (extents[axis]! === 1) continue;
    const isShort = best !== null && rows(axis) === rows(best) && extents[axis]! < 12 && extents[best]! >= 4 * extents[axis]!;
    if (best === null || (rows(axis) >= rows(best) && !isShort)) best = axis;
  }
  return best;
}

type Probes = readonly { readonly name: string; readonly axis: Expr }[];
interface Access extends Pick<Form, "isWide" | "hasSlack" | "finishesWide"> {
  /** `b` lies in panels, or what a panel reads is as good as one. */
  readonly isPanel: boolean;
}
function accessOf(work: Work, vectors: number, index: Probes, k: readonly Expr[], axes: Axes): Access {
  const columns = work.extents.at(-1)!;
  const width = Math.min(4 * vectors, Math.ceil(columns / 4) * 4);
  const lane = probe(axes, 4);
  const wideAt = (panels: number, end: number) => {
    const column = at(probe(axes, panels).axis, width, at(probe(axes, end / 4).axis, 4, lane.axis));
    return [...index.slice(0, -1).map((p) => p.axis), column];
  };
  const inside = wideAt(Math.max(1, Math.floor(columns / width)), Math.min(width, Math.max(4, columns - (columns % 4))));
  const beyond = wideAt(Math.ceil(columns / width), width);
  const { b } = work.factors(inside, k);
  const isWide = b.kind === "load" && strideOf(flattenIndex(b.buffer, b.index), lane.name, axes.ranges) === 1;
  const innermost = k.findLast((e, i) => e.kind === "var" && work.fold[i]! > 1);
  const step = isWide && innermost?.kind === "var" ? strideOf(flattenIndex(b.buffer, b.index), innermost.name, axes.ranges) : 0;
  return {
    isWide,
    isPanel: isWide && step >= 0 && step <= width,
    hasSlack: staysInside(work.factors(beyond, k), axes),
    finishesWide: finishesWide(work, axes),
  };
}
/** Whether four columns, from a multiple of four on, can be finished at once. */
export function finishesWide({ extents, finish }: Work, axes: Axes): boolean {
  const columns = extents.at(-1)!;
  if (columns < 4) return false;
  const lane = probe(axes, 4);
  const column = at(probe(axes, Math.floor(columns / 4)).axis, 4, lane.axis);
  const sum: Expr = { kind: "var", type: "f32", lanes: 1, name: axes.fresh("sum") };
  const index = [...extents.slice(0, -1).map((n) => probe(axes, n).axis), column];
  return canVectorize(finish(index, sum), lane.name, axes.ranges);
}
/** Whether `b` is a load inside its memory, wherever the axes are. */
function staysInside({ b }: Factors, axes: Axes): boolean {
  if (b.kind !== "load") return false;
  const { buffer, index } = b;
  const { shape, layout } = buffer;
  const isInside = index.every((e, axis) => {
    const block = Math.max(1, ...layout.dims.filter((d) => d.axis === axis).map((d) => d.div));
    const before = haloOf(layout, axis)[0];
    const [lo, hi] = bounds(linear(e, axes.ranges), axes.ranges);
    return lo >= -before && hi < Math.ceil(paddedExtent(shape, layout, axis) / block) * block - before;
  });
  const [lo, hi] = bounds(linear(flattenIndex(buffer, index), axes.ranges), axes.ranges);
  return isInside && lo >= 0 && hi < bufferElements(buffer);
}
