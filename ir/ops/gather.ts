/** Elements along an axis by index. */
import type { Node } from "../graph/graph.ts";
import { int, op, shapeError } from "../op.ts";
import { printType, sizeOf, tensor } from "../type.ts";
import { add, equal, maximum, minimum, mul } from "./binary.ts";
import { scalar } from "./broadcasting.ts";
import { iota } from "./creation.ts";
import { expectAxis, expectDType } from "./expect.ts";
import { pad } from "./pad.ts";
import { reduceSum } from "./reduce.ts";
import { reshape } from "./reshape.ts";
import { take } from "./take.ts";
import { where } from "./where.ts";

/**
 * y[i, j, ...] = x[i, ids[i, j, ...], ...] at axis 1, and so on; the shape is that of ids, which may be shorter along the others. Indices
 * are clamped.
 */
export const gather = op({ name: "gather", inputs: ["x", "ids"], attrs: { axis: int() }, kind: "composite" }).rules({
  infer: ({ x, ids }, { axis }) => {
    expectAxis("gather", x, axis);
    expectDType("gather", "ids", ids, ["i32"]);
    if (ids.shape.length !== x.shape.length || ids.shape.some((d, a) => a !== axis && d > x.shape[a]!)) {
      shapeError(`gather expects indices of the shape of x except in axis ${axis}, got ${printType(ids)} for ${printType(x)}`);
    }
    return tensor(x.dtype, ids.shape);
  },
  grad: ({ x, ids }, { axis }, _y, dy) => {
    const { shape } = ids.type;
    const apart = (n: Node) => reshape({ x: n }, { shape: [...shape.slice(0, axis), 1, ...shape.slice(axis)] });
    const place = iota({}, { axis: 0, dtype: "i32", shape: [x.type.shape[axis]!, ...shape.slice(axis).map(() => 1)] });
    const chosen = equal({ a: apart(clamped(ids, x.type.shape[axis]!)), b: place });
    const sum = reduceSum({ x: where({ cond: chosen, a: apart(dy), b: scalar(0) }) }, { axes: [axis + 1] });
    const after = x.type.shape.map((d, a) => d - sum.type.shape[a]!);
    return { x: after.every((n) => n === 0) ? sum : pad({ x: sum }, { before: after.map(() => 0), after }) };
  },
  positions: ({ x }, { axis }) => ({ ids: x.shape[axis]! }),
  decompose: ({ x, ids }, { axis }) => {
    const { shape } = x.type;
    const index = shape.map((d, a) => (a === axis ? clamped(ids, d) : iota({}, { axis: a, dtype: "i32", shape: ids.type.shape })));
    const position = index.reduce((at, i, a) => add({ a: mul({ a: at, b: scalar(shape[a]!, "i32") }), b: i }));
    return take({ x: reshape({ x }, { shape: [sizeOf(shape)] }), ids: position });
  },
});
const clamped = (ids: Node, extent: number): Node => maximum({ a: minimum({ a: ids, b: scalar(extent - 1, "i32") }), b: scalar(0, "i32") });
