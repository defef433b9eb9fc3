/** Exported, written, read, imported and printed again, a model computes the same. */
import { describe, expect, test } from "vitest";
import { decompile } from "../../../compiler/decompile/decompile.ts";
import type { OnnxModel } from "../../../compiler/formats/onnx/model.ts";
import { readOnnx } from "../../../compiler/formats/onnx/read.ts";
import { writeOnnx } from "../../../compiler/formats/onnx/write.ts";
import type { Application } from "../../../compiler/frontend/elaborate/session.ts";
import { type ElaborateRequest, elaborate } from "../../../compiler/frontend/elaborate.ts";
import { modelOf } from "../../../compiler/onnx/export/draft.ts";
import { draftOf } from "../../../compiler/onnx/export/export.ts";
import { importModel } from "../../../compiler/onnx/import/import.ts";
import { decompose } from "../../../compiler/passes/decompose.ts";
import { differentiate } from "../../../compiler/passes/differentiate.ts";
import { zooFiles } from "../../../compiler/prelude/text.ts";
import type { Graph } from "../../../ir/graph/graph.ts";
import { sizeOf } from "../../../ir/type.ts";
import { disagreement } from "../../ir/ops/agree.ts";
import { evaluateGraph } from "../../ir/ops/evaluate.ts";
import { goldenNames, inputsOf, readGolden } from "../../zoo/support.ts";
import { request } from "../frontend/elaborating.ts";

type Numbers = Readonly<Record<string, ArrayLike<number>>>;
/** Positive, so that it may be a variance. */
const wave = (count: number, phase: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: count }, (_, i) => 0.3 + 0.25 * Math.sin(1.7 * i + phase));
const values = (graph: Graph, given: Numbers): Numbers => evaluateGraph(decompose.run(differentiate.run(graph)), given).outputs;

/** `changed`: what becomes of the exported model before it is written. */
function check(source: ElaborateRequest, inputs: Numbers, changed = (model: OnnxModel): OnnxModel => model): string {
  const applications: Application[] = [];
  const module = elaborate({ ...source, onApplication: (a) => applications.push(a) });
  const variables = new Map(module.variables.map((v, i) => [v.name, wave(sizeOf(v.type.shape), i)]));
  const { name, doc, forward } = module;
  const dataOf = (path: string) => new Uint8Array(variables.get(path)!.buffer);
  const model = modelOf(draftOf({ name, doc, graph: differentiate.run(forward), applications }), dataOf);
  const result = importModel(readOnnx(writeOnnx(changed(model)), "m.onnx"), { file: "m.onnx", name: "", dims: {}, external: null });
  if (result.kind === "problems") throw new Error(result.problems.map((p) => `${p.op}: ${p.reason}`).join("; "));
  const { text, weights } = decompile(result.imported.sketch);
  const again = elaborate(request(text));
  const expected = values(forward, { ...inputs, ...Object.fromEntries(variables) });
  const found = values(again.forward, { ...inputs, ...Object.fromEntries([...weights].map(([path, w]) => [path, w.data])) });
  expect(Object.keys(found)).toEqual(Object.keys(expected));
  for (const [output, numbers] of Object.entries(expected)) expect(disagreement(found[output]!, numbers, 1e-6)).toBeNull();
  return text;
}

/** Values are numbered, nodes have no names; inputs and outputs keep theirs. */
function nameless(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const names = new Map([...graph.inputs, ...graph.outputs].map((v) => [v.name, v.name]));
  const nameOf = (name: string): string => {
    if (name !== "" && !names.has(name)) names.set(name, String(names.size));
    return names.get(name) ?? "";
  };
  const initializers = graph.initializers.map((t) => ({ ...t, name: nameOf(t.name) }));
  const nodes = graph.nodes.map((n) => ({ ...n, name: "", inputs: n.inputs.map(nameOf), outputs: n.outputs.map(nameOf) }));
  return { ...model, graph: { ...graph, initializers, nodes, valueInfo: [] } };
}
type Choice = Pick<ReturnType<typeof readGolden>, "file" | "model" | "block" | "set" | "dims">;
function fromZoo({ file, model, block, set, dims }: Choice): ElaborateRequest {
  const text = zooFiles[`${file}.dlm`]!;
  return { path: `std/${file}.dlm`, text, resolve: () => null, model, trainBlock: block, dims, batch: null, set, train: true };
}
describe("small models of the zoo", () => {
  test.each(goldenNames)("%s", (golden) => {
    const chosen = readGolden(golden);
    check(fromZoo(chosen), inputsOf(chosen.inputs) as Numbers);
  });
  test("ResNet-50 without a name of a node, a value or a weight: blocks, and loops over them", () => {
    const set = { widths: "[4, 6, 8, 10]", classes: "5" };
    const chosen = { file: "resnet", model: "ResNet50", block: null, set, dims: { N: 1, H: 17, W: 17 } };
    const source = { ...fromZoo(chosen), train: false };
    const text = check(source, { image: wave(3 * 17 * 17, 1) }, nameless);
    expect(text.split("\n").length).toBeLessThan(40);
    expect(text.match(/block.*Bottleneck.*/g)).toEqual([
      "block1: ProjectionBottleneck(4)",
      "block{i}: Bottleneck }",
      "block4: ProjectionBottleneck(6, stride=2)",
      "block{i}: Bottleneck }",
      "block8: ProjectionBottleneck(8, stride=2)",
      "block{i}: Bottleneck }",
      "block14: ProjectionBottleneck(10, stride=2)",
      "block{i}: Bottleneck }",
    ]);
    expect(text.match(/for i in [^{]*/g)).toEqual([
      "for i in range(2, 4) ",
      "for i in range(5, 8) ",
      "for i in range(9, 14) ",
      "for i in range(15, 17) ",
    ]);
  });
  test("SegNet, whose images do not halve evenly", () => {
    const set = { widths: "[4, 6]", depths: "[1, 2]", classes: "3" };
    const source = fromZoo({ file: "segmenter", model: "SegNet", block: null, set, dims: { N: 1, H: 18, W: 18 } });
    expect(check(source, { image: wave(3 * 18 * 18, 1) })).toContain("max_unpool(");
  });
  test("Saliency, with the gradient of windows that overlap", () => {
    const set = { depths: "[1, 1]", widths: "[4, 8]", classes: "4" };
    const source = fromZoo({ file: "saliency", model: "Saliency", block: null, set, dims: { N: 1, H: 16, W: 16 } });
    expect(check(source, { image: wave(3 * 16 * 16, 1) })).not.toContain("scatter(");
  });
});

/** y of x f32[2, 6, 8, 8], s f32[3, 5, 6] and ids i32[3, 4]. */
const bodies: Readonly<Record<string, string>> = {
  "layers of images": `y = x |> a: Conv2d(8, kernel=3, padding="same", groups=2) |> b: BatchNorm(affine=false) |> c: PReLU(8)
       |> d: InstanceNorm(affine=true) |> e: ConvTranspose2d(4, kernel=3, stride=2, output_padding=1) |> f: GroupNorm(2)`,
  pooling: `y = max_pool(x, 3, stride=2, padding=1) + avg_pool(x, 3, stride=2, padding=1, count_include_pad=false) +
       avg_pool(x, 2) + adaptive_avg_pool(x, 4) * global_max_pool(x)`,
  "pooling with positions": "v, at = max_pool(x, 2, return_indices=true)\n y = max_unpool(v, at, 2) + cast(sum(at), f32)",
  "unpooling to another size, of windows with padding, of one axis and of three": `v, at = max_pool(x[:, :, :7, :5], 2, return_indices=true)
       w, there = max_pool(x, 2, stride=3, padding=1, return_indices=true)
       a, b = max_pool(s, 2, return_indices=true)
       c, d = max_pool(unsqueeze(x, 4), (2, 2, 1), return_indices=true)
       y = max_unpool(v, at, 2, size=(7, 5))[:, :, :6, :5] + max_unpool(w, there, 2, stride=3, padding=1, size=(8, 8))[:, :, :6, :5] +
         sum(max_unpool(a, b, 2)) * squeeze(max_unpool(c, d, (2, 2, 1)), 4)[:, :, :6, :5]`,
  "unpooling where windows overlap":
    "v, at = max_pool(x, 3, stride=2, return_indices=true)\n y = max_unpool(v, at, 3, stride=2, size=(8, 8))",
  sequences: `h, ends = s |> a: LSTM(4, layers=2, return_state=true)
       y = (h |> b: GRU(3) |> c: RNN(2, act=relu)) + mean(ends[1])`,
  attention: "y = s |> a: MultiHeadAttention(2, causal=true) |> b: LayerNorm |> c: Linear(7) |> gelu",
  "functions of numbers": `y = where(x > 0.4, log_softmax(x, axis=1), softplus(x)) + clamp(sin(x), 0.1, 0.5) + erf(x) ** 2 +
       silu(x) % 0.3 - floor(3 * x) / (abs(x) + 1) + var(x, 1, keepdims=true) + lrn(x, 3) + cumsum(x, 2)`,
  integers: "y = ids // 3 + ids % 2 - max(ids, 1, keepdims=true) + cast(ids == 2 || !(ids < 3), i32) * argmax(s, axis=1)[:, :4]",
  indices: `e = ids |> table: Embedding(9, 5)
       y = e * take(transpose(s, 1, 2), ids % 2)[:, :, 0] + sum(one_hot(ids, 9)) + gather(s, 2, unsqueeze(ids, 2) % 6)[:, :, :1]`,
  shapes: 'y = pad(permute(x, [0, 2, 3, 1])[:, ::2, 1:, -3:], [(1, 0), (0, 2)], mode="edge") |> flip(1) |> roll(2, axis=3)',
  derivatives: `h = x |> a: Conv2d(4, kernel=3, stride=2, padding=1) |> relu |> max_pool(3, stride=2) |> avg_pool(1)
       y = grad(sum(h ** 2), x)`,
};
describe("the standard library", () => {
  test.each(Object.entries(bodies))("%s", (_, body) => {
    const text = `model M(x: f32[2, 6, 8, 8], s: f32[3, 5, 6], ids: i32[3, 4]) -> y {\n ${body}\n}`;
    const ids = Array.from({ length: 12 }, (_v, i) => (i * 5) % 9);
    check(request(text), { x: wave(768, 1).map((v) => 2 * v - 0.4), s: wave(90, 2), ids });
  });
});
