/** A WebGPU implementation for tests in Node: Dawn on whatever Vulkan driver there is. */

import { create } from "webgpu";
import type { GpuSource } from "../runtime/webgpu.ts";

let found: Promise<GpuSource | undefined> | undefined;

/** Undefined where no adapter exists; in CI that is an error. */
export function adapter(): Promise<GpuSource | undefined> {
  found ??= find();
  return found;
}
async function find(): Promise<GpuSource | undefined> {
  const gpu: GpuSource = create([]);
  if (await gpu.requestAdapter()) return gpu;
  if (process.env.CI === "true") throw new Error("no WebGPU adapter: install Debian's chromium, which brings a software driver");
  console.warn("skipped on WGSL: no WebGPU adapter (Debian's chromium brings a software driver)");
  return undefined;
}
