/** Every train block of the zoo, small, on WebGPU: prediction, loss, all gradients and states of a step as the reference has them. */
import { expect, test } from "vitest";
import { gpu } from "../examples/support.ts";
import { compilePlain, smalls } from "./smalls.ts";
import { numbersOf, problems } from "./step-numbers.ts";
import { inputsOf } from "./support.ts";

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
