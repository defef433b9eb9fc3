/** Looking inside a graph: values that become outputs, by their number in topological order, which every compilation gives alike. */
import { type Graph, type Node, reachable, topological } from "../../ir/graph/graph.ts";
import { ops } from "../../ir/ops/index.ts";
import { sizeOf } from "../../ir/type.ts";
import type { Graphs } from "../graphs.ts";
import { differentiate } from "../passes/differentiate.ts";

/** The graph of the entry that is looked at. */
export interface Subject {
  readonly entry: "forward" | "step";
  /** Of a training step after reverse mode: its operations have values. */
  readonly graph: Graph;
  /** What reaches the optimizer, before clipping, by parameter; empty for a prediction. */
  readonly gradients: ReadonlyMap<string, Node>;
}
/** What to look at beside the outputs. */
export interface Look {
  /** Values, by number. */
  readonly numbers: readonly number[];
  readonly gradients: boolean;
}
export const outputsOnly: Look = { numbers: [], gradients: false };

const resultName = (name: string): string => `$result ${name}`;
const gradientName = (param: string): string => `$gradient ${param}`;
const valueName = (number: number): string => `$${number}`;

/** Outputs of a step are renamed, so that a step gives all of them back, not numbers alone. */
export function subjectOf(source: Graphs, train: boolean): Subject {
  if (!train) return { entry: "forward", graph: source.forward!, gradients: new Map() };
  const step = source.step!;
  const wanted = gradientNodes(step);
  const named = [...wanted].map(([param, value]) => ({ name: gradientName(param), value }));
  const results = step.outputs.map((o) => ({ ...o, name: resultName(o.name) }));
  const graph = differentiate.run({ ...step, outputs: [...results, ...named] });
  const gradients = new Map([...wanted.keys()].map((param, i) => [param, graph.outputs[results.length + i]!.value]));
  return { entry: "step", graph: { ...graph, outputs: graph.outputs.slice(0, results.length) }, gradients };
}
/** Those that the step itself takes come behind those of the language's `grad`, which they depend on. */
const gradientNodes = (step: Graph): ReadonlyMap<string, Node> =>
  new Map(
    topological(step)
      .filter((n) => n.op === ops.gradient && n.inputs[1]!.op === ops.param)
      .map((n) => [String(n.inputs[1]!.attrs.name), n]),
  );

/** The graphs to compile. Only what runs is kept of a training program. */
export function graphsFor(source: Graphs, { entry, graph, gradients }: Subject, look: Look): Graphs {
  const order = topological(graph);
  const outputs = [
    ...graph.outputs,
    ...look.numbers.map((n) => ({ name: valueName(n), value: order[n]! })),
    ...(look.gradients ? [...gradients].map(([param, value]) => ({ name: gradientName(param), value })) : []),
  ];
  const { evaluate: _, ...kept } = source;
  return { ...kept, [entry]: { ...graph, outputs } };
}

/** Outputs of a run by what they are: `result NAME`, `gradient PARAM`, or the number of a value. */
export interface Seen<T> {
  readonly results: ReadonlyMap<string, T>;
  readonly gradients: ReadonlyMap<string, T>;
  readonly values: ReadonlyMap<number, T>;
}
export function sortOut<T>(outputs: Readonly<Record<string, T>>): Seen<T> {
  const seen = { results: new Map<string, T>(), gradients: new Map<string, T>(), values: new Map<number, T>() };
  for (const [name, value] of Object.entries(outputs)) {
    const [, kind, rest] = /^\$(result|gradient) (.*)$/s.exec(name) ?? [];
    if (kind === "gradient") seen.gradients.set(rest!, value);
    else if (/^\$\d+$/.test(name)) seen.values.set(Number(name.slice(1)), value);
    else seen.results.set(rest ?? name, value);
  }
  return seen;
}

/** Numbers of the values that are worth a look: results of operations, but not copies of a value along new axes. */
export const watchable = (graph: Graph): readonly number[] =>
  topological(graph).flatMap((n, i) => {
    const { kind } = n.op.schema;
    const isMade = kind !== "leaf" && kind !== "creation";
    const isSpread = kind === "view" && sizeOf(n.type.shape) > n.inputs.reduce((sum, x) => sum + sizeOf(x.type.shape), 0);
    return isMade && !isSpread ? [i] : [];
  });

/** What a value is for: outputs depend on what is forward, gradients on what is backward. */
export function phaseOf({ graph, gradients }: Subject, node: Node): "forward" | "backward" | "update" {
  if (reachable(graph.outputs.map((o) => o.value)).includes(node)) return "forward";
  return reachable([...gradients.values()]).includes(node) ? "backward" : "update";
}
