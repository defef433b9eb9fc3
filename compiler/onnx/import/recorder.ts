/** The program being written: steps run in a draft as they are made, so the type of every value is known at once. */
import { invariant } from "../../../ir/diagnostic.ts";
import type { Node } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";
import { sameShape, type TensorType } from "../../../ir/type.ts";
import { printTerm } from "../../decompile/print-term.ts";
import type { Call, Step, Term, Variable, Weight } from "../../decompile/sketch.ts";
import { type Draft, newDraft } from "../../frontend/draft.ts";
import { type Names, variablePath } from "./names.ts";
import { cellsOf, type Known, type Live, misfit, type Numbers, usualElement } from "./values.ts";

/** A layer that is applied: its term without a label, and what its parameters hold. */
export interface LayerCall {
  readonly call: Call;
  /** The labels it may have, best first. */
  readonly labels: readonly (string | null)[];
  readonly weights: Readonly<Record<string, Known | null>>;
}

export interface Recorder {
  /** Makes a step with `count` results; gives their names. */
  readonly emit: (term: Term, hint: string, count?: number) => readonly string[];
  readonly layer: (layer: LayerCall, hint: string, count?: number) => readonly string[];
  /** A variable of the program that holds these numbers. */
  readonly variable: (value: Known) => Live;
  readonly input: (name: string, type: TensorType) => Live;
  /** The step that a value was made by; null: an input or variable. */
  readonly madeBy: (name: string) => Step | null;
  /** A tensor that was made; null: there is none of this name. */
  readonly live: (name: string) => Live | null;
  readonly steps: readonly Step[];
  readonly variables: readonly Variable[];
  /** Elements of a leaf of the draft. */
  readonly leafData: (name: string) => Numbers;
  /** Writes into the same draft, and keeps its steps for itself: for what is computed and thrown away. */
  readonly aside: () => Recorder;
}

export function newRecorder(names: Names): Recorder {
  return recorder(
    { draft: newDraft(), names, data: new Map(), made: new Map(), all: new Map(), paths: new Set(), labels: { count: 0 } },
    true,
  );
}

interface Shared {
  readonly draft: Draft;
  readonly names: Names;
  readonly data: Map<string, Numbers>;
  readonly made: Map<string, Step>;
  readonly all: Map<string, Live>;
  /** Of parameters. */
  readonly paths: Set<string>;
  /** Layers of the draft are numbered: their labels in the program may be null. */
  readonly labels: { count: number };
}

/** `kept`: what it makes becomes part of the program. */
function recorder(shared: Shared, kept: boolean): Recorder {
  const { draft, names, data, made, all, paths, labels } = shared;
  const steps: Step[] = [];
  const variables: Variable[] = [];
  const tables = new Map<Known, Live>();
  // Equal constants are stored once.
  const constants = new Map<string, readonly (readonly [Known, Live])[]>();
  const note = (name: string): Live | null => {
    const v = draft.valueOf(name);
    if (v.kind !== "tensor") return null;
    const { dtype, shape } = v.node.type;
    const made: Live = { kind: "live", element: usualElement[dtype], dtype, shape, name, node: v.node };
    all.set(name, made);
    return made;
  };
  const run = (term: Term, inDraft: Term, weights: Step["weights"], hint: string, count: number): string[] => {
    const results = Array.from({ length: count }, () => names.fresh(hint));
    draft.run(`${results.join(", ")} = ${printTerm(inDraft)}`);
    const step: Step = { results, term, weights };
    steps.push(step);
    for (const r of results) {
      made.set(r, step);
      note(r);
    }
    return results;
  };
  const layer = ({ call, labels: wanted, weights }: LayerCall, hint: string, count: number): string[] => {
    const there = Object.entries(weights).flatMap(([path, value]): [string, Known][] => (value ? [[path, value]] : []));
    const label = freeLabel(
      wanted,
      there.map(([path]) => path),
      paths,
    );
    const draftLabel = `l${labels.count++}`;
    for (const [path, value] of there) data.set(`${draftLabel}.${path}`, value.data);
    const kept = new Map(there.map(([path, value]) => [path, weightOf(value)]));
    const results = run({ ...call, label }, { ...call, label: draftLabel }, kept, hint, count);
    for (const [path, value] of there) {
      const type = draft.variable(`${draftLabel}.${path}`);
      if (type && !sameShape(type.shape, value.shape))
        misfit(`its ${path} has the shape [${value.shape.join(", ")}], where its operand needs [${type.shape.join(", ")}]`);
    }
    return results;
  };
  const leaf = (name: string, make: (name: string) => Node): Live => {
    draft.define(name, make(name));
    return note(name)!;
  };
  return {
    emit: (term, hint, count = 1) => run(term, term, new Map(), hint, count),
    layer: (l, hint, count = 1) => layer(l, hint, count),
    variable: (value) => {
      const had = tables.get(value) ?? constants.get(typeKey(value))?.find(([other]) => isSame(value, other))?.[1];
      if (had) return had;
      const path = value.name === null ? null : variablePath(value.name);
      const name = names.fresh((path ?? "constant").replaceAll(".", "_").replace(/^(\d)/, "_$1"));
      if (kept) variables.push({ name, label: path && claimPath(path, paths), trained: value.trained, ...weightOf(value) });
      data.set(name, value.data);
      const made = leaf(name, (n) => ops.param({}, { name: n, dtype: value.dtype, shape: value.shape }));
      tables.set(value, made);
      if (isConstant(value)) constants.set(typeKey(value), [...(constants.get(typeKey(value)) ?? []), [value, made]]);
      return made;
    },
    input: (name, { dtype, shape }) => leaf(name, (n) => ops.input({}, { name: n, dtype, shape })),
    madeBy: (name) => made.get(name) ?? null,
    live: (name) => all.get(name) ?? null,
    steps,
    variables,
    leafData: (name) => data.get(name) ?? invariant(false, `${name} is not constant`)!,
    aside: () => recorder({ ...shared, paths: new Set() }, false),
  };
}

const isConstant = (value: Known): boolean => value.name === null && !value.trained;
const typeKey = ({ dtype, shape }: Known): string => `${dtype} ${shape.join()}`;
function isSame(a: Known, b: Known): boolean {
  if (!isConstant(a)) return false;
  for (let i = 0; i < a.data.length; i++) if (!Object.is(a.data[i], b.data[i])) return false;
  return true;
}

const weightOf = (value: Known): Weight => ({
  type: { dtype: value.dtype, shape: value.shape, layout: null },
  data: cellsOf(value),
});

/** The first label under which no parameter is known yet; null: none of them. */
function freeLabel(wanted: readonly (string | null)[], weights: readonly string[], paths: Set<string>): string | null {
  const free = (label: string) => weights.every((w) => !paths.has(`${label}.${w}`)) && !paths.has(label);
  const label = wanted.find((l): l is string => l !== null && free(l)) ?? null;
  if (label === null) return null;
  for (const w of weights) paths.add(`${label}.${w}`);
  paths.add(label);
  return label;
}
function claimPath(path: string, paths: Set<string>): string {
  let free = path;
  for (let n = 2; paths.has(free); n++) free = `${path}_${n}`;
  paths.add(free);
  return free;
}
