/** Softmax and its logarithm along an axis; the largest element is subtracted first, so that nothing overflows. */
import type { Node } from "../graph/graph.ts";
import { int, op } from "../op.ts";
import type { TensorType } from "../type.ts";
import { div, mul, sub } from "./binary.ts";
import { expectAxis, expectDType, plain } from "./expect.ts";
import { reduceMax, reduceSum } from "./reduce.ts";
import { exp, log, stopGradient } from "./unary.ts";

const infer = (name: string, x: TensorType, axis: number): TensorType => {
  expectDType(name, "x", x, ["f32"]);
  expectAxis(name, x, axis);
  return plain(x);
};
const sumAlong = (x: Node, axis: number): Node => reduceSum({ x }, { axes: [axis], keepdims: true });
const shifted = (x: Node, axis: number): Node => {
  const largest = reduceMax({ x }, { axes: [axis], keepdims: true });
  return sub({ a: x, b: stopGradient({ x: largest }) });
};

/** exp(x) over its sum along `axis`, in the shape of x; the largest element is subtracted first, so that nothing overflows. */
export const softmax = op({ name: "softmax", inputs: ["x"], attrs: { axis: int() }, kind: "composite" }).rules({
  infer: ({ x }, { axis }) => infer("softmax", x, axis),
  grad: (_, { axis }, y, dy) => ({ x: mul({ a: y, b: sub({ a: dy, b: sumAlong(mul({ a: dy, b: y }), axis) }) }) }),
  decompose: ({ x }, { axis }) => {
    const e = exp({ x: shifted(x, axis) });
    return div({ a: e, b: sumAlong(e, axis) });
  },
});

/** The logarithm of softmax along `axis`, in the shape of x. */
export const logSoftmax = op({ name: "log_softmax", inputs: ["x"], attrs: { axis: int() }, kind: "composite" }).rules({
  infer: ({ x }, { axis }) => infer("log_softmax", x, axis),
  grad: (_, { axis }, y, dy) => ({ x: sub({ a: dy, b: mul({ a: exp({ x: y }), b: sumAlong(dy, axis) }) }) }),
  decompose: ({ x }, { axis }) => {
    const s = shifted(x, axis);
    return sub({ a: s, b: log({ x: sumAlong(exp({ x: s }), axis) }) });
  },
});
