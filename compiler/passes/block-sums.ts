/**
 * Splits long sums in two: rows of a fixed length, then the rows. Each partial sum is short, so rounding errors stay
 * small, and rows can be shared among threads; their number comes from the shape alone, so results never depend on it.
 *
 *     %0 = mul(%g, %g) : f32[512,3136]                     %0 = mul(%g, %g) : f32[512,3136]
 *     %1 = reduce_sum(%0) {axes=[0,1]} : f32[]             %1 = reshape(%0) {shape=[1568,1024]} : f32[1568,1024]
 *                                                          %2 = reduce_sum(%1) {axes=[1]} : f32[1568]
 *                                                          %3 = reduce_sum(%2) {axes=[0]} : f32[]
 */
import type { Node } from "../../ir/graph/graph.ts";
import { withOrigin } from "../../ir/op.ts";
import { ops } from "../../ir/ops/index.ts";
import { sizeOf } from "../../ir/type.ts";
import { type GraphPass, rewriteNodes } from "./graph-pass.ts";

export const blockSums: GraphPass = { name: "block-sums", run: (graph) => rewriteNodes(graph, (n) => split(n) ?? n) };

/** Shorter sums stay as they are. */
const long = 4096;
const rowLength = 1024;

/** Sums over everything; others have results to share among threads already. */
function split(node: Node): Node | null {
  const x = node.inputs[0]!;
  if (node.op !== ops.reduceSum || x.type.dtype !== "f32") return null;
  const size = sizeOf(x.type.shape);
  if (sizeOf(node.type.shape) !== 1 || size <= long) return null;
  const length = divisorNear(size, rowLength);
  if (length < 16) return null;
  return withOrigin(node.origin, () => {
    const rows = ops.reduceSum({ x: ops.reshape({ x }, { shape: [size / length, length] }) }, { axes: [1] });
    const sum = split(ops.reduceSum({ x: rows }, { axes: [0] })) ?? ops.reduceSum({ x: rows }, { axes: [0] });
    return ops.reshape({ x: sum }, { shape: node.type.shape });
  });
}
/** The largest divisor of n that is at most `most`. */
function divisorNear(n: number, most: number): number {
  for (let d = Math.min(n, most); d > 1; d--) if (n % d === 0) return d;
  return 1;
}
