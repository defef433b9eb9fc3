/** The order of passes: graphs first, then kernels. */
import { assignLayouts } from "./passes/assign-layouts.ts";
import { type GraphPass, graphPasses as onGraphs } from "./passes/index.ts";

export const graphPasses: readonly GraphPass[] = [...onGraphs, assignLayouts];

export { wasmKernelPasses, wgslKernelPasses } from "./schedule/passes.ts";
