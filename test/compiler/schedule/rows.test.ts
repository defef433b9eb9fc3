/** Chains of reductions along rows in one kernel: of odd shapes, against separate kernels, and WebAssembly bit for bit. */
import { describe, expect, test } from "vitest";
import { scheduleCpu } from "../../../compiler/schedule/cpu.ts";
import { wasmKernelPasses } from "../../../compiler/schedule/passes.ts";
import { parseGraph } from "../../../ir/graph/parse.ts";
import { bufferElements } from "../../../ir/kernel/address.ts";
import { elementType, type Kernel } from "../../../ir/kernel/kernel.ts";
import { verifyKernel } from "../../../ir/kernel/verify.ts";
import { interpretSingle, renamed, runThreads, runWasm } from "../../codegen/support.ts";
import { leavesOf, lowerGraph, noise, runLowered } from "../lower/run.ts";
import { backward, integers, normalised, places, similarity, softmax } from "./row-graphs.ts";

/** Two readers of one row: a softmax, and a normalisation of the same values. */
const shared = `graph g(%x: f32[24,33]) {
    %a = exp(%x) : f32[24,33]
    %m = reduce_sum(%a) {axes=[1], keepdims=true} : f32[24,1]
    %y = div(%a, %m) : f32[24,33]
    %q = mul(%a, %m) : f32[24,33]
    %s = reduce_sum(%q) {axes=[1], keepdims=true} : f32[24,1]
    %z = div(%q, %s) : f32[24,33]
    return y = %y, z = %z
  }`;

interface Case {
  readonly text: string;
  /** Kernels of the graph. */
  readonly kernels: number;
}
const cases: Record<string, Case> = {
  "softmax of rows of 1": { text: softmax(40, 1), kernels: 2 },
  "softmax of rows of 3": { text: softmax(40, 3), kernels: 4 },
  "softmax of rows of 7": { text: softmax(40, 7), kernels: 4 },
  "softmax of rows of 17": { text: softmax(40, 17), kernels: 1 },
  "softmax of 37 rows of 100": { text: softmax(37, 100), kernels: 1 },
  "softmax of 67 rows of 128": { text: softmax(67, 128), kernels: 1 },
  "softmax of rows of 1000": { text: softmax(9, 1000), kernels: 1 },
  "softmax of one row": { text: softmax(1, 50), kernels: 1 },
  "normalised rows": { text: normalised("6,5,36", "6,5,1", 36, "2"), kernels: 1 },
  "normalised over two axes": { text: normalised("9,4,20", "9,1,1", 20, "1,2"), kernels: 1 },
  "normalised over an axis in the middle": { text: normalised("6,20,12", "6,1,12", 12, "1"), kernels: 3 },
  "softmax and its gradient, then columns": { text: backward(34, 21), kernels: 2 },
  "places of the largest": { text: places(33, 30), kernels: 1 },
  "whole numbers": { text: integers(18, 27), kernels: 1 },
  "rows numbered in two ways": { text: similarity, kernels: 1 },
  "two readers": { text: shared, kernels: 2 },
};

describe.each(Object.entries(cases))("%s", (_, { text, kernels }) => {
  const graph = parseGraph(text);
  const inputs = leavesOf(graph);

  test("as many kernels as expected", () => {
    expect(lowerGraph(graph, { schedule: scheduleCpu }).kernels.length).toBe(kernels);
  });
  test("means what separate kernels mean, after every pass", () => {
    const compare = (passes: number, model: "double" | "single", tolerance: number): void => {
      const plain = runLowered(graph, inputs, { schedule: (c) => scheduleCpu(c), model });
      const got = runLowered(graph, inputs, { schedule: scheduleCpu, passes: wasmKernelPasses.slice(0, passes), model });
      for (const [name, want] of Object.entries(plain))
        got[name]!.forEach((v, i) => {
          expect(Math.abs(v - want[i]!), `${name}[${i}] after ${passes} passes`).toBeLessThan(tolerance * Math.max(1, Math.abs(want[i]!)));
        });
    };
    // Functions become polynomials of single precision by the pass behind the first three.
    for (const n of [0, 1, 2, 3]) compare(n, "double", 1e-9);
    for (let n = 4; n <= wasmKernelPasses.length; n++) compare(n, "single", 2e-5);
  });
  test("WebAssembly gives the bits of the interpreter, on three threads too", async () => {
    for (const given of lowerGraph(graph, { schedule: scheduleCpu }).kernels) {
      expect(verifyKernel(given, "logical")).toEqual([]);
      const k: Kernel = renamed(wasmKernelPasses.reduce((x, p) => p.run(x), given));
      expect(verifyKernel(k, "pointers")).toEqual([]);
      const memory = Object.fromEntries(
        k.buffers
          .filter((b) => b.space === "in")
          .map((b, i) => {
            const values = noise(bufferElements(b), i);
            return [b.name, elementType(b) === "i32" ? Int32Array.from(values, (v) => Math.round(v * 50)) : Float32Array.from(values)];
          }),
      );
      const want = interpretSingle(k, memory);
      for (const got of [await runWasm(k, memory), await runThreads([k], memory, 3)])
        for (const b of k.buffers.filter((x) => x.space === "out")) expect(got[b.name], `${given.name} ${b.name}`).toEqual(want[b.name]);
    }
  });
});

test("few long rows are left to as many threads as there are", () => {
  expect(lowerGraph(parseGraph(softmax(2, 2 ** 15)), { schedule: scheduleCpu }).kernels.length).toBe(4);
});
test("a value of the rows may take the place of what they have read", () => {
  const { calls } = lowerGraph(parseGraph(softmax(40, 100)), { schedule: scheduleCpu }).entries[0]!;
  expect(calls.map((c) => c.inPlace[0]!.map((v) => v.name))).toEqual([["x"]]);
});
