/** Constants of a graph: what `full`, `dense` and `iota` hold. */
import type { Node } from "../../ir/graph/graph.ts";
import { ops } from "../../ir/ops/index.ts";
import { type DType, type Shape, sizeOf, type TensorType } from "../../ir/type.ts";

/** The one value of a `full` as its element type holds it, null for other nodes. */
export const fullValue = (node: Node): number | null => (node.op === ops.full ? held(node.attrs.value as number, node.type.dtype) : null);
export const isConstant = (node: Node): boolean => node.op === ops.full || node.op === ops.dense || node.op === ops.iota;

/** An element of a constant at an index inside its shape. */
export function constantAt(node: Node, index: readonly number[]): number {
  if (node.op === ops.full) return fullValue(node)!;
  if (node.op === ops.iota) return held(index[node.attrs.axis as number]!, node.type.dtype);
  const position = index.reduce((at, x, axis) => at * node.type.shape[axis]! + x, 0);
  return held((node.attrs.data as readonly number[])[position]!, node.type.dtype);
}
function held(value: number, dtype: DType): number {
  switch (dtype) {
    case "f32":
      return Math.fround(value);
    case "i32":
      return Math.trunc(value) | 0;
    case "u8":
      return Math.trunc(value) & 255;
    case "bool":
      return value === 0 ? 0 : 1;
  }
}

export const full = (value: number, dtype: DType, shape: Shape): Node => ops.full({}, { value, dtype, shape });
/** A constant of the given elements in row-major order; one value throughout makes a `full`. */
export function constantOf(values: readonly number[], { dtype, shape }: TensorType): Node {
  const [first] = values;
  if (values.every((v) => Object.is(v, first))) return full(first!, dtype, shape);
  return ops.dense({}, { data: values, dtype, shape });
}

/** Every index of a shape in row-major order. */
export function* indicesOf(shape: Shape): Generator<number[]> {
  for (let i = 0, n = sizeOf(shape); i < n; i++) yield unravel(i, shape);
}
function unravel(position: number, shape: Shape): number[] {
  const index = new Array<number>(shape.length);
  for (let axis = shape.length - 1, rest = position; axis >= 0; axis--) {
    index[axis] = rest % shape[axis]!;
    rest = Math.floor(rest / shape[axis]!);
  }
  return index;
}
