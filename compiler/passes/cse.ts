/**
 * Merges equal nodes: the same operation, attributes, operands and type. The first in topological order stays.
 *
 *     %0 = exp(%x) : f32[3]              %0 = exp(%x) : f32[3]
 *     %1 = exp(%x) : f32[3]              %1 = add(%0, %0) : f32[3]
 *     %2 = add(%0, %1) : f32[3]
 */
import { printAttr } from "../../ir/graph/attribute.ts";
import type { Node } from "../../ir/graph/graph.ts";
import { printType } from "../../ir/type.ts";
import { type GraphPass, rewriteNodes } from "./graph-pass.ts";

export const cse: GraphPass = { name: "cse", run: (graph) => rewriteNodes(graph, hashConsing()) };

/** A function that gives equal nodes the same object, if their operands went through it before. */
export function hashConsing(): (node: Node) => Node {
  const ids = new Map<Node, number>();
  const canonical = new Map<string, Node>();
  const idOf = (node: Node): number => {
    const known = ids.get(node);
    if (known !== undefined) return known;
    ids.set(node, ids.size);
    return ids.size - 1;
  };
  return (node) => {
    const key = `${node.op.schema.name}(${node.inputs.map(idOf)})${printAttrs(node)}:${printType(node.type)}`;
    const first = canonical.get(key);
    if (!first) canonical.set(key, node);
    return first ?? node;
  };
}

const printAttrs = (node: Node): string =>
  Object.keys(node.op.schema.attrs)
    .map((name) => printAttr(node.attrs[name]!))
    .join(";");
