/** Times of the calls of an entry, by timestamps of the device: a pass for each dispatch, so that each has two of them. */
import type { EntryId, Program } from "../../ir/program.ts";
import type { WgslCode } from "./code.ts";
import { scoped } from "./device.ts";
import { usage } from "./memory.ts";
import type { Steps } from "./steps.ts";

/** The output that programs compiled with `profile` have; no name of the language begins with a dollar sign. */
export const timesName = "$times";

export interface Clock {
  readonly encode: (encoder: GPUCommandEncoder, steps: Steps, from: number, to: number) => void;
  /** Where the times of the last `encode` of so many dispatches are after the encoder's work. */
  readonly resolve: (encoder: GPUCommandEncoder, dispatches: number) => GPUBuffer;
  /** Milliseconds from the start to the end of each call, after a 0; what lies between two dispatches is left out. */
  readonly times: (entry: EntryId, resolved: ArrayBuffer) => Uint8Array<ArrayBuffer>;
  readonly dispose: () => void;
}

/** Most queries of a set: section "Limits" of the specification. Its bytes are a multiple of 256, as resolving wants it. */
const mostQueries = 4096;
const bytesEach = 8;

/** Null: the program was not compiled to be measured. */
export async function makeClock(program: Program, { calls, entries }: WgslCode, device: GPUDevice): Promise<Clock | null> {
  if (!calls) return null;
  const most = 2 * Math.max(1, ...Object.values(entries).map((dispatches) => dispatches.length));
  const { value, accepted } = scoped(program, device, () => ({
    sets: Array.from({ length: Math.ceil(most / mostQueries) }, () => device.createQuerySet({ type: "timestamp", count: mostQueries })),
    resolved: device.createBuffer({ label: "times", size: most * bytesEach, usage: usage.queryResolve | usage.copySrc }),
  }));
  const { sets, resolved } = value;
  const dispose = (): void => {
    for (const set of sets) set.destroy();
    resolved.destroy();
  };
  await accepted.catch((e) => {
    dispose();
    throw e;
  });
  return {
    encode: (encoder, steps, from, to) => {
      for (let i = from; i < to; i++) encodeTimed(encoder, steps, i, sets);
    },
    resolve: (encoder, dispatches) => {
      sets.forEach((set, s) => {
        const count = Math.min(mostQueries, 2 * dispatches - s * mostQueries);
        if (count > 0) encoder.resolveQuerySet(set, 0, count, resolved, s * mostQueries * bytesEach);
      });
      return resolved;
    },
    times: (entry, bytes) => new Uint8Array(timesOf(calls[entry] ?? [], new BigUint64Array(bytes)).buffer),
    dispose,
  };
}

function encodeTimed(encoder: GPUCommandEncoder, { pipelines, groups, workgroups }: Steps, i: number, sets: readonly GPUQuerySet[]): void {
  const first = (2 * i) % mostQueries;
  const querySet = sets[Math.floor((2 * i) / mostQueries)]!;
  const pass = encoder.beginComputePass({
    timestampWrites: { querySet, beginningOfPassWriteIndex: first, endOfPassWriteIndex: first + 1 },
  });
  pass.setPipeline(pipelines[i]!);
  pass.setBindGroup(0, groups[i]!);
  pass.dispatchWorkgroups(workgroups[3 * i]!, workgroups[3 * i + 1]!, workgroups[3 * i + 2]!);
  pass.end();
}

/** `stamps`: nanoseconds at the beginning and at the end of each dispatch. Devices may set their clock: no time is below 0. */
function timesOf(calls: readonly number[], stamps: BigUint64Array): Float32Array<ArrayBuffer> {
  const times = new Float32Array(calls.length + 1);
  let [dispatch, sum] = [0, 0];
  calls.forEach((dispatches, c) => {
    for (const end = dispatch + dispatches; dispatch < end; dispatch++)
      sum += Math.max(0, Number(stamps[2 * dispatch + 1]! - stamps[2 * dispatch]!)) / 1e6;
    times[c + 1] = sum;
  });
  return times;
}
