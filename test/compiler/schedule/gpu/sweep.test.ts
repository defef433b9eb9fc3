/** Models and a training step of each on WebGPU: outputs and all parameters are those of the reference. */
import { expect, test } from "vitest";
import { compile } from "../../../../compiler/compile.ts";
import type { Program } from "../../../../ir/program.ts";
import { sizeOf } from "../../../../ir/type.ts";
import { type Inputs, load } from "../../../../runtime/index.ts";
import { disagreements } from "../../../examples/golden.ts";
import { adapter } from "../../../gpu.ts";
import { noise } from "../../lower/run.ts";

const gpu = await adapter();

/** Of the entry's inputs: noise, bytes, and bools. */
function inputsOf(program: Program, entry: "forward" | "step"): Inputs {
  const { inputs } = program.entries.find((e) => e.name === entry)!;
  return Object.fromEntries(
    inputs.map(({ name, dtype, shape }, n) => {
      const values = noise(sizeOf(shape), n);
      if (dtype === "f32") return [name, Float32Array.from(values)];
      return [name, Uint8Array.from(values, (v) => (dtype === "u8" ? Math.floor((v + 1) * 128) & 255 : Number(v > 0)))];
    }),
  );
}
async function numbersOf(program: Program): Promise<Record<string, number[]>> {
  const net = await load(program, { seed: 3, ...(gpu ? { gpu } : {}) });
  const outputs = await net.run(inputsOf(program, "forward"));
  const { loss } = await net.step(inputsOf(program, "step"));
  const all: (readonly [string, ArrayLike<number>])[] = [
    ...Object.entries(outputs),
    ["loss", [loss]],
    ...(await net.parameters()).map(({ name, values }) => [name, values] as const),
  ];
  await net.dispose();
  return Object.fromEntries(all.map(([name, values]) => [name, Array.from(values)]));
}

/** Each layer is an output, all train on the mean of their squares. */
function layers(type: string, names: readonly string[], before = "x"): string {
  const outputs = names.map((_, i) => `y${i}`);
  return `model M(x: ${type}) -> ${outputs.join(", ")} {
  v = ${before}
${names.map((layer, i) => `  y${i} = v |> l${i}: ${layer}`).join("\n")}
}
train M {
  loss = ${outputs.map((y) => `mean(${y} ** 2)`).join(" + ")}
  optimizer = sgd(lr=0.5)
}`;
}
const sources: Readonly<Record<string, string>> = {
  "convolutions in two dimensions": layers("f32[1, 6, 7, 6]", [
    "Conv2d(8, kernel=3, padding=1) |> relu",
    'Conv2d(8, kernel=3, stride=2, padding="same") |> max_pool(2, ceil=true)',
    "Conv2d(5, kernel=[3, 1], padding=[[0, 2], [1, 0]], dilation=2)",
    "Conv2d(12, kernel=3, groups=3, padding=1, bias=false) |> n: BatchNorm |> relu",
    "Conv2d(6, kernel=3, groups=6, padding=1) |> gelu",
    "Conv2d(12, kernel=5, stride=2, groups=6, padding=2)",
    "Conv2d(17, kernel=1, stride=[2, 1])",
    "ConvTranspose2d(5, kernel=4, stride=2, padding=1)",
    "ConvTranspose2d(4, kernel=3, groups=2, dilation=2, output_padding=1)",
  ]),
  "convolutions in one dimension": layers("f32[2, 24, 17]", [
    "Conv1d(9, kernel=1, stride=2, padding=[0, 1]) |> tanh",
    "Conv1d(7, kernel=5, padding=2)",
    "Conv1d(24, kernel=3, groups=24, dilation=3)",
    "ConvTranspose1d(6, kernel=3, stride=2)",
  ]),
  "convolutions in three dimensions": layers("f32[1, 3, 3, 4, 5]", [
    "Conv3d(4, kernel=3, padding=1) |> max_pool(2)",
    "Conv3d(5, kernel=2, stride=2)",
    "ConvTranspose3d(2, kernel=2, stride=2)",
  ]),
  "recurrent layers": layers("f32[3, 4, 7]", ["LSTM(6, layers=2)", "GRU(5)", "RNN(9)"]),
  "bytes and bools": `model M(image: u8[2, 3, 6, 7], mask: bool[2, 1, 6, 7]) -> y, bytes, seen {
  seen = sum(mask, axis=[1, 2, 3])
  bytes = cast(clamp(cast(image, i32) // 2 - 7, low=0, high=99), u8)
  v = where(mask, cast(image, f32) / 255.0, cast(bytes, f32) * 0.01)
  y = v |> c: Conv2d(4, kernel=3, padding=1) |> relu |> d: Conv2d(5, kernel=3, stride=2)
}
train M {
  loss = mean(y ** 2)
  optimizer = sgd(lr=0.5)
}`,
};
test.skipIf(!gpu).each(Object.entries(sources))("%s (skipped without an adapter)", { timeout: 60_000 }, async (name, source) => {
  const want = await numbersOf(await compile(source, { target: "reference", train: true }));
  const got = await numbersOf(await compile(source, { target: "wgsl", train: true }));
  const summaries = Object.fromEntries(Object.entries(want).map(([of, values]) => [of, { values }]));
  expect(disagreements(name, got, summaries, 1e-4)).toEqual([]);
});

test.skipIf(!gpu)("NaN and infinities reach a softmax, an extreme and a rectifier (skipped without an adapter)", async () => {
  const source = `model M(x: f32[4, 8]) -> p, e, m, r {
  p = softmax(x)
  e = exp(x)
  m = max(x, axis=1)
  r = relu(x)
}`;
  const x = Float32Array.from({ length: 32 }, (_, i) => i % 5);
  [x[9], x[18], x[31]] = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const outputsOf = async (target: "reference" | "wgsl") => {
    const net = await load(await compile(source, { target }), gpu ? { gpu } : {});
    const outputs = await net.run({ x });
    await net.dispose();
    return Object.fromEntries(
      Object.entries(outputs).map(([name, v]) => [name, Array.from(v, (y) => (Number.isFinite(y) ? "finite" : y))]),
    );
  };
  expect(await outputsOf("wgsl")).toEqual(await outputsOf("reference"));
});
