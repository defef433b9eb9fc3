/**
 * What names mean: every name that is read has one definition, nothing needs itself, and nodes are put in an order in which
 * values are made before they are read. The specification asks for that order; some files do not have it.
 */
import { fail } from "../../../ir/diagnostic.ts";
import { nodeLabel, quoted } from "./label.ts";
import type { OnnxAttribute, OnnxFunction, OnnxGraph, OnnxModel, OnnxNode } from "./model.ts";
import { topological } from "./topological.ts";

/** Names that can be read, and the graph around. */
interface Scope {
  readonly names: { has(name: string): boolean };
  readonly outer: Scope | null;
}
/** What graphs and bodies of functions have in common. `where` ends with a colon and a space. */
interface Body {
  readonly where: string;
  /** Each is defined before the nodes; a name may be in both lists. */
  readonly inputs: readonly string[];
  readonly constants: readonly string[];
  readonly nodes: readonly OnnxNode[];
  readonly outputs: readonly string[];
  /** Attributes of the function around, or null in the model's graph. */
  readonly parameters: ReadonlySet<string> | null;
}
interface Resolved {
  readonly nodes: readonly OnnxNode[];
  /** Names that are read and defined in graphs around. */
  readonly captured: ReadonlySet<string>;
}

export function resolveNames(model: OnnxModel, file: string): OnnxModel {
  const functions = model.functions.map((f) => resolveFunction(f, `${file}: function ${quoted(f.name)}: `));
  refuseRecursion(functions, file);
  return { ...model, graph: resolveGraph(model.graph, null, null, `${file}: `).graph, functions };
}

function resolveFunction(f: OnnxFunction, where: string): OnnxFunction {
  const parameters = new Set([...f.attributes, ...f.defaults.map((a) => a.name)]);
  const { nodes } = resolveBody({ where, inputs: f.inputs, constants: [], nodes: f.nodes, outputs: f.outputs, parameters }, null);
  return { ...f, nodes };
}

function resolveGraph(graph: OnnxGraph, outer: Scope | null, parameters: Body["parameters"], where: string) {
  const constants = [...graph.initializers.map((t) => t.name), ...graph.sparseInitializers.map((s) => s.values.name)];
  const inputs = graph.inputs.map((v) => v.name);
  const outputs = graph.outputs.map((v) => v.name);
  const { nodes, captured } = resolveBody({ where, inputs, constants, nodes: graph.nodes, outputs, parameters }, outer);
  return { graph: { ...graph, nodes }, captured };
}

function resolveBody(body: Body, outer: Scope | null): Resolved {
  const makers = makersOf(body, outer);
  const scope = { names: makers, outer };
  const captured = new Set<string>();
  /** The node that makes a value; null where there is none, in the graphs around for example. */
  const makerOf = (name: string, reader: () => string): number | null => {
    const maker = makers.get(name);
    if (maker !== undefined) return maker;
    if (!isVisible(name, outer)) fail("onnx", `${body.where}${reader()} ${quoted(name)}, which nothing makes`, null);
    captured.add(name);
    return null;
  };
  const needs: number[][] = [];
  const nodes = body.nodes.map((node, i) => {
    const inner = resolveSubgraphs(node, scope, body.parameters, `${body.where}${labelOf(node, i)}: `);
    const reads = [...node.inputs.filter((n) => n !== ""), ...inner.captured];
    needs.push(reads.map((name) => makerOf(name, () => `${labelOf(node, i)} reads`)).filter((m) => m !== null));
    return inner.node;
  });
  for (const name of body.outputs) makerOf(name, () => "an output is");
  return { nodes: inOrder(nodes, needs, body.where), captured };
}

/** Names that the body defines, with the node that makes them; null for what is there before. */
function makersOf({ inputs, constants, nodes, where }: Body, outer: Scope | null): ReadonlyMap<string, number | null> {
  const makers = new Map<string, number | null>();
  for (const names of [inputs, constants]) {
    const twice = repeated(names);
    if (twice !== null) fail("onnx", `${where}there are two ${names === inputs ? "inputs" : "initializers"} ${quoted(twice)}`, null);
    for (const name of names) makers.set(name, null);
  }
  nodes.forEach((node, i) => {
    for (const name of node.outputs.filter((n) => n !== "")) {
      if (makers.has(name) || isVisible(name, outer))
        fail("onnx", `${where}${labelOf(node, i)} makes ${quoted(name)}, which ${otherMaker(makers.get(name), nodes)} too`, null);
      makers.set(name, i);
    }
  });
  return makers;
}
function otherMaker(maker: number | null | undefined, nodes: readonly OnnxNode[]): string {
  if (maker === undefined) return "a graph around it defines";
  return maker === null ? "is an input or initializer" : `${labelOf(nodes[maker]!, maker)} makes`;
}
function repeated(names: readonly string[]): string | null {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) return name;
    seen.add(name);
  }
  return null;
}
function isVisible(name: string, scope: Scope | null): boolean {
  for (let s = scope; s; s = s.outer) if (s.names.has(name)) return true;
  return false;
}
const labelOf = ({ name, opType }: OnnxNode, index: number): string => nodeLabel(index, name, opType);

function resolveSubgraphs(node: OnnxNode, scope: Scope, parameters: Body["parameters"], where: string) {
  const captured = new Set<string>();
  const resolve = (graph: OnnxGraph, name: string): OnnxGraph => {
    const inner = resolveGraph(graph, scope, parameters, `${where}${name}: `);
    for (const c of inner.captured) captured.add(c);
    return inner.graph;
  };
  const attributes = node.attributes.map((a): OnnxAttribute => {
    if (a.kind === "reference") refuseUnknown(a, parameters, where);
    if (a.kind === "graph") return { ...a, value: resolve(a.value, a.name) };
    return a.kind === "graphs" ? { ...a, value: a.value.map((g, i) => resolve(g, `${a.name} ${i}`)) } : a;
  });
  return { node: { ...node, attributes }, captured };
}
function refuseUnknown(a: OnnxAttribute & { readonly kind: "reference" }, parameters: Body["parameters"], where: string): void {
  const what = `${where}attribute ${quoted(a.name)} is that of a call, ${quoted(a.value)}`;
  if (!parameters) fail("onnx", `${what}, but no function is around it`, null);
  else if (!parameters.has(a.value)) fail("onnx", `${what}, which the function does not declare`, null);
}

function inOrder(nodes: readonly OnnxNode[], needs: readonly (readonly number[])[], where: string): readonly OnnxNode[] {
  const sorted = topological(needs);
  if (sorted.kind === "order") return sorted.order.map((i) => nodes[i]!);
  const labels = sorted.cycle.slice(0, 8).map((i) => labelOf(nodes[i]!, i));
  return fail(
    "onnx",
    `${where}nodes need each other: ${labels.join(" reads from ")}${sorted.cycle.length > 8 ? " reads from ..." : ""}`,
    null,
  );
}

/* ---- functions ---- */

const keyOf = (domain: string, name: string, overload: string): string => JSON.stringify([domain, name, overload]);

function refuseRecursion(functions: readonly OnnxFunction[], file: string): void {
  const keys = functions.map((f) => keyOf(f.domain, f.name, f.overload));
  const twice = repeated(keys);
  if (twice !== null) fail("onnx", `${file}: there are two functions ${quoted(functions[keys.indexOf(twice)]!.name)}`, null);
  const places = new Map(keys.map((key, i) => [key, i]));
  const sorted = topological(functions.map((f) => [...callsIn(f.nodes, places)]));
  if (sorted.kind === "cycle")
    fail(
      "onnx",
      `${file}: functions call each other in a circle: ${sorted.cycle.map((i) => quoted(functions[i]!.name)).join(" calls ")}`,
      null,
    );
}

function callsIn(nodes: readonly OnnxNode[], places: ReadonlyMap<string, number>, calls = new Set<number>()): ReadonlySet<number> {
  for (const { domain, opType, overload, attributes } of nodes) {
    const place = places.get(keyOf(domain, opType, overload));
    if (place !== undefined) calls.add(place);
    for (const a of attributes) {
      if (a.kind === "graph") callsIn(a.value.nodes, places, calls);
      if (a.kind === "graphs") for (const g of a.value) callsIn(g.nodes, places, calls);
    }
  }
  return calls;
}
