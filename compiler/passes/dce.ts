/**
 * Drops updates that change nothing. Nodes that nothing reads are gone by themselves: a graph is what its outputs and
 * updates reach.
 *
 *     update @x = @x               (gone)
 */
import type { GraphPass } from "./graph-pass.ts";

export const dce: GraphPass = {
  name: "dce",
  run: (graph) => {
    const updates = graph.updates.filter((u) => u.value !== u.target);
    return updates.length === graph.updates.length ? graph : { ...graph, updates };
  },
};
