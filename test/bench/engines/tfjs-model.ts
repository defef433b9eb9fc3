/**
 * TensorFlow.js on whatever backend is set: images with channels last, batch normalisation folded into the weights, biases and
 * activations fused where it has a kernel for that. Training is by its own gradients and optimizer.
 */
import * as tf from "@tensorflow/tfjs";
import { channelsLast } from "../graph/channels-last.ts";
import type { Constant, Network, Step } from "../graph/network.ts";
import { permuted } from "../graph/permute.ts";
import { partition, simplified, trainable } from "../graph/simplify.ts";
import { labelName } from "../inputs.ts";
import type { Input } from "../job.ts";
import { classes, momentum, type Work } from "../works.ts";
import { apply } from "./tfjs-operators.ts";

type Values = ReadonlyMap<string, tf.Tensor>;

/** One inference or one training step. */
export function runOf(model: Network, kind: Work["kind"], inputs: readonly Input[]): () => Promise<Float32Array> {
  const training = kind === "training";
  const network = channelsLast((training ? trainable : simplified)(model));
  const feeds = inputs.map((input) => feedOf(input, network));
  return training ? trainingOf(network, feeds) : inferenceOf(network, feeds);
}

/** An app has its pictures in the layout that its library wants. */
function feedOf(input: Input, network: Network): Input {
  const dims = network.inputs.find((i) => i.name === input.name)?.dims ?? input.dims;
  return input.dims.length === 4 ? { ...input, dims, data: permuted(input, [0, 2, 3, 1]).data as Float32Array } : input;
}
const tensorOf = ({ dims, data }: Pick<Input, "dims" | "data"> | Constant): tf.Tensor =>
  data instanceof Uint8Array ? tf.tensor(data, [...dims], "bool") : tf.tensor(data, [...dims]);

function execute(steps: readonly Step[], values: Values): Values {
  const known = new Map(values);
  for (const step of steps) {
    const operands = step.inputs.map((name) => known.get(name)!);
    known.set(step.output, apply(step, operands));
  }
  return known;
}

function inferenceOf(network: Network, inputs: readonly Input[]): () => Promise<Float32Array> {
  const { once, each } = partition(network);
  const constants = new Map([...network.constants].map(([name, c]) => [name, tensorOf(c)]));
  const known = execute(once, constants);
  return async () => {
    const output = tf.tidy(() => {
      const feeds = inputs.map((i) => [i.name, tensorOf(i)] as const);
      const result = execute(each, new Map([...known, ...feeds])).get(network.output)!;
      return result.rank === 4 ? tf.transpose(result, [0, 3, 1, 2]) : result;
    });
    const data = (await output.data()) as Float32Array;
    output.dispose();
    return data;
  };
}

function trainingOf(network: Network, inputs: readonly Input[]): () => Promise<Float32Array> {
  const variables = new Map([...network.constants].map(([name, c]) => [name, tf.variable(tensorOf(c))]));
  const frozen = new Set(network.steps.filter((s) => s.op === "BatchNormalization").flatMap((s) => s.inputs.slice(3)));
  const trained = [...variables].filter(([name]) => !frozen.has(name)).map(([, v]) => v);
  const optimizer = tf.train.momentum(momentum.rate, momentum.momentum);
  return async () => {
    const loss = tf.tidy(() => {
      const feeds = new Map(inputs.map((i) => [i.name, tensorOf(i)]));
      const wanted = tf.oneHot(feeds.get(labelName) as tf.Tensor1D, classes);
      const lossOf = (): tf.Scalar => {
        const logits = execute(network.steps, new Map([...variables, ...feeds])).get(network.output)!;
        return tf.losses.softmaxCrossEntropy(wanted, logits).asScalar();
      };
      return optimizer.minimize(lossOf, true, trained)!;
    });
    const data = (await loss.data()) as Float32Array;
    loss.dispose();
    return data;
  };
}
