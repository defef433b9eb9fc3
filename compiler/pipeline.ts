/** The order of passes: graphs first, then kernels. */
import { assignLayouts } from "./passes/assign-layouts.ts";
import { type GraphPass, graphPasses as onGraphs } from "./passes/index.ts";
import { kernelParts } from "./passes/kernel-parts.ts";
import { winograd } from "./passes/winograd.ts";

/** For every target but those of `wasmGraphPasses`. */
export const graphPasses: readonly GraphPass[] = [...onGraphs, kernelParts, assignLayouts];
/** Loops for transformed convolutions are written for a CPU. */
export const wasmGraphPasses: readonly GraphPass[] = [...onGraphs, winograd, kernelParts, assignLayouts];

export { wasmKernelPasses, wgslKernelPasses } from "./schedule/passes.ts";
