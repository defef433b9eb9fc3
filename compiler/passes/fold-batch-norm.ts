/**
 * Folds per-channel affine arithmetic behind a convolution or a matrix product into its weights and one addition. Batch
 * normalisation in evaluation is the case it is named after; the coefficients may be anything that depends on constants
 * and on variables that the graph does not update, so that they are computed once, at prepare time.
 *
 *     %0 = conv2d(%x, @w) : f32[1,4,8,8]              %0 = reshape(@scale) {shape=[4,1,1,1]} : f32[4,1,1,1]
 *     %1 = sub(%0, @mean) : f32[1,4,8,8]              %1 = mul(@w, %0) : f32[4,3,3,3]
 *     %2 = mul(%1, @scale) : f32[1,4,8,8]             %2 = neg(@mean) : f32[4,1,1]
 *     return y = %2                                   %3 = mul(%2, @scale) : f32[4,1,1]
 *                                                     %4 = conv2d(%x, %1) : f32[1,4,8,8]
 *                                                     %5 = add(%4, %3) : f32[1,4,8,8]
 *                                                     return y = %5
 *
 * Only where nothing else reads the values in between. Rounding changes as it does in any such folding.
 */
import { type Graph, type Node, rewrite, topological, usersOf } from "../../ir/graph/graph.ts";
import { type Columns, withOrigin } from "../../ir/op.ts";
import { ops } from "../../ir/ops/index.ts";
import { type Shape, sameShape, sizeOf } from "../../ir/type.ts";
import type { GraphPass } from "./graph-pass.ts";
import { timesOf } from "./prepare-time.ts";

export const foldBatchNorm: GraphPass = { name: "fold-batch-norm", run };

/** One step of the arithmetic: value := value op coefficient, or coefficient - value. */
interface Step {
  readonly op: "add" | "sub" | "mul" | "div" | "from";
  readonly coefficient: Node;
}
interface Chain {
  readonly contraction: Node;
  readonly steps: readonly Step[];
}

function run(graph: Graph): Graph {
  const nodes = topological(graph);
  const chains = findChains(graph, nodes);
  if (chains.size === 0) return graph;
  const now = new Map<Node, Node>(); // rewritten versions, for coefficients and operands
  const get = (n: Node) => now.get(n)!;
  return rewrite(graph, (node, original) => {
    const chain = chains.get(original);
    const result = chain ? withOrigin(original.origin, () => fold(chain, get)) : node;
    now.set(original, result);
    return result;
  });
}

/* ---- finding --------------------------------------------------------------------------------------------------- */

/** Chains worth folding, by their last node. */
function findChains(graph: Graph, nodes: readonly Node[]): ReadonlyMap<Node, Chain> {
  const times = timesOf(graph);
  const early = (n: Node) => times.get(n) !== "run";
  const users = usersOf(nodes);
  const roots = new Set([...graph.outputs.map((o) => o.value), ...graph.updates.map((u) => u.value)]);
  const chains = new Map<Node, Chain>();
  for (const node of nodes) {
    if (node.type.dtype !== "f32" || early(node) || !channelsOf(node) || !early(node.inputs[1]!)) continue;
    const steps: Step[] = [];
    let last = node;
    for (;;) {
      const readers = users.get(last)!;
      const step = readers.length === 1 && !roots.has(last) ? stepOf(readers[0]!, last, node, early) : null;
      if (!step) break;
      steps.push(step);
      last = readers[0]!;
    }
    if (isWorthwhile(steps)) chains.set(last, { contraction: node, steps });
  }
  return chains;
}

/** The channels of a result are the columns of the weights, the second operand. Matrices are one for the whole batch. */
function channelsOf(node: Node): Columns | null {
  const { schema } = node.op;
  if (schema.kind !== "contraction" || node.inputs.length < 2) return null;
  return schema.result === "matrix" && node.inputs[1]!.type.shape.length > 2 ? null : node.op.columns(node);
}

/** `node` as a step on `value`, if its other operand is an early per-channel (or single) coefficient. */
function stepOf(node: Node, value: Node, contraction: Node, early: (n: Node) => boolean): Step | null {
  const [a, b] = node.inputs;
  if (!a || !b || a === b || !sameShape(node.type.shape, contraction.type.shape)) return null;
  const coefficient = a === value ? b : a;
  if (!early(coefficient) || !isPerChannel(coefficient.type.shape, contraction)) return null;
  switch (node.op) {
    case ops.add:
      return { op: "add", coefficient };
    case ops.mul:
      return { op: "mul", coefficient };
    case ops.sub:
      return { op: a === value ? "sub" : "from", coefficient };
    case ops.div:
      return a === value ? { op: "div", coefficient } : null;
    default:
      return null;
  }
}

/** All axes but the channels' have extent 1. */
function isPerChannel(shape: Shape, contraction: Node): boolean {
  const rank = contraction.type.shape.length;
  const axis = channelsOf(contraction)!.result;
  return shape.length <= rank && shape.every((d, i) => d === 1 || rank - shape.length + i === axis);
}

/** A single addition is what folding would leave behind. */
const isWorthwhile = (steps: readonly Step[]): boolean => steps.length > 1 || (steps.length === 1 && steps[0]!.op !== "add");

/* ---- folding --------------------------------------------------------------------------------------------------- */

/** y * scale + shift; null is 1, respectively 0. */
interface Affine {
  readonly scale: Node | null;
  readonly shift: Node | null;
}

function fold({ contraction, steps }: Chain, get: (n: Node) => Node): Node {
  const { scale, shift } = steps.reduce<Affine>((f, s) => compose(f, s.op, perChannel(get(s.coefficient), contraction)), {
    scale: null,
    shift: null,
  });
  const [x, w] = contraction.inputs.map(get) as [Node, Node];
  const weights = scale ? ops.mul({ a: w, b: alongWeights(scale, contraction) }) : w;
  const y = contraction.op.make([x, weights], contraction.attrs);
  return shift ? ops.add({ a: { ...y, origin: contraction.origin }, b: shift }) : y;
}

/** The affine function followed by one step with coefficient `c`. */
function compose({ scale, shift }: Affine, op: Step["op"], c: Node): Affine {
  switch (op) {
    case "add":
      return { scale, shift: shift ? ops.add({ a: shift, b: c }) : c };
    case "sub":
      return { scale, shift: shift ? ops.sub({ a: shift, b: c }) : ops.neg({ x: c }) };
    case "from":
      return { scale: scale ? ops.neg({ x: scale }) : minusOne(), shift: shift ? ops.sub({ a: c, b: shift }) : c };
    case "mul":
      return { scale: scale ? ops.mul({ a: scale, b: c }) : c, shift: shift && ops.mul({ a: shift, b: c }) };
    case "div":
      return { scale: scale ? ops.div({ a: scale, b: c }) : reciprocal(c), shift: shift && ops.div({ a: shift, b: c }) };
  }
}
const minusOne = () => ops.full({}, { value: -1, dtype: "f32", shape: [] });
const reciprocal = (c: Node) => ops.div({ a: ops.full({}, { value: 1, dtype: "f32", shape: [] }), b: c });

/** A coefficient without leading unit axes: scalar, or the channels and what follows them. */
function perChannel(coefficient: Node, contraction: Node): Node {
  const { shape } = contraction.type;
  const size = sizeOf(coefficient.type.shape);
  return reshaped(coefficient, size === 1 ? [] : [size, ...shape.slice(channelsOf(contraction)!.result + 1).map(() => 1)]);
}
/** A coefficient at the axis of the weights that makes the channels: O of OIHW, the columns of a matrix. */
function alongWeights(c: Node, contraction: Node): Node {
  const after = contraction.inputs[1]!.type.shape.slice(channelsOf(contraction)!.operand + 1);
  return c.type.shape.length === 0 ? c : reshaped(c, [c.type.shape[0]!, ...after.map(() => 1)]);
}
const reshaped = (x: Node, shape: Shape): Node => (sameShape(x.type.shape, shape) ? x : ops.reshape({ x }, { shape }));
