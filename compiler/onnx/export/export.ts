/**
 * A model as ONNX: layers that ONNX knows become its operators, everything else is spelled in the operations that it consists
 * of. Values are emitted when something asks for them, so nothing is exported that no output needs.
 */
import { invariant } from "../../../ir/diagnostic.ts";
import { type Graph, type Node, topological } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";
import type { Application } from "../../frontend/elaborate/session.ts";
import type { Draft, DraftValue } from "./draft.ts";
import { type Emitted, type Emitter, newEmitter } from "./emitter.ts";
import { callOf, type LayerCall, type LayerRule, layerRules } from "./layers.ts";
import { type Primitive, primitives, refuse, unsayable } from "./primitives.ts";

export interface ExportSource {
  readonly name: string;
  readonly doc: string | null;
  /** Of prediction, differentiated, before any other pass. */
  readonly graph: Graph;
  readonly applications: readonly Application[];
}
export function draftOf({ name, doc, graph, applications }: ExportSource): Draft {
  const layers = layersOf(applications);
  const names = new Map(graph.inputs.map((n) => [n, String(n.attrs.name)]));
  const leaves = topological(graph).filter((n) => n.op === ops.param || n.op === ops.state);
  const outputs = graph.outputs.map((o) => ({ name: o.name, node: o.value }));
  const taken = [...names.values(), ...leaves.map((n) => String(n.attrs.name)), ...outputs.map((o) => o.name)];
  let path = "";
  const emitter: Emitter & Emitted = newEmitter(
    taken,
    (node) => names.get(node) ?? emit(node),
    () => path,
  );

  function emit(node: Node): string {
    const layer = layers.get(node);
    const before = path;
    path = layer?.call.path ?? node.origin?.path ?? "";
    const name = (layer && emitLayer(layer, emitter, names, node)) ?? emitPrimitive(node, emitter);
    path = before;
    names.set(node, name);
    return name;
  }
  // In an order in which operands come first, so that the recursion above stays shallow.
  for (const node of needed(
    outputs.map((o) => o.node),
    layers,
  ))
    emitter.read(node);
  const results = outputs.map(({ name: output, node }) => ({ output, value: emitter.read(node), node }));
  path = "";
  // An output has a name of its own, whatever its value is called.
  const nodes = [...emitter.nodes, ...results.map(({ output, value }) => identity(output, value))];
  return {
    name,
    doc,
    nodes,
    constants: emitter.constants,
    variables: leaves.filter((n) => emitter.variables.has(String(n.attrs.name))),
    inputs: graph.inputs.map((n) => typed(String(n.attrs.name), n)),
    outputs: results.map(({ output, node }) => typed(output, node)),
  };
}
const identity = (output: string, input: string) => ({
  name: output,
  opType: "Identity",
  domain: "",
  overload: "",
  doc: "",
  inputs: [input],
  outputs: [output],
  attributes: [],
});
const typed = (name: string, { type }: Node): DraftValue => ({ name, dtype: type.dtype, shape: type.shape });

/* ---- layers ---------------------------------------------------------------------------------------------------- */

interface Layer {
  readonly call: LayerCall;
  readonly rule: LayerRule;
}
/** By each tensor of its result, the outermost application of a standard layer that has a rule. */
function layersOf(applications: readonly Application[]): ReadonlyMap<Node, Layer> {
  const layers = new Map<Node, Layer>();
  for (const a of applications) {
    const rule = a.standard ? layerRules[a.callee] : undefined;
    if (!rule) continue;
    const call = callOf(a);
    for (const node of call.results) layers.set(node, { call, rule });
  }
  return layers;
}
/** The name of `node`, and of all other results of its layer; null where the layer has no operator. */
function emitLayer({ call, rule }: Layer, e: Emitter, names: Map<Node, string>, node: Node): string | null {
  const results = rule(call, e);
  if (!results) return null;
  call.results.forEach((n, i) => {
    names.set(n, results[i]!);
  });
  return names.get(node)!;
}

/** Nodes that will be asked for, operands first; what is inside a layer's application is not. */
function needed(roots: readonly Node[], layers: ReadonlyMap<Node, Layer>): readonly Node[] {
  const done = new Set<Node>();
  const order: Node[] = [];
  const operandsOf = (n: Node): readonly Node[] => {
    const layer = layers.get(n);
    if (layer) return [layer.call.tensor("x")];
    return unsayable.has(n.op) ? [] : n.inputs;
  };
  const stack = [...roots].reverse().map((node) => ({ node, next: 0 }));
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const operand = done.has(top.node) ? undefined : operandsOf(top.node)[top.next++];
    if (operand) {
      if (!done.has(operand)) stack.push({ node: operand, next: 0 });
      continue;
    }
    stack.pop();
    if (!done.has(top.node)) order.push(top.node);
    done.add(top.node);
  }
  return order;
}

/* ---- operations ------------------------------------------------------------------------------------------------ */

const ruleOf: ReadonlyMap<Node["op"], Primitive> = new Map(
  Object.entries(primitives).map(([name, rule]) => [ops[name as keyof typeof ops], rule]),
);

function emitPrimitive(node: Node, e: Emitter): string {
  if (node.op === ops.param || node.op === ops.state) return e.variable(String(node.attrs.name));
  if (unsayable.has(node.op)) return refuse(node);
  const rule = ruleOf.get(node.op);
  if (rule) return rule(node, node.inputs.map(e.read), e);
  invariant(node.op.decompose, `${node.op.schema.name} has no counterpart in ONNX`);
  return e.read(node.op.decompose(node));
}
