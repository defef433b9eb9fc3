/** WebGPU in a page: small models of the zoo predict what the reference interpreter computes, to 1e-4. */
import { afterAll, expect, test } from "vitest";
import { disagreements } from "../examples/golden.ts";
import { formulaWeights } from "../examples/support.ts";
import { type Choice, compileZoo, type InputSpec, inputsOf } from "../zoo/support.ts";
import { openChromium } from "./chromium.ts";
import { workInPage } from "./net.ts";
import { numbersOf, summaries, work } from "./task.ts";

const chromium = await openChromium();
afterAll(() => chromium?.close());

interface Small extends Omit<Choice, "name" | "model"> {
  readonly inputs: Readonly<Record<string, InputSpec>>;
}
const models: Readonly<Record<string, Small>> = {
  "mlp MLP": { dims: { N: 2 }, set: { widths: "[16, 12]", classes: "4" }, inputs: { x: { shape: [2, 784] } } },
  "resnet ResNet18": {
    dims: { N: 1, H: 32, W: 32 },
    set: { depths: "[1, 1, 1, 1]", widths: "[4, 6, 8, 8]", classes: "4" },
    inputs: { image: { shape: [1, 3, 32, 32] } },
  },
  "mobilenet MobileNetV2": {
    dims: { N: 1, H: 32, W: 32 },
    set: { width: "0.25", blocks: "[(1, 16, 1, 1), (6, 24, 2, 2)]", last: "32", classes: "4" },
    inputs: { image: { shape: [1, 3, 32, 32] } },
  },
  "gpt GPT": {
    dims: { N: 1, T: 8 },
    set: { vocab: "20", context: "8", width: "16", depth: "1", heads: "2" },
    inputs: { ids: { shape: [1, 8], below: 20 } },
  },
  "char-rnn CharLSTM": { dims: { N: 2, T: 4 }, set: { width: "8", hidden: "12" }, inputs: { ids: { shape: [2, 4], below: 96 } } },
};

test.skipIf(!chromium).each(Object.entries(models))("%s (skipped without Chromium)", async (title, { inputs: specs, ...options }) => {
  const [name, model] = title.split(" ") as [string, string];
  const compiled = (target: "wgsl" | "reference") => compileZoo({ name, model, target, ...options });
  const program = await compiled("wgsl");
  const weights = formulaWeights(program);
  const task = { inputs: numbersOf(inputsOf(specs)) };
  const wanted = await work(await compiled("reference"), weights, task);
  const { outputs, refused } = await workInPage(chromium!, program, weights, task);
  expect(disagreements(title, outputs, summaries(wanted.outputs), 1e-4)).toEqual([]);
  expect(refused).toEqual([]);
});
