/**
 * Tensors that are put together from more parts than a kernel can bind become tensors of such tensors.
 *
 *     %0 = concat(%a, %b, %c, %d) {axis=0} : f32[4]     with 2 =>     %0 = concat(%a, %b) {axis=0} : f32[2]
 *                                                                     %1 = concat(%c, %d) {axis=0} : f32[2]
 *                                                                     %2 = concat(%0, %1) {axis=0} : f32[4]
 */
import type { Node } from "../../ir/graph/graph.ts";
import { withOrigin } from "../../ir/op.ts";
import { ops } from "../../ir/ops/index.ts";
import { type GraphPass, rewriteNodes } from "./graph-pass.ts";

/** `most`: buffers that a kernel may read. */
export const splitConcat = (most: number): GraphPass => ({
  name: "split-concat",
  run: (graph) => rewriteNodes(graph, (n) => (n.op === ops.concat && n.inputs.length > most ? split(n, most) : n)),
});

function split(node: Node, most: number): Node {
  const axis = node.attrs.axis as number;
  return withOrigin(node.origin, () => {
    let parts: readonly Node[] = node.inputs;
    while (parts.length > most) {
      const each = Math.max(2, Math.min(most, Math.ceil(parts.length / most)));
      parts = runs(parts, each).map((xs) => (xs.length === 1 ? xs[0]! : ops.concat({ xs }, { axis })));
    }
    return ops.concat({ xs: parts }, { axis });
  });
}
const runs = <T>(list: readonly T[], length: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(list.length / length) }, (_, i) => list.slice(i * length, (i + 1) * length));
