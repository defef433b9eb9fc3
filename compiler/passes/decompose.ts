/**
 * Says composite operations in others, until none is left. So `stop_gradient`, which has no meaning behind `differentiate`,
 * disappears.
 *
 *     %0 = mean(%x) {axes=[1]} : f32[4]          %0 = reduce_sum(%x) {axes=[1]} : f32[4]
 *     %1 = stop_gradient(%0) : f32[4]            %1 = full() {value=8, dtype="f32", shape=[]} : f32[]
 *     %2 = exp(%1) : f32[4]                      %2 = div(%0, %1) : f32[4]
 *                                                %3 = exp(%2) : f32[4]
 */
import { invariant } from "../../ir/diagnostic.ts";
import type { Node } from "../../ir/graph/graph.ts";
import { withOrigin } from "../../ir/op.ts";
import { printType, sameType } from "../../ir/type.ts";
import { type GraphPass, rewriteNodes } from "./graph-pass.ts";

export const decompose: GraphPass = { name: "decompose", run: (graph) => rewriteNodes(graph, plain) };

const plain = (node: Node): Node => (node.op.decompose ? expand(node, plain) : node);

/** The decomposition of a composite node, with `f` applied to every node of it, operands first. */
export function expand(node: Node, f: (node: Node) => Node): Node {
  invariant(node.op.decompose, `${node.op.schema.name} has no decomposition`);
  const made = withOrigin(node.origin, () => node.op.decompose!(node));
  invariant(
    sameType(made.type, node.type),
    `${node.op.schema.name} decomposes to ${printType(made.type)} instead of ${printType(node.type)}`,
  );
  return rebuild(made, new Map(node.inputs.map((n) => [n, n])), f);
}

/** Rewrites what lies above the `known` nodes; recursion is as deep as one operation's decomposition. */
function rebuild(node: Node, known: Map<Node, Node>, f: (node: Node) => Node): Node {
  const before = known.get(node);
  if (before) return before;
  const inputs = node.inputs.map((n) => rebuild(n, known, f));
  const result = f(inputs.every((n, i) => n === node.inputs[i]) ? node : { ...node, inputs });
  known.set(node, result);
  return result;
}
