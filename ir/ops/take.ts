/** Rows by index, and the gradient of that. */
import * as k from "../kernel/build.ts";
import { fold, int, op, shapeError } from "../op.ts";
import { printType, sameShape, sizeOf, tensor } from "../type.ts";
import { expectDType } from "./expect.ts";

/** y[i..., j...] = x[ids[i...], j...]; an index outside is moved to the nearest row. */
export const take = op({ name: "take", inputs: ["x", "ids"], kind: "view" }).rules({
  infer: ({ x, ids }) => {
    if (x.shape.length === 0) shapeError(`take expects x with at least one dimension, got ${printType(x)}`);
    expectDType("take", "ids", ids, ["i32", "u8"]);
    return tensor(x.dtype, [...ids.shape, ...x.shape.slice(1)]);
  },
  grad: ({ x, ids }, _, _y, dy) => ({ x: takeGrad({ dy, ids }, { rows: x.type.shape[0]! }) }),
  lower: ({ x, ids }) => {
    const rank = ids.type.shape.length;
    return (...i) => x(k.clamp(ids(...i.slice(0, rank)), x.type.shape[0]!), ...i.slice(rank));
  },
});

/** dx[row, j...] = sum over i... of dy[i..., j...] where ids[i...] is `row`. */
export const takeGrad = op({ name: "take_grad", inputs: ["dy", "ids"], attrs: { rows: int() }, kind: "fold" }).rules({
  infer: ({ dy, ids }, { rows }) => {
    expectDType("take_grad", "dy", dy, ["f32"]);
    expectDType("take_grad", "ids", ids, ["i32", "u8"]);
    const rank = ids.shape.length;
    if (!sameShape(dy.shape.slice(0, rank), ids.shape)) {
      shapeError(`take_grad expects dy to begin with the shape of ids ${printType(ids)}, got ${printType(dy)}`);
    }
    if (!Number.isInteger(rows) || rows < 1) shapeError(`take_grad: rows must be a positive integer, got ${rows}`);
    return tensor("f32", [rows, ...dy.shape.slice(rank)]);
  },
  grad: ({ ids }, _, _y, ddx) => ({ dy: take({ x: ddx, ids }) }),
  lower:
    ({ dy, ids }, { rows }) =>
    (row, ...j) =>
      fold("sum", ids.type.shape, (...i) => k.select(k.eq(k.clamp(ids(...i), rows), row!), dy(...i, ...j), k.f32(0))),
  flops: ({ dy }, { rows }) => sizeOf(dy.shape) * rows,
});
