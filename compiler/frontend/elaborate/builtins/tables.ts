/** Gathering along axes, by tables known while compiling and by tensors of indices. */
import type { Node } from "../../../../ir/graph/graph.ts";
import { ops } from "../../../../ir/ops/index.ts";
import { sizeOf } from "../../../../ir/type.ts";
import { type Builtin, type BuiltinCall, floatArg, intArg, operation, optional, stringArg, tensorArg } from "../builtin.ts";
import { complain } from "../frame.ts";
import { charge, limits } from "../session.ts";
import { showType } from "../values.ts";
import { axisOf, movedFromLast, movedLast, range } from "./axes.ts";

const permuted = (x: Node, axes: readonly number[]): Node => (axes.every((a, i) => a === i) ? x : ops.permute({ x }, { axes }));

/** Complains before a literal table of so many numbers is made: it is part of the program. */
export function expectTable(size: number, c: BuiltinCall): void {
  if (size > limits.table)
    complain(c.frame, "limit", `${c.subject} needs a table of ${size} numbers, at most ${limits.table} are allowed`, c.span);
  charge(c.frame.session.world.budget, size >> 3, c.span);
}
function tableOf(data: readonly number[], dtype: "f32" | "i32", shape: readonly number[], c: BuiltinCall): Node {
  expectTable(data.length, c);
  return ops.dense({}, { data, dtype, shape });
}
/** y[..., i, ...] = x[..., ids[i], ...] at `axis`. */
function byIds(x: Node, axis: number, ids: Node): Node {
  const rank = x.type.shape.length;
  const first = [axis, ...range(0, axis), ...range(axis + 1, rank)];
  const back = [...range(1, axis + 1), 0, ...range(axis + 1, rank)];
  return permuted(ops.take({ x: permuted(x, first), ids }), back);
}
export const byTable = (x: Node, axis: number, ids: readonly number[], c: BuiltinCall): Node =>
  byIds(x, axis, tableOf(ids, "i32", [ids.length], c));
/** Numbers along `axis` of a tensor of this rank, 1 along the others. */
const along = (data: readonly number[], axis: number, rank: number, c: BuiltinCall): Node =>
  tableOf(
    data,
    "f32",
    range(0, rank).map((a) => (a === axis ? data.length : 1)),
    c,
  );
/** y[..., i, ...] = sum over j of weights[i][j] x[..., j, ...] at `axis`. */
export function byMatrix(x: Node, axis: number, weights: readonly (readonly number[])[], c: BuiltinCall): Node {
  const rank = x.type.shape.length;
  const [rows, columns] = [weights.length, x.type.shape[axis]!];
  const data = range(0, columns).flatMap((j) => weights.map((row) => row[j]!));
  const matrix = tableOf(data, "f32", [columns, rows], c);
  const last = permuted(x, movedLast(rank, axis));
  const flat = ops.reshape({ x: last }, { shape: [sizeOf(last.type.shape) / columns, columns] });
  const shape = [...last.type.shape.slice(0, -1), rows];
  return permuted(ops.reshape({ x: ops.matmul({ a: flat, b: matrix }) }, { shape }), movedFromLast(rank, axis));
}

/** Linear interpolation between pixel centres (align_corners=false). */
function interpolated(x: Node, axis: number, n: number, scale: number, c: BuiltinCall): Node {
  const { shape } = x.type;
  const extent = shape[axis]!;
  const places = range(0, n).map((i) => Math.max(0, (i + 0.5) / scale - 0.5));
  const low = places.map((p) => Math.min(Math.floor(p), extent - 1));
  const high = low.map((l) => Math.min(l + 1, extent - 1));
  const weight = places.map((p, i) => Math.min(1, p - low[i]!));
  const part = (ids: readonly number[], weights: readonly number[]) =>
    ops.mul({ a: byTable(x, axis, ids, c), b: along(weights, axis, shape.length, c) });
  return ops.add({
    a: part(
      low,
      weight.map((w) => 1 - w),
    ),
    b: part(high, weight),
  });
}
/** Height and width times `scale`, rounded down. */
function upsample(x: Node, scale: number, mode: string, c: BuiltinCall): Node {
  const { shape } = x.type;
  if (shape.length < 3) complain(c.frame, "shape", `upsample expects dimensions (N, C, ...), got ${showType(x.type)}`, c.span);
  if (!(scale > 0 && Number.isFinite(scale))) complain(c.frame, "constant", `upsample: scale is positive, got ${scale}`, c.span);
  return range(2, shape.length).reduce((y, axis) => upsampleAxis(y, axis, scale, mode, c), x);
}
function upsampleAxis(x: Node, axis: number, scale: number, mode: string, c: BuiltinCall): Node {
  const extent = x.type.shape[axis]!;
  const n = Math.floor(extent * scale);
  if (n < 1) complain(c.frame, "shape", `upsample: nothing is left of axis ${axis} of ${showType(x.type)}`, c.span);
  if (!Number.isInteger(scale) || mode === "bilinear") expectTable(n, c);
  switch (mode) {
    case "nearest":
      return Number.isInteger(scale)
        ? repeated(x, axis, scale)
        : byTable(
            x,
            axis,
            range(0, n).map((i) => Math.min(extent - 1, Math.floor(i / scale))),
            c,
          );
    case "bilinear":
      return interpolated(x, axis, n, scale, c);
    case "bed_of_nails":
      if (!Number.isInteger(scale)) complain(c.frame, "constant", `upsample: bed_of_nails needs a whole scale, got ${scale}`, c.span);
      return spread(x, axis, scale);
    default:
      return complain(c.frame, "constant", `upsample: mode is "nearest", "bilinear" or "bed_of_nails", got "${mode}"`, c.span);
  }
}
/** Splits `axis` into (axis, 1) and joins it again after `f` made the 1 longer. */
function widened(x: Node, axis: number, f: (x: Node) => Node): Node {
  const { shape } = x.type;
  const wide = f(ops.reshape({ x }, { shape: [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)] }));
  return ops.reshape({ x: wide }, { shape: shape.map((d, a) => (a === axis ? d * wide.type.shape[axis + 1]! : d)) });
}
const repeated = (x: Node, axis: number, n: number): Node =>
  widened(x, axis, (y) => ops.broadcast({ x: y }, { shape: y.type.shape.map((d, a) => (a === axis + 1 ? n : d)) }));
const spread = (x: Node, axis: number, n: number): Node =>
  widened(x, axis, (y) =>
    ops.pad({ x: y }, { before: y.type.shape.map(() => 0), after: y.type.shape.map((_, a) => (a === axis + 1 ? n - 1 : 0)) }),
  );

/** Rows of `x` at `ids`. */
function take(x: Node, ids: Node, axis: number, c: BuiltinCall): Node {
  const a = axisOf(c, x, axis);
  if (a === 0) return ops.take({ x, ids });
  const rank = x.type.shape.length;
  const rows = ops.take({ x: permuted(x, [a, ...range(0, a), ...range(a + 1, rank)]), ids });
  const n = ids.type.shape.length;
  return permuted(rows, [...range(n, n + a), ...range(0, n), ...range(n + a, n + rank - 1)]);
}

export const tableFunctions: readonly Builtin[] = [
  operation(
    "take",
    "Slices of x at `ids` i32[...] along `axis`, whose place the axes of ids take: [V, D] at i32[N, T] gives [N, T, D].",
    { x: tensorArg, ids: tensorArg, axis: optional(intArg, 0) },
    ({ x, ids, axis }, c) => take(x, ids, axis, c),
  ),
  operation(
    "gather",
    "y[i, j] = x[i, ids[i, j]] for axis 1, and so on, as PyTorch's: ids i32 of the rank of x, and not longer except in `axis`.",
    { x: tensorArg, axis: intArg, ids: tensorArg },
    ({ x, axis, ids }, c) => ops.gather({ x, ids }, { axis: axisOf(c, x, axis) }),
  ),
  operation(
    "one_hot",
    "f32[..., depth] of ids i32[...]: 1 at the id, else 0; an id outside gives zeros.",
    { ids: tensorArg, depth: intArg },
    ({ ids, depth }) => ops.oneHot({ ids }, { depth }),
  ),
  operation(
    "upsample",
    'Every axis after the first two times `scale`: mode "nearest", "bilinear" (linear along each axis, ' +
      'align_corners=False) or "bed_of_nails".',
    { x: tensorArg, scale: floatArg, mode: optional(stringArg, "nearest") },
    ({ x, scale, mode }, c) => upsample(x, scale, mode, c),
  ),
];
