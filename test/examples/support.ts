/** Compiling and loading the examples. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CompileOptions, compile } from "../../compiler/compile.ts";
import { type LoadOptions, load, type Net, type Parameter, type Program } from "../../runtime/index.ts";
import { writeSafetensors } from "../../runtime/safetensors.ts";
import { adapter } from "../gpu.ts";
import { floatEntry } from "../runtime/entries.ts";
import { initial } from "./formula.ts";
import { type Example, models } from "./golden.ts";

export const sourceOf = (example: Example): string => readFileSync(join(import.meta.dirname, "../../examples", `${example}.dlm`), "utf8");

/** Undefined: there is no adapter. */
export const gpu = await adapter();

export const compileExample = (example: Example, options: CompileOptions = {}): Promise<Program> =>
  compile(sourceOf(example), { file: `${example}.dlm`, train: true, ...options });

/** `momentum`, weight decay, schedule and clipping off, and a learning rate that is a power of two. */
const gradientRate = 1024;
const plainBlock = (example: Example): string => `
train plain: ${models[example]} {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  optimizer = sgd(lr=${gradientRate}.0)
}
`;
/** The example with a train block after whose step `gradients` can be read off the parameters. */
export const compilePlain = (example: Example, options: CompileOptions): Promise<Program> =>
  compile(sourceOf(example) + plainBlock(example), { file: `${example}.dlm`, train: true, trainBlock: "plain", ...options });

/** Weights by the formula: only those of the model, none for what an optimizer remembers. */
export function formulaWeights(program: Program): Uint8Array<ArrayBuffer> {
  const saved = program.variables.filter((v) => v.kind === "param" || v.kind === "state");
  return writeSafetensors(saved.map((v) => floatEntry(v.name, v.shape, initial(v.name, v.shape))));
}

/** The program without a word of how much it computes: threads share even runs that are too short to gain by it. */
export function spread(program: Program): Program {
  const { work: _, ...stats } = program.stats;
  return { ...program, stats };
}

/** Loads, hands to `use`, and frees. */
export async function withNet<T>(program: Program, options: LoadOptions, use: (net: Net) => Promise<T>): Promise<T> {
  const net = await load(spread(program), { ...options, ...(program.target === "wgsl" && gpu ? { gpu } : {}) });
  try {
    return await use(net);
  } finally {
    await net.dispose();
  }
}

/** Parameters or states as the runtime gives them. */
export type Kept = Pick<Parameter, "name" | "kind" | "shape"> & { readonly values: ArrayLike<number> };
/** Present values of parameters or states, by name. */
export const valuesOf = async (net: Net, kind: "param" | "state"): Promise<Record<string, ArrayLike<number>>> =>
  valuesIn(await net.parameters(), kind);
export const valuesIn = (all: readonly Kept[], kind: "param" | "state"): Record<string, ArrayLike<number>> =>
  Object.fromEntries(all.filter((p) => p.kind === kind).map((p) => [p.name, p.values]));

/** Gradients of the step just made by a plain program that had the weights of the formula before. */
export const gradientsOf = async (net: Net): Promise<Record<string, ArrayLike<number>>> => gradientsIn(await net.parameters());
export function gradientsIn(all: readonly Kept[]): Record<string, ArrayLike<number>> {
  return Object.fromEntries(
    all
      .filter((p) => p.kind === "param")
      .map(({ name, shape, values }) => {
        const before = initial(name, shape);
        return [name, Float64Array.from(before, (b, i) => (b - values[i]!) / gradientRate)];
      }),
  );
}
