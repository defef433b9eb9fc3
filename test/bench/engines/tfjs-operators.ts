/** Operators of ONNX, on images with channels last, in TensorFlow.js. */
import * as tf from "@tensorflow/tfjs";
import { listOf, numberOf, type Step } from "../graph/network.ts";

type Rule = (step: Step, x: tf.Tensor, ...more: readonly (tf.Tensor | undefined)[]) => tf.Tensor;
type Pair = [number, number];
type Padding = [Pair, Pair, Pair, Pair];

export function apply(step: Step, operands: readonly tf.Tensor[]): tf.Tensor {
  const rule = rules[step.op];
  if (!rule) throw new Error(`no rule for the operator ${step.op}`);
  return rule(step, ...(operands as [tf.Tensor, ...tf.Tensor[]]));
}

const none: Pair = [0, 0];
/** ONNX gives begins, then ends, of the spatial axes. */
function padding(step: Step): number | Padding {
  const [top, left, bottom, right] = listOf(step, "pads", [0, 0, 0, 0]) as readonly [number, number, number, number];
  return [left, bottom, right].every((n) => n === top) ? top : [none, [top, bottom], [left, right], none];
}
const pair = (step: Step, name: string): Pair => [...listOf(step, name, [1, 1])] as Pair;
/** Fused convolutions take the same padding on all sides; other padding goes in front of them. */
function windowOf(step: Step, x: tf.Tensor) {
  const pads = padding(step);
  const [image, pad] = typeof pads === "number" ? [x, pads] : [tf.pad(x, pads), 0];
  return { x: image as tf.Tensor4D, strides: pair(step, "strides"), pad, dilations: pair(step, "dilations") };
}
const fused = ({ activation }: Step) => (activation === "linear" ? {} : { activation });
const biased = (bias: tf.Tensor | undefined) => (bias ? { bias } : {});

const product: Rule = (step, a, b, bias) => {
  const operands = { a, b: b!, transposeB: numberOf(step, "transB", 0) === 1 };
  return tf.fused.matMul({ ...operands, ...biased(bias), ...fused(step) });
};
const layerNorm: Rule = (step, x, gain, bias) => {
  const { mean, variance } = tf.moments(x, -1, true);
  const scale = tf.mul(tf.rsqrt(tf.add(variance, numberOf(step, "epsilon", 1e-5))), gain!);
  return tf.add(tf.mul(tf.sub(x, mean), scale), bias!);
};
/** Statistics of the batch, as in training; for prediction it has been folded away. */
const batchNorm: Rule = (step, x, gain, bias) => {
  const { mean, variance } = tf.moments(x, [0, 1, 2]);
  return tf.batchNorm(
    x as tf.Tensor4D,
    mean as tf.Tensor1D,
    variance as tf.Tensor1D,
    bias as tf.Tensor1D,
    gain as tf.Tensor1D,
    numberOf(step, "epsilon", 1e-5),
  );
};
const slice: Rule = (step, x) => {
  const [begin, end, strides] = [x.shape.map(() => 0), [...x.shape], x.shape.map(() => 1)];
  listOf(step, "axes").forEach((axis, i) => {
    begin[axis] = listOf(step, "starts")[i]!;
    end[axis] = Math.min(listOf(step, "ends")[i]!, x.shape[axis]!);
    strides[axis] = listOf(step, "steps", [])[i] ?? 1;
  });
  if (strides.some((s) => s !== 1)) return tf.stridedSlice(x, begin, end, strides);
  return tf.slice(
    x,
    begin,
    end.map((e, i) => e - begin[i]!),
  );
};
const pad: Rule = (step, x) => {
  const pads = listOf(step, "pads");
  return tf.pad(
    x,
    x.shape.map((_, i): Pair => [pads[i]!, pads[i + x.rank]!]),
  );
};
const lrn: Rule = (step, x) => {
  const size = numberOf(step, "size", 1);
  const alpha = numberOf(step, "alpha", 1e-4) / size;
  return tf.localResponseNormalization(x as tf.Tensor4D, (size - 1) / 2, numberOf(step, "bias", 1), alpha, numberOf(step, "beta", 0.75));
};
const grown: Rule = (step, x, filter, bias) => {
  const [n, h, w] = x.shape as [number, number, number];
  const [kernel, strides] = [pair(step, "kernel_shape"), pair(step, "strides")];
  if (padding(step) !== 0) throw new Error("ConvTranspose with padding has no rule");
  const size = [h, w].map((extent, i) => (extent - 1) * strides[i]! + kernel[i]!) as Pair;
  const y = tf.conv2dTranspose(x as tf.Tensor4D, filter as tf.Tensor4D, [n, ...size, filter!.shape[2]!], strides, "valid");
  return bias ? tf.add(y, bias) : y;
};

const rules: Readonly<Record<string, Rule>> = {
  Conv: (step, x, filter, bias) =>
    tf.fused.conv2d({ ...windowOf(step, x), filter: filter as tf.Tensor4D, ...biased(bias), ...fused(step) }),
  DepthwiseConv: (step, x, filter, bias) =>
    tf.fused.depthwiseConv2d({ ...windowOf(step, x), filter: filter as tf.Tensor4D, ...biased(bias), ...fused(step) }),
  ConvTranspose: grown,
  Gemm: product,
  MatMul: product,
  BatchNormalization: batchNorm,
  LayerNormalization: layerNorm,
  LRN: lrn,
  MaxPool: (step, x) => tf.maxPool(x as tf.Tensor4D, pair(step, "kernel_shape"), pair(step, "strides"), padding(step)),
  GlobalAveragePool: (_, x) => tf.mean(x, [1, 2], true),
  Relu: (_, x) => tf.relu(x),
  Clip: (step, x) => tf.clipByValue(x, listOf(step, "min")[0]!, listOf(step, "max")[0]!),
  Add: (_, x, y) => tf.add(x, y!),
  Mul: (_, x, y) => tf.mul(x, y!),
  Div: (_, x, y) => tf.div(x, y!),
  Tanh: (_, x) => tf.tanh(x),
  Softmax: (step, x) => tf.softmax(x, numberOf(step, "axis", -1)),
  LessOrEqual: (_, x, y) => tf.lessEqual(x, y!),
  Where: (_, test, x, y) => tf.where(test, x!, y!),
  Concat: (step, ...xs) => tf.concat(xs as tf.Tensor[], numberOf(step, "axis", 0)),
  Transpose: (step, x) => tf.transpose(x, [...listOf(step, "perm")]),
  Reshape: (step, x) => tf.reshape(x, [...listOf(step, "shape")]),
  Slice: slice,
  Pad: pad,
};
