/** Initial values: one graph that fills every variable from the seed. */
import { type Graph, type Node, rewrite, type Update } from "../../ir/graph/graph.ts";
import { ops } from "../../ir/ops/index.ts";
import type { TensorType } from "../../ir/type.ts";
import type { Module } from "../frontend/module.ts";
import type { Slot } from "./memory.ts";
import { i32Scalar } from "./scalars.ts";

/**
 * The entry `init`. The counter `seed` is written by the runtime before. Without a train block there are no counters, and
 * no variables that only training uses.
 */
export function buildInit(module: Module, slots: readonly Slot[]): Graph {
  const declared = module.variables.filter((v) => module.training || v.saved);
  const variables = declared.map(
    (v): Update => ({ target: leaf(v.kind === "param" ? ops.param : ops.state, v.name, v.type), value: v.initial }),
  );
  const memory = slots.map((s): Update => ({ target: leaf(ops.slot, s.name, s.type), value: s.initial }));
  const counters = module.training
    ? ["micro_step", "updates"].map((name): Update => ({ target: ops.counter({}, { name }), value: i32Scalar(0) }))
    : [];
  return withSharedLeaves({ name: "init", inputs: [], outputs: [], updates: [...variables, ...memory, ...counters] });
}

const leaf = (op: typeof ops.param, name: string, { dtype, shape }: TensorType): Node => op({}, { name, dtype, shape });

/** Every initial value may have come with a leaf `seed` of its own; a graph has one. */
function withSharedLeaves(graph: Graph): Graph {
  const first = new Map<string, Node>();
  return rewrite(graph, (node) => {
    const { schema } = node.op;
    if (schema.kind !== "leaf" || schema.lasts === "always") return node;
    const key = `${schema.name} ${String(node.attrs.name)}`;
    const shared = first.get(key) ?? node;
    first.set(key, shared);
    return shared;
  });
}
