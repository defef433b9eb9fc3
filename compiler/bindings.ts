/** Several bindings of dimensions in one program: what they share must agree, and a caller's inputs must tell them apart. */
import { CompileError, type Diagnostic, diagnostic, type Span } from "../ir/diagnostic.ts";
import type { Graph } from "../ir/graph/graph.ts";
import { printGraph } from "../ir/graph/print.ts";
import { type Dims, type EntryName, entryId, printDims } from "../ir/program.ts";
import { printType, sameShape, sizeOf, type TensorType } from "../ir/type.ts";
import type { Module } from "./frontend/module.ts";
import type { Graphs } from "./graphs.ts";
import type { TrainingStep } from "./training/step.ts";

/** A module elaborated for some values of its dimensions. */
export interface Binding {
  readonly module: Module;
  readonly training: TrainingStep | null;
  /** Fills what all bindings share. */
  readonly init: Graph;
  readonly entries: Readonly<Partial<Record<EntryName, Graph>>>;
}

/** The graphs of one program: `init` once, the other entries for each binding that gives them inputs of other shapes. */
export function joinBindings(bindings: readonly Binding[]): Graphs {
  const problems = [...repeated(bindings), ...disagreements(bindings)];
  const { graphs, confused } = entriesOf(bindings);
  // where bindings are mistaken for each other, that they are may follow from what was said before
  const all = problems.length > 0 ? problems : confused;
  if (all.length > 0) throw new CompileError(all, bindings[0]!.module.sources);
  return { init: bindings[0]!.init, ...graphs };
}

function repeated(bindings: readonly Binding[]): Diagnostic[] {
  const seen = new Set<string>();
  return bindings.flatMap(({ module }) => {
    const text = printDims(module.dims);
    const again = seen.has(text);
    seen.add(text);
    return again ? [diagnostic("flag", `the binding ${text || "without dimensions"} is given twice`, null)] : [];
  });
}

/* ---- which binding is meant --------------------------------------------------------------------------------------- */

/**
 * An entry whose inputs have the shapes that they have in an earlier binding is the same: dimensions come from inputs alone.
 * At run time inputs are flat arrays, so that entries must differ in the number of elements of some input.
 */
function entriesOf(bindings: readonly Binding[]): { readonly graphs: Graphs; readonly confused: Diagnostic[] } {
  const graphs: Record<string, Graph> = {};
  const confused: Diagnostic[] = [];
  const kept = new Map<string, { readonly graph: Graph; readonly module: Module }[]>();
  bindings.forEach(({ module, entries }, number) => {
    for (const [name, graph] of Object.entries(entries) as [EntryName, Graph][]) {
      const others = kept.get(name) ?? [];
      if (others.some((o) => sameInputs(o.graph, graph, sameShape))) continue;
      const alike = others.find((o) => sameInputs(o.graph, graph, (a, b) => sizeOf(a) === sizeOf(b)));
      if (alike) confused.push(indistinct(alike.module, module, graph));
      kept.set(name, [...others, { graph, module }]);
      graphs[entryId(name, number)] = graph;
    }
  });
  return { graphs, confused };
}
function sameInputs(a: Graph, b: Graph, same: (a: TensorType["shape"], b: TensorType["shape"]) => boolean): boolean {
  return a.inputs.length === b.inputs.length && a.inputs.every((n, i) => same(n.type.shape, b.inputs[i]!.type.shape));
}
function indistinct(a: Module, b: Module, { inputs }: Graph): Diagnostic {
  const sizes = inputs.map((n) => `${n.attrs.name} has ${sizeOf(n.type.shape)} elements`).join(", ");
  const [here, there] = differing(a.dims, b.dims);
  return diagnostic("flag", `inputs do not tell the bindings ${here} and ${there} apart: ${sizes} in both`, null, {
    help: "at run time the binding is chosen by the lengths of the inputs; compile one of them to a program of its own",
  });
}

/* ---- what bindings share ------------------------------------------------------------------------------------------ */

/** Something that a program has once, as text that is equal where it agrees. */
interface Shared {
  readonly text: string;
  readonly span: Span | null;
}
type Facts = ReadonlyMap<string, Shared>;

/** What does not agree; a kind of things only where those before it do. */
function disagreements(bindings: readonly Binding[]): Diagnostic[] {
  const variables = compared(bindings, variablesOf, (what, a, b) => `${what} is ${a}, but ${b}: bindings of one program share it`);
  if (variables.length > 0) return variables;
  const training = compared(bindings, trainingOf, (what, a, b) => `${what} is ${a}, but ${b}: bindings are trained together`);
  if (training.length > 0) return training;
  return compared(
    bindings,
    initialValuesOf,
    (what) => `the initial value of ${what} depends on a dimension of which there are several bindings`,
  );
}

function compared(
  bindings: readonly Binding[],
  factsOf: (b: Binding) => Facts,
  message: (what: string, first: string, second: string) => string,
): Diagnostic[] {
  const facts = bindings.map(factsOf);
  const names = new Set(facts.flatMap((f) => [...f.keys()]));
  return [...names].flatMap((name) => {
    const [first, ...others] = facts.map((f) => f.get(name));
    if (others.every((o) => o?.text === first?.text)) return [];
    const [a, b] = nearestPair(bindings, (i, j) => facts[i]!.get(name)?.text !== facts[j]!.get(name)?.text);
    const dims = differing(bindings[a]!.module.dims, bindings[b]!.module.dims);
    const [one, other] = [a, b].map((i, side) => `${facts[i]!.get(name)?.text ?? "absent"} with ${dims[side]}`);
    const span = (facts[a]!.get(name) ?? facts[b]!.get(name))!.span;
    return [diagnostic("shape", message(name, one!, other!), span, { help: "compile a program for each" })];
  });
}

/** Of the pairs of bindings that disagree one with as few dimensions to blame as possible. */
function nearestPair(bindings: readonly Binding[], disagree: (a: number, b: number) => boolean): readonly [number, number] {
  const distance = ([a, b]: readonly [number, number]) => {
    const [x, y] = [bindings[a]!.module.dims, bindings[b]!.module.dims];
    return Object.keys({ ...x, ...y }).filter((name) => x[name] !== y[name]).length;
  };
  const pairs = bindings.flatMap((_, b) => bindings.slice(0, b).map((_, a) => [a, b] as const)).filter(([a, b]) => disagree(a, b));
  return pairs.reduce((best, pair) => (distance(pair) < distance(best) ? pair : best));
}
/** Two bindings by the dimensions in which they differ. */
function differing(a: Dims, b: Dims): readonly [string, string] {
  const pick = (from: Dims, other: Dims) => printDims(Object.fromEntries(Object.entries(from).filter(([name, n]) => other[name] !== n)));
  return [pick(a, b), pick(b, a)];
}

function variablesOf({ module, training }: Binding): Facts {
  const frozen = new Set(training?.frozen ?? []);
  const text = (v: Module["variables"][number]) =>
    `a ${v.kind} ${printType(v.type)}${v.saved ? "" : " of the train block"}${frozen.has(v.name) ? ", frozen" : ""}`;
  return new Map(module.variables.map((v) => [`\`${v.name}\``, { text: text(v), span: v.span }]));
}
function trainingOf({ module, training }: Binding): Facts {
  const facts = new Map<string, Shared>();
  if (!module.training || !training) return facts;
  const { accumulate, seed } = module.training;
  for (const [name, value] of Object.entries({ accumulate, seed })) facts.set(`\`${name}\``, { text: String(value), span: null });
  for (const s of training.slots) facts.set(`the optimizer's \`${s.name}\``, { text: printType(s.type), span: null });
  return facts;
}
function initialValuesOf({ module, init }: Binding): Facts {
  const spans = new Map(module.variables.map((v) => [v.name, v.span]));
  return new Map(
    init.updates.map((update) => {
      const name = String(update.target.attrs.name);
      const text = printGraph({ name: "initial", inputs: [], outputs: [], updates: [update] });
      return [`\`${name}\``, { text, span: spans.get(name) ?? null }];
    }),
  );
}
