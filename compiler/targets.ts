/** What each target wants of the stages: loops, passes, memory. */
import { storageBytes, tensorAlignment } from "../codegen/target.ts";
import type { Computation } from "../ir/kernel/computation.ts";
import type { Kernel } from "../ir/kernel/kernel.ts";
import type { Program } from "../ir/program.ts";
import type { MemoryModel } from "./memory/plan.ts";
import type { Pass } from "./pass.ts";
import { wasmKernelPasses, wgslKernelPasses } from "./pipeline.ts";
import { scheduleCpu } from "./schedule/cpu.ts";
import { scheduleGpu } from "./schedule/gpu.ts";

export interface Target {
  readonly name: Program["target"];
  readonly schedule: (c: Computation) => Kernel;
  readonly kernelPasses: readonly Pass<Kernel>[];
  readonly memory: MemoryModel;
}
const wasm: Target = {
  name: "wasm",
  schedule: scheduleCpu,
  kernelPasses: wasmKernelPasses,
  memory: { alignment: tensorAlignment.wasm, bytesPerElement: storageBytes.wasm, inPlace: true },
};
export const targets: Record<Program["target"], Target> = {
  wasm,
  wgsl: {
    name: "wgsl",
    schedule: scheduleGpu,
    kernelPasses: wgslKernelPasses,
    memory: { alignment: tensorAlignment.wgsl, bytesPerElement: storageBytes.wgsl, inPlace: false },
  },
  /** The interpreter runs the same loops as WebAssembly, unlowered and in double precision. */
  reference: { ...wasm, name: "reference", kernelPasses: [], memory: { ...wasm.memory, inPlace: false } },
};
