/** What each entry dispatches: pipelines and bind groups made when an entry is needed, and a flat list that is encoded again for every run. */
import type { Dispatch, EntryId, Program } from "../../ir/program.ts";
import { DlmError } from "../errors.ts";
import type { OnProgress } from "../gpu-types.ts";
import type { WgslCode } from "./code.ts";
import { scoped } from "./device.ts";
import { type Buffers, pageAt } from "./memory.ts";
import { memo, type PipelineMaker, pipelineMaker } from "./pipelines.ts";

/** Three lists with an element for each dispatch; `workgroups` has three numbers each. */
export interface Steps {
  readonly pipelines: readonly GPUComputePipeline[];
  readonly groups: readonly GPUBindGroup[];
  readonly workgroups: Uint32Array;
  /** So many dispatches are submitted at once. */
  readonly submitted: number;
}
export interface StepsMaker {
  /** Those made so far, by id. */
  readonly made: Readonly<Record<string, Steps>>;
  /** Makes those of entries, all at once. What failed is made again the next time. */
  readonly make: (entries: readonly EntryId[]) => Promise<void>;
}

export function stepsMaker(
  program: Program,
  code: WgslCode,
  device: GPUDevice,
  buffers: Buffers,
  onProgress: OnProgress | undefined,
): StepsMaker {
  const pipelines = pipelineMaker(code, device, onProgress);
  const made: Record<string, Steps> = {};
  const making = memo(async (id: EntryId): Promise<void> => {
    made[id] = await makeSteps(program, id, code.entries[id] ?? [], { device, buffers, pipelines });
  });
  return {
    made,
    make: async (entries) => {
      await Promise.all(entries.map((id) => making(id)));
    },
  };
}

interface Parts {
  readonly device: GPUDevice;
  readonly buffers: Buffers;
  readonly pipelines: PipelineMaker;
}
interface GroupKey {
  readonly sizes: readonly number[];
  readonly bindings: Dispatch["bindings"];
}
/** Equal bind groups are made once. */
async function makeSteps(
  program: Program,
  id: EntryId,
  dispatches: readonly Dispatch[],
  { device, buffers, pipelines }: Parts,
): Promise<Steps> {
  const { value, accepted } = scoped(program, device, () => {
    const groupOf = memo((key: string) => {
      const { sizes, bindings } = JSON.parse(key) as GroupKey;
      return device.createBindGroup({ layout: pipelines.layout(sizes), entries: resources(buffers, bindings) });
    });
    return {
      ready: dispatches.map((d) => pipelines.make(d.shader)),
      groups: dispatches.map(({ shader, bindings }) =>
        groupOf(JSON.stringify({ sizes: pipelines.sizes(shader), bindings } satisfies GroupKey)),
      ),
    };
  });
  const ready = await allMade(Promise.all(value.ready), accepted).catch((e) => {
    pipelines.forgetLayouts();
    throw e;
  });
  return {
    pipelines: ready,
    groups: value.groups,
    workgroups: Uint32Array.from(dispatches.flatMap((d) => d.workgroups)),
    submitted: dispatchesAtOnce(program, id, dispatches.length),
  };
}

/** Where both fail, lack of memory is why kernels are refused; of other reasons these know more. */
async function allMade<T>(compiled: Promise<T>, accepted: Promise<void>): Promise<T> {
  const [made, taken] = await Promise.allSettled([compiled, accepted]);
  if (taken.status === "rejected" && taken.reason instanceof DlmError && taken.reason.code === "memory") throw taken.reason;
  if (made.status === "rejected") throw made.reason;
  if (taken.status === "rejected") throw taken.reason;
  return made.value;
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
