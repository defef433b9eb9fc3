/** Every train block of the zoo, small, on WebGPU: prediction, loss, all gradients and states of a step as the reference has them. */
import { expect, test } from "vitest";
import type { Inputs, Program } from "../../runtime/index.ts";
import { disagreements, gradientFloor, type Part, rms, type Values } from "../examples/golden.ts";
import { formulaWeights, gpu, gradientsOf, valuesOf, withNet } from "../examples/support.ts";
import { compilePlain, smalls } from "./smalls.ts";
import { inputsOf, only } from "./support.ts";

const tolerance = 1e-4;
/** Of shifts in front of batch normalisation and softmax nothing is left but rounding, which counts against the largest gradient. */
const nothing = 1e-6;
/** Much of a scale in front of batch normalisation cancels, too: WebAssembly is no nearer to gradients below this share of the largest. */
const small = 1e-2;

interface Numbers {
  readonly outputs: Values;
  readonly loss: Values;
  readonly gradients: Values;
  readonly states: Values;
}
async function numbersOf(program: Program, inputs: Inputs): Promise<Numbers> {
  return withNet(program, { weights: formulaWeights(program) }, async (net) => {
    const outputs = await net.run(only(inputs, program, "forward"));
    const { loss } = await net.step(only(inputs, program, "step"));
    return { outputs, loss: { loss: [loss] }, gradients: await gradientsOf(net), states: await valuesOf(net, "state") };
  });
}
const whole = (values: Values): Part => Object.fromEntries(Object.entries(values).map(([name, v]) => [name, { values: Array.from(v) }]));
function problems(got: Numbers, want: Numbers): readonly string[] {
  const largest = 1e3 * gradientFloor(whole(want.gradients));
  const [vanishing, others] = [true, false].map((isNothing) => (values: Values): Values => {
    const names = Object.keys(values).filter((name) => rms(want.gradients[name] ?? [1]) < nothing * largest === isNothing);
    return Object.fromEntries(names.map((name) => [name, values[name]!]));
  }) as [Take, Take];
  return [
    ...(["outputs", "loss", "states"] as const).flatMap((part) => disagreements(part, got[part], whole(want[part]), tolerance)),
    ...disagreements("gradient", others(got.gradients), whole(others(want.gradients)), tolerance, small * largest),
    ...disagreements("vanishing gradient", vanishing(got.gradients), whole(vanishing(want.gradients)), tolerance, largest),
  ];
}
type Take = (values: Values) => Values;

/** Models that differ by depths and widths alone are the same when they are small. */
const seen = new Set<string>();
test.skipIf(!gpu).each(Object.entries(smalls))(
  "%s",
  async (title, model) => {
    const program = await compilePlain(title, { ...model, target: "wgsl" });
    const key = JSON.stringify([program.code, program.variables, model.inputs]);
    if (seen.has(key)) return;
    seen.add(key);
    const inputs = inputsOf(model.inputs);
    const want = await numbersOf(await compilePlain(title, { ...model, target: "reference" }), inputs);
    expect(problems(await numbersOf(program, inputs), want)).toEqual([]);
  },
  180_000,
);
