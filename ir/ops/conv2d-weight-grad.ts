/** Gradient of a convolution with respect to its weights. */
import * as k from "../kernel/build.ts";
import { fold, ints, op } from "../op.ts";
import { f32, tensor } from "../type.ts";
import { conv2d } from "./conv2d.ts";
import { conv2dInputGrad } from "./conv2d-input-grad.ts";
import { convolutionAttrs, convolutionFlops, expectConvolution, inputChannel, type Shape4, spatialAxis, tap } from "./convolution.ts";
import { expectShape } from "./expect.ts";

/** dw[o,c,r,s] = sum over n,i,j of x[n, c, i*stride + r*dilation - top, j*stride + s*dilation - left] * dy[n,o,i,j]. */
export const conv2dWeightGrad = op({
  name: "conv2d_weight_grad",
  inputs: ["x", "dy"],
  attrs: { ...convolutionAttrs, shape: ints() },
  kind: "contraction",
}).rules({
  infer: ({ x, dy }, { shape, ...attrs }) => {
    expectConvolution("conv2d_weight_grad", x, f32(...expectShape("conv2d_weight_grad", shape)), dy, attrs);
    return tensor("f32", shape);
  },
  grad: ({ x, dy }, { shape: _, ...attrs }, _y, ddw) => ({
    x: conv2dInputGrad({ dy, w: ddw }, { ...attrs, shape: x.type.shape }),
    dy: conv2d({ x, w: ddw }, attrs),
  }),
  lower: ({ x, dy }, { shape, ...attrs }) => {
    const [batch, , height, width] = dy.type.shape as Shape4;
    const [rows, columns] = [spatialAxis(attrs, 0), spatialAxis(attrs, 1)];
    const read = attrs.padding.some((p) => p > 0) ? x.padded : x;
    return (o, c, r, s) =>
      fold("sum", [batch, height, width], (n, i, j) =>
        k.mul(read(n!, inputChannel(o!, c!, shape as Shape4, attrs.groups), tap(i!, r!, rows), tap(j!, s!, columns)), dy(n!, o!, i!, j!)),
      );
  },
  flops: ({ dy }, { shape }) => convolutionFlops(shape, dy.shape),
});
