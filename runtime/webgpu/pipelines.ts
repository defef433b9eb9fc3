/** Pipelines: compiled in parallel by the GPU's driver, which takes long; equal ones once, over all entries. */
import { fail, messageOf } from "../errors.ts";
import type { OnProgress } from "../gpu-types.ts";
import type { WgslCode } from "./code.ts";
import { shadersFor } from "./subgroups.ts";

const computeStage = 0x4;

export interface PipelineMaker {
  /** Asks the device without waiting. */
  readonly make: (shader: number) => Promise<GPUComputePipeline>;
  /** What its dispatches bind at least, in bytes; shaders with the same have the same bind groups. */
  readonly sizes: (shader: number) => readonly number[];
  readonly layout: (sizes: readonly number[]) => GPUBindGroupLayout;
  /** Layouts are made again when they are next asked for: one that the device had no memory for does not tell. Equal ones fit each other. */
  readonly forgetLayouts: () => void;
}

export function pipelineMaker({ shaders: given, entries }: WgslCode, device: GPUDevice, onProgress: OnProgress | undefined): PipelineMaker {
  const shaders = shadersFor(device, given);
  const newLayouts = () => memo((sizes: string) => layouts(device, JSON.parse(sizes)));
  let layoutsOf = newLayouts();
  const layoutsFor = (sizes: readonly number[]): Layouts => layoutsOf(JSON.stringify(sizes));
  const bound = new Map<string, readonly number[]>();
  for (const { shader, bindings } of Object.values(entries).flat()) {
    const { code } = shaders[shader]!;
    const known = bound.get(code);
    bound.set(
      code,
      bindings.map(({ bytes }, i) => Math.min(bytes, known?.[i] ?? bytes)),
    );
  }
  const tell = telling(onProgress);
  const make = memo((code: string) => {
    const { name } = shaders.find((s) => s.code === code)!;
    return tell(makePipeline(device, name, code, layoutsFor(bound.get(code)!).pipeline));
  });
  const codeOf = (shader: number) => shaders[shader]!.code;
  return {
    make: (shader) => make(codeOf(shader)),
    sizes: (shader) => bound.get(codeOf(shader))!,
    layout: (sizes) => layoutsFor(sizes).group,
    forgetLayouts: () => {
      layoutsOf = newLayouts();
    },
  };
}

interface Layouts {
  readonly group: GPUBindGroupLayout;
  readonly pipeline: GPUPipelineLayout;
}
function layouts(device: GPUDevice, sizes: readonly number[]): Layouts {
  const group = bindGroupLayout(device, sizes);
  return { group, pipeline: device.createPipelineLayout({ bindGroupLayouts: [group] }) };
}

/**
 * Sizes are compared when bind groups are made. Where they are left open, each dispatch compares them; wgpu, in Firefox and Deno, then
 * takes those of the pipeline before, if both have one layout.
 */
const bindGroupLayout = (device: GPUDevice, sizes: readonly number[]): GPUBindGroupLayout =>
  device.createBindGroupLayout({
    entries: sizes.map((minBindingSize, binding) => ({ binding, visibility: computeStage, buffer: { type: "storage", minBindingSize } })),
  });

async function makePipeline(device: GPUDevice, name: string, code: string, layout: GPUPipelineLayout): Promise<GPUComputePipeline> {
  const module = device.createShaderModule({ label: name, code });
  try {
    return await device.createComputePipelineAsync({ label: name, layout, compute: { module } });
  } catch (e) {
    const { messages } = await module.getCompilationInfo().catch(() => ({ messages: [] }));
    // What is not of the text, as the loss of the device, has no line.
    const details = messages.filter((m) => m.type === "error" && m.lineNum > 0).map((m) => `line ${m.lineNum}: ${m.message}`);
    return fail("device", `the GPU refuses the kernel ${name}: ${details.join("; ") || messageOf(e)}`, e);
  }
}

/** Counts what is under way; when all of it is done, the next begins anew. What the caller's function throws is the caller's. */
function telling(onProgress: OnProgress = () => undefined): <T>(work: Promise<T>) => Promise<T> {
  let [done, total] = [0, 0];
  return async (work) => {
    total++;
    try {
      return await work;
    } finally {
      try {
        onProgress({ done: ++done, total });
      } catch (e) {
        queueMicrotask(() => {
          throw e;
        });
      }
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
