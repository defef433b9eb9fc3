/** Numbers in fewer bits and back, computed with as they are meant: integers in integers, the rest in singles. */
import { binary, call, float, type Term } from "../../../decompile/sketch.ts";
import type { OnnxElementType } from "../../../formats/onnx/element-type.ts";
import { axisIn, type Context, emit, isKnown, type Operators, operand, operator, optional, type Rule } from "../context.ts";
import { asFloats, cast, operandTerms, reshaped, tensorTerm } from "../terms.ts";
import { narrowRange, type Operand, typeNumbered, unsupported } from "../values.ts";

/** A scale or zero point as it meets x: one number, or one for each place of `axis`. */
function along(c: Context, v: Operand, x: Operand): Operand {
  if (c.attributes.int("block_size", 0) !== 0) return unsupported("its scales are for blocks of elements");
  const axis = c.attributes.int("axis", 1);
  if (v.shape.length === 0) return v;
  if (v.shape.length > 1) return unsupported("its scales are for blocks of elements");
  const at = v.shape[0] === 1 ? x.shape.length - 1 : axisIn(axis, x.shape.length);
  return reshaped(c, v, [v.shape[0]!, ...x.shape.slice(at + 1).map(() => 1)]);
}
const isZero = (o: Operand | null): boolean => o === null || (isKnown(o) && Array.from(o.data).every((v) => v === 0));

/** (x - zero) * scale */
const dequantize: Rule = (c) => {
  const x = asFloats(c, operand(c, 0));
  const zero = optional(c, 2);
  const scale = along(c, operand(c, 1), x);
  if (isZero(zero)) return scaled(c, x, scale);
  const [a, z] = operandTerms(c, [x, asFloats(c, along(c, zero!, x))]);
  return scaled(c, emit(c, binary("-", a!, z!)), scale);
};
function scaled(c: Context, x: Operand, scale: Operand): Operand {
  const [a, s] = operandTerms(c, [x, scale]);
  return emit(c, binary("*", a!, s!));
}

/** round(x / scale) + zero, saturated. */
const quantize: Rule = (c) => {
  const x = asFloats(c, operand(c, 0));
  const zero = optional(c, 2);
  const type = targetOf(c, zero);
  const [least, most] = narrowRange(type) ?? unsupported(`its result is of the type ${type}`);
  const [a, s] = operandTerms(c, [x, along(c, operand(c, 1), x)]);
  const rounded: Term = call("round", [binary("/", a!, s!)]);
  const moved = isZero(zero) ? rounded : binary("+", rounded, tensorOrNumber(c, asFloats(c, along(c, zero!, x))));
  const whole = emit(c, call("clamp", [moved, float(least), float(most)]));
  return { ...cast(c, whole, type === "uint8" ? "u8" : "i32"), element: type };
};
function targetOf(c: Context, zero: Operand | null): OnnxElementType {
  const code = c.attributes.int("output_dtype", 0);
  return code === 0 ? (zero?.element ?? "uint8") : typeNumbered(code);
}
const tensorOrNumber = (c: Context, o: Operand): Term =>
  isKnown(o) && o.data.length === 1 && !c.folding ? float(o.data[0]!) : tensorTerm(c, o);

const attributes = ["axis", "block_size", "output_dtype", "saturate", "precision"];
export const quantizeOperators: Operators = {
  DequantizeLinear: operator(dequantize, attributes, { results: [1] }),
  QuantizeLinear: operator(quantize, attributes, { results: null }),
};
