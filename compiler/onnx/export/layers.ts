/**
 * Layers and functions of the standard library that ONNX has an operator for: their applications are exported as that operator,
 * with a layer's variables as its weights. What has no rule here is exported as the operations that it consists of.
 */
import { invariant } from "../../../ir/diagnostic.ts";
import type { Node } from "../../../ir/graph/graph.ts";
import type { Op } from "../../../ir/op.ts";
import { ops } from "../../../ir/ops/index.ts";
import type { Application } from "../../frontend/elaborate/session.ts";
import type { Value } from "../../frontend/elaborate/values.ts";
import { convAttributes, outputPadding, transposed, windowOf } from "./convolution.ts";
import { type Emitter, floating } from "./emitter.ts";
import { gru, lstm, rnn } from "./recurrent.ts";

/** An application with its arguments by kind. */
export interface LayerCall {
  /** Path of the instance. */
  readonly path: string;
  readonly tensor: (name: string) => Node;
  readonly number: (name: string) => number;
  readonly flag: (name: string) => boolean;
  readonly value: (name: string) => Value;
  /** Tensors of the result, in order; nested lists are flat. */
  readonly results: readonly Node[];
}
/** Names of the values of the results; null: these arguments have no such operator. */
export type LayerRule = (call: LayerCall, e: Emitter) => readonly string[] | null;

export function callOf({ path, args, result }: Application): LayerCall {
  const value = (name: string): Value => {
    const found = args.get(name);
    invariant(found, `${path}: no argument ${name}`);
    return found;
  };
  return {
    path,
    value,
    tensor: (name) => {
      const v = value(name);
      invariant(v.kind === "tensor", `${path}: ${name} is no tensor`);
      return v.node;
    },
    number: (name) => {
      const v = value(name);
      invariant(v.kind === "int" || v.kind === "float", `${path}: ${name} is no number`);
      return v.value;
    },
    flag: (name) => {
      const v = value(name);
      invariant(v.kind === "bool", `${path}: ${name} is no bool`);
      return v.value;
    },
    results: tensorsOf(result),
  };
}
/** Tensors in a value, through all its lists. */
export const tensorsOf = (v: Value): readonly Node[] =>
  v.kind === "tensor" ? [v.node] : v.kind === "list" ? v.items.flatMap(tensorsOf) : [];

/** The one node of an operation inside an application. */
function inside(call: LayerCall, op: Op): Node {
  const stop = call.tensor("x");
  const find = (node: Node): Node | null => {
    if (node.op === op) return node;
    for (const x of node.inputs) {
      const found = x === stop ? null : find(x);
      if (found) return found;
    }
    return null;
  };
  const found = find(call.results[0]!);
  invariant(found, `${call.path}: no ${op.schema.name} inside`);
  return found;
}
const own = (call: LayerCall, e: Emitter, name: string): string => e.variable(call.path === "" ? name : `${call.path}.${name}`);
const bias = (call: LayerCall, e: Emitter): readonly string[] => (call.flag("bias") ? [own(call, e, "bias")] : []);

const convolution =
  (op: Op, axes: number): LayerRule =>
  (call, e) => {
    const node = inside(call, op);
    const all = windowOf(node);
    const kernel = node.inputs[1]!.type.shape.slice(2);
    const window = { ...all, stride: all.stride.slice(-axes), padding: all.padding.slice(-2 * axes), dilation: all.dilation.slice(-axes) };
    const inputs = [e.read(call.tensor("x")), own(call, e, "weight"), ...bias(call, e)];
    return [e.add("Conv", inputs, convAttributes(window, kernel.slice(-axes)))];
  };
const convTranspose: LayerRule = (call, e) => {
  const node = inside(call, ops.conv2dInputGrad);
  const [dy, w] = node.inputs as readonly [Node, Node];
  const [window, kernel] = [windowOf(node), w.type.shape.slice(2)];
  const missing = outputPadding(window, kernel, dy.type.shape.slice(2), node.type.shape.slice(2));
  return [transposed([e.read(call.tensor("x")), own(call, e, "weight"), ...bias(call, e)], window, kernel, missing, e)];
};
const linear: LayerRule = (call, e) => {
  const x = call.tensor("x");
  const weight = own(call, e, "weight");
  if (x.type.shape.length === 2) return [e.add("Gemm", [e.read(x), weight, ...bias(call, e)], { transB: 1 })];
  const y = e.add("MatMul", [e.read(x), e.add("Transpose", [weight], { perm: [1, 0] })]);
  return [call.flag("bias") ? e.add("Add", [y, own(call, e, "bias")]) : y];
};

const constants = (value: number, count: number, e: Emitter): string =>
  e.constant(
    "float",
    [count],
    Array.from({ length: count }, () => value),
  );
/** Weight and bias of a normalisation. */
const affine = (call: LayerCall, channels: number, e: Emitter): readonly string[] =>
  call.flag("affine") ? [own(call, e, "weight"), own(call, e, "bias")] : [constants(1, channels, e), constants(0, channels, e)];

const batchNorm: LayerRule = (call, e) => {
  const x = call.tensor("x");
  const statistics = [own(call, e, "running_mean"), own(call, e, "running_var")];
  const inputs = [e.read(x), ...affine(call, x.type.shape[1]!, e), ...statistics];
  return [e.add("BatchNormalization", inputs, { epsilon: floating(call.number("eps")) })];
};
const layerNorm: LayerRule = (call, e) => {
  if (!call.flag("affine")) return null;
  const inputs = [e.read(call.tensor("x")), own(call, e, "weight"), own(call, e, "bias")];
  return [e.add("LayerNormalization", inputs, { axis: -call.number("dims"), epsilon: floating(call.number("eps")) })];
};
const instanceNorm: LayerRule = (call, e) => {
  const x = call.tensor("x");
  if (x.type.shape.length < 3) return null;
  return [e.add("InstanceNormalization", [e.read(x), ...affine(call, x.type.shape[1]!, e)], { epsilon: floating(call.number("eps")) })];
};
const prelu: LayerRule = (call, e) => {
  const rank = call.tensor("x").type.shape.length;
  const channels = call.number("channels");
  const weight = own(call, e, "weight");
  const slope =
    channels > 1 && rank > 2 ? e.add("Reshape", [weight, e.ints([channels, ...Array.from({ length: rank - 2 }, () => 1)])]) : weight;
  return [e.add("PRelu", [e.read(call.tensor("x")), slope])];
};

const pooled =
  (opType: string): LayerRule =>
  (call, e) => [e.add(opType, [e.read(call.tensor("x"))])];
/** Runtimes have it for planes and windows with a middle. */
const lrn: LayerRule = (call, e) => {
  if (call.tensor("x").type.shape.length !== 4 || call.number("size") % 2 === 0) return null;
  const [alpha, beta, bias] = ["alpha", "beta", "k"].map((name) => floating(call.number(name)));
  return [e.add("LRN", [e.read(call.tensor("x"))], { size: call.number("size"), alpha, beta, bias })];
};
const cumsum: LayerRule = (call, e) => {
  const flags = { exclusive: call.flag("exclusive") ? 1 : 0, reverse: call.flag("reverse") ? 1 : 0 };
  return [e.add("CumSum", [e.read(call.tensor("x")), e.constant("int64", [], [call.number("axis")])], flags)];
};

/** Values first, then places; of equal values both give the first one first. */
const topK: LayerRule = (call, e) => {
  const k = e.constant("int64", [1], [call.number("k")]);
  const [values, places] = e.addMany("TopK", [e.read(call.tensor("x")), k], 2, { axis: call.number("axis"), largest: 1, sorted: 1 });
  return [values!, e.add("Cast", [places!], { to: 6 })];
};

export const layerRules: Readonly<Record<string, LayerRule>> = {
  Linear: linear,
  Conv1d: convolution(ops.conv2d, 1),
  Conv2d: convolution(ops.conv2d, 2),
  Conv3d: convolution(ops.conv3d, 3),
  ConvTranspose2d: convTranspose,
  BatchNorm: batchNorm,
  LayerNorm: layerNorm,
  InstanceNorm: instanceNorm,
  PReLU: prelu,
  RNN: rnn,
  LSTM: lstm,
  GRU: gru,
  global_avg_pool: pooled("GlobalAveragePool"),
  global_max_pool: pooled("GlobalMaxPool"),
  lrn,
  cumsum,
  top_k: topK,
};
