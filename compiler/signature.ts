/** What the host sees of a plan: inputs, outputs and variables with their places. */
import type { Graph } from "../ir/graph/graph.ts";
import type { EntryName, Field, Signature, Variable } from "../ir/program.ts";
import type { TensorType } from "../ir/type.ts";
import type { Module } from "./frontend/module.ts";
import type { Planned } from "./memory/plan.ts";
import type { Range } from "./ranges.ts";
import type { TrainingStep } from "./training/step.ts";

type Graphs = Readonly<Partial<Record<EntryName, Graph>>>;

/** Entries in the order of the graphs. */
export function signaturesOf(
  graphs: Graphs,
  planned: Planned,
  ranges: ReadonlyMap<string, Range>,
  docs: ReadonlyMap<string, string>,
): Signature[] {
  const field = (name: string, type: TensorType, place: { readonly region: Field["region"]; readonly offset: number }): Field => {
    const doc = docs.get(name);
    return {
      name,
      dtype: type.dtype,
      shape: type.shape,
      region: place.region,
      offset: place.offset,
      ...(doc === undefined ? {} : { doc }),
    };
  };
  return (Object.entries(graphs) as [EntryName, Graph][]).map(([name, g]) => ({
    name,
    inputs: g.inputs.map((n) => {
      const input = String(n.attrs["name"]);
      const range = ranges.get(input);
      return { ...field(input, n.type, planned.input(input)), ...(range ? { range } : {}) };
    }),
    outputs: g.outputs.map((o) => field(o.name, o.value.type, planned.output(`${name}.${o.name}`))),
  }));
}

/** Parameters and states in creation order, then slots, then counters. */
export function variablesOf(module: Module, training: TrainingStep | null, planned: Planned): Variable[] {
  const frozen = new Set(training?.frozen ?? []);
  const variable = (
    kind: Variable["kind"],
    name: string,
    type: Pick<TensorType, "dtype" | "shape">,
    more: { readonly saved: boolean; readonly doc?: string | null },
  ): Variable => ({
    kind,
    name,
    dtype: type.dtype,
    shape: type.shape,
    ...planned.variable(kind, name),
    saved: more.saved,
    frozen: frozen.has(name),
    ...(more.doc ? { doc: more.doc } : {}),
  });
  const counters = ["seed", ...(training ? ["micro_step", "updates"] : [])];
  return [
    ...module.variables.filter((v) => training || v.saved).map((v) => variable(v.kind, v.name, v.type, v)),
    ...(training?.slots ?? []).map((s) => variable("slot", s.name, s.type, { saved: false })),
    ...counters.map((name) => variable("counter", name, { dtype: "i32", shape: [] }, { saved: false })),
  ];
}
