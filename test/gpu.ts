/** A WebGPU implementation for tests in Node: Dawn on whatever Vulkan driver there is. */

import { create } from "webgpu";
import { dawnWithout } from "../compiler/cli/gpu.ts";
import type { GpuSource } from "../runtime/webgpu.ts";

/** As the command line opens it. */
export const openDawn = (...flags: readonly string[]): GPU => create([...flags, `disable-dawn-features=${dawnWithout.join(",")}`]);

let found: Promise<GpuSource | undefined> | undefined;

/** Undefined where no adapter exists; in CI that is an error. */
export function adapter(): Promise<GpuSource | undefined> {
  found ??= find();
  return found;
}
async function find(): Promise<GpuSource | undefined> {
  const gpu: GpuSource = openDawn();
  if (await gpu.requestAdapter()) return gpu;
  if (process.env.CI === "true") throw new Error("no WebGPU adapter: install Debian's chromium, which brings a software driver");
  console.warn("skipped on WGSL: no WebGPU adapter (Debian's chromium brings a software driver)");
  return undefined;
}
