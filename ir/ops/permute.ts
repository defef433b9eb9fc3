/** Axes in another order: axis i of the result is axis axes[i] of x, as in NumPy's transpose. */
import { ints, op, shapeError } from "../op.ts";
import { printType, tensor } from "../type.ts";

/** Axes in another order: axis i of the result is axis axes[i] of x, as in NumPy's transpose. */
export const permute = op({ name: "permute", inputs: ["x"], attrs: { axes: ints() }, kind: "view", access: "permuted" }).rules({
  infer: ({ x }, { axes }) => {
    const expected = x.shape.map((_, a) => a);
    if ([...axes].sort((p, q) => p - q).join() !== expected.join()) {
      shapeError(`permute expects each axis of ${printType(x)} once (${expected.join(", ")} in some order), got [${axes.join(", ")}]`);
    }
    return tensor(
      x.dtype,
      axes.map((a) => x.shape[a]!),
    );
  },
  grad: (_, { axes }, _y, dy) => ({ x: permute({ x: dy }, { axes: inverse(axes) }) }),
  lower: ({ x }, { axes }) => {
    const from = inverse(axes);
    return (...i) => x(...from.map((a) => i[a]!));
  },
});
const inverse = (axes: readonly number[]) => axes.map((_, a) => axes.indexOf(a));
