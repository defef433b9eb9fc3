/** Real kernels, from graphs through lowering and all kernel passes: WebAssembly bit for bit, WGSL valid and close. */
import { describe, expect, test } from "vitest";
import { emitWgsl } from "../../codegen/wgsl/emit.ts";
import { scheduleCpu } from "../../compiler/schedule/cpu.ts";
import { scheduleGpu } from "../../compiler/schedule/gpu.ts";
import { wasmKernelPasses, wgslKernelPasses } from "../../compiler/schedule/passes.ts";
import { parseGraph } from "../../ir/graph/parse.ts";
import { bufferElements } from "../../ir/kernel/address.ts";
import type { Buffer, Kernel } from "../../ir/kernel/kernel.ts";
import { lowerGraph, noise, type Options } from "../compiler/lower/run.ts";
import { nullDevice, runWgsl, softwareDevice, validate } from "./gpu.ts";
import { interpretSingle, type Memory, type Numbers, planOf, renamed, runThreads, runWasm } from "./support.ts";

const graphs: Record<string, string> = {
  network: `graph g(%x: f32[2,1,12,12]) {
    @w = param "w" f32[6,1,5,5]
    @b = param "b" f32[6,1,1]
    @v = param "v" f32[16,6,3,3]
    @u = param "u" f32[144,10]
    %0 = conv2d(%x, @w) {padding=[2,2,2,2]} : f32[2,6,12,12]
    %1 = add(%0, @b) : f32[2,6,12,12]
    %2 = relu(%1) : f32[2,6,12,12]
    %3 = max_pool2d(%2) {kernel=[2,2], stride=[2,2], padding=[0,0,0,0]} : f32[2,6,6,6]
    %4 = conv2d(%3, @v) {padding=[1,1,1,1], stride=[2,2]} : f32[2,16,3,3]
    %5 = tanh(%4) : f32[2,16,3,3]
    %6 = reshape(%5) {shape=[2,144]} : f32[2,144]
    %7 = matmul(%6, @u) : f32[2,10]
    %8 = softmax(%7) {axis=1} : f32[2,10]
    %9 = argmax(%8) {axis=1} : i32[2]
    return y = %8, label = %9
  }`,
  gradients: `graph g(%x: f32[2,3,6,6], %dy: f32[2,8,6,6]) {
    @w = param "w" f32[8,3,3,3]
    %0 = conv2d_weight_grad(%x, %dy) {padding=[1,1,1,1], shape=[8,3,3,3]} : f32[8,3,3,3]
    %1 = conv2d_input_grad(%dy, @w) {padding=[1,1,1,1], shape=[2,3,6,6]} : f32[2,3,6,6]
    %2 = max_pool2d_index(%x) {kernel=[3,3], stride=[2,2], padding=[1,1,1,1]} : i32[2,3,3,3]
    %3 = mul(@w, %0) : f32[8,3,3,3]
    %4 = reduce_sum(%3) {axes=[0,1,2,3]} : f32[]
    %5 = sub(@w, %3) : f32[8,3,3,3]
    return dx = %1, index = %2, norm = %4
    update @w = %5
  }`,
  elementwise: `graph g(%x: f32[3,7], %ids: i32[5]) {
    @t = param "t" f32[9,7]
    @seed = counter "seed" i32[]
    @step = counter "updates" i32[]
    %0 = exp(%x) : f32[3,7]
    %1 = log(%0) : f32[3,7]
    %2 = erf(%1) : f32[3,7]
    %5 = pow(%0, %2) : f32[3,7]
    %6 = mod(%x, %0) : f32[3,7]
    %7 = sign(%5) : f32[3,7]
    %8 = sigmoid(%6) : f32[3,7]
    %9 = less(%8, %1) : bool[3,7]
    %10 = where(%9, %7, %8) : f32[3,7]
    %11 = take(@t, %ids) : f32[5,7]
    %12 = cast(%ids) {to="f32"} : f32[5]
    %13 = random_uniform(@seed, @step) {key=77, shape=[3,7]} : f32[3,7]
    %14 = add(%10, %13) : f32[3,7]
    %15 = mod(%ids, @step) : i32[5]
    %16 = sqrt(%14) : f32[3,7]
    return y = %14, p = %5, z = %9, t = %11, f = %12, m = %15, r = %13, s = %16
  }`,
  trigonometry: `graph g(%x: f32[3,7]) {
    %0 = sin(%x) : f32[3,7]
    %1 = cos(%0) : f32[3,7]
    return y = %1
  }`,
};
const lowered = (text: string, o: Options, passes: typeof wasmKernelPasses): Kernel[] =>
  lowerGraph(parseGraph(text), { ...o, layouts: true }).kernels.map((k) => passes.reduce((x, p) => p.run(x), k));

function inputsOf(k: Kernel): Memory {
  const values = (b: Buffer, i: number): readonly number[] => {
    const floats = noise(bufferElements(b), i);
    if (b.type === "f32") return floats;
    return floats.map((v) => (b.type === "bool" ? Number(v > 0) : Math.abs(Math.trunc(v * 17))));
  };
  return Object.fromEntries(k.buffers.filter((b) => b.space === "in" || b.space === "inout").map((b, i) => [b.name, values(b, i)]));
}

const invalid = await nullDevice();
const device = await softwareDevice();

describe.each(Object.entries(graphs))("%s", (_, text) => {
  const wasm = lowered(text, { schedule: scheduleCpu }, wasmKernelPasses).map((k) => [k.name, k] as const);
  test.each(wasm)("%s as WebAssembly", async (_kernel, k) => {
    const want = interpretSingle(k, inputsOf(k));
    expect(await runWasm(k, inputsOf(k))).toEqual(want);
  });
  test("WebAssembly on three threads", async () => {
    const kernels = wasm.map(([, k]) => renamed(k));
    const inputs = Object.assign({}, ...kernels.map(inputsOf)) as Memory;
    expect(await runThreads(kernels, inputs, 3)).toEqual(await runWasm(kernels, inputs));
  });
  const wgsl = lowered(text, { schedule: scheduleGpu }, wgslKernelPasses).map((k) => [k.name, k] as const);
  test.each(wgsl)("%s as WGSL is valid", async (_kernel, k) => {
    expect(await validate(invalid, emitWgsl(planOf("wgsl", [k]).plan))).toEqual([]);
  });
  test.skipIf(!device).each(wgsl)("%s as WGSL on a software adapter (skipped without one)", async (_kernel, k) => {
    const want = interpretSingle(k, inputsOf(k));
    const got = await runWgsl(device!, [k], inputsOf(k));
    for (const [buffer, values] of Object.entries(want)) expect(distance(got[buffer]!, values), buffer).toBeLessThan(1e-5);
  });
});
/** Largest difference relative to the largest value; NaN on one side only is infinite. */
function distance(got: Numbers, want: Numbers): number {
  const scale = Math.max(1e-3, ...[...want].filter(Number.isFinite).map(Math.abs));
  const apart = (g: number, w: number) => (Object.is(g, w) ? 0 : Number.isNaN(g - w) ? Number.POSITIVE_INFINITY : Math.abs(g - w));
  return Math.max(...[...want].map((w, i) => apart(got[i]!, w))) / scale;
}
