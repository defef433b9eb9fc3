/** The operators of the standard domain that the importer knows, and those that it recovers from several nodes. */
import type { Operator } from "../context.ts";
import { choiceOperators } from "./choice.ts";
import { convolutionOperators } from "./convolution.ts";
import { createOperators } from "./create.ts";
import { elementwiseOperators } from "./elementwise.ts";
import { gatherOperators } from "./gather.ts";
import { linearOperators, recoveredProducts } from "./linear.ts";
import { normalizationOperators, recoveredNormalizations } from "./normalization.ts";
import { poolOperators } from "./pool.ts";
import { quantizeOperators } from "./quantize.ts";
import { recurrentOperators } from "./recurrent.ts";
import { reduceOperators } from "./reduce.ts";
import { resizeOperators } from "./resize.ts";
import { scatterOperators } from "./scatter.ts";
import { shapeOperators } from "./shape.ts";

export const operators: ReadonlyMap<string, Operator> = new Map(
  Object.entries({
    ...elementwiseOperators,
    ...reduceOperators,
    ...shapeOperators,
    ...createOperators,
    ...gatherOperators,
    ...scatterOperators,
    ...convolutionOperators,
    ...poolOperators,
    ...normalizationOperators,
    ...linearOperators,
    ...quantizeOperators,
    ...recurrentOperators,
    ...resizeOperators,
    ...choiceOperators,
  }),
);
export const recoveredOperators: ReadonlyMap<string, Operator> = new Map(
  Object.entries({ ...recoveredProducts, ...recoveredNormalizations }),
);
