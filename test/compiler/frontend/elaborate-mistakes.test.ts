/** Whole rendered diagnostics. Each case is a golden file: the program, then what is said about it; `vitest --update` rewrites them. */
import { expect, test } from "vitest";
import { mistakes, type Options } from "./elaborating.ts";

const linear = (body: string, before = ""): string => `${before}model M(image: f32[N, 784]) -> y {\n${body}\n}\n`;
const cases: Readonly<Record<string, readonly [text: string, options?: Options]>> = {
  "wrong-rank": ["model LeNet(\n  image: f32[1, 784]\n) -> x {\n  x = image |> conv1: Conv2d(32, kernel=5)\n}\n"],
  "dimension-differs": [
    linear("  h = image |> fc: Linear(10)\n  y = Head(image, h)", "layer Head(x: f32[N, C], key: f32[N, C]) { return x + key }\n"),
  ],
  "unknown-name": [linear("  y = image |> fc: Linaer(10) |> relu")],
  "name-of-pytorch": [linear("  a = Dropout(image, 0.5)\n  b = image.view(1, -1)\n  c = nn.relu(image)\n  y = softmax(image, dim=1)")],
  "kernel-size": ["model M(x: f32[N, 3, 8, 8]) -> y {\n  y = x |> conv: Conv2d(8, kernel_size=3, in_channels=3)\n}\n"],
  "tensor-as-condition": [linear("  y = if mean(image) > 0 { image } else { -image }")],
  "tensor-as-constant": [linear("  k = sum(image)\n  y = image |> fc: Linear(k)")],
  "types-mix": ["model M(x: f32[N, 4], ids: i32[N, 4]) -> y {\n  y = x + ids\n}\n"],
  "float-for-int": [linear("  width = 784 / 2\n  y = image |> fc: Linear(width)")],
  "shapes-do-not-broadcast": ["model M(a: f32[N, 4], b: f32[3]) -> y {\n  c = a * 2\n  y = c + b\n}\n"],
  matmul: ["model M(a: f32[4, 5]) -> y {\n  param w: f32[4, 6] = zeros\n  y = a @ w\n}\n"],
  "inside-layers": [
    linear(
      "  for i in range(2) { image = image |> block{i}: Block }\n  y = image",
      "layer Split(x: f32[N, C]) {\n  a, b = split(x, 3, axis=1)\n  return a\n}\nlayer Block(x) { return x |> split: Split }\n",
    ),
  ],
  "inside-the-library": ["model M(x: f32[N, 6, 8, 8]) -> y {\n  y = x |> conv: Conv2d(8, 3, groups=4)\n}\n"],
  "transposed-channels": ["model M(x: f32[1, 3, 5, 4]) -> y {\n  param w: f32[4, 2, 3, 3] = zeros\n  y = conv_transpose2d(x, w)\n}\n"],
  "transposed-groups": [
    "model M(x: f32[1, 3, 5, 4]) -> y {\n  param w: f32[3, 2, 3, 3] = zeros\n  y = conv_transpose2d(x, w, groups=2)\n}\n",
  ],
  "transposed-stride": ["model M(x: f32[1, 3, 5, 4]) -> y {\n  y = x |> up: ConvTranspose2d(2, 3, stride=0)\n}\n"],
  "transposed-padding": ["model M(x: f32[1, 3, 5, 4]) -> y {\n  y = x |> up: ConvTranspose2d(2, 3, padding=4)\n}\n"],
  "output-padding": ["model M(x: f32[1, 3, 5, 4]) -> y {\n  y = x |> up: ConvTranspose2d(2, 3, stride=2, output_padding=2)\n}\n"],
  "label-twice": [linear("  h = image |> fc: Linear(10)\n  y = h |> fc: Linear(10)")],
  "label-in-loop": [linear("  for i in range(3) { image = image |> fc: Linear(784) }\n  y = image")],
  "branch-not-taken": [linear("  if training { aux = image |> aux: Linear(10) }\n  y = aux")],
  "value-goes-nowhere": [linear("  image |> fc: Linear(10)\n  y = image")],
  "cases-of-names": [linear("  Act = relu\n  layer_type = Linear\n  h = image |> Act\n  y = layer_type(h, 3)")],
  "declared-in-the-wrong-case": ["fn Swish(x) { return x }\nlayer block(x) { return x }\nmodel M(x: f32[N]) -> y { y = x }\n"],
  "fn-owns-nothing": [linear("  y = head(image)", "fn head(x) {\n  param w: f32[3] = 0\n  return x |> fc: Linear(10)\n}\n")],
  "update-while-predicting": ["model M(x: f32[N, 4]) -> y {\n  state seen: f32[] = 0\n  update seen = seen + 1\n  y = x\n}\n"],
  "output-never-bound": ["model M(x: f32[N, 4]) -> logits, aux {\n  logits = x\n  if training { aux = x }\n}\n"],
  "several-at-once": [linear("  a = imgae + 1\n  b = a * 2\n  c = reshape(image, [10, 10])\n  y = c |> fc: Linear(unknown)")],
  "import-of-nothing": [
    'import { Blok, Missing } from "./blocks.dlm"\nimport { Other } from "./none.dlm"\nmodel M(x: f32[N, 4]) -> y { y = x |> Blok |> Other }\n',
    { files: { "blocks.dlm": "layer Block(x) { return x }\n" } },
  ],
  "open-dimensions": ["model M(x: f32[N, T, C]) -> y { y = x |> l: Linear(8) |> reshape([N, 4, 4]) }\n"],
  "numbers-for-a-list": ["model M(x: f32[N, 4, 6]) -> y { y = permute(x, 0, 2, 1) |> reshape(N, -1) }\n"],
  "initial-value-called": ["model M(x: f32[N, 4]) -> y {\n  param w: f32[4] = zeros()\n  y = x * w\n}\n"],
  "loss-of-two-shapes": [
    "model M(x: f32[N, 4]) -> y { y = x |> fc: Linear(3) }\ntrain M {\n  input t: f32[N, 4]\n  loss = mse(y, t)\n  optimizer = sgd(lr=0.1)\n}\n",
    { train: true },
  ],
  "several-models": ["model A(x: f32[N]) -> y { y = x }\nmodel B(x: f32[N]) -> y { y = x }\n"],
  "misspelt-setting": [
    "model M(x: f32[N, 4]) -> y { y = x |> fc: Linear(3) }\ntrain M {\n  loss = mean(y)\n  optimizer = sgd(lr=0.1)\n  clip_nrom = 5.0\n}\n",
    { train: true },
  ],
  "glob-of-nothing": [
    'model M(x: f32[N, 4]) -> y { y = x |> fc: Linear(3) }\ntrain M {\n  loss = mean(y)\n  optimizer = sgd(lr=0.1)\n  freeze "backbone.*"\n}\n',
    { train: true },
  ],
  "optimizer-out-of-range": [
    "model M(x: f32[N, 4]) -> y { y = x |> fc: Linear(3) }\ntrain M {\n  loss = mean(y)\n  optimizer = adamw(lr=0.1, betas=(0.9, 1.5))\n}\n",
    { train: true },
  ],
  "targets-of-another-shape": [
    "model M(x: f32[N, 4]) -> y { y = x |> fc: Linear(3) }\ntrain M {\n  input label: i32[N, 3]\n  loss = cross_entropy(y, label)\n  optimizer = sgd(lr=0.1)\n}\n",
    { train: true },
  ],
  "two-places-one-path": [
    "layer L(x) { return x |> fc: Linear(4) }\nmodel M(x: f32[N, 4]) -> y {\n  y = x |> a: L |> a.fc: Linear(4)\n}\n",
  ],
  "endless-recursion": ["layer R(x) {\n  return x |> again: R\n}\nmodel M(x: f32[N, 4]) -> y {\n  y = x |> r: R\n}\n"],
  "convolutions-of-nothing": [
    `model M(x: f32[N, 6, 8, 8]) -> y {
  a = x |> a: Conv2d(8, 0)
  b = x |> b: Conv2d(8, 3, groups=0)
  c = x |> c: ConvTranspose2d(0, 2)
  y = x |> d: GroupNorm(0)
}
`,
  ],
  flags: [linear("  y = image |> fc: Linear(10)"), { set: { classes: "3" }, dims: { M: 3 } }],
};

for (const [name, [text, options]] of Object.entries(cases)) {
  test(name, async () => {
    await expect(`${text}----\n${mistakes(text, options)}\n`).toMatchFileSnapshot(`goldens/mistakes/${name}.txt`);
  });
}
