/** The passes on graphs, in the order in which every graph goes through them. */
import { blockSums } from "./block-sums.ts";
import { cse } from "./cse.ts";
import { dce } from "./dce.ts";
import { decompose } from "./decompose.ts";
import { differentiate } from "./differentiate.ts";
import { foldBatchNorm } from "./fold-batch-norm.ts";
import { foldConstants } from "./fold-constants.ts";
import type { GraphPass } from "./graph-pass.ts";
import { simplify } from "./simplify.ts";
import { transposeMatmul } from "./transpose-matmul.ts";

export const graphPasses: readonly GraphPass[] = [
  differentiate,
  decompose,
  foldConstants,
  simplify,
  cse, // equal coefficients are found before, what folding leaves behind is cleaned up after fold-batch-norm
  foldBatchNorm,
  transposeMatmul,
  blockSums,
  foldConstants,
  simplify,
  cse,
  dce,
];

export type { GraphPass } from "./graph-pass.ts";
export { type Split, splitPrepare, splitPrepareOf } from "./split-prepare.ts";
