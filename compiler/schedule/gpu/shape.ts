/** Sizes of workgroups, and which tiles a matrix product is cut into: what one computes, and whether several share one sum. */
import type { Limits } from "../../../ir/limits.ts";
import type { Ask } from "../contraction/form.ts";

/** Invocations of a workgroup: a multiple of every subgroup size in use. */
export const workgroup = 64;
/** Of a workgroup whose invocations share the terms of folds. */
export const mostInvocations = ({ maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX }: Limits): number =>
  Math.min(256, maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX);
/** Neighbours in memory that invocations read as one line. */
export const lineElements = 16;
/** The largest power of two up to both; at least 1. */
export const powerOfTwo = (n: number, most: number): number => 2 ** Math.floor(Math.log2(Math.max(1, Math.min(n, most))));

export interface Shape {
  /** Invocations down and across a tile: `workgroup` in all. */
  readonly down: number;
  readonly across: number;
  /** What an invocation has in registers: rows, a multiple of four, and vectors of four columns. */
  readonly rows: number;
  readonly vectors: number;
}
export const rowsOf = (s: Shape): number => s.down * s.rows;
export const columnsOf = (s: Shape): number => s.across * s.vectors * 4;

/** The first is what large products want; the others waste less where there are few rows or columns. */
const shapes: readonly Shape[] = [
  { down: 8, across: 8, rows: 8, vectors: 2 },
  { down: 8, across: 8, rows: 4, vectors: 1 },
  { down: 16, across: 4, rows: 8, vectors: 1 },
  { down: 32, across: 2, rows: 4, vectors: 1 },
  { down: 4, across: 16, rows: 4, vectors: 2 },
  { down: 2, across: 32, rows: 4, vectors: 1 },
];
const nameOf = (s: Shape): string => `${rowsOf(s)} x ${columnsOf(s)}`;

/** Extents of a product: so many products of a matrix of rows x depth and one of depth x columns. */
export interface Extents {
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
}
/** Workgroups that keep a GPU busy. */
const wantedGroups = 128;
/** Fewer leave some of it idle, unless they share sums; then another pass adds the parts, which costs like so much more work. */
const fewGroups = wantedGroups / 2;
const costOfParts = 1.5;
/** What a word brought to workgroup memory costs, in multiplications. */
const costOfLoad = 16;
/** Below this share of useful elements in tiles, invocations that go by elements do better. */
const leastUse = 1 / 4;
/** Fewer rows or columns share too little. */
const fewest = 4;

/** Null where tiles would be nearly empty. `blocks`: those of a sum. `most`: rows and columns that a workgroup has memory for. */
export function shapeFor(e: Extents, blocks: number, most: number, ask: Ask): Shape | null {
  if (e.rows < fewest || e.columns < fewest) return null;
  const useful = shapes.filter((s) => e.rows * e.columns >= leastUse * groupsOf({ ...e, batch: 1 }, s) * rowsOf(s) * columnsOf(s));
  const fitting = useful.filter((s) => rowsOf(s) + columnsOf(s) <= most);
  const [best, ...others] = fitting.sort((a, b) => costOf(e, a, blocks) - costOf(e, b, blocks));
  if (!best) return null;
  const name = others.length > 0 ? ask("tile", [nameOf(best), ...others.slice(0, 2).map(nameOf)]) : nameOf(best);
  return fitting.find((s) => nameOf(s) === name) ?? best;
}
export const groupsOf = (e: Extents, s: Shape): number => e.batch * Math.ceil(e.rows / rowsOf(s)) * Math.ceil(e.columns / columnsOf(s));
/** Work of all tiles, with that which idle workgroups could do. */
function costOf(e: Extents, s: Shape, blocks: number): number {
  const loads = 1 / rowsOf(s) + 1 / columnsOf(s);
  const groups = groupsOf(e, s);
  const parts = wantedParts(groups, blocks);
  const work = Math.max(groups, fewGroups / parts) * rowsOf(s) * columnsOf(s) * (1 + costOfLoad * loads);
  return parts > 1 ? work * costOfParts : work;
}

/** Blocks of a sum that make a part worth another pass, and most parts. */
const blocksOfPart = 8;
const mostParts = 16;
const wantedParts = (groups: number, blocks: number): number =>
  groups > fewGroups ? 1 : Math.max(1, Math.min(Math.ceil(wantedGroups / groups), Math.floor(blocks / blocksOfPart), mostParts));
/** In how many parts, side by side, workgroups form a sum of so many blocks. */
export function partsOfSum(groups: number, blocks: number, ask: Ask): number {
  const wanted = wantedParts(groups, blocks);
  if (wanted === 1) return 1;
  const each = Math.ceil(blocks / Number(ask("parts of a sum", [String(wanted), "1"])));
  return Math.ceil(blocks / each);
}
