/** A sketch as nodes over numbered values: what the search for structure works on. */
import { invariant } from "../../ir/diagnostic.ts";
import type { DType } from "../../ir/type.ts";
import { isUpperCase } from "../frontend/elaborate/paths.ts";
import { labelFrom } from "./label-text.ts";
import { printTerm } from "./print-term.ts";
import { type Call, int, mapTerm, type OpenType, type Sketch, type Step, type Term, type Variable, value, type Weight } from "./sketch.ts";
import { type Constant, newTemplates, type Template } from "./template.ts";

/** A value of the program, by number. */
export type Value = number;

/** A step: a call or an operator. */
export interface Leaf {
  readonly kind: "leaf";
  readonly template: Template;
  readonly operands: readonly Value[];
  readonly constants: readonly Constant[];
  readonly results: readonly Value[];
  /** Of a layer call. */
  readonly layer: boolean;
  readonly label: string | null;
  readonly weights: ReadonlyMap<string, Weight>;
}
/** A declaration of a parameter or state; the constants are its extents. */
export interface Declared {
  readonly kind: "variable";
  readonly word: "param" | "state";
  readonly dtype: DType;
  readonly operands: readonly [];
  readonly constants: readonly Term[];
  readonly results: readonly [Value];
  readonly label: string | null;
  readonly weight: Weight;
}
/** An application of a layer (or function) that was found: nodes of one form. */
export interface Group {
  readonly kind: "group";
  readonly form: number;
  readonly nodes: readonly Node[];
  readonly operands: readonly Value[];
  readonly results: readonly [Value];
}
export type Node = Leaf | Declared | Group;

export interface Program {
  readonly nodes: readonly Node[];
  readonly inputs: readonly { readonly name: string; readonly value: Value }[];
  readonly outputs: readonly { readonly name: string; readonly value: Value }[];
  /** By value; null where unknown. */
  readonly types: readonly (OpenType | null)[];
}

/** Steps in the order of the sketch; a variable is declared in front of its first use. */
export function programOf(sketch: Sketch): Program {
  const ids = new Map<string, Value>();
  const names: string[] = [];
  const define = (name: string): Value => {
    invariant(!ids.has(name), `the sketch binds ${name} twice`);
    ids.set(name, names.length);
    return names.push(name) - 1;
  };
  const find = (name: string): Value => {
    const id = ids.get(name);
    invariant(id !== undefined, `the sketch uses ${name} before it is bound`);
    return id;
  };
  const templates = newTemplates();
  const inputs = sketch.inputs.map(({ name }) => ({ name, value: define(name) }));
  const waiting = new Map(sketch.variables.map((v) => [v.name, v]));
  const nodes: Node[] = [];
  const use = (name: string): Value => {
    const v = waiting.get(name);
    if (v) nodes.push(declared(v, define(name)));
    waiting.delete(name);
    return find(name);
  };
  for (const step of sketch.steps.flatMap(apart)) {
    const { term, results } = step;
    if (term.kind === "value" && results.length === 1) {
      ids.set(results[0]!, use(term.name));
      continue;
    }
    const { template, operands, constants } = templates(term);
    const values = operands.map(use);
    nodes.push({ kind: "leaf", template, constants, operands: values, results: results.map(define), ...ofLayer(step) });
  }
  const outputs = sketch.outputs.map(({ name, value }) => ({ name, value: use(value) }));
  const types = names.map((name) => sketch.types?.get(name) ?? null);
  for (const { name, type } of sketch.inputs) types[find(name)] = type;
  return { nodes, inputs, outputs, types };
}
const declared = (v: Variable, result: Value): Declared => ({
  kind: "variable",
  word: v.trained ? "param" : "state",
  dtype: v.type.dtype,
  operands: [],
  constants: v.type.shape.map(int),
  results: [result],
  label: v.label === null ? null : labelFrom(v.label),
  weight: v,
});
function ofLayer({ term, weights }: Step): Pick<Leaf, "layer" | "label" | "weights"> {
  const layer = term.kind === "call" && isUpperCase(term.callee);
  invariant(layer || weights.size === 0, "a step with weights is no layer");
  return { layer, label: layer && term.label !== null ? labelFrom(term.label) : null, weights };
}

/** Layers inside of other terms become steps of their own. */
function apart(step: Step): readonly Step[] {
  const before: Step[] = [];
  const term = separated(step.term, true, (call) => {
    const name = `${step.results[0]}/${before.length}`;
    before.push({ results: [name], term: call, weights: step.weights });
    return value(name);
  });
  invariant(before.length < 2 || step.weights.size === 0, "a step with weights applies several layers");
  return before.length === 0 ? [step] : [...before, { ...step, term, weights: new Map() }];
}
function separated(t: Term, outermost: boolean, out: (call: Call) => Term): Term {
  const inside = mapTerm(t, (x) => separated(x, false, out));
  return inside.kind === "call" && isUpperCase(inside.callee) && !outermost ? out(inside) : inside;
}

/** How nodes are compared. */
export type TokenOf = (node: Node) => string;
/** What a node does, without values and numbers. */
export const looseToken: TokenOf = (node) => {
  switch (node.kind) {
    case "leaf":
      return `t${node.template.id}`;
    case "variable":
      return `${node.word} ${node.dtype}${node.constants.length}`;
    case "group":
      return `g${node.form}`;
  }
};
/** With the numbers that say what it does. */
export const strictToken: TokenOf = (node) => {
  if (node.kind !== "leaf") return looseToken(node);
  const numbers = node.template.slots.flatMap((slot, i) => (slot.telling ? [printTerm(node.constants[i]!)] : []));
  return [looseToken(node), ...numbers].join("/");
};

/** It has parameters or states. */
export function ownsWeights(node: Node): boolean {
  return node.kind === "group" ? node.nodes.some(ownsWeights) : node.kind === "variable" || node.layer;
}
