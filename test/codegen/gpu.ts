/** WebGPU in Node: the null backend checks shaders, a software adapter runs them. */
import { emitWgsl, type WgslCode, type WgslOptions } from "../../codegen/wgsl/emit.ts";
import type { Kernel } from "../../ir/kernel/kernel.ts";
import { shadersFor } from "../../runtime/webgpu/subgroups.ts";
import { openDawn } from "../gpu.ts";
import { type Memory, type Numbers, planOf } from "./support.ts";

const usage = { storage: 0x80, copySource: 0x4, copyDestination: 0x8, mapRead: 0x1 };

async function open(backend: string): Promise<GPUDevice | null> {
  const gpu = openDawn(`backend=${backend}`);
  const adapter = await gpu.requestAdapter();
  const requiredFeatures = (["shader-f16", "subgroups"] as const).filter((f) => adapter?.features.has(f));
  const device = (await adapter?.requestDevice({ requiredFeatures })) ?? null;
  // The instance must live as long as its device.
  if (device) alive.push(gpu);
  return device;
}
const alive: unknown[] = [];

export const nullDevice = async (): Promise<GPUDevice> => {
  const device = await open("null");
  if (!device) throw new Error("the null backend has no adapter");
  return device;
};
/** null: there is no adapter; that is an error where CI promises one. */
export const softwareDevice = async (): Promise<GPUDevice | null> => {
  const device = await open("vulkan");
  if (!device && process.env.CI === "true") throw new Error("no Vulkan adapter: install chromium for SwiftShader");
  return device;
};

/** All texts of shaders. */
export const textsOf = ({ shaders }: Pick<WgslCode, "shaders">): readonly { readonly name: string; readonly code: string }[] =>
  shaders.flatMap(({ name, code, subgroups }) => [
    { name, code },
    ...(subgroups ? [{ name: `${name}, with subgroups`, ...subgroups }] : []),
  ]);

/** Messages about shaders that a device refuses. */
export async function validate(device: GPUDevice, code: WgslCode): Promise<string[]> {
  const messages: string[] = [];
  for (const { name, code: text } of textsOf(code)) {
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ code: text });
    device.createComputePipeline({ layout: "auto", compute: { module } });
    const error = await device.popErrorScope();
    if (error) messages.push(`${name}: ${error.message}\n${text}`);
  }
  return messages;
}

/** What the outputs of kernels hold after one run; on a device with subgroups, in the texts for them where such sizes fit. */
export async function runWgsl(
  device: GPUDevice,
  kernels: readonly Kernel[],
  inputs: Memory,
  options: WgslOptions = {},
): Promise<Record<string, Numbers>> {
  const { plan, places } = planOf("wgsl", kernels);
  const { shaders: given, entries } = emitWgsl(plan, options);
  const shaders = shadersFor(device, given);
  const size = plan.sizes.arena;
  const [arena, scratch] = [size, plan.sizes.scratch].map((bytes) => {
    const b = device.createBuffer({ size: bytes, usage: usage.storage | usage.copySource | usage.copyDestination });
    device.queue.writeBuffer(b, 0, new Uint32Array(bytes / 4).fill(0x7fc00000));
    return b;
  }) as [GPUBuffer, GPUBuffer];
  for (const [name, values] of Object.entries(inputs)) {
    const { offset, buffer } = places.get(name)!;
    const words = buffer.type === "f32" ? Float32Array.from(values) : Int32Array.from(values);
    device.queue.writeBuffer(arena, offset, words);
  }
  const pipelines = shaders.map(({ code }) =>
    device.createComputePipeline({ layout: "auto", compute: { module: device.createShaderModule({ code }) } }),
  );
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (const { shader, bindings, workgroups } of entries.forward!) {
    const resources = bindings.map(({ region, offset, bytes }, binding) => ({
      binding,
      resource: { buffer: region === "scratch" ? scratch : arena, offset, size: bytes },
    }));
    pass.setPipeline(pipelines[shader]!);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipelines[shader]!.getBindGroupLayout(0), entries: resources }));
    pass.dispatchWorkgroups(...workgroups);
  }
  pass.end();
  const back = device.createBuffer({ size, usage: usage.mapRead | usage.copyDestination });
  encoder.copyBufferToBuffer(arena, 0, back, 0, size);
  device.queue.submit([encoder.finish()]);
  await back.mapAsync(usage.mapRead);
  const memory = back.getMappedRange().slice(0);
  for (const b of [back, arena, scratch]) b.destroy();
  const outputs = [...places].filter(([, p]) => p.buffer.space !== "in");
  return Object.fromEntries(outputs.map(([name, { offset, buffer }]) => [name, typed(memory, offset, buffer)]));
}
function typed(memory: ArrayBuffer, offset: number, buffer: Kernel["buffers"][number]): Numbers {
  const elements = buffer.shape.reduce((n, d) => n * d, 1);
  if (buffer.type === "f32") return new Float32Array(memory, offset, elements);
  const words = new Int32Array(memory, offset, elements);
  return buffer.type === "i32" ? words : Uint8Array.from(words);
}
