/** NumPy's broadcast_to. */
import { ints, op, shapeError } from "../op.ts";
import { broadcastShapes, printType, sameShape, tensor } from "../type.ts";
import { readBroadcast, sumTo } from "./broadcasting.ts";
import { expectShape } from "./expect.ts";

/** x repeated along axes of extent 1 and along new leading axes, to `shape`: NumPy's broadcast_to. */
export const broadcast = op({ name: "broadcast", inputs: ["x"], attrs: { shape: ints() }, kind: "view", access: "ordered" }).rules({
  infer: ({ x }, { shape }) => {
    const common = broadcastShapes(x.shape, expectShape("broadcast", shape));
    if (!common || !sameShape(common, shape)) shapeError(`broadcast: ${printType(x)} does not broadcast to [${shape.join(", ")}]`);
    return tensor(x.dtype, shape);
  },
  grad: ({ x }, _, _y, dy) => ({ x: sumTo(dy, x.type.shape) }),
  lower:
    ({ x }) =>
    (...i) =>
      readBroadcast(x, i),
});
