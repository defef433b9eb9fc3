/** What the host sees of a plan: inputs, outputs and variables with their places. */
import type { Lowered } from "../ir/lowered.ts";
import { bindingOf, type Field, type Program, type Signature, type Variable } from "../ir/program.ts";
import type { TensorType } from "../ir/type.ts";
import type { Module } from "./frontend/module.ts";
import { type Graphs, ordered } from "./graphs.ts";
import type { Border, Planned, Residents } from "./memory/plan.ts";
import type { Range } from "./ranges.ts";
import type { TrainingStep } from "./training/step.ts";

const scalar: TensorType = { dtype: "i32", shape: [], layout: null };

/** Parameters and states in creation order, then slots, then counters. */
function* variables(module: Module, training: TrainingStep | null) {
  for (const v of module.variables) if (training || v.saved) yield { kind: v.kind, name: v.name, type: v.type, saved: v.saved, doc: v.doc };
  for (const s of training?.slots ?? []) yield { kind: "slot" as const, name: s.name, type: s.type, saved: false, doc: null };
  for (const name of ["seed", ...(training ? ["micro_step", "updates"] : [])])
    yield { kind: "counter" as const, name, type: scalar, saved: false, doc: null };
}
export const residentVariables = (module: Module, training: TrainingStep | null): Residents["variables"] => [
  ...variables(module, training),
];

export function variablesOf(module: Module, training: TrainingStep | null, planned: Planned): Variable[] {
  const frozen = new Set(training?.frozen ?? []);
  const average = (kind: string, name: string) => (kind === "param" ? training?.averages.get(name) : undefined);
  return [...variables(module, training)].map(({ kind, name, type, saved, doc }) => ({
    kind,
    name,
    dtype: type.dtype,
    shape: type.shape,
    ...planned.variable(kind, name),
    saved,
    frozen: frozen.has(name),
    ...(average(kind, name) === undefined ? {} : { average: average(kind, name)! }),
    ...(doc ? { doc } : {}),
  }));
}

/** `ranges`: of inputs by name, for each binding. */
export function signaturesOf(
  graphs: Graphs,
  planned: Planned,
  ranges: readonly ReadonlyMap<string, Range>[] = [],
  docs: ReadonlyMap<string, string> = new Map(),
): Signature[] {
  const field = (name: string, type: TensorType, place: Pick<Field, "region" | "offset">): Field => {
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
  return ordered(graphs).map(({ entry, graph }) => ({
    name: entry,
    inputs: graph.inputs.map((n) => {
      const name = String(n.attrs.name);
      const range = ranges[bindingOf(entry)]?.get(name);
      return { ...field(name, n.type, planned.input(entry, name)), ...(range ? { range } : {}) };
    }),
    outputs: graph.outputs.map((o) => field(o.name, o.value.type, planned.output(entry, o.name))),
  }));
}

/** Times are outputs like others. */
export const withClocks = (entries: readonly Signature[], clocks: readonly Border[], planned: Planned): Signature[] =>
  entries.map((e) => {
    const own = clocks.filter((c) => c.entry === e.name);
    const fields = own.map(({ name, type }): Field => ({ name, dtype: type.dtype, shape: type.shape, ...planned.output(e.name, name) }));
    return { ...e, outputs: [...e.outputs, ...fields] };
  });

/** Tables that the runtime has to write; nothing where there are none. */
export function constantsOf({ constants }: Lowered, planned: Planned): Pick<Program, "constants"> {
  if (constants.length === 0) return {};
  return {
    constants: constants.map(({ name, type, data }) => ({ name, dtype: type.dtype, shape: type.shape, ...planned.constant(name), data })),
  };
}
