/** Largest element of each window; where it was; and the gradient, which goes to the first winner. */
import type { Node } from "../graph/graph.ts";
import * as k from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";
import { type AttrSpec, type CallableOp, fold, ints, op, type Read } from "../op.ts";
import { type Shape, sizeOf, tensor } from "../type.ts";
import { add, div, mod, mul } from "./binary.ts";
import { scalar } from "./broadcasting.ts";
import type { SpatialRank } from "./convolution.ts";
import { iota } from "./creation.ts";
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
import { reshape } from "./reshape.ts";
import { take } from "./take.ts";

type Attrs = ReturnType<typeof poolingAttrs>;
interface MaxPooling {
  readonly pool: CallableOp<readonly ["x"], Attrs>;
  readonly index: CallableOp<readonly ["x"], Attrs>;
  readonly winner: CallableOp<readonly ["x"], Attrs>;
  readonly grad: CallableOp<readonly ["dy", "index"], Attrs & { readonly shape: AttrSpec<readonly number[]> }>;
}

function maxPooling(rank: SpatialRank): MaxPooling {
  const name = `max_pool${rank}d`;
  const attrs = poolingAttrs(rank);

  /** The largest element of each window of the spatial axes: [N, C, ...] to [N, C, windows...]. Padding never wins. */
  const pool: MaxPooling["pool"] = op({ name, inputs: ["x"], attrs, kind: "fold", sameAxes: true }).rules({
    infer: ({ x }, how) => tensor("f32", poolingShape(name, x, rank, how)),
    grad: ({ x }, how, _y, dy) => ({ x: grad({ dy, index: index({ x }, how) }, { ...how, shape: x.type.shape }) }),
    lower: ({ x }, how) => {
      const element = windowElement(x, how);
      return (n, c, ...i) => fold("max", how.kernel, (...r) => element(n!, c!, i, r));
    },
    flops: (_, how, type) => poolingFlops(type.shape, how),
  });

  /** Row-major position in the image (in a plane: h*W + w) of the first winner of each window, i32[N, C, windows...]. */
  const index: MaxPooling["index"] = op({ name: `${name}_index`, inputs: ["x"], attrs, kind: "composite" }).rules({
    infer: ({ x }, how) => tensor("i32", poolingShape(`${name}_index`, x, rank, how)),
    decompose: ({ x }, how, { shape }) => {
      const first = winner({ x }, how);
      return poolingAxes(how)
        .map((s, a) => imagePosition(withinWindow(first, how.kernel, a), 2 + a, shape, s))
        .reduce((at, position, a) => plus(times(at, x.type.shape[2 + a]!), position));
    },
  });

  /** Row-major position in the window of its first winner, i32[N, C, windows...]. */
  const winner: MaxPooling["winner"] = op({ name: `${name}_winner`, inputs: ["x"], attrs, kind: "fold", sameAxes: true }).rules({
    infer: ({ x }, how) => tensor("i32", poolingShape(`${name}_winner`, x, rank, how)),
    lower: ({ x }, how) => {
      const element = windowElement(x, how);
      return (n, c, ...i) => fold("argmax", how.kernel, (...r) => element(n!, c!, i, r));
    },
    flops: (_, how, type) => poolingFlops(type.shape, how),
  });

  /** The gradient of the pooling, `shape` that of x: dx[n,c,h,w] = sum over the windows whose `index` is h*W + w of dy. */
  const grad: MaxPooling["grad"] = op({
    name: `${name}_grad`,
    inputs: ["dy", "index"],
    attrs: { ...attrs, shape: ints() },
    kind: "fold",
    sameAxes: true,
  }).rules({
    infer: ({ dy, index }, { shape, ...how }) => {
      expectDType(`${name}_grad`, "dy", dy, ["f32"]);
      expectDType(`${name}_grad`, "index", index, ["i32"]);
      expectPooled(`${name}_grad`, "dy", dy, expectShape(`${name}_grad`, shape), rank, how);
      expectPooled(`${name}_grad`, "index", index, shape, rank, how);
      return tensor("f32", shape);
    },
    grad: ({ index }, { shape }, _y, ddx) => ({ dy: takeFromImages(ddx, index, sizeOf(shape.slice(2))) }),
    lower: ({ dy, index }, { shape, ...how }) => {
      const axes = poolingAxes(how);
      return (n, c, ...h) =>
        fold("sum", axes.map(overlap), (...t) => {
          const at = [n!, c!, ...axes.map((s, a) => windowAt(h[a]!, t[a]!, s))];
          const position = h.reduce((p, e, a) => k.at(p, shape[2 + a]!, e));
          return k.select(k.eq(index.padded(...at), position), dy.padded(...at), k.f32(0));
        });
    },
    flops: (_, how, type) => overlapFlops(type.shape, how),
  });
  return { pool, index, winner, grad };
}

/** Element r of window i, minus infinity outside of the image. */
function windowElement(x: Read, attrs: PoolingAttrs): (n: Expr, c: Expr, i: readonly Expr[], r: readonly Expr[]) => Expr {
  const axes = poolingAxes(attrs);
  return (n, c, i, r) => {
    const at = axes.map((s, a) => positionOf(i[a]!, r[a]!, s));
    const inside = axes.flatMap((s, a) => (s.before + s.after > 0 ? [k.inside(at[a]!, 0, x.type.shape[2 + a]!)] : []));
    return inside.length ? k.select(k.allOf(inside), x.padded(n, c, ...at), k.f32(Number.NEGATIVE_INFINITY)) : x(n, c, ...at);
  };
}

const operand = (b: Node | number): Node => (typeof b === "number" ? scalar(b, "i32") : b);
const plus = (a: Node, b: Node | number): Node => (b === 0 ? a : add({ a, b: operand(b) }));
const times = (a: Node, b: number): Node => (b === 1 ? a : mul({ a, b: operand(b) }));

/** Place along axis `a` of a row-major position in a window. */
function withinWindow(position: Node, kernel: readonly number[], a: number): Node {
  const inner = sizeOf(kernel.slice(a + 1));
  const row = inner === 1 && a === kernel.length - 1 ? position : div({ a: position, b: operand(inner) });
  return a === 0 ? row : mod({ a: row, b: operand(kernel[a]!) });
}
/** Place in the image along `axis` of one within each window. */
function imagePosition(within: Node, axis: number, windows: Shape, s: PoolingAxis): Node {
  const window = iota({}, { axis: 0, dtype: "i32", shape: [windows[axis]!, ...windows.slice(axis + 1).map(() => 1)] });
  return plus(plus(times(window, s.stride), within), -s.before);
}
/** x[n, c, index[n, c, ...]] with the `size` elements of each image as one axis. */
function takeFromImages(x: Node, index: Node, size: number): Node {
  const [batch, channels, ...rest] = x.type.shape;
  const image = iota({}, { axis: 0, dtype: "i32", shape: [batch! * channels!] });
  const start = reshape({ x: times(image, size) }, { shape: [batch!, channels!, ...rest.map(() => 1)] });
  return take({ x: reshape({ x }, { shape: [sizeOf(x.type.shape)] }), ids: add({ a: index, b: start }) });
}

export const { pool: maxPool2d, index: maxPool2dIndex, winner: maxPool2dWinner, grad: maxPool2dGrad } = maxPooling(2);
export const { pool: maxPool3d, index: maxPool3dIndex, winner: maxPool3dWinner, grad: maxPool3dGrad } = maxPooling(3);
