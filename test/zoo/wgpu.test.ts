/** Small models of each kind on wgpu, and one in halves: prediction, loss, gradients and states as the reference has them. */
import { describe, expect, test } from "vitest";
import type { Inputs } from "../../runtime/index.ts";
import { disagreements } from "../examples/golden.ts";
import { formulaWeights, withNet } from "../examples/support.ts";
import { openDeno } from "../wgpu/deno.ts";
import { compilePlain, smalls } from "./smalls.ts";
import { numbersIn, numbersOf, problems, whole } from "./step-numbers.ts";
import { compileZoo, inputsOf, only } from "./support.ts";

const run = await openDeno();
const mark = run ? "" : " (skipped: it is not installed)";

/** As JSON has them. */
const plain = (inputs: Inputs) => Object.fromEntries(Object.entries(inputs).map(([name, v]) => [name, Array.from(v as ArrayLike<number>)]));

const titles = ["mlp MLP", "lenet LeNet5", "mobilenet MobileNetV1", "gpt GPT", "char-rnn CharLSTM"];
describe.skipIf(!run)(`a step on wgpu${mark}`, () => {
  test.each(titles)("%s", async (title) => {
    const model = smalls[title]!;
    const inputs = inputsOf(model.inputs);
    const program = await compilePlain(title, { ...model, target: "wgsl" });
    const want = await numbersOf(await compilePlain(title, { ...model, target: "reference" }), inputs);
    const weights = formulaWeights(program);
    const { outputs, loss, parameters } = await run!({
      program,
      weights,
      forward: plain(only(inputs, program, "forward")),
      step: plain(only(inputs, program, "step")),
    });
    expect(problems(numbersIn(outputs, loss!, parameters), want)).toEqual([]);
  });
});

/** Eleven bits of every number, in some layers. */
const ofHalves = 5e-3;
test.skipIf(!run)(`large tensors as halves${mark}`, async () => {
  const choice = { name: "lenet", model: "LeNet5", dims: { N: 2 } };
  const program = await compileZoo({ ...choice, target: "wgsl", storage: "f16" });
  expect(program.variables.filter((v) => v.stored === "f16").length).toBeGreaterThan(0);
  const inputs = inputsOf({ image: { shape: [2, 1, 32, 32] } });
  const weights = formulaWeights(program);
  const want = await withNet(await compileZoo({ ...choice, target: "reference" }), { weights }, (net) => net.run(inputs));
  const { outputs } = await run!({ program, weights, forward: plain(inputs), step: null });
  expect(disagreements("prediction", outputs, whole(want), ofHalves)).toEqual([]);
  // They are not singles.
  expect(disagreements("prediction", outputs, whole(want), 1e-6)).not.toEqual([]);
});
