/** Choice between two tensors by a third; all three broadcast. */
import * as k from "../kernel/build.ts";
import { op } from "../op.ts";
import { tensor } from "../type.ts";
import { commonShape, readBroadcast, scalar, sumTo } from "./broadcasting.ts";
import { expectDType, expectSameDType } from "./expect.ts";

/** `a` where `cond` is true, else `b`; all three shapes broadcast. */
export const where = op({ name: "where", inputs: ["cond", "a", "b"], kind: "elementwise" }).rules({
  infer: ({ cond, a, b }) => {
    expectDType("where", "cond", cond, ["bool"]);
    expectSameDType("where", "a", a, "b", b);
    return tensor(a.dtype, commonShape("where", [cond, a, b]));
  },
  grad: ({ cond, a, b }, _, _y, dy) => ({
    a: sumTo(where({ cond, a: dy, b: scalar(0) }), a.type.shape),
    b: sumTo(where({ cond, a: scalar(0), b: dy }), b.type.shape),
  }),
  lower:
    ({ cond, a, b }) =>
    (...i) =>
      k.select(readBroadcast(cond, i), readBroadcast(a, i), readBroadcast(b, i)),
});
