/** The standard library against PyTorch: values and gradients of test/golden/torch_prelude.py. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { elaborate } from "../../compiler/frontend/elaborate.ts";
import { parse } from "../../compiler/frontend/parse.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { preludeFiles } from "../../compiler/prelude/text.ts";
import { type Graph, topological } from "../../ir/graph/graph.ts";
import { ops } from "../../ir/ops/index.ts";
import { disagreement } from "../ir/ops/agree.ts";
import { evaluateGraph } from "../ir/ops/evaluate.ts";

interface Tensor {
  readonly dtype: "f32" | "i32";
  readonly shape: readonly number[];
  readonly data: readonly number[];
}
interface Golden {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly w: Tensor;
  readonly y: Tensor;
  readonly gradients: Readonly<Record<string, Tensor>>;
}
const goldens: Readonly<Record<string, Golden>> = JSON.parse(readFileSync(resolve(import.meta.dirname, "goldens/prelude.json"), "utf8"));

/** y in the language; inputs and parameters have the names of the golden file. */
const programs: Readonly<Record<string, string>> = {
  relu6: "relu6(x)",
  leaky_relu: "leaky_relu(x, 0.1)",
  elu: "elu(x, alpha=1.5)",
  selu: "selu(x)",
  gelu: "gelu(x)",
  "gelu tanh": 'gelu(x, approximate="tanh")',
  silu: "silu(x)",
  log_sigmoid: "log_sigmoid(x)",
  softplus: "softplus(x, beta=2)",
  softsign: "softsign(x)",
  hard_swish: "hard_swish(x)",
  softmax: "softmax(x)",
  "softmax axis": "softmax(x, axis=1)",
  log_softmax: "log_softmax(x, axis=1)",
  glu: "glu(x, axis=1)",
  clamp: "clamp(x, -1, 0.5)",
  lrn: "lrn(x, 4, alpha=0.5, beta=0.75, k=2.0)",
  var: "var(x, (0, 2))",
  std: "std(x, 1, unbiased=false, keepdims=true)",
  norm: "norm(x, axis=1)",
  "norm 1": "norm(x, axis=1, p=1)",
  "norm 3": "norm(x, axis=1, p=3)",
  "norm inf": "norm(x, axis=1, p=inf)",
  "pad reflect": 'pad(x, [(1, 2), (2, 1)], mode="reflect")',
  "pad edge": 'pad(x, [(1, 2), (2, 1)], mode="edge")',
  "pad constant": "pad(x, [(2, 1)], value=3)",
  roll: "roll(x, (1, -2), axis=(0, 1))",
  flip: "flip(x, (1, 2))",
  pixel_shuffle: "pixel_shuffle(x, 2)",
  "upsample nearest": "upsample(x, 3)",
  "upsample nearest 1.5": "upsample(x, 1.5)",
  "upsample bilinear": 'upsample(x, 2, mode="bilinear")',
  "upsample bilinear 1.5": 'upsample(x, 1.5, mode="bilinear")',
  gather: "gather(x, 1, ids)",
  "gather 0": "gather(x, 0, ids)",
  take: "take(x, ids)",
  "take axis": "take(x, ids, axis=2)",
  split: "split(x, [1, 3, 2], axis=1)[1] * split(x, 2, axis=-1)[0]",
  stack: "stack(unstack(x, axis=1), axis=-1)",
  einsum: 'einsum("nd,nkd->nk", a, b)',
  "einsum sum": 'einsum("abc,cd->db", a, b)',
  "einsum three": 'einsum("ij, jk, ikl -> il", a, b, c)',
  "matmul vectors": "a @ b",
  max_pool: "max_pool(x, 3, stride=2, padding=1)",
  "max_pool ceil": "max_pool(x, 3, stride=2, ceil=true)",
  "max_pool ceil far": "max_pool(x, 2, stride=5, ceil=true)",
  avg_pool: "avg_pool(x, 3, stride=2, padding=1)",
  "avg_pool without padding": "avg_pool(x, 3, stride=2, padding=1, count_include_pad=false)",
  "avg_pool ceil": "avg_pool(x, 3, stride=2, padding=1, ceil=true)",
  "avg_pool ceil without padding": "avg_pool(x, 3, stride=2, padding=1, ceil=true, count_include_pad=false)",
  "avg_pool 1-d": "avg_pool(x, 3, stride=2)",
  adaptive_avg_pool: "adaptive_avg_pool(x, (3, 5))",
  "adaptive_avg_pool even": "adaptive_avg_pool(x, (1, 4))",
  "adaptive_avg_pool 1-d": "adaptive_avg_pool(x, 3)",
  "max_pool 1-d": "max_pool(x, 3, stride=2, padding=1)",
  "max_pool 3-d": "max_pool(x, (2, 3, 2), stride=(2, 1, 2), padding=(1, 1, 0))",
  min_pool: "min_pool(x, 3, stride=2, padding=1)",
  "avg_pool 3-d": "avg_pool(x, 2, padding=(0, 1, 0), ceil=true)",
  "adaptive_avg_pool 3-d": "adaptive_avg_pool(x, (2, 3, 4))",
  max_unpool: "unpooled(x, 2, none, 0, none, false)",
  "max_unpool size": "unpooled(x, (2, 3), 3, (0, 1), (6, 8), false)",
  "max_unpool 1-d": "unpooled(x, 2, none, 0, 7, false)",
  "max_unpool 3-d": "unpooled(x, 2, none, 0, x.shape[2:], false)",
  "max_unpool ceil": "unpooled(x, 3, 3, 0, x.shape[2:], true)",
  roi_pool: "roi_pool(x, boxes, (3, 2), scale=0.5)",
  "roi_pool one image": "roi_pool(x, boxes, 2)",
  roi_align: "roi_align(x, boxes, (3, 2), scale=0.5)",
  "roi_align aligned": "roi_align(x, boxes, (2, 3), scale=0.4, samples=3, aligned=true)",
  cross_entropy: "cross_entropy(x, t)",
  "cross_entropy smoothing": "cross_entropy(x, t, smoothing=0.1)",
  "cross_entropy image": 'cross_entropy(x, t, reduction="sum")',
  "cross_entropy last": 'cross_entropy(x, t, axis=-1, reduction="none")',
  nll: "nll(x, t)",
  mse: "mse(a, b)",
  l1_loss: "l1_loss(a, b)",
  huber: "huber(a, b, delta=0.7)",
  smooth_l1: 'smooth_l1(a, b, beta=0.7, reduction="none")',
  bce_with_logits: "bce_with_logits(a, b)",
  kl_div: 'kl_div(log_softmax(a), softmax(b), reduction="sum")',
  triplet: "triplet(a, b, c, margin=0.5)",
  negative_sampling: "negative_sampling(x, weight, t, drawn, bias=bias)",
  nce: "nce(x, weight, t, negatives=drawn, bias=bias)",
  "nce noise": "nce(x, weight, t, negatives=drawn, bias=bias, noise=noise)",
  soft_target_cross_entropy: "soft_target_cross_entropy(a, softmax(b / 3), temperature=3)",
  Linear: "x |> l: Linear(5)",
  Conv1d: "x |> l: Conv1d(6, 3, stride=2, padding=3, dilation=2, groups=2)",
  Conv2d: "x |> l: Conv2d(6, kernel=(3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=3)",
  "Conv2d same": 'x |> l: Conv2d(3, kernel=(3, 5), padding="same", bias=false)',
  "Conv2d depthwise": "x |> l: Conv2d(6, 3, stride=2, padding=1, groups=3)",
  Conv3d: "x |> l: Conv3d(6, (2, 2, 3), stride=(2, 1, 1), padding=(1, 0, 1), dilation=(1, 2, 1), groups=2)",
  "ConvTranspose2d dilation": "x |> l: ConvTranspose2d(3, 3, stride=2, padding=1, output_padding=1, dilation=2, bias=false)",
  LocallyConnected2d: "x |> l: LocallyConnected2d(3, (3, 2), stride=(2, 1))",
  RMSNorm: "x |> l: RMSNorm",
  Maxout: "x |> l: Maxout(3)",
  ConvTranspose2d: "x |> l: ConvTranspose2d(6, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), groups=2)",
  "BatchNorm predicting": "x |> l: BatchNorm",
  "BatchNorm training": "x |> l: BatchNorm",
  LayerNorm: "x |> l: LayerNorm",
  "LayerNorm 2": "x |> l: LayerNorm(dims=2)",
  GroupNorm: "x |> l: GroupNorm(2)",
  InstanceNorm: "x |> l: InstanceNorm",
  Embedding: "ids |> l: Embedding(5, 4)",
  PReLU: "x |> l: PReLU(3)",
  RNN: "x |> l: RNN(4, layers=2)",
  LSTM: "x |> l: LSTM(4, layers=2)",
  GRU: "x |> l: GRU(4, layers=2)",
  "RNN state": "(x |> l: RNN(4, layers=2, return_state=true))[1]",
  "GRU state": "(x |> l: GRU(4, layers=2, return_state=true))[1]",
  "LSTM state": "concat((x |> l: LSTM(4, return_state=true))[1])",
  "MultiHeadAttention mask": "x |> l: MultiHeadAttention(3, key=concat([x[:, :2], x[:, :2]], axis=1), value=x, mask=seen == 1, bias=false)",
  MultiHeadAttention: "x |> l: MultiHeadAttention(2, causal=true)",
  "clamp crossed": "clamp(x, a, b)",
  "max_pool dilation": "max_pool(x, (3, 2), stride=(2, 1), padding=1, dilation=(2, 3))",
  "max_pool dilation ceil": "max_pool(x, 3, stride=2, padding=1, dilation=2, ceil=true)",
  cumsum: "cumsum(x, axis=1)",
  "cumsum exclusive": "cumsum(x, exclusive=true)",
  "cumsum reverse": "cumsum(x, axis=0, reverse=true)",
  cumprod: "cumprod(x)",
  "top_k values": "top_k(x, 3, axis=1)[0]",
  "top_k sorts": "top_k(x, 5)[0]",
  "top_k places": "cast(top_k(x, 2)[1], f32)",
  scatter: "scatter(x, 0, ids, values)",
  "scatter axis": "scatter(x, 1, ids, values)",
  "scatter add": 'scatter(x, 1, ids, values, reduce="add")',
  "scatter mul": 'scatter(x, 1, ids, values, reduce="mul")',
  "scatter max": 'scatter(x, 1, ids, values, reduce="max")',
  "scatter min": 'scatter(x, 1, ids, values, reduce="min")',
  ConvTranspose1d: "x |> l: ConvTranspose1d(6, 4, stride=3, padding=1, output_padding=2, groups=2, dilation=2)",
  ConvTranspose3d:
    "x |> l: ConvTranspose3d(3, (3, 2, 2), stride=(2, 1, 2), padding=(1, 0, 1), output_padding=(1, 0, 0), dilation=(1, 2, 1))",
  "ConvTranspose1d output padding": "x |> l: ConvTranspose1d(2, 3, padding=2, output_padding=2, dilation=4)",
  "ConvTranspose2d output padding":
    "x |> l: ConvTranspose2d(6, (3, 2), stride=2, padding=(3, 1), output_padding=(3, 2), groups=2, dilation=4, bias=false)",
  "ConvTranspose3d output padding":
    "x |> l: ConvTranspose3d(2, (2, 2, 3), padding=1, output_padding=(2, 0, 1), dilation=(3, 1, 2), bias=false)",
  "GRU reset before": "x |> l: GRU(4, reset_after=false)",
};

/** Squares what a pool kept and puts it back. */
const unpooled = `fn unpooled(x, kernel, stride, padding, size, ceil) {
  y, indices = max_pool(x, kernel, stride, padding, ceil=ceil, return_indices=true)
  return max_unpool(y * y, indices, kernel, stride, padding, size=size)
}`;
const typed = ({ dtype, shape }: Tensor): string => `${dtype}[${shape.join(", ")}]`;

/** y, sum(y * w) as the loss, and its gradients by the names that the golden has. */
function graphOf(name: string, training: boolean): Graph {
  const { inputs, w, gradients } = goldens[name]!;
  const signature = Object.entries(inputs).flatMap(([k, t]) => (k.includes(".") ? [] : [`${k}: ${typed(t)}`]));
  const text = `${unpooled}
    model M(${signature.join(", ")}) -> y { y = ${programs[name]} }
    train M { input w: ${typed(w)}; loss = sum(y * w); optimizer = sgd(lr=0.1) }`;
  const choice = { model: null, trainBlock: null, dims: {}, batch: null, set: {}, train: true };
  const module = elaborate({ path: name, text, resolve: () => null, ...choice });
  const { step, evaluate } = module.training!;
  const source = training ? step : evaluate;
  const leaves = new Map(topological(source).map((n) => [n.attrs.name, n]));
  const loss = source.outputs[0]!.value;
  const derivatives = Object.keys(gradients).map((k) => ({ name: k, value: ops.gradient({ y: loss, x: leaves.get(k)! }) }));
  const y = training ? [] : module.forward.outputs;
  return differentiate.run({ ...source, outputs: [...y, { name: "loss", value: loss }, ...derivatives], updates: [] });
}

test("there is a program for every golden", () => expect(Object.keys(programs).sort()).toEqual(Object.keys(goldens).sort()));

for (const name of Object.keys(programs)) {
  test(name, () => {
    const { inputs, w, y, gradients } = goldens[name]!;
    const training = name.endsWith("training");
    const given = Object.fromEntries([...Object.entries(inputs), ["w", w] as const].map(([k, t]) => [k, t.data]));
    const { outputs } = evaluateGraph(graphOf(name, training), given);
    if (!training) expect(disagreement(outputs.y!, y.data, 2e-6)).toBeNull();
    const loss = y.data.reduce((sum, v, i) => sum + v * w.data[i]!, 0);
    expect(disagreement(outputs.loss!, [loss], 1e-5, 1)).toBeNull();
    for (const [k, g] of Object.entries(gradients)) expect(disagreement(outputs[k]!, g.data, 5e-6, 1)).toBeNull();
  });
}

test("the embedded text is that of the files", () => {
  const folder = resolve(import.meta.dirname, "../../compiler/prelude");
  const files = readdirSync(folder).filter((f) => f.endsWith(".dlm"));
  expect(preludeFiles).toEqual(Object.fromEntries(files.map((f) => [f, readFileSync(join(folder, f), "utf8")])));
});

test("the standard library parses, and its layers have documentation", () => {
  for (const [name, text] of Object.entries(preludeFiles)) {
    const { file, problems } = parse(text, name);
    expect(problems).toEqual([]);
    for (const d of file.declarations) if (d.kind === "layer") expect([d.name.name, d.doc]).toEqual([d.name.name, expect.any(String)]);
  }
});
