/** Broadcasting: in shape rules, in index notation and in gradients. */
import type { Node } from "../graph/graph.ts";
import * as k from "../kernel/build.ts";
import type { Expr, ScalarType } from "../kernel/kernel.ts";
import { type Read, shapeError } from "../op.ts";
import { broadcastShapes, type DType, printType, type Shape, sameShape, type TensorType } from "../type.ts";
import { full } from "./creation.ts";
import { reduceSum } from "./reduce.ts";
import { reshape } from "./reshape.ts";

/** NumPy's common shape of the operands. */
export function commonShape(op: string, types: readonly TensorType[]): Shape {
  let shape: Shape = [];
  for (const t of types) {
    shape =
      broadcastShapes(shape, t.shape) ??
      shapeError(
        `${op}: the shapes of ${types.map(printType).join(" and ")} do not broadcast`,
        "aligned at the right, two dimensions must be equal or one of them 1",
      );
  }
  return shape;
}

/** Element of a broadcast operand at an index of the result. */
export const readBroadcast = (x: Read, index: readonly Expr[]): Expr =>
  x(...x.type.shape.map((d, axis) => (d === 1 ? k.i32(0) : index[index.length - x.type.shape.length + axis]!)));

/** The gradient of broadcasting: sums over what was repeated, so that the result has `shape`. */
export function sumTo(x: Node, shape: Shape): Node {
  const from = x.type.shape;
  if (sameShape(from, shape)) return x;
  const lead = from.length - shape.length;
  const axes = from.flatMap((d, a) => (a < lead || (d !== 1 && shape[a - lead] === 1) ? [a] : []));
  const sum = axes.length ? reduceSum({ x }, { axes }) : x;
  return sameShape(sum.type.shape, shape) ? sum : reshape({ x: sum }, { shape });
}

/** A constant that broadcasts to any shape. */
export const scalar = (value: number, dtype: DType = "f32"): Node => full({}, { value, dtype, shape: [] });

/** What an element of a tensor is in an expression. */
export const scalarType = (dtype: DType): ScalarType => (dtype === "u8" ? "i32" : dtype);
