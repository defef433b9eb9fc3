/** Structural equality: the same names, types, attributes and sharing; origins do not count. */
import { sameLayout } from "../layout.ts";
import { sameType } from "../type.ts";
import { sameAttr } from "./attribute.ts";
import { type Graph, type Node, reachable } from "./graph.ts";

export function equalGraphs(a: Graph, b: Graph): boolean {
  const [rootsA, rootsB] = [rootsOf(a), rootsOf(b)];
  const [nodesA, nodesB] = [reachable(rootsA), reachable(rootsB)];
  const partner = new Map<Node, Node>();
  if (nodesA.length !== nodesB.length) return false;
  for (const [i, x] of nodesA.entries()) {
    if (!equalNodes(x, nodesB[i]!, partner)) return false;
    partner.set(x, nodesB[i]!);
  }
  return (
    a.name === b.name &&
    a.inputs.length === b.inputs.length &&
    a.outputs.map((o) => o.name).join("\n") === b.outputs.map((o) => o.name).join("\n") &&
    a.updates.length === b.updates.length &&
    rootsA.every((x, i) => partner.get(x) === rootsB[i])
  );
}
const rootsOf = (g: Graph): Node[] => [...g.inputs, ...g.outputs.map((o) => o.value), ...g.updates.flatMap((u) => [u.target, u.value])];

function equalNodes(a: Node, b: Node, partner: ReadonlyMap<Node, Node>): boolean {
  const keys = Object.keys(a.attrs);
  return (
    a.op === b.op &&
    sameType(a.type, b.type) &&
    sameLayout(a.type.layout, b.type.layout) &&
    (a.type.layout === null) === (b.type.layout === null) &&
    a.inputs.length === b.inputs.length &&
    a.inputs.every((x, i) => partner.get(x) === b.inputs[i]) &&
    keys.length === Object.keys(b.attrs).length &&
    keys.every((key) => b.attrs[key] !== undefined && sameAttr(a.attrs[key]!, b.attrs[key]!))
  );
}
