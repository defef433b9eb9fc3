/** Arguments in PyTorch's order and other habits: whole rendered diagnostics, as in elaborate-mistakes.test.ts. */
import { expect, test } from "vitest";
import { zooFiles } from "../../../compiler/prelude/text.ts";
import { build, mistakes, type Options } from "./elaborating.ts";

const over = (type: string, body: string): string => `model M(x: ${type}) -> y {\n${body}\n}\n`;
const image = (body: string): string => over("f32[N, 32, 8, 8]", body);
const flat = "model M(x: f32[N, 4]) -> y { y = x |> fc: Linear(3) }\n";
const cases: Readonly<Record<string, readonly [text: string, options?: Options]>> = {
  "channels-first": [
    image(
      "  a = x |> bn: BatchNorm(32)\n  b = x |> in: InstanceNorm(32)\n  c = x |> rms: RMSNorm(8)\n  d = x |> ln: LayerNorm(28)\n" +
        "  e = x |> gn: GroupNorm(8, 32)\n  f = x |> both: LayerNorm([8, 8])\n  g = x |> one: BatchNorm(0.5, 0.1, 1)\n  y = a",
    ).replace("in: Inst", "norm: Inst"),
  ],
  "width-first": [
    over(
      "f32[N, 5, 10]",
      "  a = x |> fc: Linear(10, 4)\n  b = x |> fd: Linear(4, bias=0)\n  c = x |> mha: MultiHeadAttention(10, 2)\n  y = x |> lstm: LSTM(10, 20, 2)",
    ),
  ],
  "input-channels-first": [image("  a = x |> c: Conv2d(32, 64, kernel=3)\n  y = x |> d: Conv2d(32, 64, 3)")],
  "number-or-pair": [image('  a = x |> c: Conv2d(8, "3")\n  b = x |> d: Conv2d(8, (3, 3, 3))\n  y = x |> e: Conv2d(8, 3, padding="sam")')],
  "layer-without-input": [
    over(
      "f32[N, 4]",
      "  f = Linear(3)\n  a = Linear(4)(x)\n  b = fc: Linear(4)\n  c = Linear()\n  d = Embedding(5, 4)\n  y = x |> g: Linear()",
    ),
  ],
  "members-as-methods": [image("  a = x.size(0)\n  b = x.shape(-1)\n  c = x.size()\n  y = x.rank()")],
  "floats-in-a-shape": ["model M(x: f32[N, 4]) -> y {\n  a = zeros([7/2])\n  y = reshape(x, [2, true])\n}\n"],
  "size-of-parts": [image("  a, b, c = split(x, 12, axis=1)\n  y = split(x, 3, axis=1)[0]")],
  "paths-of-imports": [
    'import { A } from "/etc/passwd"\nimport { B } from "blocks.dlm"\nimport { C } from "C:\\\\x.dlm"\nmodel M(x: f32[N, 4]) -> y { y = x }\n',
  ],
  "one-note": ["model M(a: f32[N, 4]) -> y {\n  y = take(a, a)\n}\n"],
  "one-error-for-a-number": [`model M(a: f32[N, 4]) -> y {\n  y = a * ${"9".repeat(60)}\n}\n`],
  "several-in-one-call": [
    image('  a = g(a1, [b1, c1])\n  b = max_pool(x, "2", stride="a")\n  y = x |> c: Conv2d(4.5, kernel=d1, groups=e1)'),
  ],
  "train-block-at-once": [
    `${flat}train M {\n  input label: i32[N]\n  loss = cross_entropy(y, lable)\n  clip_nrom = 5.0\n  clip_norm = -1\n  ema = 2\n` +
      '  freeze "backbone.*"\n  optimizer = sgd(lr=0.1)\n  optimizer "*.bais" = sgd(lr="x", momentum="y")\n  half = 2\n  other = half + oops\n}\n',
    { train: true },
  ],
  "loss-of-a-batch": [
    `${flat}train M {\n  loss = y\n  clip_nrom = 5.0\n  optimizer = sgd(lr=0.1)\n  freeze "fc.*", "gc.*"\n}\n`,
    { train: true },
  ],
  // What the block's own layers are called is unknown: nothing is said about the glob.
  "layers-of-the-block": [
    `${flat}train M {\n  loss = mean(y |> d: Linear(oops))\n  optimizer = sgd(lr=0.1)\n  freeze "d.*"\n}\n`,
    { train: true },
  ],
};

for (const [name, [text, options]] of Object.entries(cases)) {
  test(name, async () => {
    await expect(`${text}----\n${mistakes(text, options)}\n`).toMatchFileSnapshot(`goldens/habits/${name}.txt`);
  });
}

const warnings = (type: string, call: string): readonly string[] =>
  build(over(type, `  y = x |> l: ${call}`)).warnings.map((w) => w.message);
test.each([
  [
    "f32[N, 1, 28, 28]",
    "Conv2d(1, 8, 3)",
    "Conv2d's first argument is the number of output channels; the input's channels come from the tensor",
  ],
  [
    "f32[N, 32, 99, 99]",
    "Conv2d(32, 64, 3)",
    "Conv2d's first argument is the number of output channels; the input's channels come from the tensor",
  ],
  ["f32[N, 5, 10]", "LSTM(10, 20)", "LSTM's first argument is the width of its state; the input's width comes from the tensor"],
])("PyTorch's order may be meant: %s %s", (type, call, message) => {
  expect(warnings(type, call)).toEqual([message]);
});
test.each([
  ["f32[N, 64, 28, 28]", "Conv2d(64, 3, 2)"],
  ["f32[N, 1, 28, 28]", "Conv2d(8, 3, 1)"],
  ["f32[N, 1, 28, 28]", "Conv2d(1, kernel=8, stride=3)"],
  ["f32[N, 1, 28, 28]", "Conv2d(1, 3)"],
  ["f32[N, 5, 10]", "LSTM(10, 2)"],
  ["f32[N, 5, 10]", "LSTM(20, 5)"],
])("or certainly not: %s %s", (type, call) => {
  expect(warnings(type, call)).toEqual([]);
});

test("an import of a model that the library lacks", () => {
  const importing = (path: string) => mistakes(`import { A } from "${path}"\nmodel M(x: f32[N, 4]) -> y { y = x }\n`);
  expect(importing("std/resnett.dlm")).toContain('help: did you mean "std/resnet.dlm"?');
  for (const name of Object.keys(zooFiles)) expect(importing("std/nothing-like-it.dlm")).toContain(`std/${name}`);
});

test("small eps, ints for floats, and layers over scalars are right", () => {
  expect(warnings("f32[N, 8, 4, 4]", "BatchNorm(1e-3, momentum=0)")).toEqual([]);
  expect(warnings("f32[N, 8, 4, 4]", "LayerNorm(3)")).toEqual([]);
  expect(build("layer S(x: f32[]) { return x * 2 }\nmodel M(x: f32[N]) -> y {\n  y = x * S(3)\n}\n").warnings).toEqual([]);
});
