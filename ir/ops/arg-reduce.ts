/** Position of the first largest or smallest element along an axis. */
import { bool, fold, int, op } from "../op.ts";
import { sizeOf, tensor } from "../type.ts";
import { expectAxis, expectDType, ordered } from "./expect.ts";
import { reducedShape, reduceIndex } from "./reduce.ts";

const argReduce = (name: "argmax" | "argmin") =>
  op({ name, inputs: ["x"], attrs: { axis: int(), keepdims: bool(false) }, kind: "fold" }).rules({
    infer: ({ x }, { axis, keepdims }) => {
      expectDType(name, "x", x, ordered);
      expectAxis(name, x, axis);
      return tensor("i32", reducedShape(x.shape, { axes: [axis], keepdims }));
    },
    lower:
      ({ x }, { axis, keepdims }) =>
      (...i) =>
        fold(name, [x.type.shape[axis]!], (j) => x(...reduceIndex(x.type.shape.length, { axes: [axis], keepdims }, i, [j]))),
    flops: ({ x }) => sizeOf(x.shape),
  });
/** The position of the first largest element along `axis`, i32; the shape is that of x without the axis, or with 1 in its place. */
export const argmax = argReduce("argmax");
/** The position of the first smallest element along `axis`, i32; the shape is that of x without the axis, or with 1 in its place. */
export const argmin = argReduce("argmin");
