/** The one list of builtin functions. Those that can be said in the language are in the prelude instead. */
import type { Builtin } from "../builtin.ts";
import { constantFunctions } from "./constants.ts";
import { convolutionFunctions } from "./convolution.ts";
import { creations } from "./create.ts";
import { elementwise } from "./elementwise.ts";
import { initializers } from "./initializers.ts";
import { linearFunctions } from "./linear.ts";
import { literal } from "./literal.ts";
import { optimizers } from "./optimizers.ts";
import { poolFunctions } from "./pool.ts";
import { reductions } from "./reduce.ts";
import { schedules } from "./schedules.ts";
import { shapeFunctions } from "./shape.ts";
import { tableFunctions } from "./tables.ts";
import { trainingFunctions } from "./training.ts";

/** By what they are about: the sections of the reference. */
export const builtinGroups = {
  constants: constantFunctions,
  elementwise,
  reductions,
  shape: shapeFunctions,
  tables: tableFunctions,
  pooling: poolFunctions,
  convolution: convolutionFunctions,
  products: linearFunctions,
  creation: [...creations, literal],
  initializers,
  optimizers,
  schedules,
  training: trainingFunctions,
} as const satisfies Readonly<Record<string, readonly Builtin[]>>;
const all: readonly Builtin[] = Object.values(builtinGroups).flat();
export const builtins: ReadonlyMap<string, Builtin> = new Map(all.map((f) => [f.name, f]));
