/** Convolutions and their gradients in ONNX. */
import { fail } from "../../../ir/diagnostic.ts";
import type { Node } from "../../../ir/graph/graph.ts";
import type { Attributes, Emitter } from "./emitter.ts";
import type { Primitive } from "./primitives.ts";

/** Attributes of a convolution; padding holds before and after of each axis, as the graph IR has it. */
export interface Window {
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
}
export const windowOf = (node: Node): Window => node.attrs as unknown as Window;

/** All begins, then all ends. */
export const onnxPads = (padding: readonly number[]): readonly number[] => [
  ...padding.filter((_, i) => i % 2 === 0),
  ...padding.filter((_, i) => i % 2 === 1),
];
export const convAttributes = ({ stride, padding, dilation, groups }: Window, kernel: readonly number[]): Attributes => ({
  kernel_shape: kernel,
  strides: stride,
  pads: onnxPads(padding),
  dilations: dilation,
  group: groups,
});

export const convolution: Primitive = (node, inputs, e) =>
  e.add("Conv", inputs, convAttributes(windowOf(node), node.inputs[1]!.type.shape.slice(2)));

/** What a transposed convolution gives less than asked for, because a stride leaves elements that no window touches. */
export function outputPadding(window: Window, kernel: readonly number[], from: readonly number[], to: readonly number[]): number[] {
  return to.map((extent, a) => {
    const reach = (from[a]! - 1) * window.stride[a]! + window.dilation[a]! * (kernel[a]! - 1) + 1;
    return extent - (reach - window.padding[2 * a]! - window.padding[2 * a + 1]!);
  });
}
/** The gradient of a convolution with respect to its image is the transposed convolution. */
export const inputGradient: Primitive = (node, inputs, e) => {
  const window = windowOf(node);
  const [dy, w] = node.inputs as readonly [Node, Node];
  const kernel = w.type.shape.slice(2);
  const missing = outputPadding(window, kernel, dy.type.shape.slice(2), node.type.shape.slice(2));
  return transposed(inputs, window, kernel, missing, e);
};
/** `output_padding` must stay below the stride; elements that no window touches at all are zeros. */
export function transposed(
  inputs: readonly string[],
  window: Window,
  kernel: readonly number[],
  missing: readonly number[],
  e: Emitter,
): string {
  const within = missing.map((m, a) => Math.min(m, Math.max(window.stride[a]!, window.dilation[a]!) - 1));
  const y = e.add("ConvTranspose", inputs, { ...convAttributes(window, kernel), output_padding: within });
  if (missing.every((m, a) => m === within[a])) return y;
  const after = missing.map((m, a) => m - within[a]!);
  return e.add("Pad", [y, e.ints([0, 0, ...after.map(() => 0), 0, 0, ...after])]);
}

/**
 * The gradient with respect to the weights is the convolution of the image by the gradient, with examples and channels
 * exchanged: strides and dilations change places.
 */
export const weightGradient: Primitive = (node, [x, dy], e) => {
  const { stride, padding: pads, dilation, groups } = windowOf(node);
  if (groups !== 1) fail("export", "the gradient of a grouped convolution's weights cannot be exported", node.origin?.span ?? null);
  const rank = stride.length;
  const swap = [1, 0, ...Array.from({ length: rank }, (_, a) => a + 2)];
  const turned = [x!, dy!].map((t) => e.add("Transpose", [t], { perm: swap }));
  const window: Window = { stride: dilation, padding: pads, dilation: stride, groups: 1 };
  const dw = e.add("Conv", turned, convAttributes(window, node.inputs[1]!.type.shape.slice(2)));
  const kernel = node.type.shape.slice(2);
  const axes = kernel.map((_, a) => a + 2);
  const cut = e.add("Slice", [dw, e.ints(axes.map(() => 0)), e.ints(kernel), e.ints(axes)]);
  return e.add("Transpose", [cut], { perm: swap });
};
