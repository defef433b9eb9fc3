/** Reverse mode in a few lines, from the gradient rules alone. */
import { type Node, reachable } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";

/** Derivatives of the scalar `y` with respect to `xs`; zeros where y does not depend on one. Composites that y is made of
 *  must have gradient rules (see `withGradients`). */
export function gradients(y: Node, xs: readonly Node[]): Node[] {
  const by = new Map<Node, Node>([[y, ops.full({}, { value: 1, dtype: "f32", shape: y.type.shape })]]);
  for (const node of reachable([y]).reverse()) {
    const dy = by.get(node);
    if (!dy || xs.includes(node) || !node.op.grad) continue;
    for (const [i, dx] of node.op.grad(node, dy).entries()) {
      const x = node.inputs[i]!;
      if (!dx || x.type.dtype !== "f32") continue;
      const sum = by.get(x);
      by.set(x, sum ? ops.add({ a: sum, b: dx }) : dx);
    }
  }
  return xs.map((x) => by.get(x) ?? ops.full({}, { value: 0, dtype: "f32", shape: x.type.shape }));
}

/** The same value with composite operations that have no gradient rule said in others. */
export function withGradients(root: Node): Node {
  const now = new Map<Node, Node>();
  for (const n of reachable([root])) {
    const inputs = n.inputs.map((x) => now.get(x)!);
    const same = inputs.every((x, i) => x === n.inputs[i]) ? n : { ...n, inputs };
    const expand = n.op.decompose && !n.op.grad && n.type.dtype === "f32";
    now.set(n, expand ? withGradients(n.op.decompose!(same)) : same);
  }
  return now.get(root)!;
}
