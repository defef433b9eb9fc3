/** What each entry dispatches: pipelines and bind groups made once, and a flat list that is encoded again for every run. */
import type { Dispatch, Program } from "../../ir/program.ts";
import { fail, messageOf } from "../errors.ts";
import type { OnProgress } from "../gpu-types.ts";
import { scoped, type WgslCode } from "./device.ts";
import { type Buffers, pageAt } from "./memory.ts";

const computeStage = 0x4;

/** Three lists with an element for each dispatch; `workgroups` has three numbers each. */
export interface Steps {
  readonly pipelines: readonly GPUComputePipeline[];
  readonly groups: readonly GPUBindGroup[];
  readonly workgroups: Uint32Array;
  /** So many dispatches are submitted at once. */
  readonly submitted: number;
}

/** Pipelines all at once, equal ones once; bind groups, equal ones once. */
export async function makeSteps(
  program: Program,
  code: WgslCode,
  device: GPUDevice,
  buffers: Buffers,
  onProgress: OnProgress = () => undefined,
): Promise<Readonly<Record<string, Steps>>> {
  const layouts = memo((bindings: number) => bindGroupLayout(device, bindings));
  const bound = new Map(Object.values(code.entries).flatMap((all) => all.map((d) => [d.shader, d.bindings.length])));
  const pipelines = await makePipelines(program, code, device, (shader) => layouts(bound.get(shader) ?? 0), onProgress);
  const groups = memo((key: string) => {
    const bindings = JSON.parse(key) as Dispatch["bindings"];
    return device.createBindGroup({ layout: layouts(bindings.length), entries: resources(buffers, bindings) });
  });
  const groupOf = ({ bindings }: Dispatch): GPUBindGroup => groups(JSON.stringify(bindings));
  const { value, accepted } = scoped(program, device, () =>
    Object.entries(code.entries).map(([id, dispatches]): [string, Steps] => [
      id,
      {
        pipelines: dispatches.map(({ shader }) => pipelines[shader]!),
        groups: dispatches.map(groupOf),
        workgroups: Uint32Array.from(dispatches.flatMap((d) => d.workgroups)),
        submitted: dispatchesAtOnce(program, id, dispatches.length),
      },
    ]),
  );
  await accepted;
  return Object.fromEntries(value);
}

/**
 * Systems take a GPU away from a page whose work does not end within some seconds (two on Windows), and they count work that
 * is submitted at once. What a dispatch takes is known on average only; for a slow device, at 50 GFLOP/s, half a second of it is
 * a submit. Ordinary models remain one submit a run; for the others a submit more is nothing beside the work.
 */
function dispatchesAtOnce({ stats }: Program, id: string, dispatches: number): number {
  const { flops } = stats.work?.[id] ?? stats;
  return Math.max(1, Math.floor((flopsAtOnce * dispatches) / Math.max(1, flops)));
}
const flopsAtOnce = 25e9;

/** The steps from `from` to before `to`: nothing is made on the way. */
export function encodeSteps(pass: GPUComputePassEncoder, { pipelines, groups, workgroups }: Steps, from: number, to: number): void {
  let pipeline: GPUComputePipeline | null = null;
  let group: GPUBindGroup | null = null;
  for (let i = from; i < to; i++) {
    if (pipelines[i] !== pipeline) {
      pipeline = pipelines[i]!;
      pass.setPipeline(pipeline);
    }
    if (groups[i] !== group) {
      group = groups[i]!;
      pass.setBindGroup(0, group);
    }
    pass.dispatchWorkgroups(workgroups[3 * i]!, workgroups[3 * i + 1]!, workgroups[3 * i + 2]!);
  }
}

const resources = (buffers: Buffers, bindings: Dispatch["bindings"]): GPUBindGroupEntry[] =>
  bindings.map(({ region, offset: from, bytes: size }, binding) => {
    const { start, buffer } = pageAt(buffers, region, from);
    return { binding, resource: { buffer, offset: from - start, size } };
  });

const bindGroupLayout = (device: GPUDevice, bindings: number): GPUBindGroupLayout =>
  device.createBindGroupLayout({
    entries: Array.from({ length: bindings }, (_, binding) => ({ binding, visibility: computeStage, buffer: { type: "storage" } })),
  });

type Shader = WgslCode["shaders"][number];
async function makePipelines(
  program: Program,
  { shaders }: WgslCode,
  device: GPUDevice,
  layoutOf: (shader: number) => GPUBindGroupLayout,
  onProgress: OnProgress,
): Promise<readonly GPUComputePipeline[]> {
  const first = new Map<string, number>();
  for (const [i, { code }] of shaders.entries()) if (!first.has(code)) first.set(code, i);
  const total = first.size;
  let done = 0;
  const { value, accepted } = scoped(program, device, () => {
    const layouts = memo((bindGroupLayout: GPUBindGroupLayout) => device.createPipelineLayout({ bindGroupLayouts: [bindGroupLayout] }));
    return [...first.values()].map((i) => {
      const shader = shaders[i]!;
      const ready = makePipeline(device, shader, layouts(layoutOf(i))).then((pipeline) => {
        onProgress({ done: ++done, total });
        return pipeline;
      });
      return [shader.code, ready] as const;
    });
  });
  const made = new Map(await Promise.all(value.map(async ([text, ready]) => [text, await ready] as const)));
  await accepted;
  return shaders.map(({ code }) => made.get(code)!);
}

async function makePipeline(device: GPUDevice, { name, code }: Shader, layout: GPUPipelineLayout): Promise<GPUComputePipeline> {
  const module = device.createShaderModule({ label: name, code });
  try {
    return await device.createComputePipelineAsync({ label: name, layout, compute: { module } });
  } catch (e) {
    const { messages } = await module.getCompilationInfo();
    const details = messages.filter((m) => m.type === "error").map((m) => `line ${m.lineNum}: ${m.message}`);
    return fail("device", `the GPU refuses the kernel ${name}: ${details.join("; ") || messageOf(e)}`, e);
  }
}

function memo<K, T>(make: (key: K) => T): (key: K) => T {
  const made = new Map<K, T>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}
