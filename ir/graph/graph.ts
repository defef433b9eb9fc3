/**
 * The graph IR: tensors and the operations between them.
 *
 * A node is one operation and its one result. Nodes never change and are shared by identity: a graph is whatever its
 * outputs and updates reach. A pass builds new nodes and leaves the old ones alone.
 */
import type { Span } from "../diagnostic.ts";
import type { Op } from "../op.ts";
import type { DType, Shape, TensorType } from "../type.ts";

/** Attribute values; lists are of integers or numbers. */
export type Attr = number | boolean | string | readonly number[];
export type Attrs = Readonly<Record<string, Attr>>;

/** Where in the user's program a node comes from. */
export interface Origin {
  readonly span: Span | null;
  /** Path of the instance: `layer1.0.conv1`. */
  readonly path: string;
}
export interface Node {
  readonly op: Op;
  readonly inputs: readonly Node[];
  readonly attrs: Attrs;
  readonly type: TensorType;
  readonly origin: Origin | null;
}

/**
 * Memory that survives between runs, read through the leaf op of the same name.
 * param: trained. state: declared `state`, moves in training. slot: what an optimizer remembers. counter: the words
 * `seed` (i32[]), `micro_step` (i32[]), `updates` (i32[]). prepared: made from parameters by the entry `prepare`.
 */
export type VariableKind = "param" | "state" | "slot" | "counter" | "prepared";
export const variableKinds: readonly VariableKind[] = ["param", "state", "slot", "counter", "prepared"];

export interface Output {
  readonly name: string;
  readonly value: Node;
}
/** After the run, the memory of `target` (a variable leaf) holds `value`. All reads inside the graph see the old content. */
export interface Update {
  readonly target: Node;
  readonly value: Node;
}
export interface Graph {
  readonly name: string;
  /** Leaves of op `input`, in signature order; unused ones stay listed. */
  readonly inputs: readonly Node[];
  readonly outputs: readonly Output[];
  readonly updates: readonly Update[];
}

/** Every node the graph reaches, inputs before users, in a fixed order. */
export function topological(graph: Graph): Node[] {
  return reachable([...graph.outputs.map((o) => o.value), ...graph.updates.flatMap((u) => [u.target, u.value])]);
}
/** Nodes reachable from `roots`, operands first; a loop, because unrolled models are deep. */
export function reachable(roots: readonly Node[]): Node[] {
  const done = new Set<Node>();
  const order: Node[] = [];
  const stack: { node: Node; next: number }[] = [];
  for (const root of roots) {
    if (!done.has(root)) stack.push({ node: root, next: 0 });
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const input = top.node.inputs[top.next++];
      if (input) {
        if (!done.has(input)) stack.push({ node: input, next: 0 });
        continue;
      }
      stack.pop();
      if (done.has(top.node)) continue;
      done.add(top.node);
      order.push(top.node);
    }
  }
  return order;
}

/**
 * Rebuilds a graph bottom-up. `f` sees every node with its inputs already rewritten and returns its replacement (the same
 * object when nothing changes). Signature leaves keep their identity unless `f` replaces them.
 */
export function rewrite(graph: Graph, f: (node: Node, original: Node) => Node): Graph {
  const now = new Map<Node, Node>();
  const get = (n: Node): Node => now.get(n) ?? n;
  for (const node of topological(graph)) {
    const inputs = node.inputs.map(get);
    const same = inputs.every((x, i) => x === node.inputs[i]);
    now.set(node, f(same ? node : { ...node, inputs }, node));
  }
  return {
    ...graph,
    inputs: graph.inputs.map(get),
    outputs: graph.outputs.map((o) => ({ ...o, value: get(o.value) })),
    updates: graph.updates.map((u) => ({ target: get(u.target), value: get(u.value) })),
  };
}

/** Who reads each node, in topological order of the readers; outputs and updates are not readers. */
export function usersOf(nodes: readonly Node[]): Map<Node, Node[]> {
  const users = new Map<Node, Node[]>(nodes.map((n) => [n, []]));
  for (const n of nodes) for (const x of new Set(n.inputs)) users.get(x)?.push(n);
  return users;
}

export type { DType, Shape, TensorType };
