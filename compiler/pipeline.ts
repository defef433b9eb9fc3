/** The order of passes: graphs first, then kernels. */
import { profiles } from "../ir/limits.ts";
import { assignLayouts } from "./passes/assign-layouts.ts";
import { type GraphPass, graphPasses as onGraphs } from "./passes/index.ts";
import { kernelParts } from "./passes/kernel-parts.ts";
import { splitConcat } from "./passes/split-concat.ts";
import { winograd } from "./passes/winograd.ts";

/** `mostInputs`: buffers that a kernel may read. */
export const wgslGraphPassesFor = (mostInputs: number): readonly GraphPass[] => [
  ...onGraphs,
  splitConcat(mostInputs),
  kernelParts,
  assignLayouts,
];
/** On every device. */
export const mostInputs = profiles.default.maxStorageBuffersPerShaderStage - 1;
export const wgslGraphPasses = wgslGraphPassesFor(mostInputs);
/** For the operations as they were given. */
export const graphPasses: readonly GraphPass[] = [...onGraphs, kernelParts, assignLayouts];
/** Loops for transformed convolutions are written for a CPU. */
export const wasmGraphPasses: readonly GraphPass[] = [...onGraphs, winograd, kernelParts, assignLayouts];

export { wasmKernelPasses, wgslKernelPassesFor } from "./schedule/passes.ts";
