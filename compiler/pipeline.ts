/** The order of passes: graphs first, then kernels. */
import { type Limits, profiles } from "../ir/limits.ts";
import type { Storage } from "../ir/type.ts";
import { assignLayouts } from "./passes/assign-layouts.ts";
import { type GraphPass, graphPasses as onGraphs } from "./passes/index.ts";
import { kernelParts } from "./passes/kernel-parts.ts";
import { splitConcat } from "./passes/split-concat.ts";
import { winograd } from "./passes/winograd.ts";
import { winogradMatrices } from "./passes/winograd-matrices.ts";

/** `mostInputs`: buffers that a kernel may read; `limits`: what the device has; `storage`: of large tensors in its memory. */
export const wgslGraphPassesFor = (mostInputs: number, limits: Limits, storage: Storage = "f32"): readonly GraphPass[] => [
  ...onGraphs,
  winogradMatrices(limits, storage),
  splitConcat(mostInputs),
  kernelParts,
  assignLayouts,
];
/** On every device. */
export const mostInputs = profiles.default.maxStorageBuffersPerShaderStage - 1;
export const wgslGraphPasses = wgslGraphPassesFor(mostInputs, profiles.default);
/** For the operations as they were given. */
export const graphPasses: readonly GraphPass[] = [...onGraphs, kernelParts, assignLayouts];
/** A convolution by transformed blocks is one kernel. */
export const wasmGraphPasses: readonly GraphPass[] = [...onGraphs, winograd, kernelParts, assignLayouts];

export { wasmKernelPasses, wgslKernelPassesFor } from "./schedule/passes.ts";
