/** The one list of builtin functions. Those that can be said in the language are in the prelude instead. */
import type { Builtin } from "../builtin.ts";
import { constantFunctions } from "./constants.ts";
import { convolutionFunctions } from "./convolution.ts";
import { creations } from "./create.ts";
import { elementwise } from "./elementwise.ts";
import { initializers } from "./initializers.ts";
import { linearFunctions } from "./linear.ts";
import { poolFunctions } from "./pool.ts";
import { reductions } from "./reduce.ts";
import { shapeFunctions } from "./shape.ts";
import { tableFunctions } from "./tables.ts";
import { trainingFunctions } from "./training.ts";

const all: readonly Builtin[] = [
  ...constantFunctions,
  ...elementwise,
  ...reductions,
  ...shapeFunctions,
  ...tableFunctions,
  ...poolFunctions,
  ...convolutionFunctions,
  ...linearFunctions,
  ...creations,
  ...initializers,
  ...trainingFunctions,
];
export const builtins: ReadonlyMap<string, Builtin> = new Map(all.map((f) => [f.name, f]));
