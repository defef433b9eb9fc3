/** Gradient of a convolution with respect to its image; also the transposed convolution. */
import * as k from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";
import { fold, ints, op, type Read } from "../op.ts";
import { f32, tensor } from "../type.ts";
import { conv2d } from "./conv2d.ts";
import { conv2dWeightGrad } from "./conv2d-weight-grad.ts";
import {
  convolutionAttrs,
  convolutionFlops,
  expectConvolution,
  outputChannel,
  type Shape4,
  type SpatialAxis,
  spatialAxis,
} from "./convolution.ts";
import { expectShape } from "./expect.ts";

/** dx[n,c,h,w] = sum over r,s,o of dy[n, o, (h + top - r*dilation) / stride, ...] * w[o,c,r,s] where the division has no remainder. */
export const conv2dInputGrad = op({
  name: "conv2d_input_grad",
  inputs: ["dy", "w"],
  attrs: { ...convolutionAttrs, shape: ints() },
  kind: "contraction",
}).rules({
  infer: ({ dy, w }, { shape, ...attrs }) => {
    expectConvolution("conv2d_input_grad", f32(...expectShape("conv2d_input_grad", shape)), w, dy, attrs);
    return tensor("f32", shape);
  },
  grad: ({ dy, w }, { shape: _, ...attrs }, _y, ddx) => ({
    dy: conv2d({ x: ddx, w }, attrs),
    w: conv2dWeightGrad({ x: ddx, dy }, { ...attrs, shape: w.type.shape }),
  }),
  lower: ({ dy, w }, { shape: _, ...attrs }) => {
    const shape = w.type.shape as Shape4;
    const axes = [spatialAxis(attrs, 0), spatialAxis(attrs, 1)] as const;
    // A kernel of one element with stride 1 reaches every window from inside.
    const whole = axes.every((s, a) => shape[2 + a] === 1 && s.stride === 1);
    return (n, c, h, v) =>
      fold("sum", [shape[2], shape[3], shape[0] / attrs.groups], (r, s, o) => {
        const out = outputChannel(c!, o!, shape, attrs.groups);
        const ends = [windowEnd(h!, r!, axes[0]), windowEnd(v!, s!, axes[1])];
        return k.mul(readWindow(dy, whole, n!, out, ends, axes), w(out, attrs.groups === 1 ? c! : k.mod(c!, k.i32(shape[1])), r!, s!));
      });
  },
  flops: ({ dy, w }) => convolutionFlops(w.shape, dy.shape),
});

/** Stride times the window whose tap r is at `position`. */
const windowEnd = (position: Expr, r: Expr, s: SpatialAxis): Expr => k.at(r, -s.dilation, k.add(position, k.i32(s.before)));

/** dy at ends / stride, 0 where that is no window. */
function readWindow(dy: Read, whole: boolean, n: Expr, o: Expr, ends: readonly Expr[], axes: readonly SpatialAxis[]): Expr {
  const index = ends.map((e, a) => k.div(e, k.i32(axes[a]!.stride)));
  const element = whole ? dy(n, o, ...index) : dy.padded(n, o, ...index);
  const exact = ends.flatMap((e, a) => (axes[a]!.stride > 1 ? [k.eq(k.mod(e, k.i32(axes[a]!.stride)), k.i32(0))] : []));
  return exact.length ? k.select(k.allOf(exact), element, k.f32(0)) : element;
}
