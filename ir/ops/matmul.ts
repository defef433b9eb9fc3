/** Product of matrices, y[..., i, j] = sum over k of a[..., i, k] * b[..., k, j]; leading axes broadcast as in NumPy. */
import type { Node } from "../graph/graph.ts";
import * as k from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";
import { fold, op, type Read, shapeError } from "../op.ts";
import { broadcastShapes, printType, type Shape, sizeOf, type TensorType, tensor } from "../type.ts";
import { sumTo } from "./broadcasting.ts";
import { expectDType } from "./expect.ts";
import { permute } from "./permute.ts";
import { reshape } from "./reshape.ts";

/**
 * Product of matrices, [..., I, K] by [..., K, J] to [..., I, J]: y[..., i, j] = sum over k of a[..., i, k] * b[..., k, j]; leading axes
 * broadcast.
 */
export const matmul = op({
  name: "matmul",
  inputs: ["a", "b"],
  kind: "contraction",
  operands: ["matrix", "matrix"],
  result: "matrix",
}).rules({
  infer: ({ a, b }) => {
    expectMatrix("a", a);
    expectMatrix("b", b);
    if (a.shape.at(-1) !== b.shape.at(-2)) {
      shapeError(`matmul: ${printType(a)} has ${a.shape.at(-1)} columns, ${printType(b)} has ${b.shape.at(-2)} rows; they must be equal`);
    }
    const batch =
      broadcastShapes(batchOf(a), batchOf(b)) ??
      shapeError(`matmul: the leading dimensions of ${printType(a)} and ${printType(b)} do not broadcast`);
    return tensor("f32", [...batch, a.shape.at(-2)!, b.shape.at(-1)!]);
  },
  grad: ({ a, b }, _, _y, dy) => ({
    a: sumTo(matmul({ a: dy, b: transpose(b) }), a.type.shape),
    b:
      b.type.shape.length === 2
        ? matmul({ a: transpose(asMatrix(a)), b: asMatrix(dy) })
        : sumTo(matmul({ a: transpose(a), b: dy }), b.type.shape),
  }),
  lower:
    ({ a, b }) =>
    (...index) => {
      const [i, j] = index.slice(-2) as [Expr, Expr];
      const batch = index.slice(0, -2);
      return fold("sum", [a.type.shape.at(-1)!], (r) => k.mul(readMatrix(a, batch, i, r), readMatrix(b, batch, r, j)));
    },
  columns: ({ a, b }) => ({
    operand: b.shape.length - 1,
    result: Math.max(a.shape.length, b.shape.length) - 1,
    groups: 1,
  }),
  flops: ({ a }, _, type) => 2 * sizeOf(type.shape) * a.shape.at(-1)!,
});

function expectMatrix(operand: string, t: TensorType): void {
  expectDType("matmul", operand, t, ["f32"]);
  if (t.shape.length < 2) shapeError(`matmul expects ${operand} with at least 2 dimensions, got ${printType(t)}`);
}
const batchOf = (t: TensorType): Shape => t.shape.slice(0, -2);

/** A matrix of a batch that may be broadcast. */
const readMatrix = (x: Read, batch: readonly Expr[], row: Expr, column: Expr): Expr => {
  const own = batchOf(x.type);
  const lead = batch.length - own.length;
  return x(...own.map((d, a) => (d === 1 ? k.i32(0) : batch[lead + a]!)), row, column);
};
const transpose = (x: Node): Node => {
  const rank = x.type.shape.length;
  return permute({ x }, { axes: [...Array(rank - 2).keys(), rank - 1, rank - 2] });
};
/** All rows of a batch as one matrix. */
const asMatrix = (x: Node): Node => {
  const { shape } = x.type;
  return shape.length === 2 ? x : reshape({ x }, { shape: [sizeOf(shape.slice(0, -1)), shape.at(-1)!] });
};
