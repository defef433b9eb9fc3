/** Arbitrary well-formed graphs: every kind of attribute, layouts, sharing, variables, unused inputs. */
import fc from "fast-check";
import type { Graph, Node } from "../../../ir/graph/graph.ts";
import { layout } from "../../../ir/layout.ts";
import { ops } from "../../../ir/ops/index.ts";
import { type Shape, sizeOf } from "../../../ir/type.ts";

/** Makes a node from existing ones; `pick(n)` is a number below n. */
type Maker = (nodes: readonly Node[], pick: (n: number) => number, number: number) => Node;

const any = (nodes: readonly Node[], pick: (n: number) => number): Node => nodes[pick(nodes.length)]!;
const flat = (x: Node): Node => ops.reshape({ x }, { shape: [sizeOf(x.type.shape)] });
const zeros = (shape: Shape) => shape.map(() => 0);

const makers: readonly Maker[] = [
  (nodes, pick) => ops.tanh({ x: any(nodes, pick) }),
  (nodes, pick) => {
    const a = any(nodes, pick);
    return ops.add({ a, b: ops.full({}, { value: pick(100) / 7, dtype: "f32", shape: [] }) });
  },
  (nodes, pick) => flat(any(nodes, pick)),
  (nodes, pick) => ops.concat({ xs: [flat(any(nodes, pick)), flat(any(nodes, pick))] }, { axis: 0 }),
  (nodes, pick) => {
    const x = any(nodes, pick);
    return ops.pad({ x }, { before: zeros(x.type.shape), after: x.type.shape.map(() => pick(2)) });
  },
  (nodes, pick, value) => {
    const x = any(nodes, pick);
    return ops.pad({ x }, { before: x.type.shape.map(() => pick(2)), after: zeros(x.type.shape), value });
  },
  (nodes, pick) => {
    const x = any(nodes, pick);
    return ops.reduceMax({ x }, { axes: x.type.shape.map((_, a) => a), keepdims: pick(2) === 1 });
  },
  (_nodes, pick, value) => ops.dense({}, { data: [value, pick(9)], dtype: "f32", shape: [2] }),
  (_nodes, _pick, value) => ops.full({}, { value, dtype: "f32", shape: [2, 1, 3] }),
  (nodes, pick) => {
    const x = any(nodes, pick);
    const order = x.type.shape.map((_, a) => a).reverse();
    return { ...ops.neg({ x }), type: { ...x.type, layout: layout(order.map((a) => `${a}${pick(2) ? "+1,2" : ""}`).join(" ")) } };
  },
];

/** What one node is made of; each number is taken modulo what there is. */
const choice = fc.record({ maker: fc.nat(), picks: fc.array(fc.nat(), { minLength: 12, maxLength: 12 }), number: fc.double() });
const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 4 });

export const randomGraph: fc.Arbitrary<Graph> = fc
  .record({ names, outputs: names, choices: fc.array(choice, { maxLength: 12 }) })
  .map(({ names, outputs, choices }): Graph => {
    const inputs = names.map((name, i) => ops.input({}, { name, dtype: "f32", shape: i % 2 ? [2, 3] : [4] }));
    const state = ops.state({}, { name: names[0]!, dtype: "f32", shape: [4] });
    const nodes: Node[] = [...inputs.slice(1), state];
    for (const { maker, picks, number } of choices) {
      let used = 0;
      const pick = (n: number): number => picks[used++ % picks.length]! % n;
      const node = makers[maker % makers.length]!(nodes, pick, number);
      if (sizeOf(node.type.shape) < 1e6) nodes.push(node);
    }
    const value = (i: number): Node => nodes[(nodes.length - 1 - i + nodes.length) % nodes.length]!;
    const four = nodes.find((n) => n.type.shape.join() === "4" && n !== state);
    return {
      name: names[0]!,
      inputs,
      outputs: outputs.map((name, i) => ({ name, value: value(i) })),
      updates: four ? [{ target: state, value: four }] : [],
    };
  });
