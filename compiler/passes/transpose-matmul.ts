/**
 * Turns the transpose of a product into the product of the transposes, which cancel in gradients of dense layers.
 *
 *     %0 = permute(%x) {axes=[1,0]} : f32[3,8]          %0 = permute(%dy) {axes=[1,0]} : f32[4,8]
 *     %1 = matmul(%0, %dy) : f32[3,4]                   %1 = permute(%x) {axes=[1,0]} : f32[3,8]
 *     %2 = permute(%1) {axes=[1,0]} : f32[4,3]          %2 = permute(%1) {axes=[1,0]} : f32[8,3]
 *                                                       %3 = matmul(%0, %2) : f32[4,3]
 *
 * Requires: the product has no other reader. `simplify` then joins the two permutations of %x.
 */
import { type Graph, type Node, topological, usersOf } from "../../ir/graph/graph.ts";
import { withOrigin } from "../../ir/op.ts";
import { ops } from "../../ir/ops/index.ts";
import { type GraphPass, rewriteNodes } from "./graph-pass.ts";

export const transposeMatmul: GraphPass = { name: "transpose-matmul", run };

function run(graph: Graph): Graph {
  const users = usersOf(topological(graph));
  const kept = new Set([...graph.outputs.map((o) => o.value), ...graph.updates.map((u) => u.value)]);
  const alone = (n: Node) => users.get(n)!.length === 1 && !kept.has(n);
  return rewriteNodes(graph, (node, original) => {
    const product = node.inputs[0];
    if (!isTranspose(node) || product?.op !== ops.matmul || !alone(original.inputs[0]!)) return node;
    const [a, b] = product.inputs as [Node, Node];
    if (a.type.shape.length !== b.type.shape.length) return node;
    return withOrigin(node.origin, () => ops.matmul({ a: transposed(b), b: transposed(a) }));
  });
}
const lastTwoSwapped = (rank: number): number[] =>
  Array.from({ length: rank }, (_, i) => (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i));
const isTranspose = (n: Node): boolean =>
  n.op === ops.permute && n.type.shape.length >= 2 && String(n.attrs.axes) === String(lastTwoSwapped(n.type.shape.length));
const transposed = (x: Node): Node => ops.permute({ x }, { axes: lastTwoSwapped(x.type.shape.length) });
