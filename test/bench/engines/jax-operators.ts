/** Operators of ONNX in jax-js, which has images as ONNX does. Every rule owns its operands. */
import { lax, nn, numpy as np } from "@jax-js/jax";
import { listOf, numberOf, type Step } from "../graph/network.ts";

type Rule = (step: Step, operands: readonly np.Array[]) => np.Array;
type Pair = [number, number];

export function apply(step: Step, operands: readonly np.Array[]): np.Array {
  const rule = rules[step.op];
  if (!rule) throw new Error(`no rule for the operator ${step.op}`);
  const y = rule(step, operands);
  if (step.activation === "linear") return y;
  return step.activation === "relu" ? nn.relu(y) : nn.relu6(y);
}

function padding(step: Step): Pair[] {
  const [top, left, bottom, right] = listOf(step, "pads", [0, 0, 0, 0]) as readonly [number, number, number, number];
  return [
    [top, bottom],
    [left, right],
  ];
}
const none: Pair = [0, 0];
const list = (step: Step, name: string): number[] => [...listOf(step, name, [1, 1])];
/** A vector along the channels. */
const alongChannels = (v: np.Array): np.Array => v.reshape([1, -1, 1, 1]);
const biased = (y: np.Array, bias: np.Array | undefined): np.Array => (bias ? y.add(alongChannels(bias)) : y);

const convolution: Rule = (step, [x, w, bias]) => {
  const options = { rhsDilation: list(step, "dilations"), featureGroupCount: numberOf(step, "group", 1) };
  return biased(lax.convGeneralDilated(x!, w!, list(step, "strides"), padding(step), options), bias);
};
const grown: Rule = (step, [x, w, bias]) =>
  biased(lax.convTranspose(x!, w!, list(step, "strides"), padding(step), { transposeKernel: true }), bias);
const product: Rule = (step, [a, b, bias]) => {
  const y = np.matmul(a!, numberOf(step, "transB", 0) === 1 ? b!.transpose() : b!);
  return bias ? y.add(bias) : y;
};
const normalised = (step: Step, x: np.Array, axis: number | number[]): np.Array =>
  nn.standardize(x, axis, { epsilon: numberOf(step, "epsilon", 1e-5) });

const maxPool: Rule = (step, [x]) => {
  if (
    padding(step)
      .flat()
      .some((n) => n > 0)
  )
    throw new Error("MaxPool with padding of values that may be negative has no rule");
  return lax.reduceWindow(x!, (window) => np.max(window), list(step, "kernel_shape"), list(step, "strides"));
};

const lrn: Rule = (step, [x]) => {
  const size = numberOf(step, "size", 1);
  const half = (size - 1) / 2;
  const channels = x!.shape[1]!;
  const squares = np.pad(np.square(x!.ref), [none, [half, half], none, none]);
  const windows = Array.from({ length: size }, (_, i) => squares.ref.slice([], [i, i + channels]));
  squares.dispose();
  const sum = windows.reduce((a, b) => a.add(b));
  const base = sum.mul(numberOf(step, "alpha", 1e-4) / size).add(numberOf(step, "bias", 1));
  return x!.div(np.power(base, numberOf(step, "beta", 0.75)));
};

/** With a stride: pairs, triples, ... of which the first is kept. */
const slice: Rule = (step, [x]) => {
  let y = x!;
  listOf(step, "axes").forEach((axis, i) => {
    const [from, stride] = [listOf(step, "starts")[i]!, listOf(step, "steps", [])[i] ?? 1];
    const before = Array.from({ length: axis }, (): [] => []);
    const { shape } = y;
    const to = Math.min(listOf(step, "ends")[i]!, shape[axis]!);
    if (stride !== 1 && (from !== 0 || to % stride !== 0)) throw new Error("Slice with such a stride has no rule");
    if (stride === 1) y = y.slice(...before, [from, to]);
    else y = y.reshape([...shape.slice(0, axis), to / stride, stride, ...shape.slice(axis + 1)]).slice(...before, [], 0);
  });
  return y;
};
const pad: Rule = (step, [x]) => {
  const pads = listOf(step, "pads");
  return np.pad(
    x!,
    Array.from({ length: x!.ndim }, (_, i): Pair => [pads[i]!, pads[i + x!.ndim]!]),
  );
};

const rules: Readonly<Record<string, Rule>> = {
  Conv: convolution,
  ConvTranspose: grown,
  Gemm: product,
  MatMul: product,
  /** Statistics of the batch, as in training; for prediction it has been folded away. */
  BatchNormalization: (step, [x, gain, bias]) => biased(normalised(step, x!, [0, 2, 3]).mul(alongChannels(gain!)), bias),
  LayerNormalization: (step, [x, gain, bias]) => normalised(step, x!, -1).mul(gain!).add(bias!),
  LRN: lrn,
  MaxPool: maxPool,
  GlobalAveragePool: (_, [x]) => np.mean(x!, [2, 3], { keepdims: true }),
  Relu: (_, [x]) => nn.relu(x!),
  Clip: (step, [x]) => np.clip(x!, listOf(step, "min")[0]!, listOf(step, "max")[0]!),
  Add: (_, [x, y]) => np.add(x!, y!),
  Mul: (_, [x, y]) => np.multiply(x!, y!),
  Div: (_, [x, y]) => np.divide(x!, y!),
  Tanh: (_, [x]) => np.tanh(x!),
  Softmax: (step, [x]) => nn.softmax(x!, numberOf(step, "axis", -1)),
  LessOrEqual: (_, [x, y]) => np.lessEqual(x!, y!),
  Where: (_, [test, x, y]) => np.where(test!, x!, y!),
  Concat: (step, xs) => np.concatenate([...xs], numberOf(step, "axis", 0)),
  Transpose: (step, [x]) => np.transpose(x!, [...listOf(step, "perm")]),
  Reshape: (step, [x]) => x!.reshape([...listOf(step, "shape")]),
  Slice: slice,
  Pad: pad,
};
