/** Values of graphs for tests of passes: by the oracle, in double precision. */
import { expect } from "vitest";
import { type Graph, type Node, reachable, topological } from "../../../ir/graph/graph.ts";
import { sizeOf } from "../../../ir/type.ts";
import { disagreement } from "../../ir/ops/agree.ts";
import * as oracle from "../../ir/ops/evaluate.ts";

/** Elements of inputs, variables, outputs by name. */
export type Values = Readonly<Record<string, readonly number[]>>;

/** A graph of the given outputs, without updates. */
export function graphOf(outputs: Readonly<Record<string, Node>>): Graph {
  const inputs = reachable(Object.values(outputs)).filter((n) => n.op.schema.name === "input");
  return { name: "f", inputs, outputs: Object.entries(outputs).map(([name, value]) => ({ name, value })), updates: [] };
}

/** Outputs and new contents of variables. */
export function evaluateGraph(graph: Graph, values: Values): Record<string, number[]> {
  const { outputs, updates } = oracle.evaluateGraph(graph, values);
  return Object.fromEntries(Object.entries({ ...outputs, ...updates }).map(([name, v]) => [name, Array.from(v)]));
}

/** Largest difference relative to the largest value, at least 1. */
export function expectClose(actual: readonly number[], expected: readonly number[], tolerance: number, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  const scale = Math.max(1, ...expected.map(Math.abs));
  const worst = Math.max(0, ...actual.map((v, i) => Math.abs(v - expected[i]!)));
  expect(worst / scale, `${what}: ${actual} instead of ${expected}`).toBeLessThanOrEqual(tolerance);
}

/** Numbers for every leaf: floats in 0.1 .. 1.5 (good for square roots and divisors), small integers, bools. */
export function randomValues(graph: Graph, seed: number): Values {
  const next = generator(seed);
  const leaves = [...graph.inputs, ...topological(graph)].filter((n) => n.op.schema.kind === "leaf" && "name" in n.attrs);
  const element = (dtype: string) => (dtype === "f32" ? 0.1 + 1.4 * next() : Math.floor((dtype === "bool" ? 2 : 4) * next()));
  return Object.fromEntries(
    leaves.map(({ attrs, type }) => [attrs.name as string, Array.from({ length: sizeOf(type.shape) }, () => element(type.dtype))]),
  );
}
/** Numbers in [0, 1): a linear congruential generator of Numerical Recipes, upper bits. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}

/** `results` run one after the other, each on what those before it left, do what `graph` does. */
export function equivalent(graph: Graph, results: readonly Graph[]): void {
  for (const seed of [1, 2]) {
    const given = randomValues(graph, seed);
    const expected = evaluateGraph(graph, given);
    let actual: Values = given;
    for (const result of results) actual = { ...actual, ...evaluateGraph(result, actual) };
    // Single-precision constants make the difference.
    for (const [name, values] of Object.entries(expected)) expect([name, disagreement(actual[name]!, values, 1e-6)]).toEqual([name, null]);
  }
}
