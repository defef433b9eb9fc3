/** Convolution, NCHW by OIHW, and its gradients: one family of operations for each number of spatial axes. */
import * as k from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";
import { type AttrSpec, type CallableOp, fold, int, ints, op, type Read, shapeError } from "../op.ts";
import { printType, type Shape, tensor } from "../type.ts";
import {
  type ConvolutionAttrs,
  convolutionAttrs,
  convolutionFlops,
  convolutionShape,
  expectConvolution,
  inputChannel,
  outputChannel,
  type SpatialAxis,
  type SpatialRank,
  spatialAxes,
  taps,
} from "./convolution.ts";
import { expectShape } from "./expect.ts";

type Attrs = ReturnType<typeof convolutionAttrs>;
type WithShape = Attrs & { readonly shape: AttrSpec<readonly number[]> };
interface Convolutions {
  readonly forward: CallableOp<readonly ["x", "w"], Attrs>;
  /** With respect to the image; also the transposed convolution. `shape` is that of x. */
  readonly inputGrad: CallableOp<readonly ["dy", "w"], WithShape>;
  /** `shape` is that of w. */
  readonly weightGrad: CallableOp<readonly ["x", "dy"], WithShape>;
}

function convolutions(rank: SpatialRank): Convolutions {
  const name = `conv${rank}d`;
  const attrs = convolutionAttrs(rank);

  /**
   * Convolution of x [N, C, ...] by w [O, C / groups, ...]: y[n,o,i,j] = sum over r,s,c of x[n, c, i*stride + r*dilation - top, j*stride +
   * s*dilation - left] * w[o,c,r,s].
   */
  const forward: Convolutions["forward"] = op({
    name,
    inputs: ["x", "w"],
    attrs,
    kind: "contraction",
    operands: ["image", "kernel"],
    result: "image",
  }).rules({
    infer: ({ x, w }, how) => tensor("f32", convolutionShape(name, x, w, rank, how)),
    grad: ({ x, w }, how, _y, dy) => ({
      x: inputGrad({ dy, w }, { ...how, shape: x.type.shape }),
      w: weightGrad({ x, dy }, { ...how, shape: w.type.shape }),
    }),
    lower: ({ x, w }, how) => {
      const [, channels, ...window] = w.type.shape;
      const axes = spatialAxes(how);
      const read = how.padding.some((p) => p > 0) ? x.padded : x;
      return (n, o, ...i) =>
        fold("sum", [...window, channels!], (...inner) => {
          const [r, c] = [inner.slice(0, rank), inner[rank]!];
          return k.mul(read(n!, inputChannel(o!, c, w.type.shape, how.groups), ...taps(i, r, axes)), w(o!, c, ...r));
        });
    },
    columns: (_, { groups }) => ({ operand: 0, result: 1, groups }),
    halo: (_, { padding }) => padding,
    flops: ({ w }, _, type) => convolutionFlops(w.shape, type.shape),
  });

  /**
   * The gradient by x, and the transposed convolution: dx[n,c,h,w] = sum over r,s,o of dy[n, o, (h + top - r*dilation) / stride, ...] *
   * w[o,c,r,s] where the division is exact.
   */
  const inputGrad: Convolutions["inputGrad"] = op({
    name: `${name}_input_grad`,
    inputs: ["dy", "w"],
    attrs: { ...attrs, shape: ints() },
    kind: "contraction",
    operands: ["image", "kernel"],
    result: "image",
  }).rules({
    infer: ({ dy, w }, { shape, ...how }) => {
      expectConvolution(`${name}_input_grad`, tensor("f32", expectShape(`${name}_input_grad`, shape)), w, dy, rank, how);
      return tensor("f32", shape);
    },
    grad: ({ dy, w }, { shape: _, ...how }, _y, ddx) => ({
      dy: forward({ x: ddx, w }, how),
      w: weightGrad({ x: ddx, dy }, { ...how, shape: w.type.shape }),
    }),
    lower: ({ dy, w }, { shape: _, ...how }) => {
      const { shape } = w.type;
      const axes = spatialAxes(how);
      // A kernel of one element with stride 1 reaches every window from inside.
      const whole = axes.every((s, a) => shape[2 + a] === 1 && s.stride === 1);
      return (n, c, ...h) =>
        fold("sum", [...shape.slice(2), shape[0]! / how.groups], (...inner) => {
          const r = inner.slice(0, rank);
          const out = outputChannel(c!, inner[rank]!, shape, how.groups);
          const ends = axes.map((s, a) => windowEnd(h[a]!, r[a]!, s));
          const within = how.groups === 1 ? c! : k.mod(c!, k.i32(shape[1]!));
          return k.mul(readWindow(dy, whole, n!, out, ends, axes), w(out, within, ...r));
        });
    },
    columns: (_, { groups }) => (groups === 1 ? { operand: 1, result: 1, groups } : null),
    halo: ({ dy, w }, { shape, ...how }) => reachBeyond(shape.slice(2), w.shape.slice(2), dy.shape.slice(2), spatialAxes(how)),
    flops: ({ dy, w }) => convolutionFlops(w.shape, dy.shape),
  });

  /**
   * The gradient by w: dw[o,c,r,s] = sum over n,i,j of x[n, c, i*stride + r*dilation - top, j*stride + s*dilation - left] * dy[n,o,i,j].
   */
  const weightGrad: Convolutions["weightGrad"] = op({
    name: `${name}_weight_grad`,
    inputs: ["x", "dy"],
    attrs: { ...attrs, shape: ints() },
    kind: "contraction",
    operands: ["image", "image"],
    result: "kernel",
  }).rules({
    infer: ({ x, dy }, { shape, ...how }) => {
      expectConvolution(`${name}_weight_grad`, x, tensor("f32", expectShape(`${name}_weight_grad`, shape)), dy, rank, how);
      return tensor("f32", shape);
    },
    grad: ({ x, dy }, { shape: _, ...how }, _y, ddw) => ({
      x: inputGrad({ dy, w: ddw }, { ...how, shape: x.type.shape }),
      dy: forward({ x, w: ddw }, how),
    }),
    lower: ({ x, dy }, { shape, ...how }) => {
      const [batch, , ...extents] = dy.type.shape;
      const product = gradientProduct(x, dy, shape, how);
      return (o, c, ...r) => fold("sum", [batch!, ...extents], (n, ...i) => product(n!, o!, c!, r, i));
    },
    halo: (_, { padding }) => padding,
    flops: ({ dy }, { shape }) => convolutionFlops(shape, dy.shape),
  });
  return { forward, inputGrad, weightGrad };
}

/** What window i of image n adds to tap r of the kernel from channel c to o. */
function gradientProduct(x: Read, dy: Read, kernel: Shape, how: ConvolutionAttrs) {
  const axes = spatialAxes(how);
  const read = how.padding.some((p) => p > 0) ? x.padded : x;
  return (n: Expr, o: Expr, c: Expr, r: readonly Expr[], i: readonly Expr[]): Expr =>
    k.mul(read(n, inputChannel(o, c, kernel, how.groups), ...taps(i, r, axes)), dy(n, o, ...i));
}

/** How far taps reach beyond the windows, of which there are `windows` along each axis, for every position in the image. */
function reachBeyond(image: Shape, kernel: Shape, windows: Shape, axes: readonly SpatialAxis[]): readonly number[] {
  return axes.flatMap((s, a) => {
    const first = Math.floor((s.before - (kernel[a]! - 1) * s.dilation) / s.stride);
    const last = Math.floor((image[a]! - 1 + s.before) / s.stride);
    return [Math.max(0, -first), Math.max(0, last - (windows[a]! - 1))];
  });
}
/** Stride times the window whose tap r is at `position`. */
const windowEnd = (position: Expr, r: Expr, s: SpatialAxis): Expr => k.at(r, -s.dilation, k.add(position, k.i32(s.before)));

/** dy at ends / stride, 0 where that is no window. */
function readWindow(dy: Read, whole: boolean, n: Expr, o: Expr, ends: readonly Expr[], axes: readonly SpatialAxis[]): Expr {
  const index = ends.map((e, a) => k.div(e, k.i32(axes[a]!.stride)));
  const element = whole ? dy(n, o, ...index) : dy.padded(n, o, ...index);
  const exact = ends.flatMap((e, a) => (axes[a]!.stride > 1 ? [k.eq(k.mod(e, k.i32(axes[a]!.stride)), k.i32(0))] : []));
  return exact.length ? k.select(k.allOf(exact), element, k.f32(0)) : element;
}

export const { forward: conv2d, inputGrad: conv2dInputGrad, weightGrad: conv2dWeightGrad } = convolutions(2);
export const { forward: conv3d, inputGrad: conv3dInputGrad, weightGrad: conv3dWeightGrad } = convolutions(3);

/**
 * conv2d_weight_grad in `parts` whose sum it is, [parts, O, C / groups, R, S]: each is that of as many images, which follow each other.
 * `shape` is that of the kernel.
 */
export const conv2dWeightGradParts = op({
  name: "conv2d_weight_grad_parts",
  inputs: ["x", "dy"],
  attrs: { ...convolutionAttrs(2), shape: ints(), parts: int(1) },
  kind: "contraction",
  operands: ["image", "image"],
  result: "kernel",
}).rules({
  infer: ({ x, dy }, { shape, parts, ...how }) => {
    const name = "conv2d_weight_grad_parts";
    expectConvolution(name, x, tensor("f32", expectShape(name, shape)), dy, 2, how);
    if (!(parts >= 1 && x.shape[0]! % parts === 0)) shapeError(`${name}: ${printType(x)} has no ${parts} parts of as many images`);
    return tensor("f32", [parts, ...shape]);
  },
  lower: ({ x, dy }, { shape, parts, ...how }) => {
    const [batch, , ...extents] = dy.type.shape;
    const product = gradientProduct(x, dy, shape, how);
    const each = batch! / parts;
    return (part, o, c, ...r) => fold("sum", [each, ...extents], (n, ...i) => product(k.at(part!, each, n!), o!, c!, r, i));
  },
  halo: (_, { padding }) => padding,
  flops: ({ dy }, { shape }) => convolutionFlops(shape, dy.shape),
});
