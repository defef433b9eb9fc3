/**
 * Gradients of small kernels in parts, each of as many images: few results that are long sums would leave all but one or two threads
 * without work. The number of parts comes from the shape alone, and a tuning may leave the sum whole: results never depend on
 * the number of threads.
 *
 *     %0 = conv2d_weight_grad(%x, %dy) {shape=[6,1,5,5]}      =>     %0 = conv2d_weight_grad_parts(%x, %dy) {shape=[6,1,5,5], parts=8}
 *            : f32[6,1,5,5]                                                 : f32[8,6,1,5,5]
 *                                                                    %1 = reduce_sum(%0) {axes=[0]} : f32[6,1,5,5]
 */
import { type Choose, preferred } from "../../ir/choice.ts";
import { largestDivisor } from "../../ir/divisor.ts";
import type { Node } from "../../ir/graph/graph.ts";
import { withOrigin } from "../../ir/op.ts";
import { ops } from "../../ir/ops/index.ts";
import { printType, sizeOf } from "../../ir/type.ts";
import { type GraphPass, rewriteNodes } from "./graph-pass.ts";

export const kernelParts: GraphPass = {
  name: "kernel-parts",
  run: (graph, choose = preferred) => rewriteNodes(graph, (n) => inParts(n, choose) ?? n),
};

/** More results are work for several threads already; fewer products are done before another thread has begun. */
const fewResults = 2 ** 13;
const manyProducts = 2 ** 20;
const mostParts = 8;

function inParts(node: Node, choose: Choose): Node | null {
  if (node.op !== ops.conv2dWeightGrad || node.attrs.groups !== 1) return null;
  const [x, dy] = node.inputs as readonly [Node, Node];
  const results = sizeOf(node.type.shape);
  const [images, outputs] = dy.type.shape as readonly [number, number, ...number[]];
  const terms = sizeOf(dy.type.shape) / outputs;
  const parts = largestDivisor(images, mostParts);
  if (results > fewResults || results * terms < manyProducts || parts === 1) return null;
  if (!isFasterInParts(node, parts, choose)) return null;
  return withOrigin(node.origin, () =>
    ops.reduceSum({ x: ops.conv2dWeightGradParts.make([x, dy], { ...node.attrs, parts }) }, { axes: [0] }),
  );
}
/** A part is that of some images; all at once, a sum has no parts. */
function isFasterInParts(node: Node, parts: number, choose: Choose): boolean {
  const types = node.inputs.map((x) => printType(x.type)).join(", ");
  const { stride, dilation, padding } = node.attrs;
  return (
    choose({
      kind: "parts of a gradient",
      about: `${node.op.schema.name}(${types}) {stride=[${stride}], dilation=[${dilation}], padding=[${padding}]} : ${printType(node.type)}`,
      options: [`${parts} parts`, "all at once"],
      of: { origin: node.origin },
    }) !== "all at once"
  );
}
