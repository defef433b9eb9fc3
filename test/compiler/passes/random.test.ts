/** All passes on random graphs: the values and gradients of what comes out are those of what went in. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { runPasses } from "../../../compiler/pass.ts";
import { differentiate } from "../../../compiler/passes/differentiate.ts";
import { graphPasses, splitPrepare } from "../../../compiler/passes/index.ts";
import type { Graph, Node } from "../../../ir/graph/graph.ts";
import { printGraph } from "../../../ir/graph/print.ts";
import { verifyGraph } from "../../../ir/graph/verify.ts";
import { ops } from "../../../ir/ops/index.ts";
import { broadcastShapes, type Shape } from "../../../ir/type.ts";
import { disagreement } from "../../ir/ops/agree.ts";
import { evaluateGraph, randomValues, type Values } from "./numeric.ts";

/** Makes a node of those made before, by drawing numbers below a bound. */
type Maker = (pick: () => Node, draw: (below: number) => number) => Node;

const constants = [0, 1, -1, 2, 0.5, 3, -0.25];
const constant: Maker = (pick, draw) =>
  ops.full({}, { value: constants[draw(constants.length)]!, dtype: "f32", shape: draw(2) ? [] : pick().type.shape });
const unary: Maker = (pick, draw) => {
  const x = pick();
  const choices = [ops.neg, ops.abs, ops.tanh, ops.sigmoid, ops.relu, ops.sin, ops.stopGradient];
  return choices[draw(choices.length)]!({ x });
};
const binary: Maker = (pick, draw) => {
  const [a, b] = [pick(), pick()];
  const choices = [ops.add, ops.sub, ops.mul, ops.maximum, ops.minimum];
  return broadcastShapes(a.type.shape, b.type.shape) ? choices[draw(choices.length)]!({ a, b }) : a;
};
const bounded: Maker = (pick, draw) => {
  const x = ops.tanh({ x: pick() });
  const c = ops.full({}, { value: [1, 2, 3, 4][draw(4)]!, dtype: "f32", shape: [] });
  return [ops.div({ a: x, b: c }), ops.pow({ a: x, b: c }), ops.where({ cond: ops.less({ a: x, b: c }), a: x, b: c })][draw(3)]!;
};
const view: Maker = (pick, draw) => {
  const x = pick();
  const { shape } = x.type;
  const zeros = shape.map(() => 0);
  switch (draw(5)) {
    case 0:
      return ops.reshape({ x }, { shape: draw(2) ? [1, ...shape] : [shape.reduce((n, d) => n * d, 1)] });
    case 1:
      return ops.permute({ x }, { axes: shape.map((_, a) => shape.length - 1 - a) });
    case 2:
      return ops.slice({ x }, { starts: zeros, limits: shape.map((d) => d - draw(d)), steps: shape.map(() => 1 + draw(2)) });
    case 3:
      return ops.pad({ x }, { before: zeros.map(() => draw(2)), after: zeros, value: draw(2) });
    default:
      return ops.broadcast({ x }, { shape: [1 + draw(2), ...shape] });
  }
};
const reduction: Maker = (pick, draw) => {
  const x = pick();
  const axes = x.type.shape.map((_, a) => a).filter(() => draw(2) === 0);
  return [ops.reduceSum, ops.reduceMax, ops.mean][draw(3)]!({ x }, { axes, keepdims: draw(2) === 0 });
};
const product: Maker = (pick) => {
  const x = pick();
  const { shape } = x.type;
  const by = ops.param({}, { name: `m${shape.at(-1)}`, dtype: "f32", shape: [shape.at(-1) ?? 1, 2] });
  return shape.length < 2 ? x : ops.matmul({ a: x, b: shared(by) });
};
const makers: readonly Maker[] = [constant, unary, binary, binary, bounded, view, view, reduction, product];

let leaves = new Map<string, Node>();
/** One leaf for every name. */
const shared = (leaf: Node): Node => {
  const name = leaf.attrs.name as string;
  if (!leaves.has(name)) leaves.set(name, leaf);
  return leaves.get(name)!;
};

function graphFrom(numbers: readonly number[]): Graph {
  leaves = new Map();
  const leaf = (op: typeof ops.input, name: string, shape: Shape) => op({}, { name, dtype: "f32", shape });
  const x = leaf(ops.input, "x", [2, 3]);
  const w = leaf(ops.param, "w", [3]);
  const nodes = [x, w, leaf(ops.state, "s", [2, 1])];
  let at = 0;
  const draw = (below: number) => (numbers[at++] ?? 0) % below;
  const pick = () => nodes[Math.max(0, nodes.length - 1 - draw(6))]!;
  while (at < numbers.length) {
    const node = makers[draw(makers.length)]!(pick, draw);
    if (node.type.shape.length <= 4) nodes.push(node);
  }
  const last = nodes.at(-1)!;
  const sum = ops.reduceSum({ x: ops.sin({ x: last }) }, { axes: last.type.shape.map((_, a) => a) });
  const outputs = { y: last, dx: ops.gradient({ y: sum, x }), dw: ops.gradient({ y: sum, x: w }) };
  return { name: "f", inputs: [x], outputs: Object.entries(outputs).map(([name, value]) => ({ name, value })), updates: [] };
}

test("passes keep values and gradients", () => {
  const property = fc.property(fc.array(fc.nat(1000), { minLength: 10, maxLength: 60 }), (numbers) => {
    const graph = graphFrom(numbers);
    const plain = differentiate.run(graph);
    const given = randomValues(plain, 5);
    const expected = evaluateGraph(plain, given);
    const verify = (g: Graph) => expect(verifyGraph(g)).toEqual([]);
    const { prepare, main } = splitPrepare(runPasses(graphPasses, graph, { verify }));
    const prepared: Values = { ...given, ...evaluateGraph(prepare, given) };
    const actual = evaluateGraph(main, prepared);
    for (const [name, values] of Object.entries(expected)) {
      const problem = disagreement(actual[name]!, values, 1e-5, 1);
      expect(problem && `${name}: ${problem}\n${printGraph(graph)}\n${printGraph(main)}`).toBeNull();
    }
  });
  fc.assert(property, { numRuns: 400, seed: 7 });
});
