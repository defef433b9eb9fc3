/** Every example against PyTorch: prediction, loss, all gradients, running statistics, three steps of training. */
import { describe, expect, test } from "vitest";
import type { Program } from "../../runtime/index.ts";
import { batch, initial } from "./formula.ts";
import {
  disagreements,
  type Example,
  exampleNames,
  type Golden,
  gradientFloor,
  type Part,
  readGolden,
  rms,
  summarize,
  type Values,
  type Variant,
} from "./golden.ts";
import { compileExample, compilePlain, formulaWeights, gpu, gradientsOf, valuesOf, withNet } from "./support.ts";

const tolerance = 1e-4;

interface Setting {
  readonly target: Program["target"];
  /** Of these the first that the example has. */
  readonly variants: readonly string[];
  readonly threads: number;
}
/** The interpreter and a software GPU are too slow for the sizes of the examples as they stand. */
const settings: readonly Setting[] = [
  { target: "reference", variants: ["tiny", "small", "default"], threads: 1 },
  { target: "wgsl", variants: ["tiny", "small", "default"], threads: 1 },
  { target: "wasm", variants: ["small"], threads: 1 },
  { target: "wasm", variants: ["default"], threads: 2 },
];

for (const example of exampleNames) {
  const golden = readGolden(example);
  for (const setting of settings) {
    const name = setting.variants.find((v) => golden.variants[v]);
    const variant = name && golden.variants[name];
    if (!variant) continue;
    const absent = setting.target === "wgsl" && !gpu;
    describe.skipIf(absent)(`${example}, ${name}, ${setting.target}${absent ? ": no WebGPU adapter" : ""}`, () => {
      test("prediction, evaluation and three steps", () => checkTraining(example, golden, variant, setting));
      test("loss, gradients and running statistics of one step", () => checkGradients(example, golden, variant, setting));
    });
  }
}

const optionsOf = (golden: Golden, variant: Variant, { target }: Setting) => ({ target, set: variant.set, dims: { N: golden.batch } });

async function checkTraining(example: Example, golden: Golden, variant: Variant, setting: Setting): Promise<void> {
  const program = await compileExample(example, optionsOf(golden, variant, setting));
  const weights = formulaWeights(program);
  await withNet(program, { weights, threads: setting.threads }, async (net) => {
    const first = batch(0, golden.batch);
    const evaluate = async () => flat(await net.evaluate(first));
    const problems = [
      ...disagreements("prediction", await net.run({ image: first.image }), variant.logits, tolerance),
      ...disagreements("evaluation", await evaluate(), variant.evaluation, tolerance),
    ];
    const losses: number[] = [];
    for (let k = 0; k < golden.steps; k++) losses.push((await net.step(batch(k, golden.batch))).loss);
    const parameters = await valuesOf(net, "param");
    problems.push(
      ...disagreements("training", { losses }, variant.losses, tolerance),
      ...disagreements("parameter", parameters, variant.parameters, tolerance),
      ...wrongMovements(net.program, parameters, variant.parameters, golden.steps),
      ...disagreements("state", await valuesOf(net, "state"), variant.states3, tolerance),
      ...disagreements("evaluation after training", await evaluate(), variant.evaluation3, tolerance),
    );
    expect(problems).toEqual([]);
  });
}

async function checkGradients(example: Example, golden: Golden, variant: Variant, setting: Setting): Promise<void> {
  const program = await compilePlain(example, optionsOf(golden, variant, setting));
  await withNet(program, { weights: formulaWeights(program), threads: setting.threads }, async (net) => {
    const { loss } = await net.step(batch(0, golden.batch));
    expect([
      ...disagreements("training", { loss: [loss] }, variant.loss, tolerance),
      ...disagreements("gradient", await gradientsOf(net), variant.gradients, tolerance, gradientFloor(variant.gradients)),
      ...disagreements("state", await valuesOf(net, "state"), variant.states, tolerance),
    ]).toEqual([]);
  });
}

const flat = ({ loss, metrics }: { readonly loss: number; readonly metrics: Readonly<Record<string, number>> }): Values =>
  Object.fromEntries(Object.entries({ loss, ...metrics }).map(([name, x]) => [name, [x]]));

/**
 * Parameters move by little: agreement of their values alone would hide a wrong learning rate. Their movements agree to the
 * same tolerance, beyond what rounding a parameter in every step costs.
 */
function wrongMovements(program: Program, got: Values, want: Part, steps: number): string[] {
  return Object.entries(want).flatMap(([name, b]) => {
    const { shape } = program.variables.find((v) => v.name === name)!;
    const before = summarize(name, initial(name, shape), b).values;
    const after = summarize(name, got[name]!, b).values;
    const scale = rms(b.values.map((v, i) => v - before[i]!));
    const rounding = steps * 2 ** -24 * Math.max(...b.values.map(Math.abs));
    const difference = Math.max(...b.values.map((v, i) => Math.abs(v - after[i]!)));
    return difference <= tolerance * scale + rounding ? [] : [`movement of ${name}: ${difference} away, it moves by ${scale}`];
  });
}
