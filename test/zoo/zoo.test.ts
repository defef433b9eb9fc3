/** Every file and every train block of the zoo: checked, and small versions trained on fixed data. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { checkFile } from "../../compiler/frontend/elaborate.ts";
import { format } from "../../compiler/frontend/format.ts";
import { parse } from "../../compiler/frontend/parse.ts";
import { zooFiles } from "../../compiler/prelude/text.ts";
import type { Inputs, Net, Program } from "../../runtime/index.ts";
import { formulaWeights, withNet } from "../examples/support.ts";
import { type Choice, compileZoo, files, folder, type InputSpec, inputsOf, only, withLines } from "./support.ts";

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

interface Small extends Omit<Choice, "name" | "model"> {
  readonly inputs: Readonly<Record<string, InputSpec>>;
  /** Lines at the end of the train block, where its own settings are for long runs. */
  readonly lines?: readonly string[];
}
const picture = (size: number, n = 4): InputSpec => ({ shape: [n, 3, size, size] });
const label = { shape: [4], below: 4 };
const pictures = (size: number) => ({ dims: { N: 4, H: size, W: size }, inputs: { image: picture(size), label } });
const vectors = { dims: { N: 4 }, inputs: { x: { shape: [4, 784] }, label } };
const text = (T: number, below: number) => ({
  dims: { N: 3, T },
  inputs: { ids: { shape: [3, T], below }, next: { shape: [3, T], below } },
});
const words = { center: { shape: [16], below: 12 }, context: { shape: [16], below: 12, draw: 1 } };
const vgg = { plan: '[4, "pool", 6, 8, "pool"]', hidden: "16", classes: "4" };
const inception = '[[("3a", 64, (64, 96), (16, 32), 32)], [("4a", 64, (64, 96), (16, 48), 48), ("4d", 64, (64, 96), (24, 32), 64)]]';
const resnet = { depths: "[1, 1, 1, 1]", widths: "[4, 6, 8, 8]", classes: "4" };

/** By file, model and, where a model has several, train block. */
const smalls: Readonly<Record<string, Small>> = {
  "mlp Logistic": { ...vectors, set: { classes: "4" } },
  "mlp MLP": { ...vectors, set: { widths: "[16, 12]", classes: "4" } },
  "mlp MaxoutMLP": { ...vectors, set: { widths: "[12]", pieces: "3", classes: "4" } },
  "lenet LeNet5": { dims: { N: 4 }, inputs: { image: { shape: [4, 1, 32, 32] }, label } },
  "alexnet AlexNet": {
    ...pictures(67),
    set: { widths: "[8, 8, 12, 12, 8]", hidden: "32", classes: "4" },
    lines: ['optimizer "*" = adam(lr=1e-3)'],
  },
  "alexnet AlexNetOneTower": {
    ...pictures(63),
    set: { widths: "[6, 8, 12, 8, 8]", hidden: "32", classes: "4" },
    lines: ['optimizer "*" = adam(lr=1e-3)'],
  },
  "vgg VGG11": { ...pictures(16), set: vgg },
  "vgg VGG16": { ...pictures(16), set: vgg },
  "vgg VGG19": { ...pictures(16), set: vgg },
  "googlenet GoogLeNet": { ...pictures(48), set: { width: "0.125", modules: inception, classes: "4" } },
  "resnet ResNet": { ...pictures(48), set: { ...resnet, Block: "BasicBlock" } },
  "resnet ResNet18": { ...pictures(48), set: resnet },
  "resnet ResNet34": { ...pictures(48), set: resnet },
  "resnet ResNet50": { ...pictures(48), set: resnet },
  "resnet ResNet20": { ...pictures(16), set: { depth: "1", width: "4", classes: "4" } },
  "mobilenet MobileNetV1": { ...pictures(32), set: { width: "0.25", blocks: "[(64, 1), (96, 2), (96, 1)]", classes: "4" } },
  "mobilenet MobileNetV2": { ...pictures(32), set: { width: "0.25", blocks: "[(1, 16, 1, 1), (6, 24, 2, 2)]", last: "32", classes: "4" } },
  "densenet DenseNet121": { ...pictures(32), set: { growth: "4", depths: "[2, 2]", classes: "4" } },
  "unet UNet": {
    dims: { N: 2, H: 16, W: 16 },
    inputs: { image: picture(16, 2), mask: { shape: [2, 16, 16], below: 2 } },
    set: { widths: "[4, 6, 8]" },
  },
  "segmenter SegNet": {
    dims: { N: 2, H: 18, W: 18 },
    inputs: { image: picture(18, 2), mask: { shape: [2, 18, 18], below: 3 } },
    set: { widths: "[4, 6]", depths: "[1, 2]", classes: "3" },
  },
  "rcnn FastRCNN": {
    dims: { H: 32, W: 40, R: 6 },
    inputs: { image: { shape: [1, 3, 32, 40] }, regions: { shape: [6, 5] }, label: { shape: [6], below: 3 }, target: { shape: [6, 4] } },
    set: { plan: '[4, "pool", 6]', hidden: "16", classes: "3" },
  },
  "attention ShowAttendTell": {
    dims: { N: 2, H: 16, W: 24, T: 5 },
    inputs: { image: { shape: [2, 3, 16, 24] }, words: { shape: [2, 5], below: 20 }, next: { shape: [2, 5], below: 20 } },
    set: { plan: '[4, "pool", 6]', vocab: "20", hidden: "12" },
  },
  "gpt GPT": { ...text(8, 20), set: { vocab: "20", context: "8", width: "16", depth: "2", heads: "2" } },
  "char-rnn CharLSTM": { ...text(8, 96), set: { width: "8", hidden: "12" } },
  "char-rnn CharRNN": { ...text(8, 96), set: { width: "8", hidden: "12" } },
  "word2vec Word2Vec Word2Vec": { dims: { N: 16 }, inputs: words, set: { vocab: "12", dim: "6" } },
  "word2vec Word2Vec drawn": {
    dims: { N: 16, K: 3 },
    inputs: { ...words, noise: { shape: [16, 3], below: 12 } },
    set: { vocab: "12", dim: "6" },
  },
  "distill Student distill": {
    ...pictures(32),
    set: { classes: "4", widths: "[4, 6]", depths: "[1, 1, 1, 1]", teacher_widths: "[4, 6, 8, 8]" },
  },
  "distill Student alone": { ...pictures(32), set: { classes: "4", widths: "[4, 6]" } },
  "saliency Saliency": { ...pictures(32), set: resnet },
  "saliency ActivationMaximisation": { inputs: {}, set: { ...resnet, size: "32", unit: "2" }, lines: ["optimizer = adam(lr=2e-3)"] },
  "style Style": {
    inputs: { content: picture(16, 1), style: { ...picture(16, 1), draw: 1 } },
    set: { height: "16", width: "16", plan: '[4, "pool", 6, "pool", 6]' },
  },
};

const steps = 20;
const program = ([name, model, block]: readonly string[], { inputs: _, lines, ...options }: Small): Promise<Program> =>
  compileZoo({
    name: name!,
    model: model!,
    ...(block ? { trainBlock: block } : {}),
    ...(lines ? { text: withLines(name!, model!, null, lines) } : {}),
    train: true,
    ...options,
  });
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
    const compiled = await program(title.split(" "), small);
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
  const compiled = await program(["mlp", "MLP"], small);
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
