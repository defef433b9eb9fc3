/** The derivative of the scalar y with respect to the node x, by identity; gone after `differentiate`. */
import { op, shapeError } from "../op.ts";
import { printType } from "../type.ts";
import { expectDType, plain } from "./expect.ts";

/** The derivative of the scalar y with respect to x, in the shape of x; `differentiate` replaces it. */
export const gradient = op({ name: "gradient", inputs: ["y", "x"], kind: "opaque" }).rules({
  infer: ({ y, x }) => {
    expectDType("gradient", "y", y, ["f32"]);
    expectDType("gradient", "x", x, ["f32"]);
    if (y.shape.length > 0) shapeError(`gradient expects a scalar y, got ${printType(y)}`, "reduce it first: sum(y) or mean(y)");
    return plain(x);
  },
});
