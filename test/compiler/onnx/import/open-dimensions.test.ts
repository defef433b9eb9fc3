/** Dimensions without a size in the file. */
import { expect, test } from "vitest";
import { decompile } from "../../../../compiler/decompile/decompile.ts";
import type { OnnxDim, OnnxModel } from "../../../../compiler/formats/onnx/model.ts";
import { elaborate } from "../../../../compiler/frontend/elaborate.ts";
import { checkProgram } from "../../../../compiler/onnx/import/check.ts";
import { importModel } from "../../../../compiler/onnx/import/import.ts";
import { importOpen } from "../../../../compiler/onnx/import/open-dimensions.ts";
import type { Dims } from "../../../../ir/program.ts";
import { evaluateGraph } from "../../../ir/ops/evaluate.ts";
import { type Case, floats, ints, list, modelOf, noise, op } from "./support.ts";

/** The model with these dimensions for those of its inputs; a `null` has no name either. */
function withDims(c: Case, dims: Readonly<Record<string, readonly OnnxDim[]>>): OnnxModel {
  const model = modelOf(c);
  const inputs = model.graph.inputs.map((i) =>
    i.type?.kind === "tensor" && dims[i.name] ? { ...i, type: { ...i.type, shape: dims[i.name]! } } : i,
  );
  return { ...model, graph: { ...model.graph, inputs } };
}
const options = (dims: Dims = {}) => ({ file: "net.onnx", name: "", dims, external: null });
function opened(model: OnnxModel, dims: Dims = {}) {
  const { result, sizes, ...rest } = importOpen(model, options(dims));
  if (result.kind === "problems") throw new Error(JSON.stringify(result.problems));
  const program = decompile(result.imported.sketch);
  checkProgram(program, "net.dlm", sizes);
  return { ...rest, ...program };
}
/** What a program computes at some size, of inputs that only depend on their shape. */
function computed({ text, weights }: { readonly text: string; readonly weights: ReturnType<typeof decompile>["weights"] }, dims: Dims) {
  const { forward } = elaborate({
    ...{ path: "net.dlm", text, resolve: () => null },
    ...{ model: null, trainBlock: null, dims, batch: null, set: {}, train: false },
  });
  const inputs = forward.inputs.map((i) => [String(i.attrs.name), noise(i.type.shape).data] as const);
  const given = Object.fromEntries([...inputs, ...[...weights].map(([name, w]) => [name, Array.from(w.data)] as const)]);
  const { outputs } = evaluateGraph(forward, given);
  return forward.outputs.map(({ name, value }) => ({ name, shape: value.type.shape, data: Array.from(outputs[name]!) }));
}
/** The open program does at each size what an import at this size does. */
function agrees(model: OnnxModel, each: readonly { readonly file: Dims; readonly program: Dims }[]): string {
  const program = opened(model);
  for (const { file, program: dims } of each) {
    const result = importModel(model, options(file));
    if (result.kind === "problems") throw new Error(JSON.stringify(result.problems));
    expect(computed(program, dims)).toEqual(computed(decompile(result.imported.sketch), {}));
  }
  return program.text;
}
const head = (text: string): string => text.split("\n").find((l) => l.startsWith("model "))!;

const image = floats([1, 3, 8, 8], []);
/** Heads of attention, where shapes are taken from the input as exporters do. */
const heads: Case = {
  nodes: [
    op("Shape", ["x"], ["s"]),
    op("Gather", ["s", "zero"], ["n"], { axis: 0 }),
    op("Gather", ["s", "one"], ["t"], { axis: 0 }),
    op("Unsqueeze", ["n", "first"], ["n1"]),
    op("Unsqueeze", ["t", "first"], ["t1"]),
    op("Concat", ["n1", "t1", "split"], ["apart"], { axis: 0 }),
    op("Mul", ["n1", "t1"], ["nt"]),
    op("Concat", ["nt", "joined"], ["rows"], { axis: 0 }),
    op("Reshape", ["x", "apart"], ["a"]),
    op("Transpose", ["a"], ["b"], { perm: [0, 2, 1, 3] }),
    op("Reshape", ["b", "rows"], ["c"]),
    op("MatMul", ["c", "fc.weight"], ["y"]),
  ],
  inputs: { x: floats([1, 1, 6], []) },
  weights: {
    zero: ints([], [0]),
    one: ints([], [1]),
    first: list(0),
    split: list(2, 3),
    joined: list(6),
    "fc.weight": noise([6, 4]),
  },
};

test("the batch is open where the program is the same for all sizes", () => {
  const c: Case = {
    nodes: [
      op("Conv", ["x", "conv.weight"], ["a"], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      op("Flatten", ["a"], ["b"]),
      op("Gemm", ["b", "fc.weight"], ["y"], { transB: 1 }),
    ],
    inputs: { x: image },
    weights: { "conv.weight": noise([2, 3, 3, 3]), "fc.weight": noise([5, 128]) },
  };
  const model = withDims(c, { x: ["batch", 3, 8, 8] });
  const text = agrees(
    model,
    [1, 2, 5].map((n) => ({ file: { batch: n }, program: { N: n } })),
  );
  expect(head(text)).toBe("model Net(x: f32[N, 3, 8, 8]) -> y {");
  expect(opened(model).open).toEqual([{ dimension: "batch", name: "N" }]);
  expect(head(opened(withDims(c, { x: [null, 3, 8, 8] })).text)).toBe("model Net(x: f32[N, 3, 8, 8]) -> y {");
  expect(head(opened(model, { batch: 4 }).text)).toBe("model Net(x: f32[4, 3, 8, 8]) -> y {");
});

test("numbers that follow from sizes are written in terms of them, also where several play a part", () => {
  const model = withDims(heads, { x: ["batch", "seq_len", 6] });
  const sizes = [
    [1, 1],
    [2, 3],
    [3, 2],
  ] as const;
  const text = agrees(
    model,
    sizes.map(([n, t]) => ({ file: { batch: n, seq_len: t }, program: { N: n, T: t } })),
  );
  expect(head(text)).toBe("model Net(x: f32[N, T, 6]) -> y {");
  expect(text).toContain("reshape([N, T, 2, 3]) |> transpose(1, 2) |> reshape([N * T, 6])");
});

test("in a layer, sizes are those of what it takes, or what remains", () => {
  const block = (x: string, y: string, k: number) => [
    op("Reshape", [x, "apart"], [`a${k}`]),
    op("Transpose", [`a${k}`], [`b${k}`], { perm: [0, 2, 1, 3] }),
    op("Reshape", [`b${k}`, "merged"], [`c${k}`]),
    op("MatMul", [`c${k}`, `l.${k}.fc.weight`], [`d${k}`]),
    op("Relu", [`d${k}`], [`e${k}`]),
    op("Reshape", [`e${k}`, "back"], [`f${k}`]),
    op("Add", [x, `f${k}`], [y]),
  ];
  const names = ["x", "v1", "v2", "v3", "y"];
  const c: Case = {
    nodes: names.slice(1).flatMap((y, k) => block(names[k]!, y, k)),
    inputs: { x: floats([1, 4, 6], []) },
    weights: {
      ...{ apart: list(0, 4, 2, 3), merged: list(-1, 3), back: list(-1, 4, 6) },
      ...Object.fromEntries([0, 1, 2, 3].map((k) => [`l.${k}.fc.weight`, noise([3, 3], k)])),
    },
  };
  const text = agrees(
    withDims(c, { x: ["batch", 4, 6] }),
    [1, 3].map((n) => ({ file: { batch: n }, program: { N: n } })),
  );
  expect(text).toContain("layer ResidualBlock(x: f32[N, T, D]) {");
  expect(text).toContain("reshape([N, 4, 2, 3]) |> transpose(1, 2) |> reshape([8 * N, 3])");
});

test("a size that the text depends on is 1, and the reason is told", () => {
  const c: Case = {
    nodes: [op("Reshape", ["x", "s"], ["y"])],
    inputs: { x: floats([1, 4], []) },
    weights: { s: list(1, 2, 2) },
  };
  const { text, fixed, open } = opened(withDims(c, { x: ["batch", 4] }));
  expect(head(text)).toBe("model Net(x: f32[1, 4]) -> y {");
  expect(fixed).toEqual([{ dimension: "batch", reason: expect.stringContaining("Reshape: ") }]);
  expect(open).toEqual([]);
});

test("a size other than that of the batch must be chosen where the text depends on it; the batch may stay open", () => {
  const c: Case = {
    nodes: [op("Reshape", ["x", "s"], ["a"]), op("Relu", ["a"], ["y"])],
    inputs: { x: floats([1, 1], []) },
    weights: { s: list(-1, 2, 4) },
  };
  const model = withDims(c, { x: ["batch", "seq"] });
  expect(() => opened(model)).toThrow("net.onnx: the program depends on the size of `seq`: `reshape` depends on it");
  expect(head(opened(model, { seq: 8 }).text)).toBe("model Net(x: f32[N, 8]) -> y {");
  const nameless = withDims(c, { x: [2, null] });
  expect(() => opened(nameless)).toThrow("`x_1`");
  expect(head(opened(nameless, { x_1: 8 }).text)).toBe("model Net(x: f32[2, 8]) -> y {");
});

test("where the batch must be 1, others may still be open", () => {
  const c: Case = {
    nodes: [op("Squeeze", ["x", "first"], ["a"]), op("Relu", ["a"], ["y"])],
    inputs: { x: floats([1, 1, 4], []) },
    weights: { first: list(0) },
  };
  const { text, fixed } = opened(withDims(c, { x: ["batch", "frames", 4] }));
  expect(head(text)).toBe("model Net(x: f32[1, frames, 4]) -> y {");
  expect(fixed.map((f) => f.dimension)).toEqual(["batch"]);
});

test("rounding is noticed", () => {
  const half: Case = {
    nodes: [
      op("Shape", ["x"], ["s"]),
      op("Slice", ["s", "zero", "one"], ["n"]),
      op("Div", ["n", "two"], ["m"]),
      op("Slice", ["x", "zero", "m"], ["y"]),
    ],
    inputs: { x: floats([1, 4], []) },
    weights: { zero: list(0), one: list(1), two: list(2) },
  };
  expect(() => opened(withDims(half, { x: ["n", 4] }))).toThrow("depends on the size of `n`");
  expect(head(opened(withDims(half, { x: ["n", 4] }), { n: 6 }).text)).toBe("model Net(x: f32[6, 4]) -> y {");
});

test("names that inputs and functions have are not those of sizes", () => {
  const c: Case = { nodes: [op("Add", ["N", "T"], ["y"])], inputs: { N: floats([1, 1], []), T: floats([1, 1], []) } };
  const { text } = opened(withDims(c, { N: ["batch", "sum"], T: ["batch", "sum"] }));
  expect(head(text)).toBe("model Net(N: f32[batch, sum_], T: f32[batch, sum_]) -> y {");
});

test("what is wrong whatever the size is told as it is", () => {
  const c: Case = { nodes: [op("Nonsense", ["x"], ["y"])], inputs: { x: floats([1, 4], []) } };
  const { result } = importOpen(withDims(c, { x: ["batch", "seq"] }), options());
  expect(result.kind === "problems" && result.problems.map((p) => p.op)).toEqual(["Nonsense"]);
  expect(() => opened(withDims(c, { x: ["batch", 4] }), { other: 3 })).toThrow("no input of net.onnx has a dimension `other`");
});
