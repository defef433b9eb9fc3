/** What a body consists of before it is text: steps and loops over values, with labels and numbers in place. */
import { isUpperCase } from "../frontend/elaborate/paths.ts";
import { isStage } from "./print-flow.ts";
import type { Declared, Node, Value } from "./program.ts";
import type { Term } from "./sketch.ts";
import { type Constant, fill } from "./template.ts";

/** A node with the label and numbers that its text has. */
export interface Written {
  readonly node: Node;
  readonly label: string | null;
  readonly constants: readonly Constant[];
  /** Of a group: what its declaration is called, and its parameters. */
  readonly callee: {
    readonly name: string;
    readonly parameters: readonly { readonly name: string; readonly fallback: Term | null }[];
  } | null;
}

/** What decides where a pipeline ends. */
export type Role = "group" | "layer" | "norm" | "pool" | "shape" | "function";
export interface StepItem {
  readonly kind: "step";
  readonly operands: readonly Value[];
  readonly results: readonly Value[];
  readonly build: (operands: readonly Term[]) => Term;
  /** null: an operator, whose operands stand in an expression. */
  readonly role: Role | null;
  /** The first operand is what a pipeline carries. */
  readonly piped: boolean;
  /** The operands stand in a list. */
  readonly listed: boolean;
}
/** One value through a series of calls again and again; each call takes the value by the same name. */
export interface LoopItem {
  readonly kind: "loop";
  readonly source: Value;
  /** Other values that the calls take. */
  readonly operands: readonly Value[];
  readonly results: readonly [Value];
  readonly build: (source: Term) => readonly Term[];
  readonly header: string;
}
export interface VariableItem {
  readonly kind: "variable";
  readonly node: Declared;
  readonly label: string;
  readonly extents: readonly Constant[];
}
export type Item = StepItem | LoopItem | VariableItem;

export function itemOf(w: Written): StepItem | VariableItem {
  const { node, constants } = w;
  if (node.kind === "variable") return { kind: "variable", node, label: w.label!, extents: constants };
  const { operands, results } = node;
  return {
    kind: "step",
    operands,
    results,
    build: (values) => termOf(w, values),
    role: roleOf(node),
    piped: isPiped(node),
    listed: firstArgument(node) === "list",
  };
}
const value = (v: Value): Term => ({ kind: "value", name: String(v) });
export const valuesOf = (operands: readonly Value[]): readonly Term[] => operands.map(value);

export function termOf({ node, label, constants, callee }: Written, operands: readonly Term[]): Term {
  if (node.kind === "leaf") return fill(node.template, operands, constants, label);
  const given = callee!.parameters.map((p, i) => [p, constants[i]!] as const);
  const plain = given.findIndex(([p], i) => i > 0 && !/\d$/.test(p.name));
  const positional = new Set(given.slice(0, plain < 0 ? given.length : plain).flatMap(([p]) => (p.fallback === null ? [p] : [])));
  return {
    kind: "call",
    callee: callee!.name,
    args: [...operands, ...given.flatMap(([p, c]) => (positional.has(p) && c ? [c] : []))],
    named: Object.fromEntries(given.flatMap(([p, c]) => (!positional.has(p) && c ? [[p.name, c]] : []))),
    label,
  };
}

const shapes = /^(flatten|reshape|permute|transpose|squeeze|unsqueeze)$/;
const largestUnit = 4;
function roleOf(node: Node): Role | null {
  if (node.kind === "variable") return null;
  // A convolution with its normalisation is not more than a layer.
  if (node.kind === "group") return node.nodes.length <= largestUnit && node.nodes.every((n) => n.kind === "leaf") ? "layer" : "group";
  const { callee } = node.template;
  if (callee === "") return null;
  if (isUpperCase(callee)) return /Norm$/.test(callee) ? "norm" : "layer";
  return /pool/.test(callee) ? "pool" : shapes.test(callee) ? "shape" : "function";
}
const isPiped = (node: Node): boolean => firstArgument(node) === "value" && (node.kind !== "leaf" || isStage(node.template.callee));
function firstArgument(node: Node): Term["kind"] | null {
  if (node.kind !== "leaf") return "value";
  const { term } = node.template;
  return term.kind === "call" ? (term.args[0]?.kind ?? null) : null;
}
