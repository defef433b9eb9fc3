/**
 * jax-js on whatever device is set, by functions under `jit`. Its arrays are owned: passing one on gives it away, `ref` keeps it.
 */
import { blockUntilReady, jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { explicitPadding } from "../graph/explicit-padding.ts";
import type { Constant, Network, Step } from "../graph/network.ts";
import { segmentsOf } from "../graph/segments.ts";
import { partition, simplified, trainable } from "../graph/simplify.ts";
import { labelName } from "../inputs.ts";
import type { Input } from "../job.ts";
import { classes, momentum, type Work } from "../works.ts";
import { apply } from "./jax-operators.ts";

type Arrays = Record<string, np.Array>;

/** One inference or one training step. */
export function runOf(model: Network, kind: Work["kind"], inputs: readonly Input[]): () => Promise<Float32Array> {
  const training = kind === "training";
  const network = explicitPadding((training ? trainable : simplified)(model));
  return (training ? trainingOf : inferenceOf)(network, inputs);
}

function arrayOf({ dims, data }: Pick<Input, "dims" | "data"> | Constant): np.Array {
  if (data instanceof Uint8Array) return np.array([...data].map(Boolean)).reshape([...dims]);
  const dtype = data instanceof Int32Array ? np.int32 : np.float32;
  return np.array(data as Float32Array<ArrayBuffer>, { dtype }).reshape([...dims]);
}
const arraysOf = (values: Iterable<readonly [string, Pick<Input, "dims" | "data"> | Constant]>): Arrays =>
  Object.fromEntries([...values].map(([name, value]) => [name, arrayOf(value)]));

/** Runs the steps; gives the wanted values and lets go of all others. */
function execute(steps: readonly Step[], given: Arrays, wanted: readonly string[]): Arrays {
  const values = { ...given };
  for (const step of steps)
    values[step.output] = apply(
      step,
      step.inputs.map((name) => values[name]!.ref),
    );
  const results = Object.fromEntries(wanted.map((name) => [name, values[name]!.ref]));
  for (const value of Object.values(values)) value.dispose();
  return results;
}

/**
 * Under one `jit`, padding and pooling would be fused with convolutions, which then test every element or are computed anew for
 * each window: several times slower than convolutions, and what is between them, under a `jit` each.
 */
function inferenceOf(network: Network, inputs: readonly Input[]): () => Promise<Float32Array> {
  const { once, each } = partition(network);
  const constants = [...network.constants.keys(), ...once.map((s) => s.output)];
  const parameters = execute(once, arraysOf(network.constants), constants);
  const segments = segmentsOf(network, each).map((segment) => ({
    ...segment,
    run: jit((given: Arrays) => execute(segment.steps, given, segment.writes)),
  }));
  return async () => {
    const values = arraysOf(inputs.map((i) => [i.name, i]));
    for (const { reads, writes, last, run } of segments) {
      const given = reads.map((name) => [name, parameters[name]?.ref ?? (last.has(name) ? values[name]! : values[name]!.ref)] as const);
      const results = run(Object.fromEntries(given));
      for (const name of writes) values[name] = results[name]!;
    }
    return (await values[network.output]!.data()) as Float32Array;
  };
}

function trainingOf(network: Network, inputs: readonly Input[]): () => Promise<Float32Array> {
  const frozen = new Set(network.steps.filter((s) => s.op === "BatchNormalization").flatMap((s) => s.inputs.slice(3)));
  // Statistics are those of the batch, so nothing reads the running ones.
  const steps = network.steps.map((s) => ({ ...s, inputs: s.inputs.filter((name) => !frozen.has(name)) }));
  const trained = [...network.constants].filter(([name]) => !frozen.has(name));
  const lossOf = (p: Arrays, { [labelName]: label, ...feeds }: Arrays): np.Array => {
    const { [network.output]: logits } = execute(steps, { ...p, ...feeds }, [network.output]);
    const chosen = nn.logSoftmax(logits!, -1).mul(nn.oneHot(label!, classes));
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
