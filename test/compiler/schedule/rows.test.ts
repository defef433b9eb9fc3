/** Chains of reductions along rows in one kernel: of odd shapes, against separate kernels, and WebAssembly bit for bit. */
import { describe, expect, test } from "vitest";
import { scheduleCpu } from "../../../compiler/schedule/cpu.ts";
import { wasmKernelPasses } from "../../../compiler/schedule/passes.ts";
import { topological } from "../../../ir/graph/graph.ts";
import { parseGraph } from "../../../ir/graph/parse.ts";
import { bufferElements } from "../../../ir/kernel/address.ts";
import { elementType, type Kernel } from "../../../ir/kernel/kernel.ts";
import { verifyKernel } from "../../../ir/kernel/verify.ts";
import { sizeOf } from "../../../ir/type.ts";
import { interpretSingle, renamed, runThreads, runWasm } from "../../codegen/support.ts";
import { lowerGraph, noise, runLowered } from "../lower/run.ts";

const softmax = (rows: number, n: number) => `graph g(%x: f32[${rows},${n}]) {
    %0 = softmax(%x) {axis=1} : f32[${rows},${n}]
    return y = %0
  }`;
const normalised = (shape: string, rest: string, width: number, axes: string) => `graph g(%x: f32[${shape}]) {
    @w = param "w" f32[${width}]
    %0 = mean(%x) {axes=[${axes}], keepdims=true} : f32[${rest}]
    %1 = variance(%x) {axes=[${axes}], keepdims=true} : f32[${rest}]
    %2 = sub(%x, %0) : f32[${shape}]
    %3 = full() {value=0.00001, dtype="f32", shape=[]} : f32[]
    %4 = add(%1, %3) : f32[${rest}]
    %5 = sqrt(%4) : f32[${rest}]
    %6 = div(%2, %5) : f32[${shape}]
    %7 = mul(%6, @w) : f32[${shape}]
    return y = %7
  }`;
/** Forward and what gradients need of it: values that others read are further results. */
const backward = (rows: number, n: number) => `graph g(%x: f32[${rows},${n}], %dy: f32[${rows},${n}]) {
    %0 = softmax(%x) {axis=1} : f32[${rows},${n}]
    %1 = mul(%dy, %0) : f32[${rows},${n}]
    %2 = reduce_sum(%1) {axes=[1], keepdims=true} : f32[${rows},1]
    %3 = sub(%dy, %2) : f32[${rows},${n}]
    %4 = mul(%0, %3) : f32[${rows},${n}]
    %5 = reduce_sum(%4) {axes=[0], keepdims=false} : f32[${n}]
    return columns = %5
  }`;
/** A row's largest element and its place without axes kept, and what depends on both. */
const places = (rows: number, n: number) => `graph g(%x: f32[${rows},${n}]) {
    %0 = argmax(%x) {axis=1} : i32[${rows}]
    %1 = reduce_max(%x) {axes=[1]} : f32[${rows}]
    %2 = cast(%0) {to="f32"} : f32[${rows}]
    %3 = mul(%1, %2) : f32[${rows}]
    %4 = reshape(%3) {shape=[${rows},1]} : f32[${rows},1]
    %5 = sub(%x, %4) : f32[${rows},${n}]
    %6 = exp(%5) : f32[${rows},${n}]
    return y = %6
  }`;
const integers = (rows: number, n: number) => `graph g(%x: i32[${rows},${n}]) {
    %0 = reduce_max(%x) {axes=[1], keepdims=true} : i32[${rows},1]
    %1 = sub(%x, %0) : i32[${rows},${n}]
    %2 = reduce_sum(%1) {axes=[1], keepdims=true} : i32[${rows},1]
    %3 = mul(%1, %2) : i32[${rows},${n}]
    return y = %3
  }`;
/** Cosine similarity of rows, whose rows are numbered by two axes, then one of joined ones. */
const similarity = `graph g(%x: f32[3,5,40], %z: f32[15,40]) {
    %0 = mul(%x, %x) : f32[3,5,40]
    %1 = reduce_sum(%0) {axes=[2], keepdims=true} : f32[3,5,1]
    %2 = sqrt(%1) : f32[3,5,1]
    %3 = div(%x, %2) : f32[3,5,40]
    %4 = reshape(%3) {shape=[15,40]} : f32[15,40]
    %5 = mul(%z, %z) : f32[15,40]
    %6 = reduce_sum(%5) {axes=[1], keepdims=true} : f32[15,1]
    %7 = sqrt(%6) : f32[15,1]
    %8 = div(%z, %7) : f32[15,40]
    %9 = mul(%4, %8) : f32[15,40]
    %10 = reduce_sum(%9) {axes=[1]} : f32[15]
    return y = %10
  }`;
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
const inputsOf = (graph: ReturnType<typeof parseGraph>) =>
  Object.fromEntries(
    topological(graph).flatMap((n, i) => {
      if (n.op.schema.kind !== "leaf") return [];
      const values = noise(sizeOf(n.type.shape), i);
      return [[String(n.attrs.name), n.type.dtype === "i32" ? values.map((v) => Math.round(v * 50)) : values]];
    }),
  );

describe.each(Object.entries(cases))("%s", (_, { text, kernels }) => {
  const graph = parseGraph(text);
  const inputs = inputsOf(graph);

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
