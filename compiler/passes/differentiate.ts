/**
 * Replaces every `gradient(y, x)` by reverse mode: one sweep from y back to the nodes that depend on x.
 *
 *     %0 = mul(%x, %x) : f32[3]                        %0 = full() {value=1, dtype="f32", shape=[]} : f32[]
 *     %1 = reduce_sum(%0) {axes=[0]} : f32[]           %1 = reshape(%0) {shape=[1]} : f32[1]
 *     %2 = gradient(%1, %x) : f32[3]                   %2 = broadcast(%1) {shape=[3]} : f32[3]
 *     return dx = %2                                   %3 = mul(%2, %x) : f32[3]
 *                                                      %4 = mul(%2, %x) : f32[3]
 *                                                      %5 = add(%3, %4) : f32[3]
 *                                                      return dx = %5
 *
 * x counts by identity: what an equal but different node contributes is not part of the derivative. Requires y to be one
 * float. Nothing flows through `stop_gradient`, integers and bools; a node that y does not reach gives zeros. Gradients of
 * the same y share a sweep, those inside others come first. Ensures that no `gradient` is left, and no composite operation
 * without a gradient rule of its own.
 */
import { fail, invariant } from "../../ir/diagnostic.ts";
import { type Graph, type Node, reachable, topological } from "../../ir/graph/graph.ts";
import { withOrigin } from "../../ir/op.ts";
import { ops } from "../../ir/ops/index.ts";
import { sizeOf } from "../../ir/type.ts";
import { expand } from "./decompose.ts";
import { type GraphPass, rewriteNodes } from "./graph-pass.ts";

export const differentiate: GraphPass = { name: "differentiate", run };

function run(graph: Graph): Graph {
  const wanted = wantedGradients(graph);
  if (wanted.size === 0) return graph;
  const variables = new Set([...wanted.values()].flat());
  const now = new Map<Node, Node>();
  const sweeps = new Map<Node, ReadonlyMap<Node, Node>>();

  const derivative = (node: Node, original: Node): Node => {
    const [y, x] = node.inputs as readonly [Node, Node];
    const originalY = original.inputs[0]!;
    let gradients = sweeps.get(originalY);
    if (!gradients) {
      // An x that is not rewritten yet is not reached by y.
      const xs = wanted.get(originalY)!.flatMap((n) => now.get(n) ?? []);
      gradients = sweep(y, new Set(xs));
      sweeps.set(originalY, gradients);
    }
    const dx = gradients.get(x) ?? zeros(x);
    // A gradient that others are taken by is a node of its own: the rest of its sweep does not depend on it.
    return variables.has(original) ? ops.reshape({ x: dx }, { shape: dx.type.shape }) : dx;
  };
  return rewriteNodes(graph, (node, original) => {
    const isGradient = original.op === ops.gradient;
    const result = isGradient ? withOrigin(node.origin, () => derivative(node, original)) : withGradient(node);
    now.set(original, result);
    return result;
  });
}

/** For every y of a gradient, its xs. */
function wantedGradients(graph: Graph): ReadonlyMap<Node, readonly Node[]> {
  const wanted = new Map<Node, Node[]>();
  for (const { op, inputs } of topological(graph)) {
    if (op !== ops.gradient) continue;
    const [y, x] = inputs as readonly [Node, Node];
    const xs = wanted.get(y);
    if (xs) xs.push(x);
    else wanted.set(y, [x]);
  }
  return wanted;
}

/** Composite operations without a gradient rule in terms of others. */
const withGradient = (node: Node): Node =>
  node.op.decompose && !node.op.grad && !node.op.flat && node.type.dtype === "f32" ? expand(node, withGradient) : node;

/** Derivatives of `y` with respect to those of `xs` that it depends on. */
function sweep(y: Node, xs: ReadonlySet<Node>): ReadonlyMap<Node, Node> {
  invariant(y.type.dtype === "f32" && sizeOf(y.type.shape) === 1, "gradient of what is not one f32");
  const order = reachable([y]);
  const active = dependents(order, xs);
  const gradients = new Map<Node, Node>();
  if (active.has(y)) gradients.set(y, full(y, 1));
  for (const node of order.reverse()) {
    const dy = gradients.get(node);
    if (!dy || !node.inputs.some((x) => active.has(x)) || node.op.flat) continue;
    withOrigin(node.origin, () => propagate(node, dy, active, gradients));
  }
  return gradients;
}

/** `xs` and what depends on them differentiably. */
function dependents(order: readonly Node[], xs: ReadonlySet<Node>): ReadonlySet<Node> {
  const active = new Set<Node>();
  for (const node of order) {
    if (node.type.dtype !== "f32") continue;
    if (xs.has(node) || (!node.op.flat && node.inputs.some((x) => active.has(x)))) active.add(node);
  }
  return active;
}

/** Adds what `node` hands to its operands. */
function propagate(node: Node, dy: Node, active: ReadonlySet<Node>, gradients: Map<Node, Node>): void {
  const { schema } = node.op;
  const grad = node.op.grad ?? fail("gradient", `${schema.name} cannot be differentiated`, node.origin?.span ?? null);
  const parts = grad(node, dy);
  node.inputs.forEach((x, i) => {
    const part = parts[i];
    if (!part || !active.has(x)) return;
    const before = gradients.get(x);
    gradients.set(x, before ? ops.add({ a: before, b: part }) : part);
  });
}

const full = ({ type }: Node, value: number): Node => ops.full({}, { value, dtype: type.dtype, shape: type.shape });
const zeros = (x: Node): Node => full(x, 0);
