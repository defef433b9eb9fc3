/** Which values are known once weights are loaded. */
import { type Graph, type Node, topological } from "../../ir/graph/graph.ts";

/** constant: the same in every run of the program. prepare: depends on variables that this graph leaves alone. run: the rest. */
export type Time = "constant" | "prepare" | "run";

/** The time of every node of the graph. Counters change with every step; inputs with every run. */
export function timesOf(graph: Graph): ReadonlyMap<Node, Time> {
  const moving = new Set(graph.updates.map((u) => variableKey(u.target)));
  const times = new Map<Node, Time>();
  for (const node of topological(graph)) times.set(node, timeOf(node, times, moving));
  return times;
}
function timeOf(node: Node, times: ReadonlyMap<Node, Time>, moving: ReadonlySet<string>): Time {
  const { schema } = node.op;
  if (schema.kind !== "leaf") return later(node.inputs.map((x) => times.get(x)!));
  switch (schema.lasts) {
    case "always":
      return "constant";
    case "update":
      return moving.has(variableKey(node)) ? "run" : "prepare";
    case "run":
      return "run";
  }
}
const later = (times: readonly Time[]): Time => (times.includes("run") ? "run" : times.includes("prepare") ? "prepare" : "constant");

/** Two leaves of one variable may be two nodes. */
const variableKey = (leaf: Node): string => `${leaf.op.schema.name} ${String(leaf.attrs.name)}`;
