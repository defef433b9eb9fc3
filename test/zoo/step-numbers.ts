/** What a plain training step of a small model gives, and how two targets compare. */
import type { Inputs, Program } from "../../runtime/index.ts";
import { disagreements, gradientFloor, type Part, rms, type Values } from "../examples/golden.ts";
import { formulaWeights, gradientsIn, type Kept, valuesIn, withNet } from "../examples/support.ts";
import { only } from "./support.ts";

const tolerance = 1e-4;
/** Of shifts in front of batch normalisation and softmax nothing is left but rounding, which counts against the largest gradient. */
const nothing = 1e-6;
/** Much of a scale in front of batch normalisation cancels, too: WebAssembly is no nearer to gradients below this share of the largest. */
const small = 1e-2;

export interface Numbers {
  readonly outputs: Values;
  readonly loss: Values;
  readonly gradients: Values;
  readonly states: Values;
}
/** What a step from the weights of the formula leaves. */
export const numbersIn = (outputs: Values, loss: number, parameters: readonly Kept[]): Numbers => ({
  outputs,
  loss: { loss: [loss] },
  gradients: gradientsIn(parameters),
  states: valuesIn(parameters, "state"),
});
export const numbersOf = (program: Program, inputs: Inputs): Promise<Numbers> =>
  withNet(program, { weights: formulaWeights(program) }, async (net) => {
    const outputs = await net.run(only(inputs, program, "forward"));
    const { loss } = await net.step(only(inputs, program, "step"));
    return numbersIn(outputs, loss, await net.parameters());
  });
export const whole = (values: Values): Part =>
  Object.fromEntries(Object.entries(values).map(([name, v]) => [name, { values: Array.from(v) }]));
/** A line for each tensor that disagrees. */
export function problems(got: Numbers, want: Numbers): readonly string[] {
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
