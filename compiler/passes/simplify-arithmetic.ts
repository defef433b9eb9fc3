/** Identities of elementwise arithmetic; the table of rules is read by `simplify`. */
import type { Node } from "../../ir/graph/graph.ts";
import type { Op } from "../../ir/op.ts";
import { ops } from "../../ir/ops/index.ts";
import { sameShape, sameType } from "../../ir/type.ts";
import { full, fullValue } from "./constant.ts";
import type { Rule } from "./simplify-views.ts";

/** The operand as the result of `node`: the same where nothing was broadcast. */
const as = (node: Node, x: Node): Node => (sameShape(x.type.shape, node.type.shape) ? x : ops.broadcast({ x }, { shape: node.type.shape }));
const second = (node: Node): Node => node.inputs[1]!;
const scalar = (node: Node, value: number): Node => full(value, node.type.dtype, []);
const isInteger = (node: Node) => node.type.dtype !== "f32";

/** Constants stand at the right, so that equal sums and products look equal. */
const constantRight: Rule = (node, a) =>
  fullValue(a) !== null && fullValue(second(node)) === null ? node.op.make([second(node), a]) : null;

/** x + 0 is x except that -0 + 0 is 0: the sign of a zero may be lost. */
const add: Rule = (node, a) => {
  const b = second(node);
  if (fullValue(b) === 0) return as(node, a);
  if (b.op === ops.neg) return ops.sub({ a, b: b.inputs[0]! });
  if (a.op === ops.neg) return ops.sub({ a: b, b: a.inputs[0]! });
  return constantRight(node, a);
};
const sub: Rule = (node, a) => {
  const b = second(node);
  if (fullValue(b) === 0) return as(node, a);
  return b.op === ops.neg ? ops.add({ a, b: b.inputs[0]! }) : null;
};
/** x * 0 stays for floats: it is NaN for NaN and infinities. */
const mul: Rule = (node, a) => {
  const b = second(node);
  const factor = fullValue(b);
  if (factor === 1) return as(node, a);
  if (factor === -1) return ops.neg({ x: as(node, a) });
  if (factor === 0 && isInteger(node)) return as(node, b);
  if (a.op === ops.neg && b.op === ops.neg) return ops.mul({ a: a.inputs[0]!, b: b.inputs[0]! });
  return (factor === null ? null : scaledTwice(node, a, factor)) ?? constantRight(node, a);
};
/** (x * p) * q is x * (p * q) to the bit where one of the two is a power of two (short of overflow and underflow). */
function scaledTwice(node: Node, a: Node, q: number): Node | null {
  const p = a.op === ops.mul ? fullValue(second(a)) : null;
  if (p === null || isInteger(node) || !(isPowerOfTwo(p) || isPowerOfTwo(q)) || !isNormal(p * q)) return null;
  return ops.mul({ a: as(node, a.inputs[0]!), b: scalar(node, p * q) });
}
/** A quotient is a product only where the reciprocal is exact. */
const div: Rule = (node, a) => {
  const d = fullValue(second(node));
  if (d === 1) return as(node, a);
  if (d === null || isInteger(node)) return null;
  return isPowerOfTwo(d) && isNormal(1 / d) ? ops.mul({ a, b: scalar(node, 1 / d) }) : null;
};
const isNormal = (x: number) => Math.abs(x) >= 2 ** -126 && Math.abs(x) < 2 ** 128;
const isPowerOfTwo = (x: number) => isNormal(x) && Number.isInteger(Math.log2(Math.abs(x))) && 2 ** Math.log2(Math.abs(x)) === Math.abs(x);

/**
 * Powers of small multiples of a quarter are products of square roots: closer to the true power than exp(y log x), and far cheaper.
 * Minus infinity has no root, where its power would be infinite.
 */
const pow: Rule = (node, x) => {
  const exponent = fullValue(second(node));
  if (exponent === null || exponent === 0 || Math.abs(exponent) > 3 || !Number.isInteger(4 * exponent)) return null;
  const base = as(node, x);
  const factors: Node[] = Array.from({ length: Math.floor(Math.abs(exponent)) }, () => base);
  const quarters = (4 * Math.abs(exponent)) % 4;
  if (quarters > 0) {
    const root = ops.sqrt({ x: base });
    if (quarters >= 2) factors.push(root);
    if (quarters % 2 === 1) factors.push(ops.sqrt({ x: root }));
  }
  const product = factors.reduce((a, b) => ops.mul({ a, b }));
  return exponent > 0 ? product : ops.div({ a: scalar(node, 1), b: product });
};

const neg: Rule = (_, x) => {
  if (x.op === ops.neg) return x.inputs[0]!;
  return null;
};
const logicalNot: Rule = (_, x) => (x.op === ops.logicalNot ? x.inputs[0]! : null);
const abs: Rule = (node, x) => {
  if (x.op === ops.abs) return x;
  return x.op === ops.neg ? node.op.make([x.inputs[0]!]) : null;
};
const relu: Rule = (_, x) => (x.op === ops.relu ? x : null);
const cast: Rule = (node, x) => (sameType(node.type, x.type) ? x : null);

/** The larger, the smaller, both or either of a thing and itself. */
const idempotent: Rule = (node, a) => (a === second(node) ? a : null);

const where: Rule = (node, cond) => {
  const [, a, b] = node.inputs as readonly [Node, Node, Node];
  const known = fullValue(cond);
  if (known !== null) return as(node, known ? a : b);
  if (a === b) return as(node, a);
  return cond.op === ops.logicalNot ? ops.where({ cond: cond.inputs[0]!, a: b, b: a }) : null;
};

export const arithmeticRules: ReadonlyMap<Op, Rule> = new Map<Op, Rule>([
  [ops.add, add],
  [ops.sub, sub],
  [ops.mul, mul],
  [ops.div, div],
  [ops.pow, pow],
  [ops.neg, neg],
  [ops.logicalNot, logicalNot],
  [ops.abs, abs],
  [ops.relu, relu],
  [ops.cast, cast],
  [ops.maximum, idempotent],
  [ops.minimum, idempotent],
  [ops.logicalAnd, idempotent],
  [ops.logicalOr, idempotent],
  [ops.where, where],
]);
