/** 2-D convolution, NCHW by OIHW. */
import * as k from "../kernel/build.ts";
import { fold, op } from "../op.ts";
import { tensor } from "../type.ts";
import { conv2dInputGrad } from "./conv2d-input-grad.ts";
import { conv2dWeightGrad } from "./conv2d-weight-grad.ts";
import { convolutionAttrs, convolutionFlops, convolutionShape, inputChannel, type Shape4, spatialAxis, tap } from "./convolution.ts";

/** y[n,o,i,j] = sum over r,s,c of x[n, c, i*stride + r*dilation - top, j*stride + s*dilation - left] * w[o,c,r,s]. */
export const conv2d = op({ name: "conv2d", inputs: ["x", "w"], attrs: convolutionAttrs, kind: "contraction" }).rules({
  infer: ({ x, w }, attrs) => tensor("f32", convolutionShape("conv2d", x, w, attrs)),
  grad: ({ x, w }, attrs, _y, dy) => ({
    x: conv2dInputGrad({ dy, w }, { ...attrs, shape: x.type.shape }),
    w: conv2dWeightGrad({ x, dy }, { ...attrs, shape: w.type.shape }),
  }),
  lower: ({ x, w }, attrs) => {
    const shape = w.type.shape as Shape4;
    const [rows, columns] = [spatialAxis(attrs, 0), spatialAxis(attrs, 1)];
    const read = attrs.padding.some((p) => p > 0) ? x.padded : x;
    return (n, o, i, j) =>
      fold("sum", [shape[2], shape[3], shape[1]], (r, s, c) =>
        k.mul(read(n!, inputChannel(o!, c!, shape, attrs.groups), tap(i!, r!, rows), tap(j!, s!, columns)), w(o!, c!, r!, s!)),
      );
  },
  flops: ({ w }, _, type) => convolutionFlops(w.shape, type.shape),
});
