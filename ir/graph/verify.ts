/**
 * What every pass may rely on: operands, attributes and types agree with the operations; leaves have unique names; the
 * signature lists every input; updates go to variables of equal type, once each. Nodes never change, so there is no cycle.
 */
import type { Op } from "../op.ts";
import { dtypes, printType, type Shape, sameType, type TensorType } from "../type.ts";
import { fits } from "./attribute.ts";
import { type Attrs, type Graph, type Node, topological } from "./graph.ts";
import { isVariable, nameNodes } from "./print.ts";

/** What is wrong, one sentence each; empty when all is well. */
export function verifyGraph(g: Graph): readonly string[] {
  const nodes = [...new Set([...g.inputs, ...topological(g)])];
  return [...verifyNodes(g, nodes), ...verifyLeaves(nodes), ...verifySignature(g, nodes), ...verifyUpdates(g)];
}

/** All that the soundness of one node depends on, beside its attributes. */
interface Sound {
  readonly op: Op;
  readonly operands: readonly TensorType[];
  readonly type: TensorType;
}
/** By attributes. Nothing here ever changes, and most nodes go through a pass as they are, or with other operands of the same types. */
const sound = new WeakMap<Attrs, Sound>();
function isSound({ op, inputs, attrs, type }: Node): boolean {
  const known = sound.get(attrs);
  if (known?.op !== op || known.type !== type || known.operands.length !== inputs.length) return false;
  return inputs.every((x, i) => x.type === known.operands[i] || sameType(x.type, known.operands[i]!));
}
function verifyNodes(g: Graph, nodes: readonly Node[]): string[] {
  const wrong = new Map<Node, readonly string[]>();
  for (const n of nodes) {
    if (isSound(n)) continue;
    const problems = verifyNode(n);
    if (problems.length > 0) wrong.set(n, problems);
    else sound.set(n.attrs, { op: n.op, operands: n.inputs.map((x) => x.type), type: n.type });
  }
  if (wrong.size === 0) return [];
  const named = nameNodes(g);
  return [...wrong].flatMap(([n, problems]) => problems.map((problem) => `${named.get(n)} = ${n.op.schema.name}: ${problem}`));
}
function verifyNode(n: Node): string[] {
  const problems = [...verifyOperands(n), ...verifyAttrs(n), ...verifyType(n.type)];
  return problems.length ? problems : verifyInference(n);
}
function verifyOperands({ op, inputs }: Node): string[] {
  const { inputs: expected } = op.schema;
  const variadic = expected.at(-1)?.startsWith("...") ?? false;
  const right = variadic ? inputs.length >= expected.length - 1 : inputs.length === expected.length;
  return right ? [] : [`takes (${expected.join(", ")}), has ${inputs.length} operands`];
}
function verifyAttrs({ op, attrs }: Node): string[] {
  const { attrs: specs } = op.schema;
  const unknown = Object.keys(attrs).filter((key) => !(key in specs));
  const wrong = Object.entries(specs).filter(([key, { kind }]) => attrs[key] === undefined || !fits(kind, attrs[key]));
  return [
    ...unknown.map((key) => `has no attribute ${key}`),
    ...wrong.map(([key, { kind }]) => `attribute ${key} must be ${kind}, is ${String(attrs[key])}`),
  ];
}
function verifyType(t: TensorType): string[] {
  const problems: string[] = [];
  if (!dtypes.includes(t.dtype)) problems.push(`there is no element type ${t.dtype}`);
  if (!t.shape.every((d) => Number.isInteger(d) && d > 0)) problems.push(`extents of ${printType(t)} must be positive integers`);
  if (t.layout && !coversAxes(t.shape, t.layout.dims)) problems.push(`the layout of ${printType(t)} must mention each axis and no other`);
  return problems;
}
const coversAxes = (shape: Shape, dims: readonly { readonly axis: number }[]): boolean =>
  dims.every((d) => d.axis < shape.length) && shape.every((_, axis) => dims.some((d) => d.axis === axis));

function verifyInference(n: Node): string[] {
  try {
    const type = n.op.infer(
      n.inputs.map((x) => x.type),
      n.attrs,
    );
    return sameType(type, n.type) ? [] : [`should be ${printType(type)}, is ${printType(n.type)}`];
  } catch (e) {
    return [e instanceof Error ? e.message : String(e)];
  }
}

function verifyLeaves(nodes: readonly Node[]): string[] {
  const leaves = nodes.filter((n) => isVariable(n) || n.op.schema.name === "input").map((n) => `${n.op.schema.name} "${n.attrs.name}"`);
  return twice(leaves).map((leaf) => `${leaf} occurs as several nodes`);
}
function verifySignature(g: Graph, nodes: readonly Node[]): string[] {
  return [
    ...g.inputs.filter((x) => x.op.schema.name !== "input").map((x) => `the signature lists a ${x.op.schema.name}`),
    ...(new Set(g.inputs).size < g.inputs.length ? ["the signature lists an input twice"] : []),
    ...nodes
      .filter((n) => n.op.schema.name === "input" && !g.inputs.includes(n))
      .map((n) => `input "${n.attrs.name}" is not in the signature`),
    ...twice(g.outputs.map((o) => o.name)).map((name) => `output "${name}" occurs twice`),
  ];
}
function verifyUpdates(g: Graph): string[] {
  const target = (n: Node) => `${n.op.schema.name} "${n.attrs.name}"`;
  return [
    ...g.updates.filter((u) => !isVariable(u.target)).map((u) => `update of ${u.target.op.schema.name}, which is no variable`),
    ...g.updates
      .filter((u) => !sameType(u.target.type, u.value.type))
      .map((u) => `update of ${target(u.target)}: ${printType(u.value.type)} into ${printType(u.target.type)}`),
    ...twice(g.updates.map((u) => target(u.target))).map((t) => `${t} is updated twice`),
  ];
}
function twice(list: readonly string[]): string[] {
  const seen = new Set<string>();
  const again = list.filter((x) => seen.size === seen.add(x).size);
  return [...new Set(again)];
}
