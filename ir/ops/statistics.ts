/** Mean and variance over axes. */
import type { Node } from "../graph/graph.ts";
import { bool, ints, op } from "../op.ts";
import { type TensorType, tensor } from "../type.ts";
import { div, mul, sub } from "./binary.ts";
import { scalar } from "./broadcasting.ts";
import { expectAxes, expectDType } from "./expect.ts";
import { countOf, reducedShape, reduceSum } from "./reduce.ts";

const infer = (name: string, x: TensorType, attrs: { readonly axes: readonly number[]; readonly keepdims: boolean }): TensorType => {
  expectDType(name, "x", x, ["f32"]);
  expectAxes(name, x, attrs.axes);
  return tensor("f32", reducedShape(x.shape, attrs));
};
const meanOver = (x: Node, axes: readonly number[], keepdims: boolean, count: number): Node =>
  div({ a: reduceSum({ x }, { axes, keepdims }), b: scalar(count) });

/** The mean over `axes`, which are gone in the result, or 1 with `keepdims`. */
export const mean = op({ name: "mean", inputs: ["x"], attrs: { axes: ints(), keepdims: bool(false) }, kind: "composite" }).rules({
  infer: ({ x }, attrs) => infer("mean", x, attrs),
  decompose: ({ x }, { axes, keepdims }) => meanOver(x, axes, keepdims, countOf(x.type, axes)),
});

/** Mean squared distance from the mean over `axes`, which are gone in the result, or 1 with `keepdims`; `unbiased` divides by n - 1. */
export const variance = op({
  name: "variance",
  inputs: ["x"],
  attrs: { axes: ints(), unbiased: bool(false), keepdims: bool(false) },
  kind: "composite",
}).rules({
  infer: ({ x }, attrs) => infer("variance", x, attrs),
  decompose: ({ x }, { axes, unbiased, keepdims }) => {
    const count = countOf(x.type, axes);
    const distance = sub({ a: x, b: meanOver(x, axes, true, count) });
    return meanOver(mul({ a: distance, b: distance }), axes, keepdims, unbiased ? count - 1 : count);
  },
});
