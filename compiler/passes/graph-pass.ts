/** What a graph pass is, and rewriting that notices when nothing changed. */
import type { Choose } from "../../ir/choice.ts";
import { type Graph, type Node, rewrite } from "../../ir/graph/graph.ts";

/** A pure function on graphs. It gives back the same object when nothing changed. */
export interface GraphPass {
  readonly name: string;
  /** Results are those of the operations but for rounding; left out where they are to be exact. */
  readonly rounds?: true;
  /** `choose` settles what is a matter of speed alone. */
  readonly run: (graph: Graph, choose?: Choose) => Graph;
}

/** `rewrite` that gives back `graph` itself when no output, update or input changed. */
export function rewriteNodes(graph: Graph, f: (node: Node, original: Node) => Node): Graph {
  const result = rewrite(graph, f);
  const same =
    result.inputs.every((n, i) => n === graph.inputs[i]) &&
    result.outputs.every((o, i) => o.value === graph.outputs[i]!.value) &&
    result.updates.every((u, i) => u.value === graph.updates[i]!.value && u.target === graph.updates[i]!.target);
  return same ? graph : result;
}
