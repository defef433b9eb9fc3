/** The graphs that other libraries run mean what the model means. The executor here is the plainest there is. */
import { expect, test } from "vitest";
import type { OnnxModel, OnnxNode, OnnxTensor } from "../../../compiler/formats/onnx/model.ts";
import { channelsLast } from "./channels-last.ts";
import { explicitPadding } from "./explicit-padding.ts";
import { type Constant, listOf, type Network, networkOf, numberOf, type Step } from "./network.ts";
import { permuted, sliced } from "./permute.ts";
import { withClip } from "./relu6.ts";
import { segmentsOf } from "./segments.ts";
import { foldBatchNorm, partition, simplified } from "./simplify.ts";

const wave = (dims: readonly number[], phase: number): Constant => ({
  dims,
  data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 0.7 + phase)),
});
const positive = (dims: readonly number[], phase: number): Constant => {
  const { data } = wave(dims, phase);
  return { dims, data: data.map((v) => 1.5 + v) };
};
const step = (op: string, inputs: readonly string[], output: string, attributes: Step["attributes"] = {}): Step => ({
  op,
  inputs,
  output,
  attributes,
  activation: "linear",
});
const window3 = { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1] };

const network: Network = {
  inputs: [{ name: "x", dims: [1, 4, 5, 5], isFloat: true }],
  output: "y",
  steps: [
    step("Conv", ["x", "w", "b"], "c", { ...window3, group: 2 }),
    step("BatchNormalization", ["c", "gamma", "beta", "mean", "variance"], "n", { epsilon: 0.01 }),
    step("Relu", ["n"], "r"),
    step("Reshape", ["r"], "f", { shape: [1, 150] }),
    step("Gemm", ["f", "matrix", "offset"], "g", { transB: 1 }),
    step("Identity", ["g"], "y"),
  ],
  constants: new Map([
    ["w", wave([6, 2, 3, 3], 1)],
    ["b", wave([6], 2)],
    ["gamma", wave([6], 3)],
    ["beta", wave([6], 4)],
    ["mean", wave([6], 5)],
    ["variance", positive([6], 6)],
    ["matrix", wave([3, 150], 7)],
    ["offset", wave([3], 8)],
  ]),
};

/* ---- an executor, of images [1, C, H, W] or with `last` [1, H, W, C] ----------------------------------------------- */

function run(net: Network, x: Constant, last = false): Constant {
  const values = new Map([...net.constants, ["x", x] as const]);
  for (const s of net.steps) {
    const operands = s.inputs.map((name) => values.get(name)!);
    values.set(s.output, activated(s, rules[s.op]!(s, operands, last)));
  }
  return values.get(net.output)!;
}
const activated = ({ activation }: Step, { dims, data }: Constant): Constant =>
  activation === "linear" ? { dims, data } : { dims, data: data.map((v) => Math.max(v, 0)) };

type Rule = (s: Step, operands: readonly Constant[], last: boolean) => Constant;
const toFirst = (c: Constant): Constant => permuted(c, [0, 3, 1, 2]);
const toLast = (c: Constant): Constant => permuted(c, [0, 2, 3, 1]);

const conv: Rule = (s, [image, kernel, bias], last) => {
  const [x, w] = last ? [toFirst(image!), permuted(kernel!, [3, 2, 0, 1])] : [image!, kernel!];
  const [, , H, W] = x.dims as readonly [number, number, number, number];
  const [O, I] = w.dims as readonly [number, number];
  const [pad, groups] = [listOf(s, "pads")[0]!, numberOf(s, "group", 1)];
  const [h, v] = [H + 2 * pad - 2, W + 2 * pad - 2];
  const data = new Float32Array(O * h * v).map((_, at) => {
    const [o, i, j] = [Math.floor(at / (h * v)), Math.floor(at / v) % h, at % v];
    let sum = bias?.data[o] ?? 0;
    for (let c = 0; c < I; c++)
      for (let k = 0; k < 9; k++) {
        const [row, column] = [i + Math.floor(k / 3) - pad, j + (k % 3) - pad];
        const channel = Math.floor(o / (O / groups)) * I + c;
        if (row >= 0 && row < H && column >= 0 && column < W)
          sum += x.data[(channel * H + row) * W + column]! * w.data[(o * I + c) * 9 + k]!;
      }
    return sum;
  });
  const y = { dims: [1, O, h, v], data };
  return last ? toLast(y) : y;
};
const norm: Rule = (s, [x, gamma, beta, mean, variance]) => {
  const area = x!.dims[2]! * x!.dims[3]!;
  const data = (x!.data as Float32Array).map((value, at) => {
    const c = Math.floor(at / area);
    const deviation = Math.sqrt(variance!.data[c]! + numberOf(s, "epsilon", 0));
    return ((value - mean!.data[c]!) / deviation) * gamma!.data[c]! + beta!.data[c]!;
  });
  return { dims: x!.dims, data };
};
const gemm: Rule = (s, [a, b, bias]) => {
  const { dims, data } = numberOf(s, "transB", 0) === 1 ? permuted(b!, [1, 0]) : b!;
  const [I, O] = dims as readonly [number, number];
  const out = Float32Array.from({ length: O }, (_, o) => {
    let sum = bias!.data[o]!;
    for (let i = 0; i < I; i++) sum += a!.data[i]! * data[i * O + o]!;
    return sum;
  });
  return { dims: [1, O], data: out };
};
const concat: Rule = (_, parts) => {
  const joined = parts.map(toFirst);
  const dims = [1, joined.reduce((n, p) => n + p.dims[1]!, 0), ...joined[0]!.dims.slice(2)];
  return toLast({ dims, data: Float32Array.from(joined.flatMap((p) => [...p.data])) });
};
const slice: Rule = (s, [x]) => {
  const channels = permuted(x!, [3, 0, 1, 2]);
  return permuted(sliced(channels, listOf(s, "starts")[0]!, listOf(s, "ends")[0]!), [1, 2, 3, 0]);
};
const padded: Rule = (s, [x]) => {
  const [, C, H, W] = x!.dims as readonly [number, number, number, number];
  const p = listOf(s, "pads")[2]!;
  const data = new Float32Array(C * (H + 2 * p) * (W + 2 * p));
  x!.data.forEach((value, at) => {
    const [c, i, j] = [Math.floor(at / (H * W)), Math.floor(at / W) % H, at % W];
    data[(c * (H + 2 * p) + i + p) * (W + 2 * p) + j + p] = value;
  });
  return { dims: [1, C, H + 2 * p, W + 2 * p], data };
};
const rules: Readonly<Record<string, Rule>> = {
  Conv: conv,
  BatchNormalization: norm,
  Relu: (_, [x]) => ({ dims: x!.dims, data: x!.data.map((v) => Math.max(v, 0)) }),
  Reshape: (s, [x]) => ({ dims: listOf(s, "shape"), data: x!.data }),
  Gemm: gemm,
  Identity: (_, [x]) => x!,
  Concat: concat,
  Slice: slice,
  Pad: padded,
};

const image = wave([1, 4, 5, 5], 9);
const expected = run(network, image);
const close = (found: Constant): void => {
  expect(found.dims).toEqual(expected.dims);
  found.data.forEach((v, i) => {
    expect(v).toBeCloseTo(expected.data[i]!, 3);
  });
};

test("batch normalisation behind a convolution goes into its weights and bias", () => {
  const folded = foldBatchNorm(network);
  expect(folded.steps.map((s) => s.op)).toEqual(["Conv", "Relu", "Reshape", "Gemm", "Identity"]);
  expect(folded.steps[0]!.inputs).toEqual(["x", "n.weight", "n.bias"]);
  close(run(folded, image));
});

test("batch normalisation stays where something else reads the convolution, or where none is", () => {
  const twice = { ...network, steps: [...network.steps, step("Relu", ["c"], "also")] };
  expect(foldBatchNorm(twice).steps).toEqual(twice.steps);
  const bare = { ...network, steps: [step("BatchNormalization", ["x", "gamma", "beta", "mean", "variance"], "y", { epsilon: 0.01 })] };
  expect(foldBatchNorm(bare).steps).toEqual(bare.steps);
});

test("what is simplified has activations and biases in the steps before", () => {
  const simple = simplified(network);
  expect(simple.steps.map((s) => `${s.op} ${s.activation}`)).toEqual(["Conv relu", "Reshape linear", "Gemm linear"]);
  expect(simple.output).toBe("g");
  close(run(simple, image));
  const product = { ...network, steps: [step("MatMul", ["x", "w"], "m"), step("Add", ["b", "m"], "a"), step("Relu", ["a"], "y")] };
  expect(simplified(product).steps).toEqual([{ ...step("MatMul", ["x", "w", "b"], "y"), activation: "relu" }]);
});

test("with channels last, grouped convolutions are several and flattened images have their matrix in that order", () => {
  const last = channelsLast(simplified(network));
  expect(last.steps.map((s) => s.op)).toEqual(["Slice", "Conv", "Slice", "Conv", "Concat", "Reshape", "Gemm"]);
  expect(last.inputs[0]!.dims).toEqual([1, 5, 5, 4]);
  close(run(last, toLast(image), true));
});

test("a convolution with as many groups as channels is depthwise", () => {
  const depthwise = { ...network, output: "c", steps: [step("Conv", ["x", "k"], "c", { ...window3, group: 4 })] };
  const last = channelsLast({ ...depthwise, constants: new Map([["k", wave([4, 1, 3, 3], 1)]]) });
  expect(last.steps.map((s) => s.op)).toEqual(["DepthwiseConv"]);
  expect(last.constants.get(last.steps[0]!.inputs[1]!)!.dims).toEqual([3, 3, 4, 1]);
});

test("padding as a step of its own, and pieces between", () => {
  const explicit = explicitPadding(simplified(network));
  expect(explicit.steps.map((s) => s.op)).toEqual(["Pad", "Conv", "Reshape", "Gemm"]);
  close(run(explicit, image));
  const pieces = segmentsOf(explicit, partition(explicit).each);
  expect(pieces.map((p) => p.steps.map((s) => s.op).join())).toEqual(["Pad", "Conv", "Reshape,Gemm"]);
  expect(pieces.map((p) => p.writes)).toEqual([["r.padded"], ["r"], ["g"]]);
  expect(pieces.map((p) => p.last.has("x"))).toEqual([true, false, false]);
});

test("a maximum is padded with zeros only where nothing is negative", () => {
  const pool = (...before: readonly Step[]): Network => ({
    ...network,
    steps: [...before, step("MaxPool", [before.at(-1)?.output ?? "x"], "y", window3)],
  });
  expect(explicitPadding(pool()).steps.map((s) => s.op)).toEqual(["MaxPool"]);
  expect(explicitPadding(pool(step("Relu", ["x"], "r"))).steps.map((s) => s.op)).toEqual(["Relu", "Pad", "MaxPool"]);
});

test("steps of constants alone are done once", () => {
  const more = { ...network, steps: [step("Relu", ["b"], "k"), step("Add", ["k", "b"], "l"), ...network.steps] };
  expect(partition(more).once.map((s) => s.output)).toEqual(["k", "l"]);
  expect(partition(more).each).toEqual(network.steps);
});

/* ---- ONNX ---------------------------------------------------------------------------------------------------------- */

const node = (opType: string, inputs: readonly string[], output: string): OnnxNode => ({
  name: output,
  opType,
  domain: "",
  overload: "",
  doc: "",
  inputs,
  outputs: [output],
  attributes: [],
});
const number = (name: string, value: number): OnnxTensor => ({
  name,
  dtype: "float",
  dims: [],
  data: { kind: "bytes", bytes: new Uint8Array(Float32Array.of(value).buffer) },
});
const model = (limit: number): OnnxModel => ({
  irVersion: 8,
  opsets: new Map([["", 17]]),
  producer: { name: "", version: "" },
  domain: "",
  version: 0,
  doc: "",
  metadata: new Map(),
  functions: [],
  graph: {
    name: "",
    doc: "",
    nodes: [node("LessOrEqual", ["six", "x"], "test"), node("Relu", ["x"], "r"), node("Where", ["test", "six", "r"], "y")],
    initializers: [number("six", limit)],
    sparseInitializers: [],
    inputs: [{ name: "x", type: { kind: "tensor", dtype: "float", shape: [2] } }],
    outputs: [{ name: "y", type: { kind: "tensor", dtype: "float", shape: [2] } }],
    valueInfo: [],
  },
});

test("ReLU6 in its parts is one Clip, which becomes an activation", () => {
  const clipped = withClip(model(6));
  expect(clipped.graph.nodes.map((n) => `${n.opType} ${n.inputs.join()}`)).toEqual(["Clip x,clip.low,clip.high"]);
  expect(networkOf(clipped).steps[0]).toMatchObject({ op: "Clip", inputs: ["x"], attributes: { min: [0], max: [6] } });
  expect(withClip(model(5)).graph.nodes).toHaveLength(3);
});
