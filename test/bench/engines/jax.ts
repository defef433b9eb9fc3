/**
 * jax-js on WebAssembly: the whole model, or the whole training step, as one function under `jit`. Its arrays are owned: passing
 * one on gives it away, `ref` keeps it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { blockUntilReady, defaultDevice, init, jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { readOnnx } from "../../../compiler/formats/onnx/read.ts";
import { type Constant, type Network, networkOf, type Step } from "../graph/network.ts";
import { partition, simplified, trainable } from "../graph/simplify.ts";
import { labelName } from "../inputs.ts";
import { files, type Input, type Job, type Opened } from "../job.ts";
import { classes, momentum } from "../works.ts";
import { apply } from "./jax-operators.ts";

type Arrays = Record<string, np.Array>;

export async function open({ work, folder }: Job, inputs: readonly Input[]): Promise<Opened> {
  await init("wasm");
  defaultDevice("wasm");
  const path = join(folder, files.onnx);
  const model = networkOf(readOnnx(readFileSync(path), path));
  const training = work.kind === "training";
  const run = training ? trainingOf(trainable(model), inputs) : inferenceOf(simplified(model), inputs);
  return { threads: 1, run };
}

function arrayOf({ dims, data }: Pick<Input, "dims" | "data"> | Constant): np.Array {
  if (data instanceof Uint8Array) return np.array([...data].map(Boolean)).reshape([...dims]);
  const dtype = data instanceof Int32Array ? np.int32 : np.float32;
  return np.array(data as Float32Array<ArrayBuffer>, { dtype }).reshape([...dims]);
}
const arraysOf = (values: Iterable<readonly [string, Pick<Input, "dims" | "data"> | Constant]>): Arrays =>
  Object.fromEntries([...values].map(([name, value]) => [name, arrayOf(value)]));

/** Runs the steps; gives all values that are left, of which the caller takes one. */
function execute(network: Pick<Network, "output" | "steps">, steps: readonly Step[], given: Arrays): Arrays {
  const values = { ...given };
  for (const step of steps) {
    const operands = step.inputs.map((name) => values[name]!.ref);
    values[step.output] = apply(step, operands, network);
  }
  return values;
}
function resultOf(network: Network, steps: readonly Step[], given: Arrays): np.Array {
  const { [network.output]: result, ...others } = execute(network, steps, given);
  for (const value of Object.values(others)) value.dispose();
  return result!;
}

function inferenceOf(network: Network, inputs: readonly Input[]): () => Promise<Float32Array> {
  const { once, each } = partition(network);
  const known = execute(network, once, arraysOf(network.constants));
  const read = new Set(each.flatMap((s) => s.inputs));
  const parameters = Object.fromEntries(Object.entries(known).filter(([name]) => read.has(name)));
  const forward = jit((p: Arrays, feeds: Arrays) => resultOf(network, each, { ...p, ...feeds }));
  return async () => {
    const feeds = arraysOf(inputs.map((i) => [i.name, i]));
    return (await forward(tree.ref(parameters), feeds).data()) as Float32Array;
  };
}

function trainingOf(network: Network, inputs: readonly Input[]): () => Promise<Float32Array> {
  const frozen = new Set(network.steps.filter((s) => s.op === "BatchNormalization").flatMap((s) => s.inputs.slice(3)));
  // Statistics are those of the batch, so nothing reads the running ones.
  const steps = network.steps.map((s) => ({ ...s, inputs: s.inputs.filter((name) => !frozen.has(name)) }));
  const trained = [...network.constants].filter(([name]) => !frozen.has(name));
  const lossOf = (p: Arrays, { [labelName]: label, ...feeds }: Arrays): np.Array => {
    const logits = resultOf(network, steps, { ...p, ...feeds });
    const chosen = nn.logSoftmax(logits, -1).mul(nn.oneHot(label!, classes));
    return np.mean(chosen.sum(-1)).neg();
  };
  const step = jit((p: Arrays, velocity: Arrays, feeds: Arrays) => {
    const [loss, gradient] = valueAndGrad(lossOf)(tree.ref(p), feeds);
    const moved = mapArrays(velocity, (v, name) => v.mul(momentum.momentum).add(gradient[name]!));
    const next = mapArrays(p, (w, name) => w.sub(moved[name]!.ref.mul(momentum.rate)));
    return { loss, next, velocity: moved };
  });
  let [parameters, velocity] = [arraysOf(trained), mapArrays(arraysOf(trained), (w) => np.zerosLike(w))];
  return async () => {
    const result = step(parameters, velocity, arraysOf(inputs.map((i) => [i.name, i])));
    parameters = result.next;
    velocity = result.velocity;
    // The loss alone would not wait for the update.
    await blockUntilReady(parameters);
    return (await result.loss.data()) as Float32Array;
  };
}
const mapArrays = (arrays: Arrays, change: (value: np.Array, name: string) => np.Array): Arrays =>
  Object.fromEntries(Object.entries(arrays).map(([name, value]) => [name, change(value, name)]));
