/**
 * Padding as steps of its own, in front of convolutions and of maxima of what is not negative: for libraries that compute windows
 * over padded images faster than windows with padding.
 */
import { listOf, type Network, type Step } from "./network.ts";

export function explicitPadding(network: Network): Network {
  return { ...network, steps: network.steps.flatMap((step) => (isMovable(step, network) ? parted(step) : [step])) };
}

function isMovable(step: Step, network: Network): boolean {
  if (listOf(step, "pads", []).every((n) => n === 0)) return false;
  return step.op === "Conv" || (step.op === "MaxPool" && isPositive(step.inputs[0]!, network));
}
/** Whether no element is negative, so that zeros around them change no maximum. */
function isPositive(name: string, network: Network): boolean {
  const step = network.steps.find((s) => s.output === name);
  if (!step) return false;
  if (step.activation !== "linear" || step.op === "Relu") return true;
  return ["MaxPool", "Concat"].includes(step.op) && step.inputs.every((input) => isPositive(input, network));
}

function parted(step: Step): readonly Step[] {
  const [top, left, bottom, right] = listOf(step, "pads") as readonly [number, number, number, number];
  const [image, ...others] = step.inputs as readonly [string, ...string[]];
  const padded = `${step.output}.padded`;
  const pads = [0, 0, top, left, 0, 0, bottom, right];
  return [
    { op: "Pad", inputs: [image], output: padded, attributes: { pads }, activation: "linear" },
    { ...step, inputs: [padded, ...others], attributes: { ...step.attributes, pads: [0, 0, 0, 0] } },
  ];
}
