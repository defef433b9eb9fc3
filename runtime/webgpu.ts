/** Programs as WGSL on WebGPU: pipelines and bind groups are made at start or by the first call that needs them, a run is one submit. */
import { type EntryId, entryOf, type Program } from "../ir/program.ts";
import { DlmError, fail } from "./errors.ts";
import type { AnyGpuDevice, GpuSource, OnProgress } from "./gpu-types.ts";
import type { GpuCall, OnGpu, Started } from "./session.ts";
import { type Machine, runToBuffers, runToHost } from "./webgpu/calls.ts";
import { makeClock } from "./webgpu/clock.ts";
import type { WgslCode } from "./webgpu/code.ts";
import { type Health, type Opened, openDevice, scoped, shareDevice, watch } from "./webgpu/device.ts";
import { sourceOf } from "./webgpu/given.ts";
import { allBuffers, makeBuffers } from "./webgpu/memory.ts";
import type { Pictures } from "./webgpu/pictures.ts";
import { type Keeper, keeper, type Origin } from "./webgpu/recovery.ts";
import { stagingRing } from "./webgpu/staging.ts";
import { stepsMaker } from "./webgpu/steps.ts";
import { type Warm, warmEntries } from "./webgpu/warm.ts";
import { writer } from "./webgpu/writing.ts";
import type { Given } from "./weights.ts";

export type { GpuSource } from "./gpu-types.ts";

export interface GpuOptions {
  readonly gpu?: GpuSource;
  readonly gpuDevice?: AnyGpuDevice;
  readonly onProgress?: OnProgress;
  readonly warm?: Warm;
}

export const startWebGpu = (program: Program, code: WgslCode, options: GpuOptions, origin: Origin): Promise<Started> =>
  start(program, code, options, origin.given, keeper(program, origin));

async function start(program: Program, code: WgslCode, options: GpuOptions, given: Given, kept: Keeper): Promise<Started> {
  const { gpu, gpuDevice, onProgress, warm = ["run"] } = options;
  if (!code.shaders) fail("artefact", "load got the manifest of a program: programFromArtefact(manifest, readFile) gives the program");
  const opened = gpuDevice ? shareDevice(program, code, gpuDevice) : await openDevice(program, code, gpu);
  const health = watch(program.name, opened);
  const end = ending(opened, health);
  const [first, ...later] = warmEntries(program, warm, given);
  const ready = async (): Promise<Machine> => {
    const machine = await setUp(program, code, opened, health, onProgress, end);
    await machine.make(first);
    health.check();
    return machine;
  };
  const machine = await ready().catch(async (e) => {
    const error = await health.failure("the GPU cannot be set up", e, "while it was set up");
    end.all();
    throw error;
  });
  inBackground(machine, later, end);
  const again = (from: Given) => start(program, code, options, from, kept);
  const onGpu = gpuPart({ machine, health, owned: opened.owned, kept, again, dispose: end.all });
  return {
    backend: {
      write: machine.writing.add,
      run: (entries, outputs) => onGpu.run({ entries, sources: [], outputs }, () => undefined),
      dispose: end.all,
    },
    gpu: onGpu,
    threads: 1,
    notes: [],
  };
}

/** What is to be freed: on a device of our own it goes with it, on the caller's one by one. */
interface Ending {
  readonly add: (end: () => void) => void;
  readonly all: () => void;
}
function ending({ device, owned, source }: Opened, health: Health): Ending {
  const ends: (() => void)[] = [health.end];
  return {
    add: (end) => ends.push(end),
    all: () => {
      for (const end of ends.splice(0)) end();
      if (owned) device.destroy();
      // The adapter's owner must outlive the device.
      void source;
    },
  };
}

/** One after the other. What fails is made again by the call that needs it, which tells. */
function inBackground({ make }: Machine, lists: readonly (readonly EntryId[])[], end: Ending): void {
  let ended = false;
  end.add(() => {
    ended = true;
  });
  const work = async (): Promise<void> => {
    for (const entries of lists) if (!ended) await make(entries).catch(() => undefined);
  };
  void work();
}

async function setUp(
  program: Program,
  code: WgslCode,
  { device }: Opened,
  { lost }: Health,
  onProgress: OnProgress | undefined,
  end: Ending,
): Promise<Machine> {
  const { value: buffers, accepted } = scoped(program, device, () => makeBuffers(program, code, device));
  end.add(() => {
    for (const buffer of allBuffers(buffers)) buffer.destroy();
  });
  await accepted;
  const clock = await makeClock(program, code, device);
  if (clock) end.add(clock.dispose);
  const { made: steps, make } = stepsMaker(program, code, device, buffers, onProgress);
  const staging = stagingRing(device);
  end.add(staging.dispose);
  let opening: Promise<Pictures> | undefined;
  const open = async (): Promise<Pictures> => {
    const pictures = (await import("./webgpu/pictures.ts")).openPictures(program, device, buffers);
    end.add(pictures.dispose);
    return pictures;
  };
  const pictures = (): Promise<Pictures> => {
    opening ??= open().catch((e) => {
      // The next call may have better luck.
      opening = undefined;
      throw e;
    });
    return opening;
  };
  return { program, device, lost, buffers, steps, make, clock, staging, writing: writer(program, device, buffers), pictures };
}

interface Parts {
  readonly machine: Machine;
  readonly health: Health;
  readonly owned: boolean;
  readonly kept: Keeper;
  /** Starts the program on a new device. */
  readonly again: (given: Given) => Promise<Started>;
  readonly dispose: () => void;
}
function gpuPart({ machine, health, owned, kept, again, dispose }: Parts): OnGpu {
  const tally = stepsOf(kept);
  const watched = async <T>(call: GpuCall, issued: () => void, work: (issued: () => void) => Promise<T>): Promise<T> => {
    health.check();
    const name = call.entries.at(-1) ?? "reading";
    await prepared(machine, call).catch(async (e) => {
      throw await health.failure(name, e);
    });
    const ran = tally.of(call);
    try {
      return await work(() => {
        ran();
        issued();
      });
    } catch (e) {
      // Inputs are refused before anything runs; after all else a step may have run.
      if (!(e instanceof DlmError) || e.code !== "input") ran();
      throw await health.failure(name, e);
    }
  };
  return {
    run: (call, issued) => watched(call, issued, (done) => runToHost(machine, call, done)),
    runToBuffers: (call, to, issued) => watched(call, issued, (done) => runToBuffers(machine, call, to, done)),
    sourceOf,
    revive: async () => {
      const why = health.lost();
      if (why === null) return null;
      const { given, seed, note } = kept.resume(why, tally.steps(), !owned);
      dispose();
      const started = await again(given);
      return { started: { ...started, notes: [note] }, given, seed };
    },
    keep: (checkpoint) => {
      kept.keep(checkpoint);
      tally.reset();
    },
  };
}

/** Kernels and inputs, before anything of the call runs. */
async function prepared({ make, writing }: Machine, { entries }: GpuCall): Promise<void> {
  await make(entries);
  await writing.ahead();
}

/** Counts training steps since the state that `kept` knows. `of` gives what a call does when it runs; more than once is once. */
function stepsOf(kept: Keeper): { readonly of: (call: GpuCall) => () => void; readonly steps: () => number; readonly reset: () => void } {
  let steps = 0;
  return {
    of: ({ entries }) => {
      let counted = !entries.some((id) => entryOf(id) === "step");
      return () => {
        if (counted) return;
        counted = true;
        steps++;
        kept.stepped();
      };
    },
    steps: () => steps,
    reset: () => {
      steps = 0;
    },
  };
}
