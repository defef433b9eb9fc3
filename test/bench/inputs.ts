/** The same inputs for every engine. */
import type { Network } from "./graph/network.ts";
import type { Input } from "./job.ts";
import { classes, type Work } from "./works.ts";

export const labelName = "label";

/** Numbers between -1 and 1 for the inputs of the network; labels for a training step. */
export function inputsOf(network: Network, work: Work): readonly Input[] {
  const inputs = network.inputs.map(({ name, dims, isFloat }): Input => {
    if (!isFloat) throw new Error(`input ${name} of ${work.name} holds no floating-point numbers`);
    return { name, dims, data: noise(dims.reduce((a, b) => a * b, 1)) };
  });
  const label = { name: labelName, dims: [work.batch], data: Int32Array.from({ length: work.batch }, (_, i) => i % classes) };
  return work.kind === "training" ? [...inputs, label] : inputs;
}

/** A linear congruential generator, its high bits. */
function noise(count: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}
