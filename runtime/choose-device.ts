/**
 * Which of several programs of one model is loaded where the caller leaves it open. A graph runs on one device as a whole: copies
 * between devices cost more than what a better device for some kernels saves.
 *
 *     WebAssembly  flops / (rate x threads) + bytes / bandwidth
 *     WebGPU       round trip + dispatches x gap + flops / rate + bytes / bandwidth
 *
 * A run is a training step where the program has one, else a prediction. The numbers are for machines of people who open a page, and
 * what is unknown about a GPU is assumed to be slow: being wrong towards WebAssembly costs some speed, the other way a start of seconds.
 */
import { type EntryId, entryOf, type Program, type Signature } from "../ir/program.ts";
import { messageOf } from "./errors.ts";
import type { GpuSource } from "./gpu-types.ts";
import type { LoadOptions } from "./index.ts";
import { findAdapter } from "./webgpu/device.ts";

/** Milliseconds, and a second's work in units of a millisecond. */
export const machine = {
  wasm: {
    /** docs/benchmarks.md: 35 (MobileNet V2) to 80 (ResNet-18) GFLOP/s on one thread of a server. */
    flopsPerMs: 40e6,
    /** The same table: two threads take 0.53 to 0.67 of the time of one. */
    perFurtherThread: 0.75,
    /** Of memory behind the caches, which threads share. */
    bytesPerMs: 10e6,
  },
  webgpu: {
    /** Submit, wait and read back: 0.15 ms at best, some turns of a page's event loop in practice. */
    roundTrip: 1.5,
    /** From the end of a dispatch to the start of the next one that waits for it, on integrated GPUs; recording it takes 0.0002. */
    gap: 0.008,
    /** Half of what the smallest integrated GPUs in use compute at their peak (400 GFLOP/s). */
    flopsPerMs: 200e6,
    bytesPerMs: 20e6,
  },
} as const;

export interface Choice {
  readonly program: Program;
  /** Taken when the first one cannot be started. */
  readonly otherwise: Program | null;
  readonly reason: string;
}
/** `wasm` and `wgsl`: programs of one model. */
export async function chooseDevice(wasm: Program, wgsl: Program, options: LoadOptions): Promise<Choice> {
  const { threads = 1, gpu, gpuDevice } = options;
  const [onWasm, onGpu] = [estimate(wasm, threads), estimate(wgsl, threads)];
  const times = (a: number, b: number, other: string) => `an estimated ${short(a)} ms a ${kindOfRun(wasm)}, on ${other} ${short(b)} ms`;
  const stay = (why: string): Choice => ({ program: wasm, otherwise: null, reason: `runs on WebAssembly: ${why}` });
  if (gpuDevice) return { program: wgsl, otherwise: null, reason: "runs on WebGPU: gpuDevice is given" };
  const source = gpu ?? (globalThis.navigator?.gpu as GpuSource | undefined);
  if (!source) return stay("there is no WebGPU here");
  if (onWasm <= onGpu) return stay(times(onWasm, onGpu, "WebGPU"));
  const refused = await whyNoGpu(source);
  if (refused) return stay(refused);
  return { program: wgsl, otherwise: wasm, reason: `runs on WebGPU: ${times(onGpu, onWasm, "WebAssembly")}` };
}

/** Milliseconds that a run takes, very roughly. */
export function estimate(program: Program, threads: number): number {
  const { code, stats } = program;
  const { name } = entryToRun(program);
  const { flops, bytes } = stats.work?.[name] ?? { flops: stats.flops, bytes: 0 };
  switch (code.kind) {
    case "wasm": {
      const { flopsPerMs, perFurtherThread, bytesPerMs } = machine.wasm;
      return flops / (flopsPerMs * (1 + perFurtherThread * (threads - 1))) + bytes / bytesPerMs;
    }
    case "wgsl": {
      const { roundTrip, gap, flopsPerMs, bytesPerMs } = machine.webgpu;
      return roundTrip + gap * (code.entries[name]?.length ?? 0) + flops / flopsPerMs + bytes / bytesPerMs;
    }
    case "host":
      return Number.POSITIVE_INFINITY;
  }
}
/** Of the first binding. */
function entryToRun({ entries }: Program): Signature {
  const find = (entry: "step" | "forward") => entries.find((e) => entryOf(e.name as EntryId) === entry);
  return (find("step") ?? find("forward"))!;
}
const kindOfRun = (program: Program): string => (entryOf(entryToRun(program).name) === "step" ? "step" : "run");
const short = (ms: number): string => (ms < 10 ? ms.toPrecision(2) : ms.toFixed(0));

interface AdapterInfo {
  readonly vendor?: string;
  readonly architecture?: string;
  readonly device?: string;
  readonly description?: string;
  readonly isFallbackAdapter?: boolean;
}
interface Adapter {
  readonly info?: AdapterInfo;
  readonly isFallbackAdapter?: boolean;
}
/** Null where there is a GPU that computes. */
async function whyNoGpu(gpu: GpuSource): Promise<string | null> {
  try {
    const adapter = (await findAdapter(gpu)) as Adapter | null;
    if (!adapter) return "WebGPU finds no GPU";
    return isSoftware(adapter) ? "WebGPU has a driver in software only, which is slower" : null;
  } catch (e) {
    return `WebGPU fails to look for a GPU: ${messageOf(e)}`;
  }
}
const softwareDrivers = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|\bwarp\b/i;
export function isSoftware({ info, isFallbackAdapter }: Adapter): boolean {
  if (isFallbackAdapter || info?.isFallbackAdapter) return true;
  return softwareDrivers.test([info?.vendor, info?.architecture, info?.device, info?.description].join(" "));
}
