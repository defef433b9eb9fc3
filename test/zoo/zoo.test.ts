/** Every file and every train block of the zoo: checked, and small versions trained on fixed data. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { checkFile } from "../../compiler/frontend/elaborate.ts";
import { format } from "../../compiler/frontend/format.ts";
import { parse } from "../../compiler/frontend/parse.ts";
import { zooFiles } from "../../compiler/prelude/text.ts";
import type { Inputs, Net } from "../../runtime/index.ts";
import { formulaWeights, withNet } from "../examples/support.ts";
import { compileSmall, smalls, vectors } from "./smalls.ts";
import { compileZoo, files, folder, inputsOf, only } from "./support.ts";

describe("files", () => {
  test("what std/ imports is what the folder holds", () => {
    expect(zooFiles).toEqual(Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, name), "utf8")])));
  });
  test.each(files)("%s: no mistake, no suggestion, canonical form, documentation at its head", (name) => {
    const text = zooFiles[name]!;
    expect(checkFile({ path: `std/${name}`, text, resolve: () => null }).diagnostics).toEqual([]);
    expect(format(text, name)).toBe(text);
    expect(text.startsWith("## ")).toBe(true);
  });
  test.each(files)("%s: every model has a train block", (name) => {
    const { file } = parse(zooFiles[name]!, name);
    const models = file.declarations.flatMap((d) => (d.kind === "model" ? [d.name.name] : []));
    const trained = file.declarations.flatMap((d) => (d.kind === "train" ? [d.model.name] : []));
    expect(models.filter((m) => !trained.includes(m))).toEqual(name === "char-rnn.dlm" ? ["CharSampler"] : []);
  });
});

describe("imports of std/", () => {
  const source = (file: string, name: string) => `import { ${name} } from "std/${file}"
model M(image: f32[N, 3, 32, 32]) -> logits { logits = image |> net: ${name} }`;
  test("a library file, and what it imports, without a resolver", async () => {
    const program = await compile(source("resnet.dlm", "ResNet20"), { target: "reference" });
    expect(program.stats.parameters).toBe(269_722);
    const rcnn = 'import { FastRCNN } from "std/rcnn.dlm"\nconst n = 1\n';
    await expect(compile(rcnn, { target: "reference" })).rejects.toThrow(/no model/);
  });
  test("a resolver is not asked for them, and may add others", async () => {
    const asked: string[] = [];
    const resolve = (path: string) => {
      asked.push(path);
      return path === "std/own.dlm" ? "layer Own(x) { return x |> fc: Linear(2) }" : null;
    };
    await compile(source("resnet.dlm", "ResNet20"), { target: "reference", resolve });
    expect(asked).toEqual([]);
    await compile(source("own.dlm", "Own"), { target: "reference", resolve });
    expect(asked).toEqual(["std/own.dlm"]);
  });
  test("names that the library does not have", async () => {
    await expect(compile(source("resnt.dlm", "ResNet20"))).rejects.toThrow('did you mean "std/resnet.dlm"?');
    await expect(compile(source("constructor", "ResNet20"))).rejects.toThrow('there is no file "std/constructor"');
  });
});

const steps = 12;
/** What a run from the seed gives: losses, the weights as text, the outputs after. */
async function train(net: Net, inputs: Inputs, count: number): Promise<{ readonly losses: number[]; readonly end: string }> {
  const losses: number[] = [];
  for (let k = 0; k < count; k++) losses.push((await net.step(only(inputs, net.program, "step"))).loss);
  const outputs = await net.run(only(inputs, net.program, "forward"));
  const bytes = [await net.save(), ...Object.values(outputs).map((v) => new Uint8Array(v.buffer))];
  return { losses, end: bytes.map((b) => Buffer.from(b).toString("base64")).join() };
}

describe("training: the loss on fixed data falls, a run repeats on any number of threads, memory is used again", () => {
  test.each(Object.entries(smalls))("%s", async (title, small) => {
    const compiled = await compileSmall(title, small);
    const inputs = inputsOf(small.inputs);
    const run = (count: number, threads: number) => withNet(compiled, { seed: 3, threads }, (net) => train(net, inputs, count));
    const { losses } = await run(steps, 1);
    expect(losses.filter((loss) => !Number.isFinite(loss))).toEqual([]);
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    const [once, two, three] = [await run(2, 1), await run(2, 2), await run(2, 3)];
    expect(once.losses).toEqual(losses.slice(0, 2));
    expect(two.end === once.end).toBe(true);
    expect(three.end === once.end).toBe(true);
    expect(compiled.stats.arenaBytes).toBeLessThanOrEqual(1.01 * compiled.stats.lowerBoundBytes);
  });
});

const activations = "relu relu6 leaky_relu elu selu gelu silu sigmoid log_sigmoid tanh softplus softsign hard_swish".split(" ");
test.each(activations)("MLP with %s", async (act) => {
  const small = { ...vectors, set: { widths: "[12, 12]", act, classes: "4" } };
  const compiled = await compileSmall("mlp MLP", small);
  const { losses } = await withNet(compiled, { seed: 3 }, (net) => train(net, inputsOf(small.inputs), steps));
  expect(losses.at(-1)).toBeLessThan(losses[0]!);
});

test("CharSampler writes with the weights of CharLSTM", async () => {
  const set = { width: "8", hidden: "12" };
  const lstm = await compileZoo({ name: "char-rnn", model: "CharLSTM", dims: { N: 1, T: 2 }, set });
  const sampler = await compileZoo({ name: "char-rnn", model: "CharSampler", set: { ...set, temperature: "1.0" } });
  const weights = formulaWeights(lstm);
  const { logits } = await withNet(lstm, { weights }, (net) => net.run({ ids: [7, 42] }));
  const probabilities = await withNet(sampler, { weights }, async (net) => {
    const zeros = new Float32Array(2 * 12);
    const first = await net.run({ id: [7], h: zeros, c: zeros });
    const second = await net.run({ id: [42], h: first.h_next!, c: first.c_next! });
    return [...first.probabilities!, ...second.probabilities!];
  });
  const exps = Array.from(logits!, Math.exp);
  const sums = [0, 1].map((t) => exps.slice(96 * t, 96 * (t + 1)).reduce((a, b) => a + b));
  const wanted = exps.map((e, i) => e / sums[Math.floor(i / 96)]!);
  expect(Math.max(...wanted.map((p, i) => Math.abs(p - probabilities[i]!)))).toBeLessThan(1e-6);
});
