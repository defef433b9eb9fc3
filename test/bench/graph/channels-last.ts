/**
 * Images with their channels last, [N, H, W, C]: the layout of libraries that come from TensorFlow. Kernels are [H, W, in, out],
 * a convolution with as many groups as channels is a `DepthwiseConv`, one with other groups several convolutions side by side.
 */
import { type Constant, constantAt, listOf, type Network, numberOf, type Step } from "./network.ts";
import { permuted, sliced } from "./permute.ts";

/** State of the walk: constants as they are so far, and the channels of each value that is an image. */
interface Walk {
  readonly constants: Map<string, Constant>;
  readonly channels: Map<string, number>;
  /** Channels of flattened images, by the flat value. */
  readonly flat: Map<string, number>;
}
const lastAxis = [0, 3, 1, 2] as const;

/** An input of rank 4 is an image. */
export function channelsLast(network: Network): Network {
  const images = network.inputs.filter((i) => i.dims.length === 4);
  const walk: Walk = {
    constants: new Map(network.constants),
    channels: new Map(images.map((i) => [i.name, i.dims[1]!])),
    flat: new Map(),
  };
  const steps = network.steps.flatMap((step) => moved(step, walk));
  const inputs = network.inputs.map((i) => (images.includes(i) ? { ...i, dims: [0, 2, 3, 1].map((d) => i.dims[d]!) } : i));
  return { ...network, inputs, steps, constants: walk.constants };
}

function moved(step: Step, walk: Walk): readonly Step[] {
  const channels = walk.channels.get(step.inputs[0] ?? "");
  if (channels === undefined) return [step.op === "Gemm" ? dense(step, walk) : step];
  const image = (count: number, ...steps: readonly Step[]): readonly Step[] => {
    walk.channels.set(step.output, count);
    return steps;
  };
  switch (step.op) {
    case "Conv":
      return image(constantAt(walk, step, 1).dims[0]!, ...convolution(step, channels, walk));
    case "ConvTranspose":
      return image(constantAt(walk, step, 1).dims[1]!, withKernel(step, [2, 3, 1, 0], walk));
    case "Concat":
      return image(sum(step.inputs.map((name) => walk.channels.get(name)!)), { ...step, attributes: { axis: 3 } });
    case "Slice":
      return image(channels, { ...step, attributes: { ...step.attributes, axes: listOf(step, "axes").map((a) => lastAxis[a]!) } });
    case "Pad": {
      const pads = listOf(step, "pads");
      const order = [0, 2, 3, 1, 4, 6, 7, 5].map((i) => pads[i]!);
      return image(channels + pads[1]! + pads[5]!, { ...step, attributes: { ...step.attributes, pads: order } });
    }
    case "Reshape":
      walk.flat.set(step.output, channels);
      return [step];
    default:
      return image(channels, step);
  }
}
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

function replaceConstant(walk: Walk, name: string, change: (c: Constant) => Constant): string {
  const changed = `${name}.last`;
  walk.constants.set(changed, change(walk.constants.get(name)!));
  return changed;
}
function withKernel(step: Step, order: readonly number[], walk: Walk): Step {
  const [x, w, ...rest] = step.inputs as readonly [string, string, ...string[]];
  return { ...step, inputs: [x, replaceConstant(walk, w, (c) => permuted(c, order)), ...rest] };
}

function convolution(step: Step, channels: number, walk: Walk): readonly Step[] {
  const groups = numberOf(step, "group", 1);
  if (groups === 1) return [withKernel(step, [2, 3, 1, 0], walk)];
  const { dims } = constantAt(walk, step, 1);
  if (groups === channels && dims[0] === channels) return [{ ...withKernel(step, [2, 3, 0, 1], walk), op: "DepthwiseConv" }];
  const parts = Array.from({ length: groups }, (_, g) => groupOf(step, g, groups, channels / groups, walk));
  const concat: Step = {
    op: "Concat",
    inputs: parts.map(([, conv]) => conv.output),
    output: step.output,
    attributes: { axis: 3 },
    activation: "linear",
  };
  return [...parts.flat(), concat];
}
/** The convolution of one group, and the slice of the image that it reads. */
function groupOf(step: Step, g: number, groups: number, width: number, walk: Walk): readonly [Step, Step] {
  const [image, ...weights] = step.inputs as readonly [string, ...string[]];
  const [part, output] = [`${step.output}.in${g}`, `${step.output}.out${g}`];
  const attributes = { starts: [g * width], ends: [(g + 1) * width], axes: [3], steps: [1] };
  const own = weights.map((name) => {
    const c = walk.constants.get(name)!;
    const count = c.dims[0]! / groups;
    walk.constants.set(`${name}.${g}`, sliced(c, g * count, (g + 1) * count));
    return `${name}.${g}`;
  });
  return [
    { op: "Slice", inputs: [image], output: part, attributes, activation: "linear" },
    withKernel({ ...step, inputs: [part, ...own], output, attributes: { ...step.attributes, group: 1 } }, [2, 3, 1, 0], walk),
  ];
}

/** Matrices are [in, out]; behind a flattened image their rows are in the order of [H, W, C]. */
function dense(step: Step, walk: Walk): Step {
  const [x, w, ...rest] = step.inputs as readonly [string, string, ...string[]];
  if (numberOf(step, "transB", 0) !== 1 || !walk.constants.has(w)) throw new Error(`Gemm ${step.output}: expected a constant and transB=1`);
  const turned = (c: Constant): Constant => {
    const [outputs, inputs] = c.dims as readonly [number, number];
    const channels = walk.flat.get(x) ?? inputs;
    const { data } = permuted({ dims: [outputs, channels, inputs / channels], data: c.data }, [2, 1, 0]);
    return { dims: [inputs, outputs], data };
  };
  return { ...step, inputs: [x, replaceConstant(walk, w, turned), ...rest], attributes: { transB: 0 } };
}
