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

/** Windows along an axis that do not overlap, and the part of the image that they span: from `lead` on, `extent` elements. */
interface Spread {
  readonly first: number;
  readonly every: number;
  readonly stride: number;
  readonly pads: readonly [number, number];
  readonly lead: number;
  readonly extent: number;
}
/** All windows of an axis; where they overlap, every second one, and the others. */
function spreads(kernel: number, stride: number, before: number, windows: number, image: number): readonly Spread[] {
  const every = Math.min(Math.ceil(kernel / stride), windows);
  return Array.from({ length: every }, (_, first): Spread => {
    const start = first * stride - before;
    const end = start + (Math.ceil((windows - first) / every) - 1) * stride * every + kernel;
    const lead = Math.max(0, start);
    const last = Math.min(image, end);
    return { first, every, stride: stride * every, pads: [lead - start, end - last], lead, extent: last - lead };
  });
}
const combinations = <T>(lists: readonly (readonly T[])[]): readonly (readonly T[])[] =>
  lists.reduce<readonly (readonly T[])[]>((all, list) => all.flatMap((c) => list.map((x) => [...c, x])), [[]]);

/** Every element of dy goes where its window's winner was. MaxUnpool wants windows that do not overlap: a sum of some of these. */
export const maxPoolGradient: Primitive = (node, [dy, index], e) => {
  const { kernel, stride, padding } = poolOf(node);
  const [windows, image] = [node.inputs[0]!.type.shape.slice(2), node.type.shape.slice(2)];
  const axes = kernel.map((k, a) => spreads(k, stride[a]!, padding[2 * a]!, windows[a]!, image[a]!));
  const parts = combinations(axes).map((part) => unpooled(node, [dy!, index!], part, e));
  return parts.reduce((a, b) => e.add("Add", [a, b]));
};
function unpooled(node: Node, operands: readonly [string, string], part: readonly Spread[], e: Emitter): string {
  const [n, c, ...image] = node.type.shape as readonly [number, number, ...number[]];
  const [dy, index] = operands.map((t) => everySecond(t, node.inputs[0]!.type.shape, part, e)) as [string, string];
  const extents = part.map((s) => s.extent);
  const within = movedPositions(index, image, part, e);
  const ones = image.map(() => 1);
  const starts = (count: number, every: number): readonly number[] => Array.from({ length: count }, (_, i) => i * every);
  const inImage = e.add("Add", [within, e.constant("int32", [1, c, ...ones], starts(c, sizeOf(extents)))]);
  const at = e.add("Add", [inImage, e.constant("int32", [n, 1, ...ones], starts(n, c * sizeOf(extents)))]);
  const pads = [...part.map((s) => s.pads[0]), ...part.map((s) => s.pads[1])];
  const window: Attributes = { kernel_shape: poolOf(node).kernel, strides: part.map((s) => s.stride), pads };
  const y = e.add("MaxUnpool", [dy, e.add("Cast", [at], { to: 7 })], window);
  const [before, after] = [part.map((s) => s.lead), part.map((s, a) => image[a]! - s.lead - s.extent)];
  if ([...before, ...after].every((d) => d === 0)) return y;
  return e.add("Pad", [y, e.ints([0, 0, ...before, 0, 0, ...after]), e.constant("float", [], [0])]);
}
function everySecond(x: string, shape: readonly number[], part: readonly Spread[], e: Emitter): string {
  if (part.every((s) => s.every === 1)) return x;
  const axes = part.map((_, a) => 2 + a);
  return e.add("Slice", [x, e.ints(part.map((s) => s.first)), e.ints(shape.slice(2)), e.ints(axes), e.ints(part.map((s) => s.every))]);
}
/** Positions in the image as positions in the part of it that is spanned. */
function movedPositions(index: string, image: readonly number[], part: readonly Spread[], e: Emitter): string {
  if (part.every((s, a) => s.lead === 0 && (a === 0 || s.extent === image[a]))) return index;
  const number = (v: number): string => e.constant("int32", [], [v]);
  const places = image.map((extent, a) => {
    const last = a === image.length - 1;
    const row = last ? index : e.add("Div", [index, number(sizeOf(image.slice(a + 1)))]);
    const place = a === 0 ? row : e.add("Mod", [row, number(extent)]);
    const own = part[a]!.lead === 0 ? place : e.add("Sub", [place, number(part[a]!.lead)]);
    return last ? own : e.add("Mul", [own, number(sizeOf(part.slice(a + 1).map((s) => s.extent)))]);
  });
  return places.reduce((a, b) => e.add("Add", [a, b]));
}

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
