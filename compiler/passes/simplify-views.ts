/** Identities of views and reductions; the table of rules is read by `simplify`. */
import type { Node } from "../../ir/graph/graph.ts";
import type { Op } from "../../ir/op.ts";
import { ops } from "../../ir/ops/index.ts";
import { type Shape, sameShape } from "../../ir/type.ts";

/** An equal node with less in it, or null. */
export type Rule = (node: Node, x: Node) => Node | null;

const intsOf = (node: Node, name: string): readonly number[] => node.attrs[name] as readonly number[];
const shapeOf = (node: Node): Shape => node.type.shape;
const isZero = (n: number) => n === 0;

const reshape: Rule = (node, x) => {
  if (sameShape(shapeOf(node), shapeOf(x))) return x;
  return x.op === ops.reshape ? ops.reshape({ x: x.inputs[0]! }, { shape: shapeOf(node) }) : null;
};

/** A permutation of axes that leaves those longer than 1 in order moves nothing. */
const permute: Rule = (node, x) => {
  const axes = intsOf(node, "axes");
  const long = axes.filter((a) => shapeOf(x)[a] !== 1);
  if (long.every((a, i) => i === 0 || long[i - 1]! < a)) return ops.reshape({ x }, { shape: shapeOf(node) });
  if (x.op !== ops.permute) return null;
  const inner = intsOf(x, "axes");
  return ops.permute({ x: x.inputs[0]! }, { axes: axes.map((a) => inner[a]!) });
};

const broadcast: Rule = (node, x) => {
  if (sameShape(shapeOf(node), shapeOf(x))) return x;
  return x.op === ops.broadcast ? ops.broadcast({ x: x.inputs[0]! }, { shape: shapeOf(node) }) : null;
};

const slice: Rule = (node, x) => {
  if (sameShape(shapeOf(node), shapeOf(x))) return x; // steps are positive: every element, in order
  if (x.op !== ops.slice) return null;
  const [starts, limits, steps] = [intsOf(node, "starts"), intsOf(node, "limits"), intsOf(node, "steps")];
  const [from, by] = [intsOf(x, "starts"), intsOf(x, "steps")];
  return ops.slice(
    { x: x.inputs[0]! },
    {
      starts: starts.map((s, a) => from[a]! + s * by[a]!),
      limits: limits.map((l, a) => from[a]! + (l - 1) * by[a]! + 1),
      steps: steps.map((s, a) => s * by[a]!),
    },
  );
};

const pad: Rule = (node, x) => {
  const [before, after] = [intsOf(node, "before"), intsOf(node, "after")];
  if (before.every(isZero) && after.every(isZero)) return x;
  if (x.op !== ops.pad || !Object.is(x.attrs.value, node.attrs.value)) return null;
  return ops.pad(
    { x: x.inputs[0]! },
    {
      before: before.map((n, a) => n + intsOf(x, "before")[a]!),
      after: after.map((n, a) => n + intsOf(x, "after")[a]!),
      value: node.attrs.value as number,
    },
  );
};

const concat: Rule = (node, x) => (node.inputs.length === 1 ? x : null);

/** A reduction over axes of extent 1 only moves elements. */
const reduce: Rule = (node, x) =>
  intsOf(node, "axes").every((a) => shapeOf(x)[a] === 1) ? ops.reshape({ x }, { shape: shapeOf(node) }) : null;

/** Zeros around the planes of an image are the convolution's own padding. */
const conv2d: Rule = (node, x) => {
  if (x.op !== ops.pad || x.attrs.value !== 0) return null;
  const [[n0, c0, top, left], [n1, c1, bottom, right]] = [intsOf(x, "before"), intsOf(x, "after")];
  if (n0 || c0 || n1 || c1) return null;
  const own = intsOf(node, "padding");
  const padding = [top!, bottom!, left!, right!].map((n, i) => n + own[i]!);
  return node.op.make([x.inputs[0]!, node.inputs[1]!], { ...node.attrs, padding });
};

/** Where one window is the whole image, every position meets one tap: a product of matrices. */
const conv2dInputGrad: Rule = (node, dy) => {
  const w = node.inputs[1]!;
  const [[images, channels, ...extents], [outputs, , ...taps]] = [shapeOf(node), shapeOf(w)] as [Shape, Shape];
  const isOne =
    shapeOf(dy)
      .slice(2)
      .every((n) => n === 1) && sameShape(extents, taps);
  if (!isOne || node.attrs.groups !== 1 || intsOf(node, "padding").some((p) => p > 0)) return null;
  const a = ops.reshape({ x: dy }, { shape: [images!, outputs!] });
  const b = ops.reshape({ x: w }, { shape: [outputs!, channels! * taps[0]! * taps[1]!] });
  return ops.reshape({ x: ops.matmul({ a, b }) }, { shape: shapeOf(node) });
};

export const viewRules: ReadonlyMap<Op, Rule> = new Map<Op, Rule>([
  [ops.reshape, reshape],
  [ops.permute, permute],
  [ops.broadcast, broadcast],
  [ops.slice, slice],
  [ops.pad, pad],
  [ops.concat, concat],
  [ops.reduceSum, reduce],
  [ops.reduceProd, reduce],
  [ops.reduceMax, reduce],
  [ops.reduceMin, reduce],
  [ops.conv2d, conv2d],
  [ops.conv2dInputGrad, conv2dInputGrad],
]);
