/**
 * Splits long sums in two: equal rows, then the rows. Each partial sum is short, so rounding errors stay small, and rows can be
 * shared among threads; their number comes from the shape alone, so results never depend on that of threads. A number of terms
 * without a divisor from 16 to 1024, such as a prime, stays one sum.
 *
 *     %0 = mul(%g, %g) : f32[512,3136]                     %0 = mul(%g, %g) : f32[512,3136]
 *     %1 = reduce_sum(%0) {axes=[0,1]} : f32[]             %1 = reshape(%0) {shape=[1568,1024]} : f32[1568,1024]
 *                                                          %2 = reduce_sum(%1) {axes=[1]} : f32[1568]
 *                                                          %3 = reduce_sum(%2) {axes=[0]} : f32[]
 *
 * Sums with few results keep one of their axes until the end: statistics of channels, gradients of biases.
 *
 *     %0 = reduce_sum(%x) {axes=[0,2,3]} : f32[16]         %0 = reduce_sum(%x) {axes=[2,3], keepdims=true} : f32[32,16,1,1]
 *                                                          %1 = reduce_sum(%0) {axes=[0,2,3]} : f32[16]
 */
import { largestDivisor } from "../../ir/divisor.ts";
import type { Node } from "../../ir/graph/graph.ts";
import { withOrigin } from "../../ir/op.ts";
import { ops } from "../../ir/ops/index.ts";
import { sizeOf } from "../../ir/type.ts";
import { type GraphPass, rewriteNodes } from "./graph-pass.ts";

export const blockSums: GraphPass = { name: "block-sums", run: (graph) => rewriteNodes(graph, (n) => split(n) ?? n) };

/** Shorter sums stay as they are. */
const long = 4096;
const rowLength = 1024;
const shortestRow = 16;

/** Few results, and so many terms in all that a thread should not add them alone. */
const fewResults = 64;
const manyTerms = 2 ** 18;
const fewestRows = 8;

function split(node: Node): Node | null {
  const x = node.inputs[0]!;
  if (node.op !== ops.reduceSum || x.type.dtype !== "f32") return null;
  return sizeOf(node.type.shape) === 1 ? splitWhole(node, x) : splitColumns(node, x);
}
/** The first axis of the sum that is long enough is left to the last sum. Where others stand before it, it goes in front of them. */
function splitColumns(node: Node, x: Node): Node | null {
  const { shape } = x.type;
  const { axes, keepdims } = node.attrs as { axes: readonly number[]; keepdims: boolean };
  if (sizeOf(node.type.shape) > fewResults || sizeOf(shape) < manyTerms) return null;
  const rows = [...axes].sort((a, b) => a - b).find((axis) => shape[axis]! >= fewestRows);
  const others = axes.filter((axis) => axis !== rows);
  if (rows === undefined || sizeOf(others.map((axis) => shape[axis]!)) < fewestRows) return null;
  const order = [rows, ...shape.flatMap((_, axis) => (axis === rows ? [] : [axis]))];
  return withOrigin(node.origin, () => {
    if (shape.slice(0, rows).every((n) => n === 1))
      return ops.reduceSum({ x: ops.reduceSum({ x }, { axes: others, keepdims: true }) }, { axes, keepdims });
    const inFront = { axes: others.map((axis) => order.indexOf(axis)), keepdims: true };
    const parts = ops.reduceSum({ x: ops.permute({ x }, { axes: order }) }, inFront);
    const sum = ops.reduceSum({ x: parts }, { axes: axes.map((axis) => order.indexOf(axis)) });
    return ops.reshape({ x: sum }, { shape: node.type.shape });
  });
}
function splitWhole(node: Node, x: Node): Node | null {
  const size = sizeOf(x.type.shape);
  if (size <= long) return null;
  const length = largestDivisor(size, rowLength);
  if (length < shortestRow) return null;
  return withOrigin(node.origin, () => {
    const rows = ops.reduceSum({ x: ops.reshape({ x }, { shape: [size / length, length] }) }, { axes: [1] });
    const sum = ops.reduceSum({ x: rows }, { axes: [0] });
    return ops.reshape({ x: split(sum) ?? sum }, { shape: node.type.shape });
  });
}
