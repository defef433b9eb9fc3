/** Gradients of kernels by transformed blocks: as good as the direct form, all edges, and the same bits everywhere. */
import { describe, expect, test } from "vitest";
import { scheduleCpu } from "../../../compiler/schedule/cpu.ts";
import { wasmKernelPasses } from "../../../compiler/schedule/passes.ts";
import { parseGraph } from "../../../ir/graph/parse.ts";
import { printKernel } from "../../../ir/kernel/print.ts";
import { verifyKernel } from "../../../ir/kernel/verify.ts";
import { sizeOf } from "../../../ir/type.ts";
import { interpretSingle, runThreads, runWasm } from "../../codegen/support.ts";
import { rms } from "../../ir/ops/agree.ts";
import { lowerGraph, noise, runLowered } from "../lower/run.ts";
import { furthest, inputsOf } from "./comparing.ts";

interface GradientCase {
  /** [N, C, H, W] of the image. */
  readonly x: readonly [number, number, number, number];
  readonly outputs: number;
  readonly padding: readonly [number, number, number, number];
  readonly tile?: number;
  readonly taps?: number;
  readonly parts?: number;
}
const gradients: Record<string, GradientCase> = {
  "whole tiles": { x: [1, 8, 8, 8], outputs: 16, padding: [1, 1, 1, 1] },
  "tiles over both edges, parts": { x: [2, 4, 7, 9], outputs: 8, padding: [1, 1, 1, 1], parts: 2 },
  "a last part that is shorter": { x: [3, 8, 6, 10], outputs: 8, padding: [1, 1, 1, 1], parts: 4 },
  "small tiles": { x: [1, 8, 6, 8], outputs: 8, padding: [1, 1, 1, 1], tile: 2, parts: 3 },
  "small tiles over both edges": { x: [2, 4, 13, 3], outputs: 12, padding: [1, 1, 1, 1], tile: 2 },
  "channels and columns left over": { x: [2, 7, 6, 5], outputs: 21, padding: [1, 1, 1, 1], parts: 2 },
  "few columns, several channel blocks": { x: [1, 42, 4, 5], outputs: 3, padding: [0, 1, 1, 1] },
  "padding that differs, none": { x: [1, 5, 9, 8], outputs: 10, padding: [0, 2, 1, 0] },
  "wide padding": { x: [1, 4, 5, 4], outputs: 8, padding: [2, 2, 2, 2] },
  "a row": { x: [1, 4, 1, 20], outputs: 8, padding: [1, 1, 1, 1] },
  "kernels of five": { x: [1, 6, 9, 7], outputs: 11, padding: [2, 2, 2, 1], tile: 2, taps: 5, parts: 3 },
  "several groups, the last one not full": { x: [2, 32, 1, 460], outputs: 4, padding: [1, 1, 1, 1], parts: 2 },
  "slices of channels": { x: [1, 128, 6, 4], outputs: 8, padding: [1, 1, 1, 1] },
};
function gradientTexts({ x, outputs, padding, tile = 4, taps = 3, parts = 1 }: GradientCase) {
  const [n, channels, height, width] = x;
  const [top, bottom, left, right] = padding;
  const dy = [n, outputs, height + top + bottom - taps + 1, width + left + right - taps + 1];
  const w = [outputs, channels, taps, taps];
  const direct = `%0 = conv2d_weight_grad(%x, %dy) {padding=[${padding}], shape=[${w}]} : f32[${w}]`;
  const tiled = `%p = winograd_conv2d_weight_grad(%x, %dy) {padding=[${padding}], tile=${tile}, parts=${parts}} : f32[${parts},${w}]
  %0 = reduce_sum(%p) {axes=[0]} : f32[${w}]`;
  const around = (gradient: string) => `graph g(%x: f32[${x}], %dy: f32[${dy}]) {
  @w = param "w" f32[${w}]
  ${gradient}
  %1 = sub(@w, %0) : f32[${w}]
  return y = %1
}`;
  const given = { x: noise(sizeOf(x), 1), dy: noise(sizeOf(dy), 2), w: noise(sizeOf(w), 3) };
  return { direct: parseGraph(around(direct)), tiled: parseGraph(around(tiled)), given };
}
describe.each(Object.entries(gradients))("%s", (_, c) => {
  const { direct, tiled, given } = gradientTexts(c);
  const logical = lowerGraph(tiled, { schedule: scheduleCpu, layouts: true }).kernels;
  const kernel = logical.find((k) => k.name === "winograd_conv2d_weight_grad")!;
  test("is one of panels", () => {
    for (const k of logical) expect(verifyKernel(k, "logical")).toEqual([]);
    expect(printKernel(kernel)).toContain("outline panel");
  });
  test("differs from the direct form by rounding alone", () => {
    const options = { schedule: scheduleCpu, layouts: true } as const;
    const want = runLowered(direct, given, options).y!;
    expect(furthest(runLowered(tiled, given, options).y!, want) / rms(want)).toBeLessThan(1e-6);
    const single = runLowered(tiled, given, { ...options, model: "single", passes: wasmKernelPasses });
    expect(furthest(single.y!, want) / rms(want)).toBeLessThan(1e-4);
  });
  test("has the same bits on WebAssembly, on one thread and on several", async () => {
    const k = wasmKernelPasses.reduce((y, p) => p.run(y), kernel);
    const want = interpretSingle(k, inputsOf(k));
    const got = await runWasm(k, inputsOf(k));
    for (const [name, values] of Object.entries(want)) expect(furthest(got[name]!, values), name).toBe(0);
    for (const threads of [2, 3]) expect(await runThreads([k], inputsOf(k), threads)).toEqual(got);
  });
});

test("without layouts", () => {
  const { direct, tiled, given } = gradientTexts(gradients["a last part that is shorter"]!);
  const [want, got] = [direct, tiled].map((g) => runLowered(g, given, { schedule: scheduleCpu }).y!) as [number[], number[]];
  expect(furthest(got, want) / rms(want)).toBeLessThan(1e-6);
});
