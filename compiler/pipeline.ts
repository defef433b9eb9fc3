/** The order of passes: graphs first, then kernels. */
import { type Limits, profiles } from "../ir/limits.ts";
import { assignLayouts } from "./passes/assign-layouts.ts";
import { type GraphPass, graphPasses as onGraphs } from "./passes/index.ts";
import { kernelParts } from "./passes/kernel-parts.ts";
import { splitConcat } from "./passes/split-concat.ts";
import { winograd } from "./passes/winograd.ts";
import { winogradMatrices } from "./passes/winograd-matrices.ts";

/** `mostInputs`: buffers that a kernel may read; `limits`: what the device has. */
export const wgslGraphPassesFor = (mostInputs: number, limits: Limits): readonly GraphPass[] => [
  ...onGraphs,
  winogradMatrices(limits),
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
