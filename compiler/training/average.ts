/**
 * Running averages of trained parameters (`ema = decay`): average = decay * average + (1 - decay) * parameter after every
 * update, from the parameter's initial value on. Prediction and evaluation read the averages, the step the parameters;
 * states (running statistics) are not averaged.
 */
import { type Graph, type Node, rewrite } from "../../ir/graph/graph.ts";
import { ops } from "../../ir/ops/index.ts";
import type { Memory } from "./memory.ts";
import { add, scaled } from "./scalars.ts";

export const averageName = (param: string): string => `${param}.average`;

/** `value`: the parameter after the update. */
export function moveAverage(param: Node, value: Node, decay: number, initial: Node, memory: Memory): void {
  const average = memory.slot(averageName(String(param.attrs.name)), initial);
  memory.settle(average, add(scaled(average, decay), scaled(value, 1 - decay)));
}

/** The graph with averages in place of the parameters that have one. */
export function readAverages(graph: Graph, averages: ReadonlyMap<string, string>): Graph {
  if (averages.size === 0) return graph;
  return rewrite(graph, (node) => {
    const name = node.op === ops.param ? averages.get(String(node.attrs.name)) : undefined;
    return name === undefined ? node : ops.slot({}, { name, dtype: node.type.dtype, shape: node.type.shape });
  });
}
