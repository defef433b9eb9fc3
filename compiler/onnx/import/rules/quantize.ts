/** Numbers in fewer bits and back, computed with as they are meant: integers in integers, the rest in singles. */
import { binary, call, float, type Term } from "../../../decompile/sketch.ts";
import { elementTypeOf, type OnnxElementType } from "../../../formats/onnx/element-type.ts";
import { axisIn, type Context, emit, isKnown, operand, optional, type Rule } from "../context.ts";
import { cast, operandTerms, reshaped, tensorTerm } from "../terms.ts";
import { known, type Operand, unsupported } from "../values.ts";

const ranges: Readonly<Partial<Record<OnnxElementType, readonly [number, number]>>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  uint16: [0, 2 ** 16 - 1],
};

/** A scale or zero point as it meets x: one number, or one for each place of `axis`. */
function along(c: Context, v: Operand, x: Operand): Operand {
  if (c.attributes.int("block_size", 0) !== 0) return unsupported("its scales are for blocks of elements");
  const axis = c.attributes.int("axis", 1);
  if (v.shape.length === 0) return v;
  if (v.shape.length > 1) return unsupported("its scales are for blocks of elements");
  const at = v.shape[0] === 1 ? x.shape.length - 1 : axisIn(axis, x.shape.length);
  return reshaped(c, v, [v.shape[0]!, ...x.shape.slice(at + 1).map(() => 1)]);
}
const floats = (c: Context, o: Operand): Operand => {
  if (!isKnown(o)) return cast(c, o, "f32");
  return o.dtype === "f32" ? o : known("f32", o.shape, Float32Array.from(o.data), o.name, o.trained);
};
const isZero = (o: Operand | null): boolean => o === null || (isKnown(o) && Array.from(o.data).every((v) => v === 0));

/** (x - zero) * scale */
const dequantize: Rule = (c) => {
  const x = floats(c, operand(c, 0));
  const zero = optional(c, 2);
  c.attributes.int("output_dtype", 1);
  const scale = along(c, operand(c, 1), x);
  if (isZero(zero)) return scaled(c, x, scale);
  const [a, z] = operandTerms(c, [x, floats(c, along(c, zero!, x))]);
  return scaled(c, emit(c, binary("-", a!, z!)), scale);
};
function scaled(c: Context, x: Operand, scale: Operand): Operand {
  const [a, s] = operandTerms(c, [x, scale]);
  return emit(c, binary("*", a!, s!));
}

/** round(x / scale) + zero, saturated. */
const quantize: Rule = (c) => {
  const x = floats(c, operand(c, 0));
  const zero = optional(c, 2);
  const type = targetOf(c, zero);
  const [least, most] = ranges[type] ?? unsupported(`its result is of the type ${type}`);
  const [a, s] = operandTerms(c, [x, along(c, operand(c, 1), x)]);
  const rounded: Term = call("round", [binary("/", a!, s!)]);
  const moved = isZero(zero) ? rounded : binary("+", rounded, tensorOrNumber(c, floats(c, along(c, zero!, x))));
  const whole = emit(c, call("clamp", [moved, float(least), float(most)]));
  return cast(c, whole, type === "uint8" ? "u8" : "i32");
};
function targetOf(c: Context, zero: Operand | null): OnnxElementType {
  const code = c.attributes.int("output_dtype", 0);
  if (code !== 0) return elementTypeOf(code) ?? unsupported(`there is no element type ${code}`);
  if (zero === null) return "uint8";
  if (zero.dtype === "u8") return "uint8";
  return (isKnown(zero) ? zero.element : undefined) ?? unsupported("the type of its result is not known");
}
const tensorOrNumber = (c: Context, o: Operand): Term =>
  isKnown(o) && o.data.length === 1 && !c.folding ? float(o.data[0]!) : tensorTerm(c, o);

export const quantizeRules: Readonly<Record<string, Rule>> = {
  DequantizeLinear: dequantize,
  QuantizeLinear: quantize,
};
