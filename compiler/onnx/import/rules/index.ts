/** The operators of the standard domain that the importer knows. */
import type { Rule } from "../context.ts";
import { convolutionRules } from "./convolution.ts";
import { createRules } from "./create.ts";
import { elementwiseRules } from "./elementwise.ts";
import { gatherRules } from "./gather.ts";
import { groupNormOr } from "./group-norm.ts";
import { linearRules } from "./linear.ts";
import { normalizationRules } from "./normalization.ts";
import { poolRules } from "./pool.ts";
import { quantizeRules } from "./quantize.ts";
import { recurrentRules } from "./recurrent.ts";
import { reduceRules } from "./reduce.ts";
import { resizeRules } from "./resize.ts";
import { scatterRules } from "./scatter.ts";
import { shapeRules } from "./shape.ts";

export const rules: ReadonlyMap<string, Rule> = new Map(
  Object.entries({
    ...elementwiseRules,
    ...reduceRules,
    ...shapeRules,
    ...createRules,
    ...gatherRules,
    ...scatterRules,
    ...convolutionRules,
    ...poolRules,
    ...normalizationRules,
    ...linearRules,
    ...quantizeRules,
    ...recurrentRules,
    ...resizeRules,
    Reshape: groupNormOr(shapeRules.Reshape!),
  }),
);
