/** Folds in tiles and in lanes: depthwise convolutions, pooling, reductions, of odd shapes, against plain loops and bit for bit. */
import { describe, expect, test } from "vitest";
import { scheduleCpu } from "../../../compiler/schedule/cpu.ts";
import { scheduleGpu } from "../../../compiler/schedule/gpu.ts";
import { wasmKernelPasses } from "../../../compiler/schedule/passes.ts";
import { topological } from "../../../ir/graph/graph.ts";
import { parseGraph } from "../../../ir/graph/parse.ts";
import { bufferElements } from "../../../ir/kernel/address.ts";
import type { Kernel } from "../../../ir/kernel/kernel.ts";
import { visitStmts } from "../../../ir/kernel/rewrite.ts";
import { verifyKernel } from "../../../ir/kernel/verify.ts";
import { sizeOf } from "../../../ir/type.ts";
import { interpretSingle, renamed, runThreads, runWasm } from "../../codegen/support.ts";
import { lowerGraph, noise, runLowered } from "../lower/run.ts";

/** A convolution in front of it gives an image its layout. */
const image = (c: number, h: number, w: number) => `@u = param "u" f32[${c},2,1,1]
    %a = conv2d(%x, @u) : f32[2,${c},${h},${w}]`;
const attrs = (stride: number, padding: string, groups: number) => `stride=[${stride},${stride}], padding=[${padding}], groups=${groups}`;
/** Forward and backward, of `o` columns. */
function grouped(c: number, o: number, groups: number, kernel: number, stride: number, padding: string, h = 11, w = 9): string {
  const [top, bottom, left, right] = padding.split(",").map(Number) as [number, number, number, number];
  const [i, j] = [Math.floor((h + top + bottom - kernel) / stride) + 1, Math.floor((w + left + right - kernel) / stride) + 1];
  const how = attrs(stride, padding, groups);
  const k = `f32[${o},${c / groups},${kernel},${kernel}]`;
  return `graph g(%x: f32[2,2,${h},${w}]) {
    ${image(c, h, w)}
    @w = param "w" ${k}
    @b = param "b" f32[${o},1,1]
    %0 = conv2d(%a, @w) {${how}} : f32[2,${o},${i},${j}]
    %1 = add(%0, @b) : f32[2,${o},${i},${j}]
    %2 = relu(%1) : f32[2,${o},${i},${j}]
    %3 = conv2d_input_grad(%2, @w) {${how}, shape=[2,${c},${h},${w}]} : f32[2,${c},${h},${w}]
    %4 = conv2d_weight_grad(%a, %2) {${how}, shape=[${k.slice(4, -1)}]} : ${k}
    return y = %2, dx = %3, dw = %4
  }`;
}
const pools = (kernel: string, stride: string, padding: string, out: string) => {
  const how = `kernel=[${kernel}], stride=[${stride}], padding=[${padding}]`;
  return `graph g(%x: f32[2,2,9,11]) {
    ${image(12, 9, 11)}
    %0 = max_pool2d(%a) {${how}} : f32[2,12,${out}]
    %1 = avg_pool2d(%a) {${how}} : f32[2,12,${out}]
    %2 = avg_pool2d(%a) {${how}, count_include_pad=false} : f32[2,12,${out}]
    %3 = max_pool2d_index(%a) {${how}} : i32[2,12,${out}]
    %4 = max_pool2d_grad(%1, %3) {${how}, shape=[2,12,9,11]} : f32[2,12,9,11]
    %5 = avg_pool2d_grad(%0) {${how}, shape=[2,12,9,11]} : f32[2,12,9,11]
    return m = %0, a = %1, b = %2, i = %3, dm = %4, da = %5
  }`;
};
const reductions = (shape: number[], axes: number[]) => {
  const rest = shape.filter((_, a) => !axes.includes(a));
  const kinds = ["sum", "max", "min", "prod"];
  const how = `{axes=[${axes}]}`;
  const argmax = axes.length === 1 ? `%p = argmax(%x) {axis=${axes[0]}} : i32[${rest}]` : "";
  return `graph g(%x: f32[${shape}]) {
    ${kinds.map((k) => `%${k} = reduce_${k}(%x) ${how} : f32[${rest}]`).join("\n    ")}
    %q = mul(%x, %x) : f32[${shape}]
    %norm = reduce_sum(%q) ${how} : f32[${rest}]
    %root = sqrt(%norm) : f32[${rest}]
    ${argmax}
    return ${kinds.map((k) => `${k} = %${k}`).join(", ")}, root = %root${argmax ? ", p = %p" : ""}
  }`;
};
const cases: Record<string, string> = {
  "depthwise 3x3": grouped(12, 12, 12, 3, 1, "1,1,1,1"),
  "depthwise 3x3 with a ragged vector": grouped(7, 7, 7, 3, 1, "1,1,1,1"),
  "depthwise 3x3, stride 2": grouped(8, 8, 8, 3, 2, "1,1,1,1"),
  "depthwise 3x3, stride 2, even": grouped(8, 8, 8, 3, 2, "0,1,0,1", 8, 10),
  "depthwise 5x5": grouped(8, 8, 8, 5, 1, "2,2,2,2"),
  "depthwise 4x4, stride 3": grouped(4, 4, 4, 4, 3, "2,1,1,2"),
  "depthwise with four columns for a channel": grouped(3, 12, 3, 3, 1, "1,1,1,1"),
  "depthwise with two columns for a channel": grouped(4, 8, 4, 3, 1, "1,1,1,1"),
  "groups of four": grouped(8, 8, 2, 3, 1, "1,1,1,1"),
  "pools 2": pools("2,2", "2,2", "0,0,0,0", "4,5"),
  "pools 3, stride 2": pools("3,3", "2,2", "1,1,1,1", "5,6"),
  "pools 3, stride 1": pools("3,3", "1,1", "1,1,1,1", "9,11"),
  "pools 4x3": pools("4,3", "3,2", "2,1,0,1", "3,5"),
  "sums of 4 columns": reductions([83, 4], [0]),
  "sums of 9 columns": reductions([83, 9], [0]),
  "sums of 42 columns": reductions([41, 42], [0]),
  "sums of columns in levels": reductions([5, 17, 18], [0, 1]),
  "sums in the middle": reductions([3, 21, 20], [1]),
  "sums of rows": reductions([3, 4, 75], [2]),
  "sums of short rows": reductions([5, 11], [1]),
  "sums of everything": reductions([7, 45], [0, 1]),
  "sums of products of integers": `graph g(%x: i32[64,5], %y: i32[64,1]) {
    %0 = mul(%x, %y) : i32[64,5]
    %1 = reduce_sum(%0) {axes=[0]} : i32[5]
    return s = %1
  }`,
  "sums of a concatenation": `graph g(%x: f32[5,9], %y: f32[5,14]) {
    %c = concat(%x, %y) {axis=1} : f32[5,23]
    %e = exp(%c) : f32[5,23]
    %0 = reduce_sum(%e) {axes=[0]} : f32[23]
    return s = %0
  }`,
};
const inputsOf = (text: string): Record<string, number[]> =>
  Object.fromEntries(
    topological(parseGraph(text))
      .filter((n) => n.op.schema.kind === "leaf")
      .map((n, i) => [String(n.attrs.name), noise(sizeOf(n.type.shape), i + 1)]),
  );
const kernelsOf = (text: string): readonly Kernel[] =>
  lowerGraph(parseGraph(text), { schedule: scheduleCpu, layouts: true }).kernels.map((k) => wasmKernelPasses.reduce((x, p) => p.run(x), k));
const memoryOf = (k: Kernel) =>
  Object.fromEntries(
    k.buffers
      .filter((b) => b.space === "in")
      .map((b, i) => [b.name, noise(bufferElements(b), i + 1).map((v) => (b.type === "f32" ? v : Math.abs(Math.trunc(v * 17))))]),
  );

describe.each(Object.entries(cases))("%s", (_, text) => {
  test("means what plain loops mean", () => {
    const graph = parseGraph(text);
    const want = runLowered(graph, inputsOf(text), { schedule: scheduleGpu });
    const got = runLowered(graph, inputsOf(text), { schedule: scheduleCpu, layouts: true });
    for (const [name, values] of Object.entries(want)) {
      const scale = Math.max(1, ...values.map(Math.abs));
      values.forEach((v, i) => void expect(Math.abs(got[name]![i]! - v), `${name}[${i}]`).toBeLessThan(1e-12 * scale));
    }
  });
  test("WebAssembly gives the bits of the interpreter, on three threads too", async () => {
    const kernels = kernelsOf(text).map(renamed);
    for (const k of kernels) {
      expect(verifyKernel(k, "pointers")).toEqual([]);
      expect(await runWasm(k, memoryOf(k)), k.name).toEqual(interpretSingle(k, memoryOf(k)));
    }
    const inputs = Object.assign({}, ...kernels.map(memoryOf));
    expect(await runThreads(kernels, inputs, 3)).toEqual(await runWasm(kernels, inputs));
  });
});

/** Loops over lanes, anywhere in the kernels of a graph. */
function vectorLoops(text: string, name: string): number {
  let count = 0;
  for (const k of lowerGraph(parseGraph(text), { schedule: scheduleCpu, layouts: true }).kernels)
    if (k.name.includes(name))
      visitStmts(k.body, (s) => {
        count += Number(s.kind === "for" && s.loop === "vector");
      });
  return count;
}
test.each([
  ["depthwise 3x3", "conv2d_add_relu"],
  ["depthwise 3x3, stride 2", "conv2d_input_grad"],
  ["depthwise 3x3", "conv2d_weight_grad"],
  ["groups of four", "conv2d_add_relu"],
  ["pools 3, stride 2", "max_pool2d"],
  ["sums of 9 columns", "reduce_max"],
  ["sums of rows", "argmax"],
])("%s: %s runs in lanes", (name, kernel) => {
  expect(vectorLoops(cases[name]!, kernel)).toBeGreaterThan(0);
});

test("a NaN stays, whichever lane or chain meets it", async () => {
  for (const [shape, axes] of [
    [[83, 8], [0]],
    [[4, 75], [1]],
  ] as const) {
    const text = reductions([...shape], [...axes]);
    const k = kernelsOf(text).find((x) => x.name.startsWith("reduce_max"))!;
    const count = shape[0] * shape[1];
    for (const at of [0, 7, count >> 1, count - 1]) {
      const x = noise(count, 3).with(at, Number.NaN);
      const { y } = await runWasm(k, { x0: x });
      const mine = axes[0] === 0 ? at % shape[1] : Math.floor(at / shape[1]);
      expect([...y!].map(Number.isNaN).indexOf(true)).toBe(mine);
      expect([...y!].filter(Number.isNaN)).toHaveLength(1);
    }
  }
});
