/** The same elements in row-major order under another shape. */
import type { Node } from "../graph/graph.ts";
import * as k from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";
import { ints, op, shapeError } from "../op.ts";
import { printType, type Shape, sizeOf, tensor } from "../type.ts";
import { expectShape } from "./expect.ts";

/** The same elements in row-major order under `shape`, which has as many. */
export const reshape = op({ name: "reshape", inputs: ["x"], attrs: { shape: ints() }, kind: "view", access: "ordered" }).rules({
  infer: ({ x }, { shape }) => {
    if (sizeOf(expectShape("reshape", shape)) !== sizeOf(x.shape)) {
      shapeError(`reshape: ${printType(x)} has ${sizeOf(x.shape)} elements, the shape [${shape.join(", ")}] has ${sizeOf(shape)}`);
    }
    return tensor(x.dtype, shape);
  },
  grad: ({ x }, _, _y, dy) => ({ x: reshape({ x: dy }, { shape: x.type.shape }) }),
  lower: ({ x }, { shape }) => {
    const runs = matchingRuns(x.type.shape, shape);
    return (...i) => x(...runs.flatMap((run) => reindex(run, shape, x.type.shape, i)));
  },
});

/** Puts axes of extent 1 where a reduction with `keepdims` would have left them. */
export const restoreAxes = (x: Node, shape: Shape, axes: readonly number[]): Node =>
  reshape({ x }, { shape: shape.map((d, a) => (axes.includes(a) ? 1 : d)) });

interface Run {
  readonly from: readonly number[];
  readonly to: readonly number[];
}
/** Shortest runs of axes with equal products: [8,16,4,4] and [8,256] give 0 = 0 and 1,2,3 = 1, so that axis 0 needs no arithmetic. */
function matchingRuns(from: Shape, to: Shape): Run[] {
  const runs: Run[] = [];
  let i = 0;
  let j = 0;
  while (i < from.length || j < to.length) {
    const start = [i, j] as const;
    let p = from[i++] ?? 1;
    let q = to[j++] ?? 1;
    while (p !== q) {
      if (p < q) p *= from[i++]!;
      else q *= to[j++]!;
    }
    runs.push({ from: range(start[0], Math.min(i, from.length)), to: range(start[1], Math.min(j, to.length)) });
  }
  return runs;
}
const range = (start: number, end: number) => Array.from({ length: end - start }, (_, n) => start + n);

/** Indices of the axes `run.from` that name the same element as the indices of `run.to`. */
function reindex(run: Run, to: Shape, from: Shape, index: readonly Expr[]): Expr[] {
  const position = linear(
    run.to.map((a) => index[a]!),
    run.to.map((a) => to[a]!),
  );
  const extents = run.from.map((a) => from[a]!);
  const wide = extents.filter((d) => d > 1);
  let inner = sizeOf(wide);
  return extents.map((d) => {
    if (d === 1) return k.i32(0);
    const outermost = inner === sizeOf(wide);
    inner /= d;
    const quotient = inner === 1 ? position : k.div(position, k.i32(inner));
    return outermost ? quotient : k.mod(quotient, k.i32(d));
  });
}

/** Row-major position of an index. */
export function linear(index: readonly Expr[], shape: Shape): Expr {
  const wide = index.filter((_, a) => shape[a] !== 1);
  const extents = shape.filter((d) => d !== 1);
  return wide.length ? wide.reduce((sum, i, a) => k.at(sum, extents[a]!, i)) : k.i32(0);
}
