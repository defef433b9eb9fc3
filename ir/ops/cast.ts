/**
 * Conversion of the element type. Float to integer truncates and saturates, NaN gives 0; i32 to u8 keeps the low byte;
 * to bool is `!= 0`; bool gives 0 or 1.
 */
import * as k from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";
import { op, string } from "../op.ts";
import { type DType, tensor } from "../type.ts";
import { scalarType } from "./broadcasting.ts";
import { dtypeNamed } from "./expect.ts";

/** The elements as another type, in the same shape; a float becomes an integer by truncation, saturates, and NaN gives 0. */
export const cast = op({ name: "cast", inputs: ["x"], attrs: { to: string() }, kind: "elementwise" }).rules({
  infer: ({ x }, { to }) => tensor(dtypeNamed("cast", to), x.shape),
  grad: ({ x }, { to }, _y, dy) => (x.type.dtype === "f32" && to === "f32" ? { x: dy } : {}),
  lower:
    ({ x }, _, type) =>
    (...i) =>
      convert(x(...i), x.type.dtype, type.dtype),
});

function convert(x: Expr, from: DType, to: DType): Expr {
  if (from === to) return x;
  if (to !== "u8") return scalarType(from) === scalarType(to) ? x : k.cast(scalarType(to), x);
  if (from === "bool") return k.cast("i32", x);
  return from === "i32" ? k.and(x, k.i32(255)) : k.min(k.max(k.cast("i32", x), k.i32(0)), k.i32(255));
}
