/** Small versions of models against torchvision and PyTorch: prediction, loss, all gradients, states after a step. */
import { expect, test } from "vitest";
import { disagreements, gradientFloor } from "../examples/golden.ts";
import { formulaWeights, gradientsOf, valuesOf, withNet } from "../examples/support.ts";
import { plainLines } from "./smalls.ts";
import { compileZoo, goldenNames, inputsOf, only, readGolden, withLines } from "./support.ts";

const tolerance = 1e-4;
/**
 * A shift in front of batch normalisation has no gradient; what rounding leaves of it counts against the largest gradient.
 * MobileNetV2 has such biases: the sums of thousands of numbers that cancel.
 */
const floor = 4;

for (const name of goldenNames) {
  test(name, async () => {
    const golden = readGolden(name);
    const { file, model, block, set, dims } = golden;
    const program = await compileZoo({
      name: file,
      model,
      text: withLines(file, model, block, plainLines),
      ...(block ? { trainBlock: block } : {}),
      set,
      dims,
      train: true,
    });
    const inputs = inputsOf(golden.inputs);
    const problems = await withNet(program, { weights: formulaWeights(program) }, async (net) => {
      const outputs = await net.run(only(inputs, program, "forward"));
      const { loss } = await net.step(only(inputs, program, "step"));
      return [
        ...disagreements("prediction", outputs, golden.outputs, tolerance),
        ...disagreements("training", { loss: [loss] }, golden.loss, tolerance),
        ...disagreements("gradient", await gradientsOf(net), golden.gradients, tolerance, floor * gradientFloor(golden.gradients)),
        ...disagreements("state", await valuesOf(net, "state"), golden.states, tolerance),
      ];
    });
    expect(problems).toEqual([]);
  });
}
