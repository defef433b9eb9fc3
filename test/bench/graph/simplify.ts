/** What a deployment of a trained model does before it runs it: fewer steps, the same values. */
import { type Activation, type Constant, constantAt, listOf, type Network, numberOf, type Step, usesOf } from "./network.ts";

/** For prediction: batch normalisation goes into the weights in front of it, biases and activations into the step before. */
export const simplified = (network: Network): Network => fuseActivations(fuseBias(foldBatchNorm(dropIdentities(network))));
/** For training, where statistics are those of the batch. */
export const trainable = (network: Network): Network => fuseActivations(dropIdentities(network));

/** `Identity`, and averages of one pixel. */
export function dropIdentities(network: Network): Network {
  const names = new Map<string, string>();
  const steps: Step[] = [];
  for (const step of network.steps) {
    const inputs = step.inputs.map((name) => names.get(name) ?? name);
    if (isIdentity(step)) names.set(step.output, inputs[0]!);
    else steps.push({ ...step, inputs });
  }
  return { ...network, steps, output: names.get(network.output) ?? network.output };
}
const isIdentity = (step: Step): boolean =>
  step.op === "Identity" ||
  (step.op === "AveragePool" &&
    [...listOf(step, "kernel_shape"), ...listOf(step, "strides", [1])].every((n) => n === 1) &&
    listOf(step, "pads", [0]).every((n) => n === 0));

/** A step that nobody but the one behind it reads, by the name of its result. */
function soleProducers(network: Network): ReadonlyMap<string, Step> {
  const uses = usesOf(network);
  return new Map(network.steps.filter((s) => uses.get(s.output) === 1).map((s) => [s.output, s]));
}

/** `Conv` then `BatchNormalization`: weights scaled by gamma / sqrt(variance + epsilon), the rest is a bias. */
export function foldBatchNorm(network: Network): Network {
  const producers = soleProducers(network);
  const constants = new Map(network.constants);
  const replaced = new Map<Step, Step | null>();
  for (const norm of network.steps) {
    const conv = norm.op === "BatchNormalization" ? producers.get(norm.inputs[0]!) : undefined;
    if (conv?.op !== "Conv") continue;
    const [weight, bias] = [`${norm.output}.weight`, `${norm.output}.bias`];
    const folded = foldedInto(network, conv, norm);
    constants.set(weight, folded.weight).set(bias, folded.bias);
    replaced.set(conv, null).set(norm, { ...conv, inputs: [conv.inputs[0]!, weight, bias], output: norm.output });
  }
  return { ...network, constants, steps: replace(network.steps, replaced) };
}

function foldedInto(network: Network, conv: Step, norm: Step): { readonly weight: Constant; readonly bias: Constant } {
  const old = constantAt(network, conv, 1);
  const [gamma, beta, mean, variance] = [1, 2, 3, 4].map((i) => constantAt(network, norm, i).data);
  const epsilon = numberOf(norm, "epsilon", 1e-5);
  const before = conv.inputs.length > 2 ? constantAt(network, conv, 2).data : null;
  const scale = Float64Array.from(gamma!, (g, o) => g / Math.sqrt(variance![o]! + epsilon));
  const weight = new Float32Array(old.data.length);
  const each = weight.length / scale.length;
  scale.forEach((s, o) => {
    for (let i = o * each; i < (o + 1) * each; i++) weight[i] = old.data[i]! * s;
  });
  const bias = Float32Array.from(scale, (s, o) => beta![o]! + ((before?.[o] ?? 0) - mean![o]!) * s);
  return { weight: { dims: old.dims, data: weight }, bias: { dims: [scale.length], data: bias } };
}

/** `MatMul` then `Add` of a vector: the vector becomes a third input. */
export function fuseBias(network: Network): Network {
  const producers = soleProducers(network);
  const replaced = new Map<Step, Step | null>();
  for (const add of network.steps) {
    if (add.op !== "Add") continue;
    const at = add.inputs.findIndex((name) => network.constants.get(name)?.dims.length === 1);
    const product = at < 0 ? undefined : producers.get(add.inputs[1 - at]!);
    if (product?.op !== "MatMul" || product.inputs.length > 2) continue;
    replaced.set(product, null).set(add, { ...product, inputs: [...product.inputs, add.inputs[at]!], output: add.output });
  }
  return { ...network, steps: replace(network.steps, replaced) };
}

const takesActivation: ReadonlySet<string> = new Set(["Conv", "Gemm", "MatMul"]);

export function fuseActivations(network: Network): Network {
  const producers = soleProducers(network);
  const replaced = new Map<Step, Step | null>();
  for (const step of network.steps) {
    const activation = activationOf(step);
    const before = activation === "linear" ? undefined : producers.get(step.inputs[0]!);
    if (!before || !takesActivation.has(before.op) || before.activation !== "linear") continue;
    replaced.set(before, null).set(step, { ...before, output: step.output, activation });
  }
  return { ...network, steps: replace(network.steps, replaced) };
}
export function activationOf(step: Step): Activation {
  if (step.op === "Relu") return "relu";
  return step.op === "Clip" && listOf(step, "min")[0] === 0 && listOf(step, "max")[0] === 6 ? "relu6" : "linear";
}

const replace = (steps: readonly Step[], replaced: ReadonlyMap<Step, Step | null>): readonly Step[] =>
  steps.flatMap((s) => {
    const other = replaced.get(s);
    return other === undefined ? [s] : other === null ? [] : [other];
  });

/** Steps that depend on constants alone are done once, the others at every run. */
export function partition({ steps, constants }: Network): { readonly once: readonly Step[]; readonly each: readonly Step[] } {
  const known = new Set(constants.keys());
  const once = steps.filter((s) => {
    const isKnown = s.inputs.every((name) => known.has(name));
    if (isKnown) known.add(s.output);
    return isKnown;
  });
  return { once, each: steps.filter((s) => !once.includes(s)) };
}
