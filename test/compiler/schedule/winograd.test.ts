/** Convolutions by transformed blocks: as good as the direct form, all edges, and the same bits everywhere. */
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

interface Case {
  /** [N, C, H, W]. */
  readonly x: readonly [number, number, number, number];
  readonly outputs: number;
  readonly padding: readonly [number, number, number, number];
  readonly tile?: number;
  readonly taps?: number;
  readonly groups?: number;
  /** By kernels turned around: the gradient of a convolution with respect to its image. */
  readonly isGradient?: boolean;
}
const cases: Record<string, Case> = {
  "whole tiles": { x: [1, 8, 8, 8], outputs: 16, padding: [1, 1, 1, 1] },
  "tiles over both edges": { x: [1, 4, 7, 9], outputs: 8, padding: [1, 1, 1, 1] },
  "small tiles": { x: [1, 8, 6, 8], outputs: 8, padding: [1, 1, 1, 1], tile: 2 },
  "small tiles over both edges": { x: [2, 4, 13, 3], outputs: 8, padding: [1, 1, 1, 1], tile: 2 },
  "several images in a group": { x: [3, 6, 5, 6], outputs: 12, padding: [1, 1, 1, 1] },
  "channels and columns left over": { x: [2, 7, 6, 5], outputs: 21, padding: [1, 1, 1, 1] },
  "columns of one vector": { x: [1, 3, 6, 6], outputs: 12, padding: [0, 0, 0, 0] },
  "padding that differs, none": { x: [1, 5, 9, 8], outputs: 10, padding: [0, 2, 1, 0] },
  "wide padding": { x: [1, 4, 5, 4], outputs: 8, padding: [2, 2, 2, 2] },
  "a row": { x: [1, 4, 1, 20], outputs: 8, padding: [1, 1, 1, 1] },
  "a pixel": { x: [2, 4, 1, 1], outputs: 9, padding: [1, 1, 1, 1] },
  "kernels of five": { x: [1, 6, 9, 7], outputs: 11, padding: [2, 2, 2, 1], tile: 2, taps: 5 },
  "a gradient": { x: [2, 12, 6, 7], outputs: 9, padding: [1, 1, 1, 1], isGradient: true },
  "several groups, the last one not full": { x: [1, 64, 33, 26], outputs: 8, padding: [1, 1, 1, 1] },
  "slices of columns": { x: [1, 4, 8, 8], outputs: 256, padding: [1, 1, 1, 1] },
  "groups of channels": { x: [1, 8, 9, 6], outputs: 32, padding: [1, 1, 1, 1], groups: 2 },
  "groups in slices": { x: [1, 12, 5, 4], outputs: 768, padding: [1, 1, 1, 1], groups: 3 },
  "a gradient of groups": { x: [2, 16, 6, 5], outputs: 16, padding: [1, 1, 1, 1], groups: 2, isGradient: true },
};
function textsOf({ x, outputs, padding, tile = 4, taps = 3, groups = 1, isGradient = false }: Case) {
  const [n, channels, height, width] = x;
  const [top, bottom, left, right] = padding;
  const y = [n, outputs, height + top + bottom - taps + 1, width + left + right - taps + 1];
  const points = tile + taps - 1;
  const w = isGradient ? [channels, outputs / groups, taps, taps] : [outputs, channels / groups, taps, taps];
  const turnedShape = [outputs, channels / groups, taps, taps];
  const u = [outputs, channels / groups, points, points];
  const inner = padding.map((p) => taps - 1 - p);
  const direct = isGradient
    ? `%0 = conv2d_input_grad(%x, @w) {padding=[${inner}], groups=${groups}, shape=[${y}]} : f32[${y}]`
    : `%0 = conv2d(%x, @w) {padding=[${padding}], groups=${groups}} : f32[${y}]`;
  const apart = [groups, channels / groups, outputs / groups, taps, taps];
  const turned = `%a = reshape(@w) {shape=[${apart}]} : f32[${apart}]
  %b = permute(%a) {axes=[0,2,1,3,4]} : f32[${[groups, outputs / groups, channels / groups, taps, taps]}]
  %w = reshape(%b) {shape=[${turnedShape}]} : f32[${turnedShape}]`;
  const tiled = `${isGradient ? turned : ""}
  %u = winograd_weights(${isGradient ? "%w" : "@w"}) {tile=${tile}, reversed=${isGradient}} : f32[${u}]
  %0 = winograd_conv2d(%x, %u) {padding=[${padding}], tile=${tile}, groups=${groups}} : f32[${y}]`;
  const around = (convolution: string) => `graph g(%x: f32[${x}], %r: f32[${y}]) {
  @w = param "w" f32[${w}]
  @b = param "b" f32[${outputs},1,1]
  ${convolution}
  %1 = add(%0, @b) : f32[${y}]
  %2 = add(%1, %r) : f32[${y}]
  %3 = relu(%2) : f32[${y}]
  return y = %3
}`;
  const given = { x: noise(sizeOf(x), 1), r: noise(sizeOf(y), 2), w: noise(sizeOf(w), 3), b: noise(outputs, 4) };
  return { direct: parseGraph(around(direct)), tiled: parseGraph(around(tiled)), given };
}
describe.each(Object.entries(cases))("%s", (_, c) => {
  const { direct, tiled, given } = textsOf(c);
  const logical = lowerGraph(tiled, { schedule: scheduleCpu, layouts: true }).kernels;
  test("one kernel, with what follows", () => {
    expect(logical.map((k) => k.name).filter((name) => name.startsWith("winograd"))).toEqual([
      "winograd_weights",
      "winograd_conv2d_add_add_relu",
    ]);
    for (const k of logical) expect(verifyKernel(k, "logical")).toEqual([]);
    expect(printKernel(logical.at(-2)!) + printKernel(logical.at(-1)!)).toContain("outline rows");
  });
  test("differs from the direct form by rounding alone", () => {
    const options = { schedule: scheduleCpu, layouts: true } as const;
    const want = runLowered(direct, given, options).y!;
    expect(furthest(runLowered(tiled, given, options).y!, want) / rms(want)).toBeLessThan(1e-6);
    const single = runLowered(tiled, given, { ...options, model: "single", passes: wasmKernelPasses });
    expect(furthest(single.y!, want) / rms(want)).toBeLessThan(1e-4);
  });
  test("has the same bits on WebAssembly, on one thread and on several", async () => {
    for (const k of logical.map((x) => wasmKernelPasses.reduce((y, p) => p.run(y), x))) {
      const want = interpretSingle(k, inputsOf(k));
      const got = await runWasm(k, inputsOf(k));
      for (const [name, values] of Object.entries(want)) expect(furthest(got[name]!, values), `${k.name}: ${name}`).toBe(0);
      for (const threads of [2, 3]) expect(await runThreads([k], inputsOf(k), threads)).toEqual(got);
    }
  });
});

test("without layouts, channels and columns are worked off one by one", () => {
  const { direct, tiled, given } = textsOf(cases["tiles over both edges"]!);
  const [want, got] = [direct, tiled].map((g) => runLowered(g, given, { schedule: scheduleCpu }).y!) as [number[], number[]];
  expect(furthest(got, want) / rms(want)).toBeLessThan(1e-6);
});

test("with its image added to it, it is still made of blocks", () => {
  const graph = parseGraph(`graph g(%x: f32[1,16,8,8]) {
    @u = prepared "u" f32[16,16,6,6]{2 3 0/8 1 0%8}
    %0 = relu(%x) : f32[1,16,8,8]{0 2+1,1 3+1,1 1}
    %1 = winograd_conv2d(%0, @u) {padding=[1,1,1,1]} : f32[1,16,8,8]{0 2 3 1}
    %2 = add(%0, %1) : f32[1,16,8,8]{0 2 3 1}
    return y = %2, h = %0
  }`);
  const { kernels } = lowerGraph(graph, { schedule: scheduleCpu });
  expect(kernels.map((k) => [k.name, k.buffers.filter((b) => b.space === "scratch").map((b) => b.name)])).toEqual([
    ["relu", []],
    ["winograd_conv2d_add", ["v", "m", "before", "after"]],
  ]);
});
