/** The nodes of a graph in order, with calls of the model's own functions replaced by their bodies. */
import { fail } from "../../../ir/diagnostic.ts";
import type { OnnxAttribute, OnnxFunction, OnnxGraph, OnnxModel, OnnxNode } from "../../formats/onnx/model.ts";

/** A node and the operator sets that it speaks. */
export interface Task {
  readonly node: OnnxNode;
  readonly opsets: ReadonlyMap<string, number>;
}
type Functions = ReadonlyMap<string, OnnxFunction>;
const key = (f: { readonly domain: string; readonly name: string; readonly overload: string }): string =>
  `${f.domain} ${f.name} ${f.overload}`;

/** Most nodes that calls of functions may become. */
const mostNodes = 2 ** 18;

/** `scope` stands before the names of values inside of functions. */
export function tasksOf(nodes: readonly OnnxNode[], model: OnnxModel, scope = ""): Task[] {
  const functions: Functions = new Map(model.functions.map((f) => [key(f), f]));
  const tasks: Task[] = [];
  let [calls, seen] = [0, 0];
  const open = nodes.map((node): Task => ({ node, opsets: model.opsets })).reverse();
  for (let task = open.pop(); task; task = open.pop()) {
    const { node } = task;
    if (++seen > mostNodes) fail("onnx", `calls of the model's functions become more than ${mostNodes} nodes`, null);
    const f = functions.get(key({ ...node, name: node.opType }));
    if (f) open.push(...inlined(f, node, `${scope}${f.name}_${++calls}`).reverse());
    else tasks.push(task);
  }
  return tasks;
}

/** The body of a function with the values of one call; its own values get a name of their own. */
function inlined(f: OnnxFunction, call: OnnxNode, prefix: string): Task[] {
  const outside = new Map<string, string>();
  for (const [i, name] of f.inputs.entries()) outside.set(name, call.inputs[i] ?? "");
  for (const [i, name] of f.outputs.entries()) if (call.outputs[i]) outside.set(name, call.outputs[i]!);
  const rename = (name: string): string => (name === "" ? "" : (outside.get(name) ?? `${prefix}/${name}`));
  const given = new Map([...f.defaults, ...call.attributes].map((a) => [a.name, a]));
  const scope = call.name === "" ? "" : `${call.name}/`;
  return f.nodes.map((node) => ({
    node: { ...renamed(node, rename, given), name: node.name && `${scope}${node.name}` },
    opsets: f.opsets,
  }));
}
type Given = ReadonlyMap<string, OnnxAttribute>;
function renamed(node: OnnxNode, rename: (name: string) => string, given: Given): OnnxNode {
  const attributes = node.attributes.flatMap((a) => resolved(a, rename, given));
  return { ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename), attributes };
}
/** A reference takes the attribute of the call; without one the attribute is left out. */
function resolved(a: OnnxAttribute, rename: (name: string) => string, given: Given): OnnxAttribute[] {
  if (a.kind === "reference") {
    const value = given.get(a.value);
    return value ? [{ ...value, name: a.name }] : [];
  }
  if (a.kind === "graph") return [{ ...a, value: renamedGraph(a.value, rename, given) }];
  return a.kind === "graphs" ? [{ ...a, value: a.value.map((g) => renamedGraph(g, rename, given)) }] : [a];
}
/** The graph with its own values in a scope: others may have values of the same names. */
export function scoped(g: OnnxGraph, scope: string): OnnxGraph {
  const own = new Set([
    ...g.nodes.flatMap((n) => n.outputs),
    ...g.initializers.map((t) => t.name),
    ...g.sparseInitializers.map((s) => s.values.name),
    ...g.inputs.map((v) => v.name),
  ]);
  return renamedGraph(g, (name) => (name !== "" && own.has(name) ? `${scope}${name}` : name), new Map());
}
const renamedGraph = (g: OnnxGraph, rename: (name: string) => string, given: Given): OnnxGraph => ({
  ...g,
  nodes: g.nodes.map((n) => renamed(n, rename, given)),
  initializers: g.initializers.map((t) => ({ ...t, name: rename(t.name) })),
  sparseInitializers: g.sparseInitializers.map((s) => ({ ...s, values: { ...s.values, name: rename(s.values.name) } })),
  inputs: g.inputs.map((v) => ({ ...v, name: rename(v.name) })),
  outputs: g.outputs.map((v) => ({ ...v, name: rename(v.name) })),
});

/** Graphs inside of a node. */
export const subgraphsOf = (node: OnnxNode): readonly OnnxGraph[] =>
  node.attributes.flatMap((a) => (a.kind === "graph" ? [a.value] : a.kind === "graphs" ? a.value : []));

/** Who reads each value: the tasks, and -- as null -- graphs inside of nodes. */
export function readersOf(tasks: readonly Task[]): ReadonlyMap<string, readonly (Task | null)[]> {
  const readers = new Map<string, (Task | null)[]>();
  const note = (name: string, reader: Task | null) => {
    const list = readers.get(name) ?? [];
    list.push(reader);
    readers.set(name, list);
  };
  const inside = (g: OnnxGraph): void => {
    for (const o of g.outputs) note(o.name, null);
    for (const node of g.nodes) {
      for (const name of node.inputs) note(name, null);
      for (const sub of subgraphsOf(node)) inside(sub);
    }
  };
  for (const task of tasks) {
    for (const name of task.node.inputs) if (name !== "") note(name, task);
    for (const g of subgraphsOf(task.node)) inside(g);
  }
  return readers;
}
