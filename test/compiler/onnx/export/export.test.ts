/** Which operators a model becomes. That they mean the same is tested by importing them again. */
import { expect, test } from "vitest";
import { readOnnx } from "../../../../compiler/formats/onnx/read.ts";
import { writeOnnx } from "../../../../compiler/formats/onnx/write.ts";
import { primitives, unsayable } from "../../../../compiler/onnx/export/primitives.ts";
import { ops } from "../../../../ir/ops/index.ts";
import { exported, listing } from "./support.ts";

test("every operation that a program can contain has a rule, or others that it consists of", () => {
  const variables = ["input", "param", "state"];
  const madeByPasses = [
    "conv2dWeightGradParts",
    "winogradConv2d",
    "winogradConv2dWeightGrad",
    "winogradImage",
    "winogradKernels",
    "winogradTiles",
    "winogradWeights",
  ];
  const notInPrediction = ["counter", "slot", "prepared", "stored", "gradient", "maxPool2dWinner", "maxPool3dWinner"];
  const without = Object.entries(ops).filter(([name, op]) => !(name in primitives) && !unsayable.has(op) && !op.decompose);
  expect(without.map(([name]) => name).sort()).toEqual([...variables, ...madeByPasses, ...notInPrediction].sort());
});

test("layers are operators with their variables as weights", () => {
  const model = exported(`model M(x: f32[2, 3, 8, 8]) -> y {
    h = x |> a.conv: Conv2d(4, kernel=3, stride=2, padding="same", bias=false) |> a.bn: BatchNorm |> relu |> max_pool(2)
    y = h |> flatten |> fc: Linear(5) |> ln: LayerNorm |> softmax
  }`);
  expect(listing(model)).toMatchInlineSnapshot(`
    [
      "a.conv.Conv_output = Conv(x, a.conv.weight) {kernel_shape=[3,3] strides=[2,2] pads=[0,0,1,1] dilations=[1,1] group=1}",
      "a.bn.BatchNormalization_output = BatchNormalization(a.conv.Conv_output, a.bn.weight, a.bn.bias, a.bn.running_mean, a.bn.running_var) {epsilon=0.00001}",
      "Relu_output = Relu(a.bn.BatchNormalization_output)",
      "MaxPool_output = MaxPool(Relu_output) {kernel_shape=[2,2] strides=[2,2] pads=[0,0,0,0]}",
      "Reshape_output = Reshape(MaxPool_output, constant_0)",
      "fc.Gemm_output = Gemm(Reshape_output, fc.weight, fc.bias) {transB=1}",
      "ln.LayerNormalization_output = LayerNormalization(fc.Gemm_output, ln.weight, ln.bias) {axis=-1 epsilon=0.00001}",
      "Softmax_output = Softmax(ln.LayerNormalization_output) {axis=1}",
      "y = Identity(Softmax_output)",
    ]
  `);
  expect(model.graph.initializers.map((i) => i.name)).toMatchInlineSnapshot(`
    [
      "a.conv.weight",
      "a.bn.running_mean",
      "a.bn.running_var",
      "a.bn.weight",
      "a.bn.bias",
      "fc.weight",
      "fc.bias",
      "ln.weight",
      "ln.bias",
      "constant_0",
    ]
  `);
});

test("unpooling is MaxUnpool; where windows overlap, one for each set of windows that do not", () => {
  const count = (text: string) =>
    listing(exported(`model M(x: f32[1, 2, 8, 8]) -> y {\n${text}\n}`)).filter((l) => l.includes("= MaxUnpool(")).length;
  expect(count("v, at = max_pool(x, 2, return_indices=true)\ny = max_unpool(v, at, 2)")).toBe(1);
  expect(count("y = grad(sum(max_pool(x, 3, stride=3) ** 2), x)")).toBe(1);
  expect(count("y = grad(sum(max_pool(x, 3, stride=2) ** 2), x)")).toBe(4);
  expect(count("y = grad(sum(max_pool(x, (1, 3), stride=(2, 1)) ** 2), x)")).toBe(3);
});

test("operators, broadcasting and slices outside of layers", () => {
  const model = exported("model M(x: f32[2, 6], k: i32[2]) -> y, z { y = (x[:, 1:5:2] + 1) ** 2 @ transpose(x[:, :2])\nz = k // 3 }");
  expect(listing(model)).toMatchInlineSnapshot(`
    [
      "Slice_output = Slice(x, constant_0, constant_1, constant_0, constant_2)",
      "Add_output = Add(Slice_output, constant_3)",
      "Mul_output = Mul(Add_output, Add_output)",
      "Slice_1_output = Slice(x, constant_4, constant_2, constant_0, constant_0)",
      "Transpose_output = Transpose(Slice_1_output) {perm=[1,0]}",
      "MatMul_output = MatMul(Mul_output, Transpose_output)",
      "Mod_output = Mod(k, constant_5)",
      "Sub_output = Sub(k, Mod_output)",
      "Div_output = Div(Sub_output, constant_5)",
      "y = Identity(MatMul_output)",
      "z = Identity(Div_output)",
    ]
  `);
});

test("bools are chosen by logic, the second operand's NaN is not taken, integers saturate at their last one", () => {
  const one = (signature: string, expression: string) =>
    listing(exported(`model M(${signature}) -> y { y = ${expression} }`)).map((l) => /= (\w+)\(/.exec(l)![1]);
  expect(one("c: bool[2], a: bool[2], b: bool[2]", "where(c, a, b)")).toEqual(["And", "Not", "And", "Or", "Identity"]);
  expect(one("a: f32[2], b: f32[2]", "maximum(a, b)")).toEqual(["Less", "Where", "Identity"]);
  expect(one("a: f32[2]", "minimum(a, 3)")).toEqual(["Min", "Identity"]);
  const cast = exported("model M(x: f32[2]) -> y { y = cast(x, i32) }");
  const most = cast.graph.initializers.find((t) => t.dtype === "int32")!.data;
  expect(most.kind === "bytes" && new Int32Array(Uint8Array.from(most.bytes).buffer)[0]).toBe(2 ** 31 - 1);
});

test("the largest along an axis are TopK", () => {
  const model = exported("model M(x: f32[3, 7]) -> v, i { v, i = top_k(x, 3) }");
  expect(listing(model).slice(0, 2)).toEqual([
    "TopK_output_0, TopK_output_1 = TopK(x, constant_0) {axis=-1 largest=1 sorted=1}",
    "Cast_output = Cast(TopK_output_1) {to=6}",
  ]);
});

test("an output that is an input, and two that are equal, have names of their own", () => {
  const model = exported("model M(x: f32[2]) -> a, b, c { a = x\nb = exp(x)\nc = b }");
  expect(listing(model)).toEqual(["Exp_output = Exp(x)", "a = Identity(x)", "b = Identity(Exp_output)", "c = Identity(Exp_output)"]);
});

test("names of the model are not taken by what is emitted", () => {
  const model = exported("model M(Relu_output: f32[2]) -> Relu { Relu = relu(relu(Relu_output)) }");
  const names = [...model.graph.inputs, ...model.graph.nodes.flatMap((n) => n.outputs.map((name) => ({ name })))].map((v) => v.name);
  expect(new Set(names).size).toBe(names.length);
});

test("random numbers are refused, at their place", () => {
  const text = "model M(x: f32[2]) -> y {\n  y = x + random_normal([2])\n}";
  expect(() => exported(text)).toThrow(/error\[export\]: random numbers cannot be exported.*2:11/s);
});

test("the file is read back as it was", () => {
  const model = exported("model M(x: f32[1, 4]) -> y { y = x |> fc: Linear(2) |> gelu }");
  const again = readOnnx(writeOnnx(model), "m.onnx");
  expect(again.graph.nodes).toEqual(model.graph.nodes);
  expect(again.graph.inputs).toEqual(model.graph.inputs);
});
