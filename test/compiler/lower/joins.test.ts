/** Concatenations without a kernel: operands are written where the result has them, and everything means what it meant. */
import { describe, expect, test } from "vitest";
import { compileGraphs } from "../../../compiler/compile-graphs.ts";
import { scheduleCpu } from "../../../compiler/schedule/cpu.ts";
import { wasmKernelPasses } from "../../../compiler/schedule/passes.ts";
import { parseGraph } from "../../../ir/graph/parse.ts";
import { layout, printLayout } from "../../../ir/layout.ts";
import { load } from "../../../runtime/index.ts";
import { programOf } from "../../graph-program.ts";
import { lowerGraph, noise, type Options, runLowered } from "./run.ts";

interface Case {
  readonly text: string;
  readonly inputs: Readonly<Record<string, number>>;
  /** Names of kernels that still put something together. */
  readonly concats: number;
  /** Values in memory of others, with their layouts; those one behind the other have none. */
  readonly parts: readonly string[];
}
const cases: Record<string, Case> = {
  "three, five and one channels, read with a halo": {
    text: `graph g(%x: f32[2,3,5,6], %a: f32[3,3,1,1], %b: f32[5,3,3,3], %c: f32[1,3,1,1], %w: f32[6,9,3,3]) {
      %0 = conv2d(%x, %a) : f32[2,3,5,6]
      %1 = conv2d(%x, %b) {padding=[1,1,1,1]} : f32[2,5,5,6]
      %2 = conv2d(%x, %c) : f32[2,1,5,6]
      %3 = concat(%0, %1, %2) {axis=1} : f32[2,9,5,6]
      %4 = conv2d(%3, %w) {padding=[1,1,1,1]} : f32[2,6,5,6]
      return y = %4
    }`,
    inputs: { x: 180, a: 9, b: 135, c: 3, w: 486 },
    concats: 0,
    parts: ["0 2+1,1 3+1,1 1@9", "0 2+1,1 3+1,1 1@9", "0 2+1,1 3+1,1 1@9"],
  },
  "an operand with a larger halo, which others read too": {
    text: `graph g(%x: f32[1,3,6,6], %a: f32[4,3,1,1], %b: f32[8,3,1,1], %w: f32[5,12,1,1], %v: f32[4,4,3,3]) {
      %0 = conv2d(%x, %a) : f32[1,4,6,6]
      %1 = conv2d(%x, %b) : f32[1,8,6,6]
      %2 = relu(%0) : f32[1,4,6,6]
      %3 = concat(%1, %2) {axis=1} : f32[1,12,6,6]
      %4 = conv2d(%3, %w) : f32[1,5,6,6]
      %5 = conv2d(%2, %v) {padding=[1,1,1,1]} : f32[1,4,6,6]
      %6 = max_pool2d(%2) {kernel=[2,2], stride=[2,2]} : f32[1,4,3,3]
      return y = %4, z = %5, p = %6
    }`,
    inputs: { x: 108, a: 12, b: 24, w: 60, v: 144 },
    concats: 0,
    parts: ["0 2+1,1 3+1,1 1@12", "0 2+1,1 3+1,1 1@12"],
  },
  "a concatenation of a concatenation": {
    text: `graph g(%x: f32[1,4,5,5], %a: f32[4,4,3,3], %b: f32[4,8,3,3], %w: f32[6,12,1,1]) {
      %0 = conv2d(%x, %a) {padding=[1,1,1,1]} : f32[1,4,5,5]
      %1 = relu(%0) : f32[1,4,5,5]
      %2 = neg(%0) : f32[1,4,5,5]
      %3 = exp(%2) : f32[1,4,5,5]
      %4 = concat(%1, %3) {axis=1} : f32[1,8,5,5]
      %5 = conv2d(%4, %b) {padding=[1,1,1,1]} : f32[1,4,5,5]
      %6 = concat(%4, %5) {axis=1} : f32[1,12,5,5]
      %7 = conv2d(%6, %w) : f32[1,6,5,5]
      return y = %7
    }`,
    inputs: { x: 100, a: 144, b: 288, w: 72 },
    concats: 0,
    parts: ["0 2+1,1 3+1,1 1@12", "0 2+1,1 3+1,1 1@12", "0 2+1,1 3+1,1 1@12", "0 2+1,1 3+1,1 1@12"],
  },
  "what is first in another": {
    text: `graph g(%x: f32[1,4,4,4], %a: f32[4,4,1,1], %b: f32[4,4,1,1], %c: f32[4,8,1,1], %w: f32[4,12,1,1]) {
      %0 = conv2d(%x, %a) : f32[1,4,4,4]
      %1 = conv2d(%x, %b) : f32[1,4,4,4]
      %2 = concat(%0, %1) {axis=1} : f32[1,8,4,4]
      %3 = conv2d(%2, %c) : f32[1,4,4,4]
      %4 = concat(%0, %1, %3) {axis=1} : f32[1,12,4,4]
      %5 = conv2d(%4, %w) : f32[1,4,4,4]
      return y = %5
    }`,
    inputs: { x: 64, a: 16, b: 16, c: 32, w: 48 },
    concats: 0,
    parts: ["0 2 3 1@12", "0 2 3 1@12", "0 2 3 1@12", "0 2 3 1@12"],
  },
  "an operand that is there twice, and an input, are copied by themselves": {
    text: `graph g(%x: f32[1,3,4,4], %a: f32[4,3,1,1], %b: f32[4,3,1,1], %w: f32[8,15,1,1]) {
      %0 = conv2d(%x, %a) : f32[1,4,4,4]
      %1 = conv2d(%x, %b) : f32[1,4,4,4]
      %2 = concat(%0, %1, %0, %x) {axis=1} : f32[1,15,4,4]
      %3 = conv2d(%2, %w) : f32[1,8,4,4]
      return y = %3
    }`,
    inputs: { x: 48, a: 12, b: 12, w: 120 },
    concats: 0,
    parts: ["0 2 3 1@15", "0 2 3 1@15", "0 2 3 1@15", "0 2 3 1@15"],
  },
  "outputs stay where they are wanted": {
    text: `graph g(%x: f32[1,3,4,4], %a: f32[4,3,1,1]) {
      %0 = conv2d(%x, %a) : f32[1,4,4,4]
      %1 = concat(%0, %x) {axis=1} : f32[1,7,4,4]
      return y = %1
    }`,
    inputs: { x: 48, a: 12 },
    concats: 1,
    parts: [],
  },
  "rows of a matrix, one behind the other": {
    text: `graph g(%x: f32[3,8], %t: f32[1,8], %a: f32[8,8], %w: f32[8,5]) {
      %0 = matmul(%x, %a) : f32[3,8]
      %1 = concat(%t, %0) {axis=0} : f32[4,8]
      %2 = matmul(%1, %w) : f32[4,5]
      return y = %2
    }`,
    inputs: { x: 24, t: 8, a: 64, w: 40 },
    concats: 0,
    parts: ["", ""],
  },
  "a whole that would be alive too early is copied": {
    text: `graph g(%x: f32[1,4,8,8], %a: f32[4,4,1,1], %b: f32[24,4,1,1], %c: f32[4,24,1,1], %d: f32[12,4,1,1], %w: f32[4,16,1,1]) {
      %0 = conv2d(%x, %a) : f32[1,4,8,8]
      %1 = conv2d(%0, %b) : f32[1,24,8,8]
      %2 = conv2d(%1, %c) : f32[1,4,8,8]
      %3 = conv2d(%2, %d) : f32[1,12,8,8]
      %4 = concat(%0, %3) {axis=1} : f32[1,16,8,8]
      %5 = conv2d(%4, %w) : f32[1,4,8,8]
      return y = %5
    }`,
    inputs: { x: 256, a: 16, b: 96, c: 96, d: 48, w: 64 },
    concats: 1,
    parts: [],
  },
};
const copied: Options = { schedule: scheduleCpu, layouts: true };
const single: Options = { ...copied, passes: wasmKernelPasses, model: "single" };

describe.each(Object.entries(cases))("%s", (_, { text, inputs, concats, parts }) => {
  const graph = parseGraph(text);
  const given = Object.fromEntries(Object.entries(inputs).map(([name, n], i) => [name, noise(n, i)]));
  test("is in its place", () => {
    const { calls } = lowerGraph(graph, { ...copied, joins: true }).entries[0]!;
    expect(calls.filter((c) => c.kernel.startsWith("concat"))).toHaveLength(concats);
    const values = new Set(calls.flatMap((c) => [...c.inputs, ...c.outputs]).filter((v) => v.home.kind === "inside"));
    expect([...values].map((v) => (v.type.layout ? printLayout(v.type.layout) : ""))).toEqual(parts);
  });
  test.each([
    ["meaning", copied],
    ["wasm passes", single],
  ] as const)("gives the numbers of the copy: %s", (_name, options) => {
    expect(runLowered(graph, given, { ...options, joins: true })).toEqual(runLowered(graph, given, options));
  });
});

test("any number of threads gives the bits of the interpreter", async () => {
  const { text, inputs } = cases["three, five and one channels, read with a halo"]!;
  const graph = parseGraph(text);
  const given = Object.fromEntries(Object.entries(inputs).map(([name, n], i) => [name, noise(n, i)]));
  const compiled = await compileGraphs("g", { forward: graph }, [], { reproducible: true });
  const program = programOf(graph, "wasm", compiled);
  const expected = Float32Array.from(runLowered(graph, given, single).y!);
  for (const threads of [1, 2, 3]) {
    const net = await load(program, { threads });
    const arrays = Object.fromEntries(Object.entries(given).map(([name, data]) => [name, Float32Array.from(data)]));
    expect((await net.run(arrays)).y).toEqual(expected);
    await net.dispose();
  }
});

test("a layout names what it is part of", () => {
  expect(printLayout(layout("0 2+1,1 3 1@12"))).toBe("0 2+1,1 3 1@12");
  expect(layout("0 1@7").within).toEqual({ axis: 1, extent: 7 });
});
