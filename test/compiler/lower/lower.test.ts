/** Lowered graphs compute what the graph means: every schedule, with and without layouts, against direct evaluation. */
import { describe, expect, test } from "vitest";
import { scheduleCpu } from "../../../compiler/schedule/cpu.ts";
import { scheduleGpu } from "../../../compiler/schedule/gpu.ts";
import { wasmKernelPasses } from "../../../compiler/schedule/passes.ts";
import { type Graph, topological } from "../../../ir/graph/graph.ts";
import { parseGraph } from "../../../ir/graph/parse.ts";
import { verifyKernel } from "../../../ir/kernel/verify.ts";
import { sizeOf } from "../../../ir/type.ts";
import { evaluateGraph } from "../../ir/ops/evaluate.ts";
import { lowerGraph, noise, type Options, runLowered } from "./run.ts";

const graphs: Record<string, string> = {
  dense: `graph g(%x: f32[5,13]) {
    @w = param "w" f32[13,11]
    @b = param "b" f32[11]
    %0 = matmul(%x, @w) : f32[5,11]
    %1 = add(%0, @b) : f32[5,11]
    %2 = relu(%1) : f32[5,11]
    return y = %2
  }`,
  transposed: `graph g(%x: f32[6,9]) {
    @w = param "w" f32[18,9]
    %0 = permute(@w) {axes=[1,0]} : f32[9,18]
    %1 = matmul(%x, %0) : f32[6,18]
    return y = %1
  }`,
  "one row": `graph g(%x: f32[1,40]) {
    @w = param "w" f32[40,37]
    %0 = matmul(%x, @w) : f32[1,37]
    return y = %0
  }`,
  convolution: `graph g(%x: f32[2,3,7,9]) {
    @w = param "w" f32[10,3,3,3]
    @b = param "b" f32[10,1,1]
    %0 = conv2d(%x, @w) {padding=[1,1,1,1]} : f32[2,10,7,9]
    %1 = add(%0, @b) : f32[2,10,7,9]
    %2 = relu(%1) : f32[2,10,7,9]
    return y = %2
  }`,
  "two convolutions": `graph g(%x: f32[1,1,8,8]) {
    @w = param "w" f32[8,1,5,5]
    @v = param "v" f32[6,8,3,3]
    %0 = conv2d(%x, @w) {padding=[2,2,2,2]} : f32[1,8,8,8]
    %1 = relu(%0) : f32[1,8,8,8]
    %2 = conv2d(%1, @v) {stride=[2,2], padding=[1,1,1,1]} : f32[1,6,4,4]
    %3 = max_pool2d(%2) {kernel=[2,2], stride=[2,2], padding=[0,0,0,0]} : f32[1,6,2,2]
    %4 = reshape(%3) {shape=[1,24]} : f32[1,24]
    @u = param "u" f32[24,5]
    %5 = matmul(%4, @u) : f32[1,5]
    return y = %5
  }`,
  residual: `graph g(%x: f32[1,4,6,6]) {
    @w = param "w" f32[4,4,3,3]
    @v = param "v" f32[4,4,3,3]
    %0 = conv2d(%x, @w) {padding=[1,1,1,1]} : f32[1,4,6,6]
    %1 = relu(%0) : f32[1,4,6,6]
    %2 = conv2d(%1, @v) {padding=[1,1,1,1]} : f32[1,4,6,6]
    %3 = add(%2, %1) : f32[1,4,6,6]
    %4 = relu(%3) : f32[1,4,6,6]
    return y = %4
  }`,
  "convolution gradients": `graph g(%x: f32[2,3,6,6], %dy: f32[2,8,6,6]) {
    @w = param "w" f32[8,3,3,3]
    %0 = conv2d_weight_grad(%x, %dy) {padding=[1,1,1,1], shape=[8,3,3,3]} : f32[8,3,3,3]
    %1 = conv2d_input_grad(%dy, @w) {padding=[1,1,1,1], shape=[2,3,6,6]} : f32[2,3,6,6]
    return dw = %0, dx = %1
  }`,
  "strided gradients": `graph g(%x: f32[1,5,7,7], %dy: f32[1,9,4,4]) {
    @w = param "w" f32[9,5,3,3]
    %0 = conv2d_weight_grad(%x, %dy) {stride=[2,2], padding=[1,1,1,1], shape=[9,5,3,3]} : f32[9,5,3,3]
    %1 = conv2d_input_grad(%dy, @w) {stride=[2,2], padding=[1,1,1,1], shape=[1,5,7,7]} : f32[1,5,7,7]
    return dw = %0, dx = %1
  }`,
  softmax: `graph g(%x: f32[3,11]) {
    %0 = softmax(%x) {axis=1} : f32[3,11]
    %1 = log_softmax(%x) {axis=1} : f32[3,11]
    %2 = reduce_sum(%1) {axes=[0,1]} : f32[]
    %3 = argmax(%x) {axis=1} : i32[3]
    return y = %0, s = %2, a = %3
  }`,
  update: `graph g(%x: f32[7,6], %dy: f32[7,10]) {
    @w = param "w" f32[6,10]
    @v = slot "v" f32[6,10]
    %0 = permute(%x) {axes=[1,0]} : f32[6,7]
    %1 = matmul(%0, %dy) : f32[6,10]
    %2 = full() {value=0.9, dtype="f32", shape=[]} : f32[]
    %3 = mul(@v, %2) : f32[6,10]
    %4 = add(%3, %1) : f32[6,10]
    %5 = sub(@w, %4) : f32[6,10]
    %6 = permute(@w) {axes=[1,0]} : f32[10,6]
    %7 = matmul(%dy, %6) : f32[7,6]
    return dx = %7
    update @w = %5
    update @v = %4
  }`,
  dropout: `graph g(%x: f32[6,10]) {
    @seed = counter "seed" i32[]
    @step = counter "micro_step" i32[]
    %0 = random_uniform(@seed, @step) {key=77, shape=[6,10]} : f32[6,10]
    %1 = full() {value=0.5, dtype="f32", shape=[]} : f32[]
    %2 = less_equal(%1, %0) : bool[6,10]
    %3 = add(%x, %x) : f32[6,10]
    %4 = full() {value=0, dtype="f32", shape=[]} : f32[]
    %5 = where(%2, %3, %4) : f32[6,10]
    return y = %5
  }`,
  "a convolution and its image added": `graph g(%x: f32[2,8,7,9]) {
    @w = param "w" f32[8,8,3,3]
    %0 = relu(%x) : f32[2,8,7,9]
    %1 = conv2d(%0, @w) {padding=[1,1,1,1]} : f32[2,8,7,9]
    %2 = add(%0, %1) : f32[2,8,7,9]
    return y = %2, x = %0
  }`,
  pooling: `graph g(%x: f32[2,5,6,6], %dy: f32[2,5,3,3]) {
    @w = param "w" f32[5,5,1,1]
    %0 = conv2d(%x, @w) : f32[2,5,6,6]
    %1 = max_pool2d(%0) {kernel=[2,2], stride=[2,2]} : f32[2,5,3,3]
    %2 = max_pool2d_index(%0) {kernel=[2,2], stride=[2,2]} : i32[2,5,3,3]
    %3 = max_pool2d_grad(%dy, %2) {kernel=[2,2], stride=[2,2], shape=[2,5,6,6]} : f32[2,5,6,6]
    %4 = avg_pool2d(%0) {kernel=[3,3], stride=[2,2], padding=[1,1,1,1]} : f32[2,5,3,3]
    return y = %1, dx = %3, a = %4
  }`,
  swap: `graph g() {
    @a = state "a" f32[5]
    @b = state "b" f32[5]
    return
    update @a = @b
    update @b = @a
  }`,
};
const single = wasmKernelPasses;
const variants: Record<string, Options> = {
  cpu: { schedule: scheduleCpu },
  "cpu, layouts": { schedule: scheduleCpu, layouts: true },
  gpu: { schedule: scheduleGpu },
  "gpu, layouts": { schedule: scheduleGpu, layouts: true },
  "wasm passes": { schedule: scheduleCpu, layouts: true, passes: single, model: "single" },
};

const inputsOf = (g: Graph): Record<string, number[]> =>
  Object.fromEntries(
    topological(g)
      .filter((n) => n.op.schema.kind === "leaf")
      .map((n, i) => [String(n.attrs.name), noise(sizeOf(n.type.shape), i)]),
  );

describe.each(Object.entries(graphs))("%s", (_, text) => {
  const graph = parseGraph(text);
  const inputs = inputsOf(graph);
  const meaning = evaluateGraph(graph, inputs);
  const expected = { ...meaning.outputs, ...meaning.updates };
  test.each(Object.entries(variants))("%s", (_name, options) => {
    for (const k of lowerGraph(graph, options).kernels) expect(verifyKernel(k, "logical")).toEqual([]);
    const got = runLowered(graph, inputs, options);
    for (const [name, want] of Object.entries(expected)) {
      const values = Array.from(want);
      const scale = Math.max(1, ...values.map(Math.abs));
      const worst = Math.max(...values.map((v, i) => Math.abs(v - got[name]![i]!)));
      expect(worst / scale, name).toBeLessThan(options.model === "single" ? 3e-6 : 1e-12);
    }
  });
});
