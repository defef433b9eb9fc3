/** Buffers in parts: kernels keep their meaning, and their dispatches touch few parts where indices go along with the grid. */
import { describe, expect, test } from "vitest";
import { splitDispatches } from "../../../codegen/wgsl/split.ts";
import { scheduleGpu } from "../../../compiler/schedule/gpu.ts";
import { parts } from "../../../compiler/schedule/parts.ts";
import { wgslKernelPasses } from "../../../compiler/schedule/passes.ts";
import { parseGraph } from "../../../ir/graph/parse.ts";
import { bufferElements } from "../../../ir/kernel/address.ts";
import { interpret } from "../../../ir/kernel/interpret.ts";
import type { Buffer, Kernel } from "../../../ir/kernel/kernel.ts";
import { parseKernel } from "../../../ir/kernel/parse.ts";
import { printKernel } from "../../../ir/kernel/print.ts";
import { verifyKernel } from "../../../ir/kernel/verify.ts";
import { layout } from "../../../ir/layout.ts";
import { inPage, partSizes, stacked } from "../../../ir/parts.ts";
import { lowerGraph, noise } from "../lower/run.ts";

/* ---- tensors --------------------------------------------------------------------------------------------------- */

test("parts are whole rows, as few as there can be, and begin at multiples of 64 elements", () => {
  expect(partSizes([4, 100], null, 400)).toEqual([400]);
  expect(partSizes([4096, 25088], null, 2 ** 25)).toEqual(Array(4).fill(1024 * 25088));
  expect(partSizes([50257, 768], null, 2 ** 25)).toEqual([25152 * 768, 25105 * 768]);
  // 16 rows are a multiple of 64 elements, 32 of them a part; where whole rows would need more parts, rows are cut
  expect(partSizes([64, 100], null, 4096)).toEqual([3200, 3200]);
  expect(partSizes([100, 100], null, 4096)).toEqual([3392, 3392, 3216]);
  // channels-last images with a halo
  expect(partSizes([2, 64, 30, 30], layout("0 2+1,1 3+1,1 1"), 2 ** 16)).toEqual([2 ** 16, 2 ** 16]);
  // halves begin where bindings do at multiples of 128
  expect(partSizes([100, 100], null, 4096, 2)).toEqual([3456, 3456, 3088]);
  // one row is more than a part
  expect(partSizes([2, 1000], null, 512)).toEqual([512, 512, 512, 464]);
});
test("nothing lies across a page", () => {
  expect(stacked([512, 512, 512, 768], 1024)).toEqual({ offsets: [0, 512, 1024, 2048], bytes: 2816 });
  expect(inPage(768, 256, 1024)).toBe(768);
  expect(inPage(1024, 1024, 1024)).toBe(1024);
});

/* ---- kernels --------------------------------------------------------------------------------------------------- */

const at = wgslKernelPasses.findIndex((p) => p.name === "parts");
const lower = (k: Kernel, most: number): Kernel =>
  wgslKernelPasses.with(at, { name: "parts", run: parts(4 * most) }).reduce((x, p) => p.run(x), k);
const isBound = (b: Buffer) => b.space === "in" || b.space === "out" || b.space === "inout";
const sizesOf = (b: Buffer, most: number) =>
  isBound(b) || b.space === "global" ? partSizes(b.shape, b.layout, most) : [bufferElements(b)];

/** What the outputs of `k` hold, whose buffers are parts of those of `source`. */
function outputsOf(k: Kernel, source: Kernel, most: number): Record<string, Float64Array> {
  const whole: Record<string, Float64Array> = {};
  const memory: Record<string, Float64Array> = {};
  const list = [...k.buffers];
  source.buffers.forEach((b, i) => {
    const floats = noise(bufferElements(b), i);
    const given = b.type === "i32" ? floats.map((v) => Math.abs(Math.trunc(v * 17))) : floats;
    const data = Float64Array.from(b.space === "out" ? floats.map(() => Number.NaN) : given);
    let start = 0;
    for (const size of sizesOf(b, most)) {
      const part = list.shift()!;
      expect(bufferElements(part)).toBe(size);
      if (isBound(b)) memory[part.name] = data.subarray(start, start + size);
      start += size;
    }
    if (b.space === "out") whole[b.name] = data;
  });
  interpret(k, memory, "single");
  return whole;
}
const boundIn = (k: Kernel): number[] => splitDispatches(k).map((d) => d.buffers.filter((b) => isBound(b) || b.space === "global").length);

const graphs: Record<string, string> = {
  product: `graph g(%x: f32[4,24]) {
    @w = param "w" f32[24,200]
    @b = param "b" f32[200]
    %0 = matmul(%x, @w) : f32[4,200]
    %1 = add(%0, @b) : f32[4,200]
    return y = %1
  }`,
  gather: `graph g(%ids: i32[50]) {
    @t = param "t" f32[60,8]
    %0 = take(@t, %ids) : f32[50,8]
    return y = %0
  }`,
  convolution: `graph g(%x: f32[2,1,12,12]) {
    @w = param "w" f32[6,1,5,5]
    @b = param "b" f32[6,1,1]
    @v = param "v" f32[16,6,3,3]
    %0 = conv2d(%x, @w) {padding=[2,2,2,2]} : f32[2,6,12,12]
    %1 = add(%0, @b) : f32[2,6,12,12]
    %2 = relu(%1) : f32[2,6,12,12]
    %3 = max_pool2d(%2) {kernel=[2,2], stride=[2,2], padding=[0,0,0,0]} : f32[2,6,6,6]
    %4 = conv2d(%3, @v) {padding=[1,1,1,1], stride=[2,2]} : f32[2,16,3,3]
    %5 = reduce_sum(%4) {axes=[1]} : f32[2,3,3]
    return y = %4, z = %5
  }`,
  gradients: `graph g(%x: f32[2,3,6,6], %dy: f32[2,8,6,6]) {
    @w = param "w" f32[8,3,3,3]
    %0 = conv2d_weight_grad(%x, %dy) {padding=[1,1,1,1], shape=[8,3,3,3]} : f32[8,3,3,3]
    %1 = conv2d_input_grad(%dy, @w) {padding=[1,1,1,1], shape=[2,3,6,6]} : f32[2,3,6,6]
    %3 = mul(@w, %0) : f32[8,3,3,3]
    %5 = sub(@w, %3) : f32[8,3,3,3]
    return dx = %1
    update @w = %5
  }`,
};
describe.each(Object.entries(graphs))("%s", (_, text) => {
  const kernels = lowerGraph(parseGraph(text), { schedule: scheduleGpu, layouts: true }).kernels.map((k) => [k.name, k] as const);
  test.each(kernels)("%s means the same", (_kernel, k) => {
    const want = outputsOf(lower(k, Number.POSITIVE_INFINITY), k, Number.POSITIVE_INFINITY);
    for (const most of [64, 256]) {
      const cut = lower(k, most);
      expect(verifyKernel(cut, "flat", { wgsl: true })).toEqual([]);
      expect(printKernel(parseKernel(printKernel(cut)))).toBe(printKernel(cut));
      expect(outputsOf(cut, k, most)).toEqual(want);
    }
  });
});

/** Rows of `w` go along with the grid, its whole is read for each row of `x`. */
const kernel = (body: string) => parseKernel(`kernel k(in x: f32[64,8], in ids: i32[64], in w: f32[8,64], out y: f32[64,8]) { ${body} }`);
test.each([
  ["a copy goes part by part", "grid i in 64 { grid j in 8 { y[i, j] = x[i, j] } }", [2, 2, 2, 2]],
  [
    "a piece that reaches into the next part is alone",
    "grid i in 21 { serial r in 3 { serial j in 8 { y[i * 3 + r, j] = x[i * 3 + r, j] } } }",
    [2, 4, 2, 4, 2, 2],
  ],
  ["the axis with fewer parts is cut", "grid j in 8 { grid i in 64 { y[i, j] = w[j, i] } }", Array(16).fill(2)],
  ["what is looked up may be anywhere", "grid i in 64 { serial j in 8 { y[i, j] = x[ids[i], j] } }", [6, 6, 6, 6]],
  [
    "what a condition excludes is not touched",
    "grid i in 64 { serial j in 8 { y[i, j] = 0.0 if i < 16 { y[i, j] = x[i, j] } } }",
    [2, 1, 1, 1],
  ],
] as const)("%s", (_, body, bound) => {
  const k = kernel(body);
  const cut = lower(k, 128);
  expect(boundIn(cut)).toEqual(bound);
  expect(outputsOf(cut, k, 128)).toEqual(outputsOf(lower(k, 1e9), k, 1e9));
});
test("four lanes at any place may come from two parts, and go to two", () => {
  const k = parseKernel(
    "kernel k(in x: f32[131], in at: i32[1], out y: f32[131]) { grid i in 1 { serial j in 32 { y[at[0] % 2 + j * 4] = x[at[0] % 3 + j * 4]:4 } } }",
  );
  const cut = lower(k, 64);
  expect(boundIn(cut)).toEqual([7]);
  expect(outputsOf(cut, k, 64)).toEqual(outputsOf(lower(k, 1e9), k, 1e9));
});
test("a kernel of small buffers is the same", () => {
  const k = kernel("grid i in 64 { y[i, 0] = x[i, 0] }");
  expect(parts(4 * 512)(k)).toBe(k);
});
