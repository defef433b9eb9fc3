/** What `dlm diff` compares: the results of a target with those of the first one, then values inside where they differ. */

import { type Graph, type Node, topological } from "../../ir/graph/graph.ts";
import { sizeOf } from "../../ir/type.ts";
import { type Agreement, agreementOf, agrees, type Rule, rms } from "../compare/agreement.ts";
import { type Located, locate, type Observe } from "../compare/locate.ts";
import { watchable } from "../compare/watch.ts";
import type { TensorData } from "../formats/array.ts";
import { type Built, build, type Job, quiet, type Ran, runFrom, type Variables } from "./diff-run.ts";
import type { Target } from "./settings.ts";

/** The target that the others are compared with. */
export interface Base {
  readonly job: Job;
  readonly built: Built;
  /** A checkpoint of the variables before the run, for every target. */
  readonly start: Uint8Array<ArrayBuffer>;
  readonly inputs: Readonly<Record<string, TensorData>>;
  readonly ran: Ran;
  /** Of a training step: the gradients that reach the optimizer. */
  readonly gradients: Gradients;
  readonly valueOf: (numbers: readonly number[]) => Promise<Values>;
  /** Values of the graph by their place in its order. */
  readonly numbers: ReadonlyMap<Node, number>;
  /** Noise is compared with this. */
  readonly floor: number;
  readonly tolerance: number;
}
type Gradients = ReadonlyMap<string, ArrayLike<number>>;
type Values = ReadonlyMap<number, ArrayLike<number>>;

export type RowKind = "output" | "gradient" | "parameter" | "state" | "slot" | "value";
export interface Row {
  readonly kind: RowKind;
  readonly name: string;
  readonly node: Node;
  readonly number: number;
  readonly agreement: Agreement;
}

export async function openBase(job: Job, built: Built, start: Base["start"], inputs: Base["inputs"], tolerance: number): Promise<Base> {
  const ran = await runFrom(built, start, inputs, job);
  const gradients = await gradientsOf(job, built.target, start, inputs);
  const numbers = new Map(topological(built.subject.graph).map((n, i) => [n, i]));
  const known = remembered(job, built, start, inputs);
  return { job, built, start, inputs, ran, gradients, tolerance, valueOf: known, numbers, floor: gradientFloor(gradients) };
}

/** By a second program, which gives them as outputs. */
async function gradientsOf(job: Job, target: Target, start: Base["start"], inputs: Base["inputs"]): Promise<Gradients> {
  if (!job.train) return new Map();
  const built = await build({ ...job, io: quiet(job.io) }, target, { numbers: [], gradients: true });
  return (await runFrom(built, start, inputs, job)).seen.gradients;
}

/** Elements that are looked at in one run. */
const mostElements = 2 ** 24;

/** Values of the first target: all at once where memory allows, so that it runs once; else those that are asked for. */
function remembered(job: Job, { target, subject }: Built, start: Base["start"], inputs: Base["inputs"]): Base["valueOf"] {
  const known = new Map<number, ArrayLike<number>>();
  const all = watchable(subject.graph);
  const order = topological(subject.graph);
  const fits = all.reduce((sum, n) => sum + elementsOf(order[n]!), 0) <= mostElements;
  return async (numbers) => {
    const missing = numbers.filter((n) => !known.has(n));
    if (missing.length > 0) {
      const wanted = fits ? [...new Set([...all, ...missing])] : missing;
      if (!fits) known.clear();
      for (const [n, v] of await look(job, target, start, inputs, fits ? wanted : numbers)) known.set(n, v);
    }
    return known;
  };
}
const elementsOf = ({ type }: Node): number => sizeOf(type.shape);
async function look(job: Job, target: Target, start: Base["start"], inputs: Base["inputs"], numbers: readonly number[]): Promise<Values> {
  const built = await build({ ...job, io: quiet(job.io) }, target, { numbers, gradients: false });
  return (await runFrom(built, start, inputs, job)).seen.values;
}

/* ---- results ------------------------------------------------------------------------------------------------------- */

export interface Compared {
  readonly target: Target;
  readonly rows: readonly Row[];
}
export async function compareTarget(base: Base, built: Built): Promise<Compared> {
  const { job, start, inputs } = base;
  const { target } = built;
  const ran = await runFrom(built, start, inputs, job);
  const gradients = await gradientsOf(job, target, start, inputs);
  return { target, rows: [...outputRows(base, ran), ...gradientRows(base, gradients), ...variableRows(base, ran.variables, gradients)] };
}

function outputRows(base: Base, ran: Ran): Row[] {
  const { graph } = base.built.subject;
  return [...base.ran.seen.results].map(([name, expected], i) =>
    rowOf(base, "output", name, graph.outputs[i]!.value, ran.seen.results.get(name)!, expected),
  );
}
function gradientRows(base: Base, found: Gradients): Row[] {
  const { gradients } = base.built.subject;
  const { floor } = base;
  return [...base.gradients].map(([param, expected]) =>
    rowOf(base, "gradient", param, gradients.get(param)!, found.get(param)!, expected, { floor }),
  );
}
/**
 * Parameters, states and what optimizers remember, after the step. An optimizer may divide a gradient by its size: an element whose
 * gradient is little but rounding then moves either way, and is left out.
 */
function variableRows(base: Base, found: Variables, gradients: Gradients): Row[] {
  const { job, built, gradients: expectedGradients } = base;
  if (!job.train) return [];
  return built.subject.graph.updates.flatMap(({ target, value }) => {
    const kind = rowKinds[target.op.schema.name];
    if (!kind) return [];
    const name = String(target.attrs.name);
    const key = kind === "slot" ? `slot:${name}` : name;
    const [values, expected] = [found.get(key)!, base.ran.variables.get(key)!];
    const param = kind === "slot" ? name.slice(0, name.lastIndexOf(".")) : name;
    const [g, e] = [gradients.get(param), expectedGradients.get(param)];
    const isClear = (i: number) => Math.abs(g![i]! - e![i]!) <= clearGradient * Math.abs(e![i]!);
    const counts = g && e && e.length === expected.length ? { counts: isClear } : {};
    return [rowOf(base, kind, name, value, values, expected, counts)];
  });
}
/** How far a gradient may be off, relative to itself, where what an optimizer makes of it is compared. */
export const clearGradient = 1e-3;
const rowKinds: Readonly<Record<string, RowKind>> = { param: "parameter", state: "state", slot: "slot" };

function rowOf(
  { numbers, tolerance }: Base,
  kind: RowKind,
  name: string,
  node: Node,
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  more: Omit<Rule, "tolerance"> = {},
): Row {
  return { kind, name, node, number: numbers.get(node)!, agreement: agreementOf(found, expected, { tolerance, ...more }) };
}
/**
 * The gradient of a bias before a batch norm is zero plus noise: what single precision makes of a sum whose terms are as large as
 * the largest gradient, some millionths of it. So the rms of a gradient counts as at least this share of the largest: with the
 * default tolerance, 5e-6 of that passes.
 */
const gradientFloor = (gradients: Gradients): number => gradientShare * Math.max(0, ...[...gradients.values()].map(rms));
export const gradientShare = 5e-2;

/* ---- values inside ------------------------------------------------------------------------------------------------- */

const observer =
  (base: Base, target: Target): Observe =>
  async (numbers) => {
    const { job, start, inputs, tolerance, floor } = base;
    const expected = await base.valueOf(numbers);
    const found = await look(job, target, start, inputs, numbers);
    return new Map(numbers.map((n) => [n, agreementOf(found.get(n)!, expected.get(n)!, { tolerance, floor })]));
  };

/** Where the first of the rows that differ comes from; null: all agree. */
export async function locateDifference(base: Base, { target, rows }: Compared): Promise<Located | null> {
  const wrong = rows.filter((r) => !agrees(r.agreement)).sort((a, b) => a.number - b.number)[0];
  return wrong ? locate(base.built.subject.graph, wrong.number, wrong.agreement, observer(base, target)) : null;
}

/** Every value, as many in a run as memory allows. */
export async function valueRows(base: Base, target: Target): Promise<readonly Row[]> {
  const { graph } = base.built.subject;
  const order = topological(graph);
  const observe = observer(base, target);
  const rows: Row[] = [];
  for (const numbers of portions(graph))
    for (const [number, agreement] of await observe(numbers)) {
      const node = order[number]!;
      rows.push({ kind: "value", name: node.op.schema.name, node, number, agreement });
    }
  return rows;
}
function portions(graph: Graph): readonly (readonly number[])[] {
  const order = topological(graph);
  const parts: number[][] = [];
  let room = 0;
  for (const n of watchable(graph)) {
    const size = elementsOf(order[n]!);
    if (parts.length > 0 && size <= room) parts.at(-1)!.push(n);
    else parts.push([n]);
    room = (parts.at(-1)!.length === 1 ? mostElements : room) - size;
  }
  return parts;
}

/** The first of all values that differs; what lies before it has been looked at. */
export function firstDifference(rows: readonly Row[]): Located | null {
  const first = rows.find((r) => !agrees(r.agreement));
  if (!first) return null;
  const right = rows.filter((r) => agrees(r.agreement)).map((r) => [r.number, r.agreement] as const);
  return { node: first.node, number: first.number, agreement: first.agreement, together: [], right: new Map(right) };
}
