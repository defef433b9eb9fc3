/** Dimensions that stay open: the file for all sizes computes what the file for each size does. */
import { expect, test } from "vitest";
import type { OnnxModel } from "../../../../compiler/formats/onnx/model.ts";
import type { Application } from "../../../../compiler/frontend/elaborate/session.ts";
import { elaborate } from "../../../../compiler/frontend/elaborate.ts";
import { modelOf } from "../../../../compiler/onnx/export/draft.ts";
import { draftOf } from "../../../../compiler/onnx/export/export.ts";
import { openDraft } from "../../../../compiler/onnx/export/open-dimensions.ts";
import { differentiate } from "../../../../compiler/passes/differentiate.ts";
import type { Dims } from "../../../../ir/program.ts";
import { sizeOf } from "../../../../ir/type.ts";
import { request } from "../../frontend/elaborating.ts";
import { listing } from "./support.ts";

function exportOpen(text: string, sizes: Dims) {
  const shapes = new Map<string, number>();
  const result = openDraft((at) => {
    const applications: Application[] = [];
    const module = elaborate({ ...request(text), dims: at, onApplication: (a) => applications.push(a) });
    for (const v of module.variables) shapes.set(v.name, sizeOf(v.type.shape));
    return draftOf({ name: module.name, doc: null, graph: differentiate.run(module.forward), applications });
  }, sizes);
  return { ...result, model: modelOf(result.draft, (name) => new Uint8Array(4 * shapes.get(name)!)) };
}
const shapesOf = ({ graph }: OnnxModel) =>
  [...graph.inputs, ...graph.outputs].map(({ name, type }) => `${name} [${type?.kind === "tensor" ? type.shape : "?"}]`);

test("an extent that is a size, a part of a shape that remains, and numbers computed from sizes", () => {
  const { open, fixed, model } = exportOpen(
    `model M(x: f32[N, T, 6]) -> y, z {
      y = x |> fc: Linear(4) |> reshape([N * T, 2, 2])
      z = zeros([N, 2 * T]) + reshape(cast(arange(T), f32), [1, T])[:, :1]
    }`,
    { N: 1, T: 4 },
  );
  expect([open, fixed]).toEqual([["N", "T"], []]);
  expect(shapesOf(model)).toEqual(["x [N,T,6]", "y [,2,2]", "z [N,]"]);
  expect(listing(model)).toMatchInlineSnapshot(`
    [
      "N.Shape_output = Shape(x) {start=0 end=1}",
      "T.Shape_output = Shape(x) {start=1 end=2}",
      "Mul_output = Mul(T.Shape_output, constant_4)",
      "Concat_output = Concat(N.Shape_output, Mul_output) {axis=0}",
      "Squeeze_output = Squeeze(T.Shape_output)",
      "Range_output = Range(constant_5, Squeeze_output, constant_6)",
      "Cast_1_output = Cast(Range_output) {to=6}",
      "fc.Transpose_output = Transpose(fc.weight) {perm=[1,0]}",
      "fc.MatMul_output = MatMul(x, fc.Transpose_output)",
      "fc.Add_output = Add(fc.MatMul_output, fc.bias)",
      "Reshape_output = Reshape(fc.Add_output, constant_3)",
      "Expand_output = Expand(constant_0, Concat_output)",
      "Cast_output = Cast(Cast_1_output) {to=1}",
      "Reshape_1_output = Reshape(Cast_output, constant_7)",
      "Slice_output = Slice(Reshape_1_output, constant_1, constant_2, constant_2, constant_2)",
      "Add_output = Add(Expand_output, Slice_output)",
      "y = Identity(Reshape_output)",
      "z = Identity(Add_output)",
    ]
  `);
});

test("what depends on a size is told, and the size stays", () => {
  const flat = exportOpen("model M(x: f32[N, 1, H, 4]) -> y { y = x |> flatten |> fc: Linear(3) }", { N: 1, H: 4 });
  expect(flat.open).toEqual(["N"]);
  expect(flat.fixed).toEqual([{ name: "H", size: 4, reason: "the shape of `fc.weight` depends on it" }]);
  expect(shapesOf(flat.model)).toEqual(["x [N,1,4,4]", "y [N,3]"]);
  const even = exportOpen('model M(x: f32[N, D]) -> y { assert D % 2 == 0, "an even width"\ny = x }', { N: 1, D: 4 });
  expect(even.fixed).toEqual([{ name: "D", size: 4, reason: "other sizes are refused: an even width" }]);
});

test("a window that rounding hides at near sizes is no open dimension", () => {
  const { open } = exportOpen("model M(x: f32[N, 1, H, 227]) -> y { y = x |> max_pool(32) |> flatten |> fc: Linear(3) }", { N: 1, H: 227 });
  expect(open).toEqual(["N"]);
});

test("a graph that is another one for a single example keeps its size", () => {
  const { open } = exportOpen("model M(x: f32[N, 3]) -> y { y = if N == 1 { x } else { exp(x) } }", { N: 1 });
  expect(open).toEqual([]);
});
