/** Runs a graph through lowering and the interpreter, for tests. */

import { lower } from "../../../compiler/lower/lower.ts";
import { assignLayouts } from "../../../compiler/passes/assign-layouts.ts";
import { decompose } from "../../../compiler/passes/decompose.ts";
import { mostInputs } from "../../../compiler/pipeline.ts";
import { scheduleCpu } from "../../../compiler/schedule/cpu.ts";
import { scheduleGpuRows } from "../../../compiler/schedule/gpu/rows.ts";
import { scheduleGpu } from "../../../compiler/schedule/gpu.ts";
import { scheduleRows } from "../../../compiler/schedule/rows.ts";
import { type Graph, type Node, topological } from "../../../ir/graph/graph.ts";
import type { Computation } from "../../../ir/kernel/computation.ts";
import { interpret } from "../../../ir/kernel/interpret.ts";
import type { Kernel } from "../../../ir/kernel/kernel.ts";
import { elementsIn } from "../../../ir/layout.ts";
import { type Lowered, offsetInWhole, type Value, wholeOf } from "../../../ir/lowered.ts";
import { type DType, sizeOf } from "../../../ir/type.ts";

export type Data = Float64Array | Float32Array | Int32Array | Uint8Array;
export interface Options {
  readonly schedule: (c: Computation) => Kernel;
  readonly passes?: readonly { readonly run: (k: Kernel) => Kernel }[];
  readonly layouts?: boolean;
  /** Operands of concatenations are written where the result has them. */
  readonly joins?: boolean;
  readonly model?: "double" | "single";
}
const cells = (dtype: DType, n: number, model: "double" | "single"): Data =>
  dtype === "f32"
    ? (model === "double" ? new Float64Array(n) : new Float32Array(n)).fill(Number.NaN)
    : dtype === "i32"
      ? new Int32Array(n)
      : new Uint8Array(n);

export function lowerGraph(graph: Graph, o: Options): Lowered {
  const plain = decompose.run(graph);
  const graphs = [{ entry: "forward" as const, graph: o.layouts ? assignLayouts.run(plain) : plain }];
  if (o.schedule === scheduleGpu) return lower(graphs, o.schedule, scheduleGpuRows, mostInputs);
  return lower(graphs, o.schedule, o.schedule === scheduleCpu ? scheduleRows : null, Number.POSITIVE_INFINITY, () => 1, o.joins);
}
/** Values of outputs and updated variables by name; `inputs` gives inputs and variables, row-major. */
export function runLowered(graph: Graph, inputs: Readonly<Record<string, readonly number[]>>, o: Options): Record<string, number[]> {
  const model = o.model ?? "double";
  const lowered = lowerGraph(graph, o);
  const kernels = new Map(lowered.kernels.map((k) => [k.name, (o.passes ?? []).reduce((x, p) => p.run(x), k)]));
  const memory = new Map<string, Data>();
  const at = (v: Value): Data => {
    if (v.home.kind === "inside") return at(wholeOf(v)).subarray(offsetInWhole(v));
    const key = `${v.home.kind} ${v.name}`;
    const known = memory.get(key) ?? cells(v.type.dtype, elementsIn(v.type.shape, v.type.layout), model);
    if (v.home.kind === "constant") known.set(lowered.constants.find((t) => t.name === v.name)!.data);
    memory.set(key, known);
    return known;
  };
  for (const n of topological(graph)) if (n.op.schema.kind === "leaf" && n.op.schema.name !== "dense") seed(n, inputs, memory, model);
  for (const c of lowered.entries[0]!.calls) {
    const k = kernels.get(c.kernel)!;
    const external = k.buffers.filter((b) => b.space === "in" || b.space === "out" || b.space === "inout");
    interpret(k, Object.fromEntries(external.map((b, i) => [b.name, at([...c.inputs, ...c.outputs][i]!)])), model);
  }
  return Object.fromEntries(
    [...memory].filter(([k]) => !k.startsWith("arena")).map(([k, v]) => [k.split(" ")[1]!.replace(/^forward\./, ""), Array.from(v)]),
  );
}
function seed(n: Node, inputs: Readonly<Record<string, readonly number[]>>, memory: Map<string, Data>, model: "double" | "single"): void {
  const name = String(n.attrs.name);
  const data = cells(n.type.dtype, elementsIn(n.type.shape, null), model);
  data.set(inputs[name]!);
  memory.set(`${n.op.schema.name === "input" ? "input" : "variable"} ${name}`, data);
}
/** Deterministic values in [-0.5, 0.5). */
export const noise = (n: number, seed: number): number[] =>
  Array.from({ length: n }, (_, i) => Math.fround((Math.sin((i + 1) * (12.9898 + seed)) * 43758.5453) % 0.5));

/** Numbers for what a graph reads, by name. */
export const leavesOf = (graph: Graph) =>
  Object.fromEntries(
    topological(graph).flatMap((n, i) => {
      if (n.op.schema.kind !== "leaf") return [];
      const values = noise(sizeOf(n.type.shape), i);
      return [[String(n.attrs.name), n.type.dtype === "i32" ? values.map((v) => Math.round(v * 50)) : values]];
    }),
  );
