/** Every train block of the zoo, small: fewer and narrower layers, all that makes it what it is. */
import type { Program } from "../../runtime/index.ts";
import { type Choice, compileZoo, type InputSpec, withLines } from "./support.ts";

export interface Small extends Omit<Choice, "name" | "model"> {
  readonly inputs: Readonly<Record<string, InputSpec>>;
  /** Lines at the end of the train block, where its own settings are for long runs. */
  readonly lines?: readonly string[];
}
const picture = (size: number, n = 4): InputSpec => ({ shape: [n, 3, size, size] });
const label = { shape: [4], below: 4 };
const pictures = (size: number) => ({ dims: { N: 4, H: size, W: size }, inputs: { image: picture(size), label } });
export const vectors = { dims: { N: 4 }, inputs: { x: { shape: [4, 784] }, label } };
const text = (T: number, below: number) => ({
  dims: { N: 3, T },
  inputs: { ids: { shape: [3, T], below }, next: { shape: [3, T], below } },
});
const words = { center: { shape: [16], below: 12 }, context: { shape: [16], below: 12, draw: 1 } };
const vgg = { plan: '[4, "pool", 6, 8, "pool"]', hidden: "16", classes: "4" };
const inception = '[[("3a", 64, (64, 96), (16, 32), 32)], [("4a", 64, (64, 96), (16, 48), 48), ("4d", 64, (64, 96), (24, 32), 64)]]';
const resnet = { depths: "[1, 1, 1, 1]", widths: "[4, 6, 8, 8]", classes: "4" };

/** By file, model and, where a model has several, train block: `compileSmall` takes such a title. */
export const smalls: Readonly<Record<string, Small>> = {
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

/** With its train block. */
export function compileSmall(title: string, { inputs: _, lines, ...options }: Small): Promise<Program> {
  const [name, model, block] = title.split(" ") as [string, string, string?];
  return compileZoo({
    name,
    model,
    ...(block ? { trainBlock: block } : {}),
    ...(lines ? { text: withLines(name, model, block ?? null, lines) } : {}),
    train: true,
    ...options,
  });
}

/** After the model's own optimizers: plain descent at the rate that `gradientsOf` expects, no clipping. */
export const plainLines = ['optimizer "*" = sgd(lr=1024.0)', "clip_norm = 1e30"];
/** The same with a train block whose step leaves gradients to be read off. */
export const compilePlain = (title: string, small: Small): Promise<Program> => compileSmall(title, { ...small, lines: plainLines });
