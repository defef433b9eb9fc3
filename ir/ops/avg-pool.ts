/** Mean of each window, and the gradient. */
import * as k from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";
import { type AttrSpec, bool, type CallableOp, fold, ints, op } from "../op.ts";
import { type Shape, sizeOf, tensor } from "../type.ts";
import type { SpatialRank } from "./convolution.ts";
import { expectDType, expectShape } from "./expect.ts";
import {
  expectPooled,
  overlap,
  overlapFlops,
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
const averageAttrs = (rank: SpatialRank) => ({ ...poolingAttrs(rank), count_include_pad: bool(true) });
type Attrs = ReturnType<typeof averageAttrs>;
interface AvgPooling {
  readonly pool: CallableOp<readonly ["x"], Attrs>;
  readonly grad: CallableOp<readonly ["dy"], Attrs & { readonly shape: AttrSpec<readonly number[]> }>;
}

function avgPooling(rank: SpatialRank): AvgPooling {
  const name = `avg_pool${rank}d`;
  const attrs = averageAttrs(rank);

  /** The mean of each window of the spatial axes: [N, C, ...] to [N, C, windows...]. Padding is 0, and counts unless told otherwise. */
  const pool: AvgPooling["pool"] = op({ name, inputs: ["x"], attrs, kind: "fold", sameAxes: true }).rules({
    infer: ({ x }, how) => tensor("f32", poolingShape(name, x, rank, how)),
    grad: ({ x }, how, _y, dy) => ({ x: grad({ dy }, { ...how, shape: x.type.shape }) }),
    lower: ({ x }, how) => {
      const axes = poolingAxes(how);
      const read = how.padding.some((p) => p > 0) ? x.padded : x;
      const share = shareOf(x.type.shape, how);
      return (n, c, ...i) => fold("sum", how.kernel, (...r) => share(read(n!, c!, ...axes.map((s, a) => positionOf(i[a]!, r[a]!, s))), i));
    },
    flops: (_, how, type) => poolingFlops(type.shape, how),
  });

  /** The gradient of the pooling, `shape` that of x: dx[n,c,h,w] = sum over the windows that see h, w of dy / their number of elements. */
  const grad: AvgPooling["grad"] = op({
    name: `${name}_grad`,
    inputs: ["dy"],
    attrs: { ...attrs, shape: ints() },
    kind: "fold",
    sameAxes: true,
  }).rules({
    infer: ({ dy }, { shape, ...how }) => {
      expectDType(`${name}_grad`, "dy", dy, ["f32"]);
      expectPooled(`${name}_grad`, "dy", dy, expectShape(`${name}_grad`, shape), rank, how);
      return tensor("f32", shape);
    },
    grad: (_, { shape: _shape, ...how }, _y, ddx) => ({ dy: pool({ x: ddx }, how) }),
    lower: ({ dy }, { shape, ...how }) => {
      const axes = poolingAxes(how);
      const share = shareOf(shape, how);
      return (n, c, ...h) =>
        fold("sum", axes.map(overlap), (...t) => {
          const i = axes.map((s, a) => windowAt(h[a]!, t[a]!, s));
          const reached = axes.flatMap((s, a) => reaches(h[a]!, i[a]!, s));
          const part = share(dy.padded(n!, c!, ...i), i);
          return reached.length ? k.select(k.allOf(reached), part, k.f32(0)) : part;
        });
    },
    flops: (_, how, type) => overlapFlops(type.shape, how),
  });
  return { pool, grad };
}

/** Window i ends behind the position; always true where windows overlap evenly. */
const reaches = (position: Expr, i: Expr, s: PoolingAxis): Expr[] =>
  s.kernel % s.stride === 0 ? [] : [k.lt(k.add(position, k.i32(s.before)), k.at(i, s.stride, s.kernel))];

/** An element's share of the mean of window i over an image of `shape`. */
function shareOf(shape: Shape, attrs: AverageAttrs): (element: Expr, i: readonly Expr[]) => Expr {
  if (attrs.count_include_pad || attrs.padding.every((p) => p === 0)) {
    const factor = k.f32(1 / sizeOf(attrs.kernel));
    return (element) => k.mul(element, factor);
  }
  const axes = poolingAxes(attrs);
  return (element, i) => {
    const count = axes.map((s, a) => countInside(i[a]!, shape[2 + a]!, s)).reduce((p, q) => k.mul(p, q));
    return k.div(element, k.cast("f32", count));
  };
}
/** How many elements of window i lie in the image; at least 1, for windows that do not exist too. */
const countInside = (i: Expr, extent: number, s: PoolingAxis): Expr => {
  const start = k.at(i, s.stride, -s.before);
  const end = k.min(k.add(start, k.i32(s.kernel)), k.i32(extent));
  return k.max(k.sub(end, k.max(start, k.i32(0))), k.i32(1));
};

export const { pool: avgPool2d, grad: avgPool2dGrad } = avgPooling(2);
export const { pool: avgPool3d, grad: avgPool3dGrad } = avgPooling(3);
