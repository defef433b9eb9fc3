/** Loads a program and runs it: everything that an app needs at run time. */
import type { Program } from "../ir/program.ts";
import { fail } from "./errors.ts";
import type { AnyGpuDevice, GpuSource, OnProgress } from "./gpu-types.ts";
import { checkOptions, checkProgram } from "./options.ts";
import { checkSeed, type Net, openSession, type Started } from "./session.ts";
import { startWasm } from "./wasm.ts";
import type { Origin, Recover } from "./webgpu/recovery.ts";
import type { Warm } from "./webgpu/warm.ts";
import { type FileBytes, type Given, matchCheckpoint, matchWeights, type Weights } from "./weights.ts";

export type { Program } from "../ir/program.ts";
export { artefactOf, programFromArtefact } from "./artefact.ts";
export { DlmError, type ErrorCode } from "./errors.ts";
export type {
  AnyGpuBinding,
  AnyGpuBuffer,
  AnyGpuDevice,
  GpuBinding,
  GpuBuffer,
  GpuSource,
  OnProgress,
  Picture,
} from "./gpu-types.ts";
export type { Entry, FileType, Tensors } from "./safetensors.ts";
export { parseSafetensors, writeSafetensors } from "./safetensors.ts";
export type { GpuOutputs, Net, Parameter, Run, StepResult } from "./session.ts";
export type { Inputs, InputValues, OutputValues } from "./tensor.ts";
export type { Recover } from "./webgpu/recovery.ts";
export type { Weights } from "./weights.ts";

export interface LoadOptions {
  /** Safetensors bytes. Without any, `init` makes the parameters from the seed. */
  readonly weights?: Weights;
  /** For initial values and random numbers; default 0. */
  readonly seed?: number;
  /** What `checkpoint()` gave: continues there. Excludes `weights`. */
  readonly checkpoint?: FileBytes;
  /** Threads of a WebAssembly program; default 1. Results do not depend on it. */
  readonly threads?: number;
  /**
   * Of several programs that for this device; a program for another one is refused. Default "auto": where one run is estimated to take
   * less time, WebAssembly where there is no GPU; `notes` says why. The net's `device` is the one taken.
   */
  readonly device?: "auto" | "wasm" | "webgpu";
  /** Names that the weights need not have, `*` for any characters. */
  readonly allowMissing?: readonly string[];
  /** What a trained parameter without weights is; default "init" for a program with `step`, else "error". */
  readonly missing?: "error" | "init";
  /** Where there is no `navigator.gpu`: an object like it. A program for another target has a note instead. */
  readonly gpu?: GpuSource;
  /**
   * A GPUDevice of the caller's, made with what `gpuNeeds` gives: its buffers may be inputs, and outputs may stay on it. `dispose()`
   * frees what the program has on it and leaves the device alone. A program for another target is refused.
   */
  readonly gpuDevice?: AnyGpuDevice;
  /** Told for each kernel that a GPU has compiled, at load and by the first call that needs others; most of a first start is that. */
  readonly onProgress?: OnProgress;
  /**
   * The calls whose kernels are compiled ahead on WebGPU, default ["run"]: `load` waits for those of the first, the others follow in the
   * background, in this order. The first call that needs further ones waits for them, and fails where the GPU refuses one.
   */
  readonly warm?: Warm;
  /**
   * What a net on WebGPU does when its device was lost; default "auto". Until then it keeps the bytes of `weights`, or with
   * "checkpoint" a copy of the last checkpoint.
   */
  readonly recover?: Recover;
}

/** What a device must be requested with. Its features are names; typed as none, they fit every version of WebGPU's types. */
export interface GpuNeeds {
  readonly requiredLimits: Readonly<Record<string, number>>;
  readonly requiredFeatures: never[];
}
/**
 * For a program: `adapter.requestDevice(gpuNeeds(program, adapter))`. With an adapter, features that make it faster are among those
 * required where the adapter has them.
 */
export function gpuNeeds({ code }: Program, adapter?: Pick<AnyGpuDevice, "features">): GpuNeeds {
  const { limits = {}, features = [], optionalFeatures = [] } = code.kind === "wgsl" ? code : {};
  const more = optionalFeatures.filter((f) => adapter?.features.has(f));
  return { requiredLimits: limits, requiredFeatures: [...features, ...more] as never[] };
}

/** `program`: one, or one for each target, compiled from the same source with the same options. */
export async function load(program: Program | readonly Program[], options: LoadOptions = {}): Promise<Net> {
  for (const p of Array.isArray(program) ? program : [program]) checkProgram(p);
  checkOptions(options);
  const { seed = 0, threads = 1 } = options;
  checkSeed(seed);
  if (!Number.isInteger(threads) || threads < 1 || threads > 256) fail("option", `threads is ${threads}, expected 1..256`);
  return "code" in program ? open(program, options) : (await import("./several.ts")).openOneOf(program, options, open);
}

/** `notes`: why this program was chosen of several. */
async function open(program: Program, options: LoadOptions, notes?: readonly string[]): Promise<Net> {
  const { seed = 0, threads = 1, device = "auto", gpu, gpuDevice } = options;
  const { name, code } = program;
  const onGpu = code.kind === "wgsl";
  if (device !== "auto" && code.kind !== (device === "webgpu" ? "wgsl" : "wasm"))
    fail("option", `${name} is compiled to ${code.kind} and cannot run on ${device}`);
  if (gpuDevice && !onGpu) fail("option", `${name} is compiled to ${code.kind} and takes no gpuDevice`);
  const told = notes ?? (gpu && !onGpu ? [`gpu has no effect: ${name} is compiled to ${code.kind}`] : []);
  const given = match(program, options);
  const started = await start(program, threads, options, {
    given,
    seed,
    recover: options.recover ?? "auto",
    match: (file) => matchCheckpoint(program, file),
  });
  try {
    return await openSession(program, { ...started, notes: [...told, ...started.notes] }, given, seed);
  } catch (e) {
    started.backend.dispose();
    throw e;
  }
}

function match(program: Program, options: LoadOptions): Given {
  const { weights, checkpoint, allowMissing = [] } = options;
  if (checkpoint) return matchCheckpoint(program, checkpoint);
  const missing = options.missing ?? (program.entries.some((e) => e.name === "step") ? "init" : "error");
  return weights ? matchWeights(program, weights, { missing, allowMissing }) : { values: new Map(), notes: [] };
}

async function start(program: Program, threads: number, options: LoadOptions, origin: Origin): Promise<Started> {
  const { code } = program;
  switch (code.kind) {
    case "wasm":
      return startWasm(program, code, threads);
    case "wgsl":
      // Loaded when needed: an app downloads only what its target takes.
      return (await import("./webgpu.ts")).startWebGpu(program, code, options, origin);
    case "host":
      return { backend: code.start(), threads: 1, notes: [] };
  }
}
