/** WGSL programs, written by hand, and devices to run them on. */
import { test } from "vitest";
import type { Code, Dispatch, Region } from "../../ir/program.ts";
import { type GpuSource, writeSafetensors } from "../../runtime/index.ts";
import { openDawn } from "../gpu.ts";
import { floatEntry } from "./entries.ts";
import { bias, gain, programOf, x, y } from "./fixtures.ts";

export const gpu: GpuSource = openDawn();
const present = (await gpu.requestAdapter()) !== null;
if (!present && process.env.CI === "true") throw new Error("no WebGPU adapter: the tests of the WebGPU backend cannot run");
if (!present) console.warn("skipped on WebGPU: no adapter (Debian's chromium brings a software driver)");
/** Skipped where there is no adapter: install chromium's SwiftShader (see vitest.config.ts). */
export const onGpu = test.skipIf(!present);

export type Wgsl = Extract<Code, { readonly kind: "wgsl" }>;
export const wgsl = (
  shaders: Wgsl["shaders"],
  entries: Wgsl["entries"],
  limits: Wgsl["limits"] = {},
  more: Pick<Wgsl, "features" | "calls"> = {},
): Wgsl => ({
  kind: "wgsl",
  shaders,
  entries,
  limits,
  ...more,
});
export const dispatch = (shader: number, bindings: readonly (readonly [Region, number, number])[], x = 1): Dispatch => ({
  shader,
  bindings: bindings.map(([region, offset, bytes]) => ({ region, offset, bytes })),
  workgroups: [x, 1, 1],
});
export const kernel = (name: string, bindings: readonly string[], body: string) => ({
  name,
  code: `${bindings.map((b, i) => `@group(0) @binding(${i}) ${b};`).join("\n")}
@compute @workgroup_size(1) fn ${name}(@builtin(workgroup_id) id: vec3<u32>) { let i = id.x; ${body} }`,
});

export const sum = kernel(
  "sum",
  ["var<storage, read_write> gain: array<f32, 4>", "var<storage, read_write> total: array<f32, 1>"],
  "total[0] = gain[0] + gain[1] + gain[2] + gain[3];",
);
export const affine = kernel(
  "affine",
  [
    "var<storage, read_write> gain: array<f32, 4>",
    "var<storage, read_write> bias: array<f32, 1>",
    "var<storage, read_write> x: array<f32, 4>",
    "var<storage, read_write> y: array<f32, 4>",
    "var<storage, read_write> total: array<f32, 1>",
  ],
  "y[i] = gain[i] * x[i] + bias[0] + total[0] * 100.0;",
);
export const forward: Dispatch = dispatch(
  1,
  [
    ["parameters", gain.offset, 16],
    ["parameters", bias.offset, 4],
    ["io", x.offset, 16],
    ["io", y.offset, 16],
    ["prepared", 0, 4],
  ],
  4,
);
export const prepare: Dispatch = dispatch(0, [
  ["parameters", gain.offset, 16],
  ["prepared", 0, 4],
]);
export const program = programOf(wgsl([sum, affine], { init: [], prepare: [prepare], forward: [forward] }));
export const weights = writeSafetensors([
  floatEntry("layer.gain", [4], Float32Array.of(1, 2, 3, 4)),
  floatEntry("layer.bias", [], Float32Array.of(5)),
]);

export interface Spying {
  readonly source: GpuSource;
  readonly devices: GPUDevice[];
  readonly requested: GPUDeviceDescriptor[];
  /** Of shaders. */
  readonly texts: string[];
}
/** Sees each device that is opened, what it is asked for and what it is given. */
export function spying(): Spying {
  const devices: GPUDevice[] = [];
  const requested: GPUDeviceDescriptor[] = [];
  const texts: string[] = [];
  const requestAdapter = async () => {
    const adapter = (await gpu.requestAdapter()) as GPUAdapter;
    const requestDevice = async (d: GPUDeviceDescriptor) => {
      requested.push(d);
      const device = await adapter.requestDevice(d);
      devices.push(device);
      const createShaderModule = device.createShaderModule.bind(device);
      device.createShaderModule = (shader) => {
        texts.push(shader.code);
        return createShaderModule(shader);
      };
      return device;
    };
    return { limits: adapter.limits, features: adapter.features, requestDevice };
  };
  return { source: { requestAdapter }, devices, requested, texts };
}
/** A device of `spying` whose kernels are compiled under watch: their names in order; `hold` may keep or refuse one. */
export function compiling(hold: (kernel: string, device: GPUDevice) => Promise<void> = async () => undefined): {
  readonly gpu: GpuSource;
  readonly devices: readonly GPUDevice[];
  readonly compiled: string[];
} {
  const { source, devices } = spying();
  const compiled: string[] = [];
  const requestAdapter = async () => {
    const adapter = (await source.requestAdapter()) as GPUAdapter;
    const requestDevice = async (d: GPUDeviceDescriptor) => {
      const device = await adapter.requestDevice(d);
      const create = device.createComputePipelineAsync.bind(device);
      device.createComputePipelineAsync = async (pipeline) => {
        compiled.push(pipeline.label!);
        const made = create(pipeline);
        await hold(pipeline.label!, device);
        return made;
      };
      return device;
    };
    return { limits: adapter.limits, features: adapter.features, requestDevice };
  };
  return { gpu: { requestAdapter }, devices, compiled };
}
/** How often something is submitted to a device. */
export function submits(device: GPUDevice): { count: number } {
  const seen = { count: 0 };
  const submit = device.queue.submit.bind(device.queue);
  device.queue.submit = (buffers) => {
    seen.count++;
    return submit(buffers);
  };
  return seen;
}
/** A device of the caller's, with what every program has unasked. */
export const ownDevice = async (): Promise<GPUDevice> => ((await gpu.requestAdapter()) as GPUAdapter).requestDevice();
export const bufferUsage = { mapRead: 1, copySrc: 4, copyDst: 8, storage: 0x80 } as const;
export function bufferOf(
  device: GPUDevice,
  values: Float32Array<ArrayBuffer>,
  usage: number = bufferUsage.copySrc | bufferUsage.copyDst,
): GPUBuffer {
  const buffer = device.createBuffer({ size: values.byteLength, usage });
  device.queue.writeBuffer(buffer, 0, values);
  return buffer;
}
export async function floatsIn(device: GPUDevice, buffer: GPUBuffer): Promise<number[]> {
  const back = device.createBuffer({ size: buffer.size, usage: bufferUsage.mapRead | bufferUsage.copyDst });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, back, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await back.mapAsync(1);
  return [...new Float32Array(back.getMappedRange().slice(0))];
}
