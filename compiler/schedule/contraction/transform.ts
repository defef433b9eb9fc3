/**
 * Small blocks through constant matrices, matrix X matrix': what Winograd's convolution does to images, kernels and sums.
 * Every step is four channels wide, columns first; the block in between lies in scratch memory.
 */
import { add, at, buffer, declare, div, f32, fma, i32, load, local, mod, mul, store, sub } from "../../../ir/kernel/build.ts";
import type { Axes, Blockwise, Computation, Evaluated } from "../../../ir/kernel/computation.ts";
import type { Buffer, Expr, Stmt } from "../../../ir/kernel/kernel.ts";
import type { Matrix } from "../../../ir/op.ts";
import { logicalIndex, orZero, physicalExtents } from "../elements.ts";
import { canVectorize } from "../vectorize.ts";

/** One lane of a block's way through a matrix: element [r, s] in, element [p, q] out. */
export interface Sandwich {
  readonly matrix: Matrix;
  readonly read: (r: Expr, s: Expr) => Evaluated;
  readonly write: (p: Expr, q: Expr, value: Expr) => readonly Stmt[];
}
/** Room for a block between its columns and its rows, four lanes of it. */
export const blockBuffer = (name: string, matrix: Matrix): Buffer => buffer(name, "scratch", [matrix.length, matrix[0]!.length, 4]);

/** matrix X matrix', through `between`. */
export function sandwich({ matrix, read, write }: Sandwich, between: Buffer, lane: Expr, axes: Axes): Stmt[] {
  const column = (s: Expr) =>
    multiply(
      matrix,
      (r) => read(i32(r), s),
      (p, e) => [store(between, [i32(p), s, lane], e)],
      axes,
    );
  const row = (p: Expr) =>
    multiply(
      matrix,
      (s) => ({ lets: [], value: load(between, p, i32(s), lane) }),
      (q, e) => write(p, i32(q), e),
      axes,
    );
  return [axes.loop("unrolled", "s", matrix[0]!.length, column), axes.loop("unrolled", "p", matrix.length, row)];
}

type Term = readonly [scale: number, value: Expr];

/** matrix times a vector, given and written one by one. Rows, or else columns, that differ by signs alone share their sums. */
export function multiply(
  matrix: Matrix,
  read: (i: number) => Evaluated,
  write: (i: number, value: Expr) => readonly Stmt[],
  axes: Axes,
): readonly Stmt[] {
  const body: Stmt[] = [];
  const bind = (base: string, value: Expr): Expr => {
    const name = axes.fresh(base);
    body.push(declare(name, value));
    return local(name);
  };
  const used = matrix[0]!.map((_, c) => matrix.some((row) => row[c] !== 0));
  const x = used.map((isUsed, c): Expr => {
    if (!isUsed) return f32(0);
    const e = read(c);
    body.push(...e.lets);
    return bind("x", e.value);
  });
  const pairs = mirrored(matrix);
  const values = pairs.length > 0 ? mirroredRows(matrix, x, pairs, bind) : joinColumns(matrix, x, bind).map(sum);
  for (const [i, value] of values.entries()) body.push(...write(i, value));
  return body;
}
type Bind = (base: string, value: Expr) => Expr;
/** Both rows of a pair out of what they have in common and what differs in sign. */
function mirroredRows(matrix: Matrix, x: readonly Expr[], pairs: readonly (readonly [number, number])[], bind: Bind): Expr[] {
  const termsOf = (row: readonly number[]) => row.map((scale, c): Term => [scale, x[c]!]);
  const values = matrix.map((row) => sum(termsOf(row)));
  for (const [i, j] of pairs) {
    const isSame = (c: number) => matrix[i]![c] === matrix[j]![c];
    const terms = termsOf(matrix[i]!);
    const even = bind("e", sum(terms.filter((_, c) => isSame(c))));
    const odd = bind("o", sum(terms.filter((_, c) => !isSame(c))));
    values[i] = add(even, odd);
    values[j] = sub(even, odd);
  }
  return values;
}
/** Pairs of rows of equal magnitudes, equal signs in some columns and opposite ones in others; each row is in one at most. */
function mirrored(matrix: Matrix): [number, number][] {
  const pairs: [number, number][] = [];
  matrix.forEach((row, i) => {
    if (pairs.some((p) => p.includes(i))) return;
    const j = matrix.findIndex((other, at) => at > i && isMirror(row, other) && !pairs.some((p) => p.includes(at)));
    if (j > 0) pairs.push([i, j]);
  });
  return pairs;
}
function isMirror(a: readonly number[], b: readonly number[]): boolean {
  if (!a.every((x, c) => Math.abs(x) === Math.abs(b[c]!))) return false;
  return a.some((x, c) => x !== 0 && x === b[c]) && a.some((x, c) => x !== b[c]);
}
/** Rows as sums of which columns in mirrored pairs are added and subtracted once. */
function joinColumns(matrix: Matrix, x: readonly Expr[], bind: Bind): Term[][] {
  const columns = x.map((_, c) => matrix.map((row) => row[c]!));
  const rows = matrix.map((): Term[] => []);
  const pairs = mirrored(columns);
  columns.forEach((column, c) => {
    const pair = pairs.find((p) => p.includes(c));
    if (pair && pair[0] !== c) return;
    const other = pair ? pair[1] : c;
    const [even, odd] = pair ? [bind("e", add(x[c]!, x[other]!)), bind("o", sub(x[c]!, x[other]!))] : [x[c]!, x[c]!];
    for (const [i, scale] of column.entries()) rows[i]!.push([scale, scale === columns[other]![i] ? even : odd]);
  });
  return rows;
}
/** Terms of scale 1 first, so that the others are multiplied and added. */
function sum(terms: readonly Term[]): Expr {
  const order = terms.filter(([scale]) => scale !== 0).sort(([a], [b]) => Number(b === 1) - Number(a === 1));
  const [first, ...rest] = order;
  if (!first) return f32(0);
  const start = first[0] === 1 ? first[1] : mul(first[1], f32(first[0]));
  return rest.reduce((e, [scale, x]) => (scale === 1 ? add(e, x) : scale === -1 ? sub(e, x) : fma(x, f32(scale), e)), start);
}

/**
 * Vector loops over whole fours of `extent` where `body` allows it, and a serial one over the rest. `body` takes a position and its lane.
 * `apart`: lanes may be read and written one by one.
 */
export function inLanes(
  extent: number,
  axes: Axes,
  body: (position: Expr, lane: Expr) => readonly Stmt[],
  { apart = false } = {},
): readonly Stmt[] {
  const fours = Math.floor(extent / 4);
  const rest = extent - 4 * fours;
  let isWide = true;
  const four = (kind: "vector" | "serial") =>
    axes.loop("serial", "v", fours, (v) => [
      axes.loop(kind, "lane", 4, (lane) => {
        const inner = body(at(v, 4, lane), lane);
        isWide &&= lane.kind === "var" && canVectorize(inner, lane.name, axes.ranges, { apart });
        return inner;
      }),
    ]);
  const wide = fours > 0 ? [four("vector")] : [];
  const main = fours > 0 && !isWide ? [four("serial")] : wide;
  return rest === 0 ? main : [...main, axes.loop("serial", "lane", rest, (lane) => body(at(lane, 1, 4 * fours), lane))];
}

/** A fold that has one block along its last two axes, such as transformed kernels; null for others. */
export function transformBlocks(
  c: Computation,
  { matrix, axes: along, reads }: Extract<Blockwise, { kind: "transform" }>,
  axes: Axes,
  scratch: Buffer[],
): readonly Stmt[] | null {
  if (along.some((axis, i) => axis !== c.output.shape.length - 2 + i || c.output.shape[axis] !== matrix.length)) return null;
  const between = blockBuffer(axes.fresh("block"), matrix);
  scratch.push(between);
  const { dims } = c.output.layout;
  const rank = c.output.shape.length;
  const extents = physicalExtents(c.output);
  const others = dims.flatMap((d, i) => (d.axis < rank - 2 ? [i] : []));
  const innermost = others.pop();
  const places = others.reduce((n, i) => n * extents[i]!, 1);
  const one = (place: Expr, position: Expr, lane: Expr) => {
    let stride = 1;
    const physical = dims.map((): Expr => i32(0));
    for (const i of [...others].reverse()) {
      physical[i] = mod(div(place, i32(stride)), i32(extents[i]!));
      stride *= extents[i]!;
    }
    if (innermost !== undefined) physical[innermost] = position;
    const index = logicalIndex(c.output, physical).slice(0, rank - 2);
    const write = (p: Expr, q: Expr, value: Expr): readonly Stmt[] => {
      const end = orZero(c.output, [...index, p, q], axes, (safe) => c.finish(safe, value, axes));
      return [...end.lets, store(c.output, [...index, p, q], end.value)];
    };
    const read = (r: Expr, s: Expr) => orZero(c.output, [...index, i32(0), i32(0)], axes, (safe) => reads[0]!([...safe, r, s], axes));
    return sandwich({ matrix, read, write }, between, lane, axes);
  };
  return [
    axes.loop("grid", "i", places, (place) =>
      inLanes(innermost === undefined ? 1 : extents[innermost]!, axes, (p, lane) => one(place, p, lane)),
    ),
  ];
}
