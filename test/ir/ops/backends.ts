/** Who else runs every sample of `checkOp`. */
import type { Graph } from "../../../ir/graph/graph.ts";
import type { Given } from "./evaluate.ts";

export interface OpBackend {
  readonly name: string;
  /** Outputs by name, row-major, bools as 0 and 1. */
  readonly run: (graph: Graph, inputs: Given) => Promise<Given>;
  readonly tolerance: number;
}
export const backends: readonly OpBackend[] = [];
