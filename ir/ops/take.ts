/** Rows by index. */
import * as k from "../kernel/build.ts";
import { op, shapeError } from "../op.ts";
import { printType, tensor } from "../type.ts";
import { expectDType } from "./expect.ts";
import { takeGrad } from "./take-grad.ts";

/** Rows of x [V, j...] at ids [i...], to [i..., j...]: y[i..., j...] = x[ids[i...], j...]; an index outside is moved to the nearest row. */
export const take = op({ name: "take", inputs: ["x", "ids"], kind: "view", access: "indirect" }).rules({
  infer: ({ x, ids }) => {
    if (x.shape.length === 0) shapeError(`take expects x with at least one dimension, got ${printType(x)}`);
    expectDType("take", "ids", ids, ["i32", "u8"]);
    return tensor(x.dtype, [...ids.shape, ...x.shape.slice(1)]);
  },
  grad: ({ x, ids }, _, _y, dy) => ({ x: takeGrad({ dy, ids }, { rows: x.type.shape[0]! }) }),
  positions: ({ x }) => ({ ids: x.shape[0]! }),
  lower: ({ x, ids }) => {
    const rank = ids.type.shape.length;
    return (...i) => x(k.clamp(ids(...i.slice(0, rank)), x.type.shape[0]!), ...i.slice(rank));
  },
});
