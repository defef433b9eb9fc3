/** A program around a single graph of inputs and outputs, for tests that need no language. */
import type { CompiledGraphs } from "../compiler/compile-graphs.ts";
import { constantsOf, signaturesOf } from "../compiler/signature.ts";
import type { Graph } from "../ir/graph/graph.ts";
import type { Program } from "../ir/program.ts";

export function programOf(graph: Graph, target: Program["target"], compiled: CompiledGraphs): Program {
  const { planned, code, graphs } = compiled;
  return {
    format: "dlm",
    version: 1,
    name: graph.name,
    doc: null,
    target,
    entries: signaturesOf(graphs, planned),
    variables: [],
    ...constantsOf(compiled.lowered, planned),
    sizes: planned.plan.sizes,
    code,
    stats: { parameters: 0, flops: 0, arenaBytes: 0, lowerBoundBytes: 0, codeBytes: 0 },
  };
}
