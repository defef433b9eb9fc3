/** The gradient of rows by index: for each row, the sum of what was taken from it. In a fixed order, so runs repeat exactly. */
import type { Node } from "../graph/graph.ts";
import * as k from "../kernel/build.ts";
import { fold, int, op, shapeError } from "../op.ts";
import { printType, sameShape, sizeOf, type TensorType, tensor } from "../type.ts";
import { add, equal, less, logicalAnd, maximum, minimum } from "./binary.ts";
import { scalar } from "./broadcasting.ts";
import { cast } from "./cast.ts";
import { iota } from "./creation.ts";
import { expectDType } from "./expect.ts";
import { dense } from "./leaf.ts";
import { pad } from "./pad.ts";
import { reduceMin, reduceSum } from "./reduce.ts";
import { relayout } from "./relayout.ts";
import { reshape } from "./reshape.ts";
import { take } from "./take.ts";
import { where } from "./where.ts";

function collected(name: string, dy: TensorType, ids: TensorType, rows: number): TensorType {
  expectDType(name, "dy", dy, ["f32"]);
  expectDType(name, "ids", ids, ["i32", "u8"]);
  const rank = ids.shape.length;
  if (!sameShape(dy.shape.slice(0, rank), ids.shape)) {
    shapeError(`${name} expects dy to begin with the shape of ids ${printType(ids)}, got ${printType(dy)}`);
  }
  if (!Number.isInteger(rows) || rows < 1) shapeError(`${name}: rows must be a positive integer, got ${rows}`);
  return tensor("f32", [rows, ...dy.shape.slice(rank)]);
}

/**
 * The gradient of take, [rows, j...]: dx[row, j...] = sum over i... of dy[i..., j...] where ids[i...] is `row`; said in the cheapest of
 * three ways.
 */
export const takeGrad = op({ name: "take_grad", inputs: ["dy", "ids"], attrs: { rows: int() }, kind: "composite" }).rules({
  infer: ({ dy, ids }, { rows }) => collected("take_grad", dy, ids, rows),
  grad: ({ ids }, _, _y, ddx) => ({ dy: take({ x: ddx, ids }) }),
  decompose: ({ dy, ids }, { rows }, { shape }) => {
    const count = sizeOf(ids.type.shape);
    const width = sizeOf(shape.slice(1));
    const flat = reshape({ x: dy }, { shape: [count, ...shape.slice(1)] });
    const known = ids.op === dense ? inverse(ids.attrs.data as readonly number[], rows) : null;
    if (known && known.most * rows <= 4 * (rows + count)) return byInverse(flat, known);
    const searching = rows * count * width;
    const linking = count * count + rows * count + Math.ceil(Math.log2(count)) * count * width;
    return searching <= 4 * linking ? collect({ dy, ids }, { rows }) : byLinks(flat, clamped(ids, count, rows), rows);
  },
});

/** The same as take_grad, [rows, j...], by looking at every index for every row. */
export const collect = op({ name: "collect", inputs: ["dy", "ids"], attrs: { rows: int() }, kind: "scatter" }).rules({
  infer: ({ dy, ids }, { rows }) => collected("collect", dy, ids, rows),
  grad: ({ ids }, _, _y, ddx) => ({ dy: take({ x: ddx, ids }) }),
  lower:
    ({ dy, ids }, { rows }) =>
    (row, ...j) =>
      fold("sum", ids.type.shape, (...i) => k.select(k.eq(k.clamp(ids(...i), rows), row!), dy(...i, ...j), k.f32(0))),
  flops: ({ dy }, { rows }) => sizeOf(dy.shape) * rows,
});

const clamped = (ids: Node, count: number, rows: number): Node => {
  const flat = cast({ x: reshape({ x: ids }, { shape: [count] }) }, { to: "i32" });
  return maximum({ a: minimum({ a: flat, b: scalar(rows - 1, "i32") }), b: scalar(0, "i32") });
};
/** One more row of `value`: where indices that mean nothing point. */
const withEnd = (x: Node, value: number): Node => {
  const before = x.type.shape.map(() => 0);
  return pad({ x }, { before, after: before.with(0, 1), value });
};

interface Inverse {
  /** For each row the places of a table that hold it, in order. */
  readonly places: readonly (readonly number[])[];
  /** Length of the longest of them. */
  readonly most: number;
}
function inverse(table: readonly number[], rows: number): Inverse {
  const places: number[][] = Array.from({ length: rows }, () => []);
  table.forEach((id, place) => {
    places[Math.min(Math.max(id, 0), rows - 1)]!.push(place);
  });
  return { places, most: places.reduce((n, p) => Math.max(n, p.length), 0) };
}
/** A table that is known while compiling is turned around: every row takes from its places. */
function byInverse(dy: Node, { places, most }: Inverse): Node {
  const count = dy.type.shape[0]!;
  const full = places.every((p) => p.length === most);
  const data = places.flatMap((p) => [...p, ...Array.from({ length: most - p.length }, () => count)]);
  const ids = dense({}, { data, dtype: "i32", shape: most === 1 ? [places.length] : [places.length, most] });
  const taken = take({ x: full ? dy : withEnd(dy, 0), ids });
  return most === 1 ? taken : reduceSum({ x: taken }, { axes: [1] });
}

/**
 * Equal indices as linked lists: each place points to the next one with its index. Every place adds what the one it points
 * to holds and then points where that one points, so the reach doubles each round (pointer jumping, Wyllie 1979); in the end
 * the first place of a list holds its sum.
 */
function byLinks(dy: Node, ids: Node, rows: number): Node {
  const count = dy.type.shape[0]!;
  const column = reshape({ x: ids }, { shape: [count, 1] });
  const here = iota({}, { axis: 0, dtype: "i32", shape: [count, 1] });
  const later = logicalAnd({ a: equal({ a: column, b: ids }), b: less({ a: here, b: places(count) }) });
  let sums = stored(withEnd(dy, 0));
  let next = stored(withEnd(firstWhere(later, count), count));
  for (let reach = 1; reach < count; reach *= 2) {
    sums = stored(add({ a: sums, b: take({ x: sums, ids: next }) }));
    next = stored(take({ x: next, ids: next }));
  }
  const row = iota({}, { axis: 0, dtype: "i32", shape: [rows, 1] });
  return take({ x: sums, ids: firstWhere(equal({ a: row, b: ids }), count) });
}
/** In memory: inlined, every round would read the one before at two places. */
const stored = (x: Node): Node => relayout({ x });
const places = (count: number): Node => iota({}, { axis: 0, dtype: "i32", shape: [count] });
/** The first place of each row of a table that is true; `count` for none. */
const firstWhere = (found: Node, count: number): Node =>
  reduceMin({ x: where({ cond: found, a: places(count), b: scalar(count, "i32") }) }, { axes: [1] });
