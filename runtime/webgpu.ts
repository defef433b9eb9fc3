/** Programs as WGSL on WebGPU: a buffer for each region, all pipelines and bind groups made at start. */
import type { Backend, Code, Dispatch, Field, Program, Region } from "../ir/program.ts";
import { regions } from "../ir/program.ts";
import { sizeOf } from "../ir/type.ts";
import { DlmError, fail, messageOf } from "./errors.ts";
import type { Started } from "./session.ts";
import { storedBytes } from "./tensor.ts";

/** What `navigator.gpu` is; the types of WebGPU are left out so that users of this module need not have them. */
export interface GpuSource {
  readonly requestAdapter: (options?: { readonly powerPreference?: "high-performance" }) => Promise<unknown>;
}
type WgslCode = Extract<Code, { readonly kind: "wgsl" }>;

// The numbers of the specification: Node has no such globals.
const usage = { mapRead: 0x1, copySrc: 0x4, copyDst: 0x8, storage: 0x80 } as const;
const mapModeRead = 0x1;
const computeStage = 0x4;

export async function startWebGpu(program: Program, code: WgslCode, source: GpuSource | undefined): Promise<Started> {
  const gpu = source ?? (globalThis.navigator?.gpu as GpuSource | undefined);
  if (!gpu) return fail("unsupported", "there is no WebGPU here: navigator.gpu is missing (give options.gpu where it has another place)");
  const adapter = (await gpu.requestAdapter({ powerPreference: "high-performance" })) as GPUAdapter | null;
  if (!adapter) return fail("unsupported", "WebGPU finds no GPU");
  const device = await openDevice(program, code, adapter);
  try {
    const backend = await gpuBackend(program, code, device, gpu);
    return { backend, threads: 1, notes: [] };
  } catch (e) {
    device.destroy();
    throw e;
  }
}

/** A device with exactly the limits that the program declares, or a readable refusal. */
async function openDevice(program: Program, code: WgslCode, adapter: GPUAdapter): Promise<GPUDevice> {
  const offered = adapter.limits as unknown as Readonly<Record<string, number | undefined>>;
  const short = Object.entries(code.limits).filter(([name, needed]) => lacks(name, needed, offered[name]));
  if (short.length) {
    const list = short.map(([name, needed]) => `${name} ${needed} (this GPU: ${offered[name] ?? "unknown"})`);
    fail("unsupported", `this GPU cannot run ${program.name}, which needs ${list.join(", ")}`);
  }
  try {
    return await adapter.requestDevice({ label: program.name, requiredLimits: code.limits });
  } catch (e) {
    return fail("unsupported", `WebGPU gives no device for ${program.name}: ${messageOf(e)}`, e);
  }
}
/** Alignments are better when smaller, all other limits when larger. */
const lacks = (name: string, needed: number, offered: number | undefined): boolean =>
  offered === undefined || (name.startsWith("min") ? offered > needed : offered < needed);

interface Step {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: Dispatch["workgroups"];
}

async function gpuBackend(program: Program, code: WgslCode, device: GPUDevice, keepAlive: GpuSource): Promise<Backend> {
  const health = watch(program, device);
  const { buffers, steps } = await guarded(program, device, async () => {
    const made = makeBuffers(program, device);
    return { buffers: made, steps: await makeSteps(code, device, made) };
  });
  const staging = stagingPool(device);
  return {
    write: (field, bytes) => device.queue.writeBuffer(buffers[field.region], field.offset, toStored(field, bytes)),
    read: async (field) => {
      health.check();
      const stored = await readBack(device, staging, buffers[field.region], field.offset, sizeOf(field.shape) * 4).catch((e) => {
        health.check();
        return fail("device", `${program.name}: ${field.name} cannot be read back: ${messageOf(e)}`, e);
      });
      health.check();
      return fromStored(field, stored);
    },
    run: async (entry) => {
      health.check();
      submit(device, steps[entry] ?? []);
    },
    dispose: () => {
      health.end();
      device.destroy();
      // The adapter's owner must outlive the device.
      void keepAlive;
    },
  };
}

/** Makes errors that WebGPU reports on the side, and the loss of the device, errors of the next call. */
function watch(program: Program, device: GPUDevice): { readonly check: () => void; readonly end: () => void } {
  let problem: string | null = null;
  let ended = false;
  device.onuncapturederror = (e) => {
    e.preventDefault();
    problem ??= `a GPU error: ${e.error.message}`;
  };
  void device.lost.then((info) => {
    if (!ended) problem = `the GPU device was lost (${info.reason}): ${info.message}`;
  });
  return {
    check: () => {
      if (problem) throw new DlmError("device", `${program.name}: ${problem}`);
    },
    end: () => {
      ended = true;
    },
  };
}

/** Runs `make` and turns any error of the GPU meanwhile into a DlmError. */
async function guarded<T>(program: Program, device: GPUDevice, make: () => Promise<T>): Promise<T> {
  const kinds = ["out-of-memory", "internal", "validation"] as const;
  for (const kind of kinds) device.pushErrorScope(kind);
  const made = await make().then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  const errors = await Promise.all(kinds.map(() => device.popErrorScope()));
  const [validation, internal, memory] = errors;
  if (memory) fail("memory", `the GPU has no memory for ${program.name}: ${memory.message}`);
  if ("error" in made)
    throw made.error instanceof DlmError ? made.error : new DlmError("device", `${program.name}: ${messageOf(made.error)}`, made.error);
  const error = validation ?? internal;
  if (error) fail("device", `the GPU refuses ${program.name}: ${error.message}`);
  return made.value;
}

type Buffers = Readonly<Record<Region, GPUBuffer>>;
function makeBuffers(program: Program, device: GPUDevice): Buffers {
  const make = (region: Region): GPUBuffer => {
    const size = storedBytes(program.sizes[region]);
    if (size > device.limits.maxBufferSize)
      fail("memory", `${program.name} needs ${size} bytes of ${region}, the device allows ${device.limits.maxBufferSize}`);
    return device.createBuffer({ label: region, size, usage: usage.storage | usage.copySrc | usage.copyDst });
  };
  return Object.fromEntries(regions.map((r) => [r, make(r)])) as Record<Region, GPUBuffer>;
}

/** Pipelines (all at once, equal ones once), bind groups (equal ones once), and the list of what each entry dispatches. */
async function makeSteps(code: WgslCode, device: GPUDevice, buffers: Buffers): Promise<Readonly<Record<string, readonly Step[]>>> {
  const layout = memo((access: string) => bindGroupLayout(device, access));
  const pipelines = new Map<string, Promise<GPUComputePipeline>>();
  const used = code.shaders.map((shader) => {
    const ready = pipelines.get(shader.code) ?? makePipeline(device, shader, layout(accessOf(shader.code)));
    pipelines.set(shader.code, ready);
    return ready;
  });
  const ready = await Promise.all(used);
  const groups = memo((key: string) => bindGroup(device, buffers, layout, JSON.parse(key) as GroupKey));
  const steps = (dispatches: readonly Dispatch[]): Step[] =>
    dispatches.map(({ shader, bindings, workgroups }) => ({
      pipeline: ready[shader]!,
      group: groups(JSON.stringify({ access: accessOf(code.shaders[shader]!.code), bindings } satisfies GroupKey)),
      workgroups,
    }));
  return Object.fromEntries(Object.entries(code.entries).map(([name, dispatches]) => [name, steps(dispatches)]));
}

interface GroupKey {
  readonly access: string;
  readonly bindings: Dispatch["bindings"];
}
const bindGroup = (
  device: GPUDevice,
  buffers: Buffers,
  layout: (access: string) => GPUBindGroupLayout,
  { access, bindings }: GroupKey,
): GPUBindGroup =>
  device.createBindGroup({
    layout: layout(access),
    entries: bindings.map(({ region, offset, bytes }, binding) => ({
      binding,
      resource: { buffer: buffers[region], offset, size: bytes },
    })),
  });

/** Access of each storage binding in binding order: "r" or "w" (read and write), as the shader declares it. */
function accessOf(code: string): string {
  const found = [...code.matchAll(/@binding\((\d+)\)\s*var<\s*storage\s*(?:,\s*(\w+)\s*)?>/g)];
  return found
    .sort((a, b) => Number(a[1]) - Number(b[1]))
    .map((m) => (m[2] === "read_write" ? "w" : "r"))
    .join("");
}

const bindGroupLayout = (device: GPUDevice, access: string): GPUBindGroupLayout =>
  device.createBindGroupLayout({
    entries: [...access].map((a, binding) => ({
      binding,
      visibility: computeStage,
      buffer: { type: a === "w" ? "storage" : "read-only-storage" },
    })),
  });

async function makePipeline(
  device: GPUDevice,
  shader: WgslCode["shaders"][number],
  layout: GPUBindGroupLayout,
): Promise<GPUComputePipeline> {
  const module = device.createShaderModule({ label: shader.name, code: shader.code });
  try {
    return await device.createComputePipelineAsync({
      label: shader.name,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module },
    });
  } catch (e) {
    const { messages } = await module.getCompilationInfo();
    const details = messages.filter((m) => m.type === "error").map((m) => `line ${m.lineNum}: ${m.message}`);
    return fail("device", `the GPU refuses the kernel ${shader.name}: ${details.join("; ") || messageOf(e)}`, e);
  }
}

function submit(device: GPUDevice, steps: readonly Step[]): void {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  let last: GPUComputePipeline | null = null;
  for (const { pipeline, group, workgroups } of steps) {
    if (pipeline !== last) pass.setPipeline(pipeline);
    last = pipeline;
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...workgroups);
  }
  pass.end();
  device.queue.submit([encoder.finish()]);
}

/** Buffers that the host may map, kept for the next read of the same size. */
function stagingPool(device: GPUDevice): { readonly take: (size: number) => GPUBuffer; readonly put: (buffer: GPUBuffer) => void } {
  const free: GPUBuffer[] = [];
  return {
    take: (size) => {
      const i = free.findIndex((b) => b.size === size);
      return i >= 0 ? free.splice(i, 1)[0]! : device.createBuffer({ label: "staging", size, usage: usage.mapRead | usage.copyDst });
    },
    put: (buffer) => {
      free.push(buffer);
      if (free.length > 16) free.shift()!.destroy();
    },
  };
}

async function readBack(
  device: GPUDevice,
  pool: ReturnType<typeof stagingPool>,
  from: GPUBuffer,
  offset: number,
  size: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const staging = pool.take(size);
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(from, offset, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(mapModeRead);
  const bytes = new Uint8Array(staging.getMappedRange().slice(0));
  staging.unmap();
  pool.put(staging);
  return bytes;
}

/** u8 and bool take a 32-bit word an element here. */
const isWide = (field: Field): boolean => field.dtype === "u8" || field.dtype === "bool";
function toStored(field: Field, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return isWide(field) ? new Uint8Array(Uint32Array.from(bytes).buffer) : (bytes as Uint8Array<ArrayBuffer>);
}
const fromStored = (field: Field, stored: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  isWide(field) ? Uint8Array.from(new Uint32Array(stored.buffer)) : stored;

function memo<T>(make: (key: string) => T): (key: string) => T {
  const made = new Map<string, T>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}
