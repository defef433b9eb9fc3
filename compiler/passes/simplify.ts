/**
 * Algebraic identities, bottom-up.
 *
 *     %0 = full() {value=1, dtype="f32", shape=[]} : f32[]          %0 = neg(%x) : f32[6]
 *     %1 = mul(%x, %0) : f32[6]
 *     %2 = reshape(%1) {shape=[2,3]} : f32[2,3]
 *     %3 = reshape(%2) {shape=[6]} : f32[6]
 *     %4 = neg(%3) : f32[6]
 *
 * Results keep their bits, with these exceptions: x + 0 may lose the sign of a zero, x ** 2 and x ** 3 become products, and
 * two scalings of which one is a power of two become one, which differs where the first overflows or underflows. A
 * quotient by a constant becomes a product only where its reciprocal is exact.
 */
import type { Node } from "../../ir/graph/graph.ts";
import { withOrigin } from "../../ir/op.ts";
import { ops } from "../../ir/ops/index.ts";
import { broadcastShapes, type Shape, sameShape, sizeOf } from "../../ir/type.ts";
import { full, fullValue } from "./constant.ts";
import { type GraphPass, rewriteNodes } from "./graph-pass.ts";
import { arithmeticRules } from "./simplify-arithmetic.ts";
import { viewRules } from "./simplify-views.ts";

export const simplify: GraphPass = { name: "simplify", run: (graph) => rewriteNodes(graph, simplified) };

/** Applies rules until none fits; every rule makes the node smaller or more regular, so that ends. */
function simplified(node: Node): Node {
  let now = node;
  for (let next: Node | null = now; next; next = withOrigin(now.origin, () => once(now))) now = next;
  return now;
}
function once(node: Node): Node | null {
  const [x] = node.inputs;
  if (!x || node.type.layout !== null) return null;
  const rule = arithmeticRules.get(node.op) ?? viewRules.get(node.op);
  return rule?.(node, x) ?? (node.op.schema.kind === "elementwise" ? withoutBroadcasts(node) : null);
}

/** Elementwise operations broadcast on their own: operands that only repeat something are read as they were. */
function withoutBroadcasts(node: Node): Node | null {
  if (node.inputs.length < 2) return null;
  const inputs = [...node.inputs];
  node.inputs.forEach((x, i) => {
    const smaller = unrepeated(x);
    if (!smaller) return;
    const others = inputs.map((n, j) => (j === i ? smaller : n).type.shape);
    if (sameShape(commonShape(others), node.type.shape)) inputs[i] = smaller;
  });
  return inputs.every((x, i) => x === node.inputs[i]) ? null : node.op.make(inputs, node.attrs);
}
function unrepeated(x: Node): Node | null {
  if (x.op === ops.broadcast) return x.inputs[0]!;
  const value = fullValue(x);
  return value !== null && sizeOf(x.type.shape) > 1 ? full(value, x.type.dtype, []) : null;
}
const commonShape = (shapes: readonly Shape[]): Shape => shapes.reduce((a, b) => broadcastShapes(a, b)!);
