/** Pipelines: compiled in parallel by the GPU's driver, which takes long; equal ones once, over all entries. */
import { fail, messageOf } from "../errors.ts";
import type { OnProgress } from "../gpu-types.ts";
import type { WgslCode } from "./device.ts";
import { shadersFor } from "./subgroups.ts";

const computeStage = 0x4;

export interface PipelineMaker {
  /** Asks the device without waiting. */
  readonly make: (shader: number) => Promise<GPUComputePipeline>;
  /** For so many bindings. */
  readonly layout: (bindings: number) => GPUBindGroupLayout;
}

export function pipelineMaker({ shaders: given, entries }: WgslCode, device: GPUDevice, onProgress: OnProgress | undefined): PipelineMaker {
  const shaders = shadersFor(device, given);
  const layout = memo((bindings: number) => bindGroupLayout(device, bindings));
  const pipelineLayout = memo((bindings: number) => device.createPipelineLayout({ bindGroupLayouts: [layout(bindings)] }));
  const bindings = new Map(Object.values(entries).flatMap((all) => all.map((d) => [shaders[d.shader]!.code, d.bindings.length])));
  const tell = telling(onProgress);
  const make = memo((code: string) => {
    const { name } = shaders.find((s) => s.code === code)!;
    return tell(makePipeline(device, name, code, pipelineLayout(bindings.get(code)!)));
  });
  return { make: (shader) => make(shaders[shader]!.code), layout };
}

const bindGroupLayout = (device: GPUDevice, bindings: number): GPUBindGroupLayout =>
  device.createBindGroupLayout({
    entries: Array.from({ length: bindings }, (_, binding) => ({ binding, visibility: computeStage, buffer: { type: "storage" } })),
  });

async function makePipeline(device: GPUDevice, name: string, code: string, layout: GPUPipelineLayout): Promise<GPUComputePipeline> {
  const module = device.createShaderModule({ label: name, code });
  try {
    return await device.createComputePipelineAsync({ label: name, layout, compute: { module } });
  } catch (e) {
    const { messages } = await module.getCompilationInfo();
    const details = messages.filter((m) => m.type === "error").map((m) => `line ${m.lineNum}: ${m.message}`);
    return fail("device", `the GPU refuses the kernel ${name}: ${details.join("; ") || messageOf(e)}`, e);
  }
}

/** Counts what is under way; when all of it is done, the next begins anew. */
function telling(onProgress: OnProgress = () => undefined): <T>(work: Promise<T>) => Promise<T> {
  let [done, total] = [0, 0];
  return async (work) => {
    total++;
    try {
      return await work;
    } finally {
      onProgress({ done: ++done, total });
      if (done === total) [done, total] = [0, 0];
    }
  };
}

/** What failed is made again. */
export function memo<K, T>(make: (key: K) => T): (key: K) => T {
  const made = new Map<K, T>();
  return (key) => {
    const known = made.get(key);
    if (known !== undefined) return known;
    const value = make(key);
    made.set(key, value);
    if (value instanceof Promise) value.catch(() => made.delete(key));
    return value;
  };
}
