/** A border of `value` around x. */
import * as k from "../kernel/build.ts";
import { float, ints, op } from "../op.ts";
import { tensor } from "../type.ts";
import { constant } from "./creation.ts";
import { expectInts } from "./expect.ts";
import { slice } from "./slice.ts";

/** x with a border of `value`, `before` and `after` each axis: every extent grows by both. */
export const pad = op({
  name: "pad",
  inputs: ["x"],
  attrs: { before: ints(), after: ints(), value: float(0) },
  kind: "view",
  access: "piecewise",
  sameAxes: true,
}).rules({
  infer: ({ x }, { before, after }) => {
    expectInts("pad", "before", before, x.shape.length, 0);
    expectInts("pad", "after", after, x.shape.length, 0);
    return tensor(
      x.dtype,
      x.shape.map((d, a) => before[a]! + d + after[a]!),
    );
  },
  grad: ({ x }, { before }, _y, dy) => ({
    x: slice({ x: dy }, { starts: before, limits: x.type.shape.map((d, a) => before[a]! + d), steps: before.map(() => 1) }),
  }),
  lower: ({ x }, { before, after, value }, type) => {
    const { shape } = x.type;
    const bordered = shape.flatMap((_, a) => (before[a]! + after[a]! > 0 ? [a] : []));
    return (...i) => {
      const at = i.map((e, a) => k.add(e, k.i32(-before[a]!)));
      const element = bordered.length ? x.padded(...at) : x(...at);
      return value === 0 || !bordered.length
        ? element
        : k.select(k.allOf(bordered.map((a) => k.inside(at[a]!, 0, shape[a]!))), element, constant(value, type.dtype));
    };
  },
});
