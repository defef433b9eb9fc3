import { describe, expect, test } from "vitest";
import { type Agreement, agreementOf } from "../../../compiler/compare/agreement.ts";
import { locate } from "../../../compiler/compare/locate.ts";
import { type Graph, type Node, topological } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";

const agreement = (isRight: boolean): Agreement => agreementOf([isRight ? 1 : 2], [1], { tolerance: 0.1 });
const input = ops.input({}, { name: "x", dtype: "f32", shape: [2] });
const graphOf = (value: Node): Graph => ({ name: "forward", inputs: [input], outputs: [{ name: "y", value }], updates: [] });
const chain = (from: Node, length: number): readonly Node[] => {
  const nodes = [from];
  for (let i = 0; i < length; i++) nodes.push(ops.tanh({ x: nodes.at(-1)! }));
  return nodes;
};

/** Values downstream of `broken` are wrong, but for those in `masked`. */
function search(graph: Graph, broken: Node, masked: ReadonlySet<Node> = new Set()) {
  const order = topological(graph);
  const wrong = new Set([broken]);
  for (const n of order) if (n.inputs.some((x) => wrong.has(x)) && !masked.has(n)) wrong.add(n);
  const rounds: number[] = [];
  const observe = async (numbers: readonly number[]) => {
    rounds.push(numbers.length);
    return new Map(numbers.map((n) => [n, agreement(!wrong.has(order[n]!))]));
  };
  return { rounds, found: locate(graph, order.indexOf(graph.outputs[0]!.value), agreement(false), observe) };
}

describe("the first wrong operation", () => {
  test("in a long chain after few rounds, without looking at many values at once", async () => {
    const nodes = chain(input, 500);
    for (const at of [1, 250, 499, 500]) {
      const { found, rounds } = search(graphOf(nodes[500]!), nodes[at]!);
      expect((await found).node, `${at}`).toBe(nodes[at]);
      expect(rounds.length).toBeLessThanOrEqual(3);
      expect(Math.max(...rounds)).toBeLessThanOrEqual(25);
    }
  });
  test("in one branch of several", async () => {
    const [left, right] = [chain(input, 60), chain(ops.exp({ x: input }), 60)];
    const graph = graphOf(ops.add({ a: left[60]!, b: right[60]! }));
    for (const broken of [left[3]!, right[7]!, graph.outputs[0]!.value]) {
      const { found } = search(graph, broken);
      const { node, together } = await found;
      expect([node === broken, together]).toEqual([true, []]);
    }
  });
  test("where one reader of it happens to be right", async () => {
    const [stem, ...rest] = chain(input, 3).slice(1) as [Node, Node, Node];
    const side = ops.relu({ x: stem });
    const graph = graphOf(ops.add({ a: rest.at(-1)!, b: side }));
    expect((await search(graph, stem, new Set([side])).found).node).toBe(stem);
  });
  test("tells what was found right", async () => {
    const nodes = chain(input, 10);
    const { right, node } = await search(graphOf(nodes[10]!), nodes[6]!).found;
    expect([node, [...right.keys()].toSorted((a, b) => a - b)]).toEqual([nodes[6], [1, 2, 3, 4, 5]]);
  });
});

test("an error that is gone when its operand is kept in memory is reported with both", async () => {
  const nodes = chain(input, 40);
  const graph = graphOf(nodes[40]!);
  const order = topological(graph);
  const at = (i: number) => order.indexOf(nodes[i]!);
  // operation 20 is wrong while 19 is computed inside it
  const observe = async (numbers: readonly number[]) =>
    new Map(numbers.map((n) => [n, agreement(numbers.includes(at(19)) || n < at(20))] as const));
  const { node, together } = await locate(graph, at(40), agreement(false), observe);
  expect([node, together]).toEqual([nodes[20], [nodes[19]]]);
});
