/** The order of passes: graphs first, then kernels. */
import { assignLayouts } from "./passes/assign-layouts.ts";
import { type GraphPass, graphPasses as onGraphs } from "./passes/index.ts";
import { kernelParts } from "./passes/kernel-parts.ts";
import { splitConcat } from "./passes/split-concat.ts";
import { winograd } from "./passes/winograd.ts";

/** Buffers that a kernel for WebGPU may read beside the one it writes: every device binds eight. */
export const mostInputs = 7;
export const wgslGraphPasses: readonly GraphPass[] = [...onGraphs, splitConcat(mostInputs), kernelParts, assignLayouts];
/** For the operations as they were given. */
export const graphPasses: readonly GraphPass[] = [...onGraphs, kernelParts, assignLayouts];
/** Loops for transformed convolutions are written for a CPU. */
export const wasmGraphPasses: readonly GraphPass[] = [...onGraphs, winograd, kernelParts, assignLayouts];

export { wasmKernelPasses, wgslKernelPasses } from "./schedule/passes.ts";
