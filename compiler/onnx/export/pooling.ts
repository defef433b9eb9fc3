/** Pooling and its gradients in ONNX. */
import type { Node } from "../../../ir/graph/graph.ts";
import { sizeOf } from "../../../ir/type.ts";
import { onnxPads, outputPadding, transposed, type Window } from "./convolution.ts";
import type { Attributes, Emitter } from "./emitter.ts";
import type { Primitive } from "./primitives.ts";

interface Pool {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly count_include_pad?: boolean;
}
const poolOf = (node: Node): Pool => node.attrs as unknown as Pool;
const attributes = ({ kernel, stride, padding }: Pool): Attributes => ({ kernel_shape: kernel, strides: stride, pads: onnxPads(padding) });

export const maxPool: Primitive = (node, inputs, e) => e.add("MaxPool", inputs, attributes(poolOf(node)));
export const averagePool: Primitive = (node, inputs, e) => {
  const pool = poolOf(node);
  return e.add("AveragePool", inputs, { ...attributes(pool), count_include_pad: pool.count_include_pad ? 1 : 0 });
};

/** ONNX gives positions in the whole tensor. */
export const maxPoolIndex: Primitive = (node, [x], e) => {
  const image = sizeOf(node.inputs[0]!.type.shape.slice(2));
  const [, winners] = e.addMany("MaxPool", [x!], 2, attributes(poolOf(node)));
  const within = e.add("Mod", [winners!, e.constant("int64", [], [image])]);
  return e.add("Cast", [within], { to: 6 });
};
/** Every element of dy is added where its window's winner was: a position in its image, and before it come whole images. */
export const maxPoolGradient: Primitive = (node, [dy, index], e) => {
  const [n, c, ...image] = node.type.shape as readonly [number, number, ...number[]];
  const before = Array.from({ length: n * c }, (_, i) => i * sizeOf(image));
  const at = e.add("Add", [index!, e.constant("int32", [n, c, ...image.map(() => 1)], before)]);
  const zeros = e.add("Expand", [e.constant("float", [], [0]), e.ints([sizeOf(node.type.shape)])]);
  const flat = [at, dy!].map((t) => e.add("Reshape", [t, e.ints([-1])]));
  return e.add("Reshape", [e.add("ScatterElements", [zeros, ...flat], { axis: 0, reduction: "add" }), e.ints(node.type.shape)]);
};

/** A transposed convolution that spreads every element over its window. */
export const averagePoolGradient: Primitive = (node, [dy], e) => {
  const pool = poolOf(node);
  const [from, to] = [node.inputs[0]!.type.shape, node.type.shape];
  const channels = to[1]!;
  const window: Window = { stride: pool.stride, padding: pool.padding, dilation: pool.kernel.map(() => 1), groups: channels };
  const [one, axes] = [e.constant("float", [], [1]), pool.kernel.map((_, a) => a + 2)];
  const weights = e.add("Expand", [one, e.ints([channels, 1, ...pool.kernel])]);
  const missing = outputPadding(window, pool.kernel, from.slice(2), to.slice(2));
  return transposed([shared(dy!, node, pool, one, axes, e), weights], window, pool.kernel, missing, e);
};
/** dy by the number of elements of its window. */
function shared(dy: string, node: Node, pool: Pool, one: string, axes: readonly number[], e: Emitter): string {
  const all = e.constant("float", [], [sizeOf(pool.kernel)]);
  if (pool.count_include_pad || pool.padding.every((p) => p === 0)) return e.add("Div", [dy, all]);
  const image = e.add("Expand", [one, e.ints([1, 1, ...axes.map((a) => node.type.shape[a]!)])]);
  const filled = e.add("AveragePool", [image], { ...attributes(pool), count_include_pad: 1 });
  return e.add("Div", [dy, e.add("Mul", [filled, all])]);
}
