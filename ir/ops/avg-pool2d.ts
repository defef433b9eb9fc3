/** Mean of each window, and the gradient. */
import * as k from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";
import { bool, fold, ints, op } from "../op.ts";
import { type Shape, sizeOf, tensor } from "../type.ts";
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

interface AverageAttrs extends PoolingAttrs {
  readonly count_include_pad: boolean;
}
const averageAttrs = { ...poolingAttrs, count_include_pad: bool(true) };

/** Padding is 0, and counts in the mean unless told otherwise. */
export const avgPool2d = op({ name: "avg_pool2d", inputs: ["x"], attrs: averageAttrs, kind: "fold" }).rules({
  infer: ({ x }, attrs) => tensor("f32", poolingShape("avg_pool2d", x, attrs)),
  grad: ({ x }, attrs, _y, dy) => ({ x: avgPool2dGrad({ dy }, { ...attrs, shape: x.type.shape }) }),
  lower: ({ x }, attrs) => {
    const [rows, columns] = poolingAxes(attrs);
    const read = attrs.padding.some((p) => p > 0) ? x.padded : x;
    const share = shareOf(x.type.shape, attrs);
    return (n, c, i, j) =>
      fold("sum", attrs.kernel, (r, s) => share(read(n!, c!, positionOf(i!, r!, rows), positionOf(j!, s!, columns)), i!, j!));
  },
  flops: (_, attrs, type) => poolingFlops(type.shape, attrs),
});

/** dx[n,c,h,w] = sum over the windows that see h, w of dy / their number of elements. */
export const avgPool2dGrad = op({
  name: "avg_pool2d_grad",
  inputs: ["dy"],
  attrs: { ...averageAttrs, shape: ints() },
  kind: "fold",
}).rules({
  infer: ({ dy }, { shape, ...attrs }) => {
    expectDType("avg_pool2d_grad", "dy", dy, ["f32"]);
    expectPooled("avg_pool2d_grad", "dy", dy, expectShape("avg_pool2d_grad", shape), attrs);
    return tensor("f32", shape);
  },
  grad: (_, { shape: _shape, ...attrs }, _y, ddx) => ({ dy: avgPool2d({ x: ddx }, attrs) }),
  lower: ({ dy }, { shape, ...attrs }) => {
    const [rows, columns] = poolingAxes(attrs);
    const share = shareOf(shape, attrs);
    return (n, c, h, w) =>
      fold("sum", [overlap(rows), overlap(columns)], (t, u) => {
        const [i, j] = [windowAt(h!, t!, rows), windowAt(w!, u!, columns)];
        const reached = [...reaches(h!, i, rows), ...reaches(w!, j, columns)];
        const part = share(dy.padded(n!, c!, i, j), i, j);
        return reached.length ? k.select(k.allOf(reached), part, k.f32(0)) : part;
      });
  },
  flops: (_, attrs, type) => sizeOf(type.shape) * overlap(poolingAxes(attrs)[0]) * overlap(poolingAxes(attrs)[1]),
});

/** Window i ends behind the position; always true where windows overlap evenly. */
const reaches = (position: Expr, i: Expr, s: PoolingAxis): Expr[] =>
  s.kernel % s.stride === 0 ? [] : [k.lt(k.add(position, k.i32(s.before)), k.at(i, s.stride, s.kernel))];

/** An element's share of the mean of window (i, j) over an image of `shape`. */
function shareOf(shape: Shape, attrs: AverageAttrs): (element: Expr, i: Expr, j: Expr) => Expr {
  if (attrs.count_include_pad || attrs.padding.every((p) => p === 0)) {
    const factor = k.f32(1 / sizeOf(attrs.kernel));
    return (element) => k.mul(element, factor);
  }
  const [rows, columns] = poolingAxes(attrs);
  return (element, i, j) => {
    const count = k.mul(countInside(i, shape[2]!, rows), countInside(j, shape[3]!, columns));
    return k.div(element, k.cast("f32", count));
  };
}
/** How many elements of window i lie in the image; at least 1, for windows that do not exist too. */
const countInside = (i: Expr, extent: number, s: PoolingAxis): Expr => {
  const start = k.at(i, s.stride, -s.before);
  const end = k.min(k.add(start, k.i32(s.kernel)), k.i32(extent));
  return k.max(k.sub(end, k.max(start, k.i32(0))), k.i32(1));
};
