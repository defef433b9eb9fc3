/** Parameters that exporters store once for several. */
import { expect, test } from "vitest";
import { importModel } from "../../../../compiler/onnx/import/import.ts";
import { floats, modelOf, noise, op } from "./support.ts";

const paths = (nodes: Parameters<typeof modelOf>[0]["nodes"], weights: Parameters<typeof modelOf>[0]["weights"], outputs = ["y"]) => {
  const model = modelOf({ nodes, weights: weights ?? {}, inputs: { x: noise([2, 3]) }, outputs });
  const result = importModel(model, { file: "net.onnx", name: "", dims: {}, external: null });
  if (result.kind === "problems") throw new Error(JSON.stringify(result.problems));
  const { steps, variables } = result.imported.sketch;
  const layers = steps.flatMap((s) => (s.term.kind === "call" && s.weights.size > 0 ? [s.term.label] : []));
  return { layers, variables: variables.map((v) => v.label) };
};
const identity = (from: string, to: string) => op("Identity", [from], [to]);
const norm = (x: string, name: string, y: string) =>
  op("LayerNormalization", [x, `${name}.weight`, `${name}.bias`], [y], {}, "/norm/LayerNormalization");
const ones = floats([3], [1, 1, 1]);
const zeros = floats([3], [0, 0, 0]);

test("what is one number has a name of its own each time", () => {
  const nodes = [
    identity("a.n1.weight", "b.n2.weight"),
    identity("a.n1.bias", "b.n2.bias"),
    norm("x", "a.n1", "t"),
    norm("t", "b.n2", "y"),
  ];
  expect(paths(nodes, { "a.n1.weight": ones, "a.n1.bias": zeros })).toEqual({ layers: ["a.n1", "b.n2"], variables: [] });
});
test("so has what is in the same place of another copy of a module", () => {
  const nodes = [
    identity("l.0.fc.weight", "l.1.fc.weight"),
    op("MatMul", ["x", "l.0.fc.weight"], ["t"]),
    op("MatMul", ["t", "l.1.fc.weight"], ["y"]),
  ];
  expect(paths(nodes, { "l.0.fc.weight": noise([3, 3]) })).toEqual({ layers: ["l.0.fc", "l.1.fc"], variables: [] });
});
test("other equal tables may be tied, and results stay what they are", () => {
  const tied = [
    identity("embed.weight", "head.weight"),
    op("MatMul", ["x", "embed.weight"], ["t"]),
    op("MatMul", ["t", "head.weight"], ["y"]),
  ];
  expect(paths(tied, { "embed.weight": noise([3, 3]) })).toEqual({ layers: [], variables: ["embed.weight"] });
  const result = [identity("l.0.w", "l.1.w"), op("Add", ["x", "l.0.w"], ["y"])];
  expect(paths(result, { "l.0.w": ones }, ["y", "l.1.w"]).variables).toEqual(["l.0.w"]);
});
