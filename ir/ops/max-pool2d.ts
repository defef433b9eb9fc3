/** Largest element of each window; where it was; and the gradient, which goes to the first winner. */
import type { Node } from "../graph/graph.ts";
import * as k from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";
import { fold, ints, op, type Read } from "../op.ts";
import { sizeOf, tensor } from "../type.ts";
import { add, div, mod, mul } from "./binary.ts";
import { scalar } from "./broadcasting.ts";
import { iota } from "./creation.ts";
import { expectDType, expectShape } from "./expect.ts";
import {
  expectPooled,
  overlap,
  type PoolingAttrs,
  type PoolingAxis,
  poolingAttrs,
  poolingAxes,
  poolingFlops,
  poolingShape,
  positionOf,
  windowAt,
} from "./pooling.ts";
import { reshape } from "./reshape.ts";
import { take } from "./take.ts";

/** Padding never wins. */
export const maxPool2d = op({ name: "max_pool2d", inputs: ["x"], attrs: poolingAttrs, kind: "fold" }).rules({
  infer: ({ x }, attrs) => tensor("f32", poolingShape("max_pool2d", x, attrs)),
  grad: ({ x }, attrs, _y, dy) => ({ x: maxPool2dGrad({ dy, index: maxPool2dIndex({ x }, attrs) }, { ...attrs, shape: x.type.shape }) }),
  lower: ({ x }, attrs) => {
    const element = windowElement(x, attrs);
    return (n, c, i, j) => fold("max", attrs.kernel, (r, s) => element(n!, c!, i!, j!, r!, s!));
  },
  flops: (_, attrs, type) => poolingFlops(type.shape, attrs),
});

/** Row-major position h*W + w in the plane of the first winner of each window. */
export const maxPool2dIndex = op({ name: "max_pool2d_index", inputs: ["x"], attrs: poolingAttrs, kind: "composite" }).rules({
  infer: ({ x }, attrs) => tensor("i32", poolingShape("max_pool2d_index", x, attrs)),
  decompose: ({ x }, attrs, { shape }) => {
    const winner = maxPool2dWinner({ x }, attrs);
    const [rows, columns] = poolingAxes(attrs);
    const position = (within: Node, axis: number, s: PoolingAxis): Node => {
      const window = iota({}, { axis: 0, dtype: "i32", shape: [shape[axis]!, ...shape.slice(axis + 1).map(() => 1)] });
      return plus(plus(times(window, s.stride), within), -s.before);
    };
    const width = scalar(columns.kernel, "i32");
    const row = position(div({ a: winner, b: width }), 2, rows);
    return plus(times(row, x.type.shape[3]!), position(mod({ a: winner, b: width }), 3, columns));
  },
});
const operand = (b: Node | number): Node => (typeof b === "number" ? scalar(b, "i32") : b);
const plus = (a: Node, b: Node | number): Node => (b === 0 ? a : add({ a, b: operand(b) }));
const times = (a: Node, b: number): Node => (b === 1 ? a : mul({ a, b: operand(b) }));

/** Row-major position in the window of its first winner. */
export const maxPool2dWinner = op({ name: "max_pool2d_winner", inputs: ["x"], attrs: poolingAttrs, kind: "fold" }).rules({
  infer: ({ x }, attrs) => tensor("i32", poolingShape("max_pool2d_winner", x, attrs)),
  lower: ({ x }, attrs) => {
    const element = windowElement(x, attrs);
    return (n, c, i, j) => fold("argmax", attrs.kernel, (r, s) => element(n!, c!, i!, j!, r!, s!));
  },
  flops: (_, attrs, type) => poolingFlops(type.shape, attrs),
});

/** Element (r, s) of window (i, j), minus infinity outside of the image. */
function windowElement(x: Read, attrs: PoolingAttrs): (n: Expr, c: Expr, i: Expr, j: Expr, r: Expr, s: Expr) => Expr {
  const [rows, columns] = poolingAxes(attrs);
  const padded = [rows, columns].map((s) => s.before + s.after > 0);
  return (n, c, i, j, r, s) => {
    const at = [positionOf(i, r, rows), positionOf(j, s, columns)];
    const inside = at.flatMap((p, a) => (padded[a] ? [k.inside(p, 0, x.type.shape[2 + a]!)] : []));
    return inside.length ? k.select(k.allOf(inside), x.padded(n, c, ...at), k.f32(Number.NEGATIVE_INFINITY)) : x(n, c, ...at);
  };
}

/** dx[n,c,h,w] = sum over the windows whose winner is h*W + w of dy. */
export const maxPool2dGrad = op({
  name: "max_pool2d_grad",
  inputs: ["dy", "index"],
  attrs: { ...poolingAttrs, shape: ints() },
  kind: "fold",
}).rules({
  infer: ({ dy, index }, { shape, ...attrs }) => {
    expectDType("max_pool2d_grad", "dy", dy, ["f32"]);
    expectDType("max_pool2d_grad", "index", index, ["i32"]);
    expectPooled("max_pool2d_grad", "dy", dy, expectShape("max_pool2d_grad", shape), attrs);
    expectPooled("max_pool2d_grad", "index", index, shape, attrs);
    return tensor("f32", shape);
  },
  grad: ({ index }, { shape }, _y, ddx) => ({ dy: takeFromPlanes(ddx, index, sizeOf(shape.slice(2))) }),
  lower: ({ dy, index }, { shape, ...attrs }) => {
    const [rows, columns] = poolingAxes(attrs);
    return (n, c, h, w) =>
      fold("sum", [overlap(rows), overlap(columns)], (t, u) => {
        const at = [n!, c!, windowAt(h!, t!, rows), windowAt(w!, u!, columns)];
        return k.select(k.eq(index.padded(...at), k.at(h!, shape[3]!, w!)), dy.padded(...at), k.f32(0));
      });
  },
  flops: (_, attrs, type) => sizeOf(type.shape) * overlap(poolingAxes(attrs)[0]) * overlap(poolingAxes(attrs)[1]),
});

/** x[n, c, index[n,c,i,j]] with the plane as one axis. */
function takeFromPlanes(x: Node, index: Node, plane: number): Node {
  const [batch, channels] = x.type.shape as readonly [number, number];
  const image = iota({}, { axis: 0, dtype: "i32", shape: [batch * channels] });
  const start = reshape({ x: times(image, plane) }, { shape: [batch, channels, 1, 1] });
  return take({ x: reshape({ x }, { shape: [sizeOf(x.type.shape)] }), ids: add({ a: index, b: start }) });
}
