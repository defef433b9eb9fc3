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

const orders = new WeakMap<Graph, readonly Node[]>();
/** Every node the graph reaches, inputs before users, in a fixed order. Graphs never change, so it is found once. */
export function topological(graph: Graph): readonly Node[] {
  const known = orders.get(graph);
  if (known) return known;
  const order = reachable([...graph.outputs.map((o) => o.value), ...graph.updates.flatMap((u) => [u.target, u.value])]);
  orders.set(graph, order);
  return order;
}
/** Nodes reachable from `roots`, operands first; a loop, because unrolled models are deep. */
export function reachable(roots: readonly Node[]): Node[] {
  const done = new Set<Node>();
  /** The path from a root, and which operand of each node on it comes next. */
  const path: Node[] = [];
  const next: number[] = [];
  const enter = (n: Node) => {
    if (done.has(n)) return;
    path.push(n);
    next.push(0);
  };
  for (const root of roots) {
    enter(root);
    for (let top = path.length - 1; top >= 0; top = path.length - 1) {
      const node = path[top]!;
      const input = node.inputs[next[top]!++];
      if (input) enter(input);
      else {
        done.add(node);
        path.pop();
        next.pop();
      }
    }
  }
  return [...done];
}

/**
 * Rebuilds a graph bottom-up. `f` sees every node with its inputs already rewritten and returns its replacement (the same
 * object when nothing changes). Signature leaves keep their identity unless `f` replaces them.
 */
export function rewrite(graph: Graph, f: (node: Node, original: Node) => Node): Graph {
  const now = new Map<Node, Node>();
  const get = (n: Node): Node => now.get(n) ?? n;
  for (const node of topological(graph)) {
    const same = node.inputs.every((x) => get(x) === x);
    const result = f(same ? node : { ...node, inputs: node.inputs.map(get) }, node);
    if (result !== node) now.set(node, result);
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
  for (const n of nodes) {
    for (const x of n.inputs) {
      const readers = users.get(x);
      if (readers && readers.at(-1) !== n) readers.push(n);
    }
  }
  return users;
}

export type { DType, Shape, TensorType };

/** Floating-point operations that the operations count; a multiply-add counts two. */
export const flopsOfNodes = (nodes: readonly Node[]): number =>
  nodes.reduce(
    (sum, { op, inputs, attrs, type }) =>
      sum +
      op.flops(
        inputs.map((x) => x.type),
        attrs,
        type,
      ),
    0,
  );
