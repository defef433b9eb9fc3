/** What each target wants of the stages: loops, passes, memory. */
import { storageBytes, tensorAlignment } from "../codegen/target.ts";
import type { Choose } from "../ir/choice.ts";
import type { Computation, RowComputation } from "../ir/kernel/computation.ts";
import type { Kernel } from "../ir/kernel/kernel.ts";
import { type Limits, profiles, roomOf } from "../ir/limits.ts";
import type { Program } from "../ir/program.ts";
import type { Storage } from "../ir/type.ts";
import type { MemoryModel } from "./memory/plan.ts";
import type { GraphPass, Pass } from "./pass.ts";
import { graphPasses, wasmGraphPasses, wasmKernelPasses, wgslGraphPassesFor, wgslKernelPassesFor } from "./pipeline.ts";
import { scheduleCpu } from "./schedule/cpu.ts";
import { scheduleGpuRows } from "./schedule/gpu/rows.ts";
import { scheduleGpu } from "./schedule/gpu.ts";
import { scheduleRows } from "./schedule/rows.ts";

export interface Target {
  readonly name: Program["target"];
  readonly graphPasses: readonly GraphPass[];
  readonly schedule: (c: Computation, choose: Choose) => Kernel;
  /** Loops for stages that go by the same rows; null: each is a kernel. */
  readonly rows: ((c: RowComputation) => Kernel | null) | null;
  /** Buffers that a kernel may read. */
  readonly mostInputs: number;
  /** Whether operands of concatenations may be written where the result has them, anywhere in its memory. */
  readonly joins: boolean;
  readonly kernelPasses: readonly Pass<Kernel>[];
  readonly memory: MemoryModel;
}
const boundless = { page: Number.POSITIVE_INFINITY, part: Number.POSITIVE_INFINITY };
const wasm: Target = {
  name: "wasm",
  graphPasses: wasmGraphPasses,
  schedule: scheduleCpu,
  rows: scheduleRows,
  mostInputs: Number.POSITIVE_INFINITY,
  joins: true,
  kernelPasses: wasmKernelPasses,
  memory: { alignment: tensorAlignment.wasm, bytesPerElement: storageBytes.wasm, inPlace: true, scratch: "scratch", room: boundless },
};
function wgsl(limits: Limits, storage: Storage): Target {
  const room = roomOf(limits);
  // Beside what a kernel reads there is what it writes; it reads something, or is refused later.
  const mostInputs = Math.max(1, limits.maxStorageBuffersPerShaderStage - 1);
  return {
    name: "wgsl",
    graphPasses: wgslGraphPassesFor(mostInputs, limits, storage),
    schedule: (c, choose) => scheduleGpu(c, choose, limits),
    rows: (c) => scheduleGpuRows(c, limits),
    mostInputs,
    joins: false,
    kernelPasses: wgslKernelPassesFor(room),
    memory: { alignment: tensorAlignment.wgsl, bytesPerElement: storageBytes.wgsl, inPlace: false, scratch: "global", room },
  };
}
export const targets: Record<Program["target"], Target> = {
  wasm,
  wgsl: wgsl(profiles.default, "f32"),
  /** The interpreter runs the loops of WebAssembly, unlowered and in double precision, of the operations as they were given. */
  reference: { ...wasm, name: "reference", graphPasses, kernelPasses: [], memory: { ...wasm.memory, inPlace: false } },
};
/** The target for devices that offer so much, and keep large tensors so. */
export const targetOf = (name: Program["target"], limits: Limits, storage: Storage): Target =>
  name === "wgsl" ? wgsl(limits, storage) : targets[name];
