/** What a rule sees of the node it translates, and how it writes. */
import { sizeOf } from "../../../ir/type.ts";
import type { Term } from "../../decompile/sketch.ts";
import type { OnnxElementType } from "../../formats/onnx/element-type.ts";
import type { OnnxGraph, OnnxNode, OnnxTensor } from "../../formats/onnx/model.ts";
import type { Attributes } from "./attributes.ts";
import { labelByName, labelOfNode, labelOfParameter } from "./names.ts";
import type { Recorder } from "./recorder.ts";
import { type Known, type Live, misfit, type Operand, unsupported } from "./values.ts";

export interface Context {
  readonly node: OnnxNode;
  /** Version of the operator set. */
  readonly opset: number;
  readonly attributes: Attributes;
  /** null: left out. */
  readonly inputs: readonly (Operand | null)[];
  /** Whether somebody reads result i. */
  readonly wanted: (i: number) => boolean;
  readonly recorder: Recorder;
  /** All operands are known, and so will be the result. */
  readonly folding: boolean;
  /** Whether another node reads this initializer too. */
  readonly shared: (value: Known) => boolean;
  readonly constant: (tensor: OnnxTensor) => Known;
  /** The results of a graph inside of the node, which is computed here. */
  readonly subgraph: (graph: OnnxGraph) => readonly (Operand | null)[];
  readonly warn: (text: string) => void;
}
/** The results, in order; null: one that nobody wants. */
export type Rule = (c: Context) => Operand | readonly (Operand | null)[];

/** The element type of a result: that of an operand, or one that it always has. */
export type ResultType = number | OnnxElementType;
/** An operator that the importer knows. */
export interface Operator {
  readonly rule: Rule;
  /** Its attributes in all versions. */
  readonly attributes: readonly string[];
  /** Element types of its results, the last one for all that follow; null: the rule says it. */
  readonly results: readonly ResultType[] | null;
  /** Integers may leave the range of their type: they wrap. */
  readonly wraps: boolean;
  /** What it gives follows from its operands and attributes: constants may be computed while importing. */
  readonly folds: boolean;
}
export const operator = (
  rule: Rule,
  attributes: readonly string[] = [],
  more: Partial<Pick<Operator, "results" | "wraps" | "folds">> = {},
): Operator => ({ rule, attributes, results: [0], wraps: false, folds: true, ...more });
export type Operators = Readonly<Record<string, Operator>>;

/* ---- operands ---------------------------------------------------------------------------------------------------- */

export const optional = (c: Context, i: number): Operand | null => c.inputs[i] ?? null;
export const operand = (c: Context, i: number): Operand => optional(c, i) ?? misfit(`operand ${i} is missing`);
export const isKnown = (o: Operand | null): o is Known => o?.kind === "known";
/** An operand that decides about shapes: it must not depend on the model's inputs. */
export function knownOperand(c: Context, i: number, what: string): Known | null {
  const o = optional(c, i);
  if (o === null) return null;
  return isKnown(o) ? o : unsupported(`${what} must not depend on the model's inputs: dlm has to know it while compiling`);
}
export function intsOperand(c: Context, i: number, what: string): number[] | null {
  const o = knownOperand(c, i, what);
  return o && Array.from(o.data);
}
export const floatOperand = (c: Context, i: number, what: string): number | null => knownOperand(c, i, what)?.data[0] ?? null;

/** An attribute that became an operand in a later version. */
export const intsEither = (c: Context, name: string, i: number, since: number): readonly number[] | null =>
  c.opset < since ? c.attributes.ints(name) : intsOperand(c, i, `its ${name}`);

/** Axes count from the end where they are negative. */
export function axisIn(axis: number, rank: number): number {
  const at = axis < 0 ? axis + rank : axis;
  return at >= 0 && at < Math.max(1, rank) ? at : misfit(`there is no axis ${axis} in a tensor of ${rank} dimensions`);
}
export const axesIn = (axes: readonly number[], rank: number): number[] => axes.map((a) => axisIn(a, rank));

/** 0 keeps an extent (unless `zeros`), -1 is what is left. */
export function extentsOf(from: readonly number[], wanted: readonly number[], zeros = false): readonly number[] {
  const kept = wanted.map((d, a) => (d === 0 && !zeros ? (from[a] ?? misfit(`there is no axis ${a} to keep`)) : d));
  const size = sizeOf(from);
  const rest = kept.reduce((n, d) => (d === -1 ? n : n * d), 1);
  const to = kept.map((d) => (d === -1 ? (rest === 0 ? 0 : size / rest) : d));
  if (sizeOf(to) !== size || !to.every(Number.isInteger)) return misfit(`[${from.join(", ")}] does not reshape to [${wanted.join(", ")}]`);
  return to;
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

/** `Conv` to `conv`: what a result is called where its own name says nothing. */
const hintOf = (c: Context): string => {
  const own = c.node.outputs[0] ?? "";
  if (/^[a-z]\w*$/i.test(own) && !/\d{3,}|output/i.test(own)) return own;
  return snake(c.node.opType);
};
const snake = (name: string): string => name.replace(/([a-z])([A-Z])/g, "$1_$2").toLowerCase();

export const emit = (c: Context, term: Term): Live => emitAll(c, term, 1)[0]!;
export const emitAll = (c: Context, term: Term, count: number): readonly Live[] =>
  c.recorder.emit(term, hintOf(c), count).map((name) => c.recorder.live(name)!);

export interface LayerRequest {
  readonly call: Extract<Term, { kind: "call" }>;
  readonly weights: Readonly<Record<string, Known | null>>;
  /** Parameters that may give the layer its name, best first. */
  readonly named: readonly (Known | null)[];
  /** Of several layers under one label: what tells this one from the first. */
  readonly suffix?: string;
}
export const emitLayer = (c: Context, request: LayerRequest): Live => c.recorder.live(emitResults(c, request, 1)[0]!)!;
/** A layer that gives a list: the names of its items. */
export function emitResults(c: Context, { call, weights, named, suffix = "" }: LayerRequest, count: number): readonly string[] {
  const names = named.map((w) => w?.name ?? null);
  const labels = [...names.map(labelOfParameter), labelOfNode(c.node.name, c.node.opType), ...names.map(labelByName)];
  return c.recorder.layer({ call, labels: labels.map((l) => l && `${l}${suffix}`), weights }, hintOf(c), count);
}
