/** Derivatives by `differentiate` against central differences and against derivatives worked out by hand. */
import { describe, expect, test } from "vitest";
import { differentiate } from "../../../compiler/passes/differentiate.ts";
import { type Graph, type Node, topological } from "../../../ir/graph/graph.ts";
import { op, withOrigin } from "../../../ir/op.ts";
import { ops } from "../../../ir/ops/index.ts";
import { sizeOf } from "../../../ir/type.ts";
import { evaluateGraph, expectClose, graphOf, randomValues, type Values } from "./numeric.ts";

const input = (name: string, ...shape: number[]) => ops.input({}, { name, dtype: "f32", shape });
const param = (name: string, ...shape: number[]) => ops.param({}, { name, dtype: "f32", shape });
const scalar = (value: number) => ops.full({}, { value, dtype: "f32", shape: [] });
const add = (a: Node, b: Node) => ops.add({ a, b });
const mul = (a: Node, b: Node) => ops.mul({ a, b });
const all = (x: Node) => x.type.shape.map((_, i) => i);
const sum = (x: Node) => ops.reduceSum({ x }, { axes: all(x) });
const mean = (x: Node) => ops.mean({ x }, { axes: all(x) });
const linear = (x: Node, w: Node, b: Node) => add(ops.matmul({ a: x, b: ops.permute({ x: w }, { axes: [1, 0] }) }), b);
const gradient = (y: Node, x: Node) => ops.gradient({ y, x });

const count = (graph: Graph, name: string) => topological(graph).filter((n) => n.op.schema.name === name).length;

/** Compares gradients of `y` with differences of its value, element by element. */
function checkGradients(y: Node, xs: readonly Node[], values: Values = {}, epsilon = 1e-3): void {
  const graph = differentiate.run(graphOf({ y, ...Object.fromEntries(xs.map((x, i) => [`d${i}`, gradient(y, x)])) }));
  expect(count(graph, "gradient")).toBe(0);
  const at = { ...randomValues(graph, 11), ...values };
  const exact = evaluateGraph(graph, at);
  const value = (moved: Values) => evaluateGraph(differentiate.run(graphOf({ y })), moved).y![0]!;
  xs.forEach((x, i) => {
    const name = x.attrs.name as string;
    const differences = at[name]!.map((v, j) => {
      const moved = (to: number) => ({ ...at, [name]: at[name]!.with(j, to) });
      return (value(moved(v + epsilon)) - value(moved(v - epsilon))) / (2 * epsilon);
    });
    expectClose(exact[`d${i}`]!, differences, 2e-3, name);
  });
}

describe("against central differences", () => {
  test("a classifier with two layers", () => {
    const [w1, b1, w2, b2] = [param("w1", 5, 3), param("b1", 5), param("w2", 4, 5), param("b2", 4)];
    const hidden = ops.tanh({ x: linear(input("x", 6, 3), w1, b1) });
    const scores = ops.logSoftmax({ x: linear(hidden, w2, b2) }, { axis: 1 });
    const label = ops.input({}, { name: "label", dtype: "i32", shape: [6] });
    const chosen = mul(ops.oneHot({ ids: label }, { depth: 4 }), scores);
    checkGradients(mean(ops.neg({ x: chosen })), [w1, b1, w2, b2], { label: [0, 3, 1, 1, 2, 0] });
  });

  test("convolution, batch normalisation, pooling", () => {
    const [w, gain, fc] = [param("w", 3, 2, 3, 3), param("gain", 3), param("fc", 2, 12)];
    const x = input("x", 2, 2, 6, 6);
    const y = ops.conv2d({ x, w }, { stride: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1], groups: 1 });
    const axes = [0, 2, 3];
    const m = ops.mean({ x: y }, { axes, keepdims: true });
    const v = ops.variance({ x: y }, { axes, keepdims: true, unbiased: false });
    const normal = ops.div({ a: ops.sub({ a: y, b: m }), b: ops.sqrt({ x: add(v, scalar(1e-5)) }) });
    const scaled = mul(normal, ops.reshape({ x: gain }, { shape: [3, 1, 1] }));
    const pooled = ops.avgPool2d({ x: ops.sigmoid({ x: scaled }) }, { kernel: [2, 2], stride: [2, 2], padding: [0, 0, 0, 0] });
    const flat = ops.reshape({ x: pooled }, { shape: [2, 12] });
    const out = ops.matmul({ a: flat, b: ops.permute({ x: fc }, { axes: [1, 0] }) });
    checkGradients(sum(mul(out, out)), [x, w, gain, fc]);
  });

  test("a gradient inside a loss", () => {
    const [x, w] = [input("x", 4), param("w", 4)];
    const inner = sum(mul(ops.sin({ x: mul(x, w) }), x));
    const penalty = gradient(inner, x);
    checkGradients(sum(mul(penalty, penalty)), [w, x]);
  });

  test("three levels deep", () => {
    const x = input("x", 3);
    const first = gradient(sum(ops.exp({ x: mul(x, x) })), x);
    const second = gradient(sum(first), x);
    checkGradients(sum(second), [x], { x: [0.3, -0.2, 0.5] });
  });
});

describe("by hand", () => {
  const x = input("x", 3);
  const at = { x: [1, 2, -3] };
  const run = (outputs: Record<string, Node>) => evaluateGraph(differentiate.run(graphOf(outputs)), at);

  test("uses add up", () => {
    const d = gradient(sum(add(mul(x, x), mul(x, scalar(5)))), x);
    expect(run({ d }).d).toEqual([7, 9, -1]);
  });

  test("a node in the middle counts by identity", () => {
    const [twice, other] = [add(x, x), add(x, x)];
    const y = sum(mul(twice, other));
    expect(run({ d: gradient(y, twice) }).d).toEqual([2, 4, -6]);
  });

  test("a scalar with respect to itself, and to what it does not reach", () => {
    const y = sum(x);
    expect(run({ one: gradient(y, y), none: gradient(y, input("z", 2)) })).toMatchObject({ one: [1], none: [0, 0] });
  });

  test("stop_gradient blocks; its own gradient exists", () => {
    const stopped = ops.stopGradient({ x });
    const y = sum(mul(stopped, x));
    expect(run({ d: gradient(y, x), s: gradient(y, stopped) })).toMatchObject({ d: [1, 2, -3], s: [1, 2, -3] });
  });

  test("nothing flows through integers", () => {
    const whole = ops.cast({ x: ops.cast({ x }, { to: "i32" }) }, { to: "f32" });
    expect(run({ d: gradient(sum(mul(whole, x)), x) }).d).toEqual([1, 2, -3]);
  });

  test("floor is flat", () => {
    expect(run({ d: gradient(sum(mul(ops.floor({ x }), x)), x) }).d).toEqual([1, 2, -3]);
  });

  test("two gradients that are one node stay two things to differentiate by", () => {
    const [a, b] = [input("a"), input("b")];
    const y = add(a, b);
    const [da, db] = [gradient(y, a), gradient(y, b)];
    const d = gradient(mul(da, mul(db, db)), da);
    expect(evaluateGraph(differentiate.run(graphOf({ d })), { a: [2], b: [3] }).d).toEqual([1]);
  });
});

test("gradients of one value share a sweep", () => {
  const [a, b] = [param("a", 4), param("b", 4)];
  const y = sum(ops.exp({ x: mul(a, b) }));
  const graph = differentiate.run(graphOf({ a: gradient(y, a), b: gradient(y, b) }));
  expect(count(graph, "broadcast")).toBe(1);
});

test("a graph without gradients is left alone", () => {
  const graph = graphOf({ y: sum(input("x", 2)) });
  expect(differentiate.run(graph)).toBe(graph);
});

test("depth is no limit", () => {
  const x = input("x");
  let y = x;
  for (let i = 0; i < 30_000; i++) y = add(y, x);
  const graph = differentiate.run(graphOf({ d: gradient(y, x) }));
  expect(topological(graph).length).toBeLessThan(100_000);
  expect(sizeOf(graph.outputs[0]!.value.type.shape)).toBe(1);
});

test("what has no derivative is the user's mistake", () => {
  const rounded = op({ name: "rounded", inputs: ["x"], kind: "elementwise" }).rules({ infer: ({ x }) => x });
  const span = { file: "net.dlm", start: { line: 2, column: 3 }, end: { line: 2, column: 9 } };
  const x = input("x", 3);
  const node = withOrigin({ span, path: "" }, () => rounded({ x }));
  expect(() => differentiate.run(graphOf({ d: gradient(sum(node), x) }))).toThrow(/rounded cannot be differentiated\n {2}--> net.dlm:2:3/);
});
