/** Tensors computed from their index alone. */
import * as k from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";
import { float, int, ints, op, string } from "../op.ts";
import { type DType, tensor } from "../type.ts";
import { scalarType } from "./broadcasting.ts";
import { dtypeNamed, expectAxis, expectDType, expectShape, ordered } from "./expect.ts";

/** A number as an element of a tensor: integers truncate and wrap, bool is `!= 0`. */
export function constant(value: number, dtype: DType): Expr {
  if (dtype === "bool") return k.bool(value !== 0);
  if (dtype === "f32") return k.f32(value);
  return k.i32(dtype === "u8" ? value & 255 : value | 0);
}

/** `value` everywhere, in any shape. */
export const full = op({
  name: "full",
  inputs: [],
  attrs: { value: float(), dtype: string(), shape: ints() },
  kind: "creation",
}).rules({
  infer: (_, { dtype, shape }) => tensor(dtypeNamed("full", dtype), expectShape("full", shape)),
  lower:
    (_, { value }, type) =>
    () =>
      constant(value, type.dtype),
});

/** The index along `axis`, in any shape: 0, 1, 2, ... */
export const iota = op({ name: "iota", inputs: [], attrs: { axis: int(), dtype: string(), shape: ints() }, kind: "creation" }).rules({
  infer: (_, { axis, dtype, shape }) => {
    const type = tensor(dtypeNamed("iota", dtype), expectShape("iota", shape));
    expectDType("iota", "the result", type, ordered);
    expectAxis("iota", type, axis);
    return type;
  },
  lower:
    (_, { axis }, type) =>
    (...i) =>
      type.dtype === "i32" ? i[axis]! : type.dtype === "u8" ? k.and(i[axis]!, k.i32(255)) : k.cast(scalarType(type.dtype), i[axis]!),
});
