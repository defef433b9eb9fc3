/** Loops over elements: rows, pieces and what is left of a vector, against plain loops and bit for bit; and which form they take. */
import { describe, expect, test } from "vitest";
import { scheduleCpu } from "../../../compiler/schedule/cpu.ts";
import { scheduleGpu } from "../../../compiler/schedule/gpu.ts";
import { wasmKernelPasses } from "../../../compiler/schedule/passes.ts";
import { topological } from "../../../ir/graph/graph.ts";
import { parseGraph } from "../../../ir/graph/parse.ts";
import { bufferElements } from "../../../ir/kernel/address.ts";
import type { Kernel } from "../../../ir/kernel/kernel.ts";
import { printKernel } from "../../../ir/kernel/print.ts";
import { verifyKernel } from "../../../ir/kernel/verify.ts";
import { sizeOf } from "../../../ir/type.ts";
import { interpretSingle, renamed, runThreads, runWasm } from "../../codegen/support.ts";
import { lowerGraph, noise, runLowered } from "../lower/run.ts";

const graphs: Record<string, string> = {
  "one row": `graph g(%x: f32[3,7,5], %z: f32[3,7,5]) { %0 = add(%x, %z) : f32[3,7,5] return y = %0 }`,
  columns: `graph g(%x: f32[3,37], %b: f32[37]) { %0 = add(%x, %b) : f32[3,37] return y = %0 }`,
  "short columns": `graph g(%x: f32[9,7], %b: f32[7]) { %0 = add(%x, %b) : f32[9,7] return y = %0 }`,
  rows: `graph g(%x: f32[5,22], %b: f32[5,1]) { %0 = mul(%x, %b) : f32[5,22] return y = %0 }`,
  channels: `graph g(%x: f32[2,3,4,5], %b: f32[3,1,1]) { %0 = add(%x, %b) : f32[2,3,4,5] return y = %0 }`,
  "channels last": `graph g(%x: f32[2,2,5,6]) {
    @u = param "u" f32[18,2,1,1]
    @b = param "b" f32[18,1,1]
    @v = param "v" f32[3,18,3,3]
    %a = conv2d(%x, @u) : f32[2,18,5,6]
    %m = max_pool2d(%a) {kernel=[1,1], stride=[1,1]} : f32[2,18,5,6]
    %0 = add(%m, @b) : f32[2,18,5,6]
    %1 = exp(%0) : f32[2,18,5,6]
    %2 = conv2d(%1, @v) {padding=[1,1,1,1]} : f32[2,3,5,6]
    %3 = concat(%1, %a, %m) {axis=1} : f32[2,54,5,6]
    %4 = relu(%3) : f32[2,54,5,6]
    return y = %2, z = %4
  }`,
  "concat of rows": `graph g(%x: f32[4,7], %z: f32[3,7]) { %0 = concat(%x, %z) {axis=0} : f32[7,7] return y = %0 }`,
  "concat of columns": `graph g(%x: f32[4,7], %z: f32[4,3], %w: f32[4,18]) {
    %0 = concat(%x, %z, %w) {axis=1} : f32[4,28]
    %1 = relu(%0) : f32[4,28]
    return y = %1
  }`,
  pad: `graph g(%x: f32[3,4,19]) {
    %0 = pad(%x) {before=[0,1,2], after=[1,0,3]} : f32[4,5,24]
    %1 = pad(%x) {before=[1,0,1], after=[0,2,0], value=2} : f32[4,6,20]
    return y = %0, z = %1
  }`,
  "pad of a matrix": `graph g(%x: f32[18,19]) { %0 = pad(%x) {before=[1,2], after=[1,3]} : f32[20,24] return y = %0 }`,
  slice: `graph g(%x: f32[6,40]) {
    %0 = slice(%x) {starts=[1,3], limits=[6,33], steps=[2,1]} : f32[3,30]
    %1 = slice(%x) {starts=[0,1], limits=[6,40], steps=[1,3]} : f32[6,13]
    return y = %0, z = %1
  }`,
  permute: `graph g(%x: f32[3,5,20]) {
    %0 = permute(%x) {axes=[1,0,2]} : f32[5,3,20]
    %1 = permute(%x) {axes=[2,1,0]} : f32[20,5,3]
    return y = %0, z = %1
  }`,
  "matrix turned": `graph g(%x: f32[39,22], %z: f32[22,39], %b: f32[39]) {
    %0 = permute(%x) {axes=[1,0]} : f32[22,39]
    %1 = mul(%z, %b) : f32[22,39]
    %2 = add(%0, %1) : f32[22,39]
    return y = %2
  }`,
  "whole tiles turned": `graph g(%x: f32[32,16]) { %0 = permute(%x) {axes=[1,0]} : f32[16,32] return y = %0 }`,
  "images to channels last and back": `graph g(%x: f32[2,9,5,7]) {
    @w = param "w" f32[12,9,3,3]
    %0 = conv2d(%x, @w) {padding=[1,1,1,1]} : f32[2,12,5,7]
    return y = %0
  }`,
  "few channels last": `graph g(%x: f32[2,3,5,18]) {
    @w = param "w" f32[12,3,3,3]
    %0 = conv2d(%x, @w) {padding=[1,1,1,1]} : f32[2,12,5,18]
    return y = %0
  }`,
  "images as rows": `graph g(%x: f32[3,2,6,7]) {
    @w = param "w" f32[9,2,1,1]
    %0 = conv2d(%x, @w) : f32[3,9,6,7]
    %1 = relu(%0) : f32[3,9,6,7]
    %2 = reshape(%1) {shape=[3,378]} : f32[3,378]
    %3 = reshape(%1) {shape=[27,42]} : f32[27,42]
    %4 = permute(%3) {axes=[1,0]} : f32[42,27]
    return y = %2, z = %4
  }`,
  "steps turned": `graph g(%x: f32[6,40]) {
    %0 = slice(%x) {starts=[1,3], limits=[6,33], steps=[2,1]} : f32[3,30]
    %1 = permute(%0) {axes=[1,0]} : f32[30,3]
    return y = %1
  }`,
  "numbers turned": `graph g(%x: i32[2,9,6], %z: bool[2,9,6]) {
    %0 = permute(%x) {axes=[0,2,1]} : i32[2,6,9]
    %1 = add(%0, %0) : i32[2,6,9]
    %2 = permute(%z) {axes=[0,2,1]} : bool[2,6,9]
    return y = %1, z = %2
  }`,
  "causal mask": `graph g(%x: f32[2,6,20]) {
    %r = iota() {axis=0, dtype="i32", shape=[6,1]} : i32[6,1]
    %c = iota() {axis=0, dtype="i32", shape=[20]} : i32[20]
    %m = less(%r, %c) : bool[6,20]
    %v = full() {value=-1, dtype="f32", shape=[]} : f32[]
    %0 = where(%m, %v, %x) : f32[2,6,20]
    return y = %0
  }`,
};
const inputsOf = (text: string): Record<string, number[]> =>
  Object.fromEntries(
    topological(parseGraph(text))
      .filter((n) => n.op.schema.kind === "leaf")
      .map((n, i) => [String(n.attrs.name), noise(sizeOf(n.type.shape), i + 1)]),
  );
const scheduled = (text: string): readonly Kernel[] => lowerGraph(parseGraph(text), { schedule: scheduleCpu, layouts: true }).kernels;
const memoryOf = (k: Kernel) =>
  Object.fromEntries(k.buffers.filter((b) => b.space === "in").map((b, i) => [b.name, noise(bufferElements(b), i + 1)]));

describe.each(Object.entries(graphs))("%s", (_, text) => {
  test("means what plain loops mean", () => {
    const graph = parseGraph(text);
    const want = runLowered(graph, inputsOf(text), { schedule: scheduleGpu });
    const got = runLowered(graph, inputsOf(text), { schedule: scheduleCpu, layouts: true });
    for (const [name, values] of Object.entries(want))
      values.forEach((v, i) => void expect(Math.abs(got[name]![i]! - v), `${name}[${i}]`).toBeLessThan(1e-12));
  });
  test("WebAssembly gives the bits of the interpreter, on three threads too", async () => {
    const kernels = scheduled(text).map((k) => renamed(wasmKernelPasses.reduce((x, p) => p.run(x), k)));
    for (const k of kernels) {
      expect(verifyKernel(k, "pointers")).toEqual([]);
      expect(await runWasm(k, memoryOf(k)), k.name).toEqual(interpretSingle(k, memoryOf(k)));
    }
    const inputs = Object.assign({}, ...kernels.map(memoryOf));
    expect(await runThreads(kernels, inputs, 3)).toEqual(await runWasm(kernels, inputs));
  });
});

const text = (name: string): string => scheduled(graphs[name]!).map(printKernel).join("\n");
test("operands that move evenly share one row", () => {
  expect(text("one row")).toContain("grid i in 26 {");
});
test("a row is as long as a bias lasts", () => {
  expect(text("channels")).toMatch(/grid i in 6 \{\s+grid i_1 in 5 \{\s+vector/);
});
test("what lies across is read in tiles of four by four", () => {
  for (const name of ["matrix turned", "images to channels last and back", "numbers turned"])
    expect(text(name)).toMatch(/vector j(_\d+)? in 4 \{\s+unrolled k(_\d+)? in 4/);
  expect(text("images as rows")).toMatch(/kernel reshape\(.*\n[^}]*unrolled k in 4/);
  expect(text("whole tiles turned").match(/for|grid|serial|vector|unrolled/g)).toEqual(["grid", "grid", "serial", "vector", "unrolled"]);
});
test("parts of a concatenation and borders are loops of their own", () => {
  for (const name of ["concat of rows", "concat of columns", "pad of a matrix"]) expect(text(name)).not.toMatch(/select|max\(.*, 0\)/);
});
