/** Operators that make tensors from nothing, or from constants. */
import { type DType, sizeOf } from "../../../../ir/type.ts";
import { binary, call, float, int, ints, type Term, value } from "../../../decompile/sketch.ts";
import { axisIn, type Context, emit, intsOperand, knownOperand, operand, type Rule } from "../context.ts";
import { cast, live, numberTerm, permuted, tensorTerm } from "../terms.ts";
import { type Known, known, knownInts, unsupported } from "../values.ts";
import { range, typeNamed } from "./shape.ts";

const constant: Rule = (c) => {
  const tensor = c.attributes.tensor("value");
  if (tensor) return c.constant(tensor);
  const single = (dtype: DType, v: number) => known(dtype, [], [v]);
  if (c.attributes.has("value_float")) return single("f32", c.attributes.float("value_float", 0));
  if (c.attributes.has("value_int")) return single("i32", c.attributes.int("value_int", 0));
  const floats = c.attributes.floats("value_floats");
  if (floats) return known("f32", [floats.length], floats);
  const ints = c.attributes.ints("value_ints");
  return ints ? knownInts(ints) : unsupported("its value is not a table of numbers");
};

const most = 2 ** 30;
const constantOfShape: Rule = (c) => {
  const shape = intsOperand(c, 0, "its shape") ?? [];
  const given = c.attributes.tensor("value");
  const fill = given ? c.constant(given) : known("f32", [1], [0]);
  const size = sizeOf(shape);
  if (shape.some((d) => d < 0)) return unsupported(`its shape is [${shape.join(", ")}]`);
  if (size > most) return unsupported(`it makes ${size} elements`);
  const data = (fill.dtype === "f32" ? new Float32Array(size) : new Float64Array(size)).fill(fill.data[0]!);
  return known(fill.dtype, shape, data);
};

const rangeOf: Rule = (c) => {
  const [start, limit, delta] = [0, 1, 2].map((i) => knownOperand(c, i, "its bounds") ?? unsupported("a bound is missing")) as [
    Known,
    Known,
    Known,
  ];
  const [from, to, by] = [start.data[0]!, limit.data[0]!, delta.data[0]!];
  const count = Math.max(0, Math.ceil((to - from) / by));
  if (!(count <= most)) return unsupported(`it makes ${count} elements`);
  return known(
    start.dtype,
    [count],
    range(count).map((i) => from + i * by),
  );
};

const eyeLike: Rule = (c) => {
  const x = operand(c, 0);
  const [rows, columns] = x.shape as [number, number];
  const k = c.attributes.int("k", 0);
  const dtype = c.attributes.has("dtype") ? typeNamed(c.attributes.int("dtype", 1)) : x.dtype;
  return known(
    dtype,
    x.shape,
    range(rows * columns).map((i) => (Math.floor(i / columns) + k === i % columns ? 1 : 0)),
  );
};

/** Ids may count from the end; one outside of the table gives "off" everywhere. */
const oneHot: Rule = (c) => {
  const given = operand(c, 0);
  const depth = knownOperand(c, 1, "its depth")?.data[0] ?? unsupported("its depth is missing");
  const values = knownOperand(c, 2, "its values") ?? unsupported("its values are missing");
  const ids = live(c, cast(c, given, "i32"));
  const rank = ids.shape.length;
  const axis = axisIn(c.attributes.int("axis", -1), rank + 1);
  const forward = call("where", [binary("<", value(ids.name), int(0)), binary("+", value(ids.name), int(depth)), value(ids.name)]);
  const hot = emit(c, call("one_hot", [forward, int(depth)]));
  const order = range(rank + 1).map((a) => (a < axis ? a : a === axis ? rank : a - 1));
  const placed = permuted(c, hot, order);
  const [off, on] = [values.data[0]!, values.data[1]!];
  if (off === 0 && on === 1) return cast(c, placed, values.dtype);
  const choice = [on, off].map((v) => numberTerm(v, values.dtype) ?? unsupported("its values are no numbers"));
  return emit(c, call("where", [binary(">", tensorTerm(c, placed), float(0.5)), ...choice]));
};

/** Where known elements are not 0, one column each. */
const nonZero: Rule = (c) => {
  const x = knownOperand(c, 0, "the places of its result") ?? unsupported("its operand is missing");
  const places = Array.from(x.data, (v, i) => (v === 0 ? -1 : i)).filter((i) => i >= 0);
  const rows = x.shape.map((d, a) => places.map((i) => Math.floor(i / sizeOf(x.shape.slice(a + 1))) % d));
  return known("i32", [x.shape.length, places.length], rows.flat());
};

const random =
  (like: boolean, make: (shape: Term, c: Context) => Term): Rule =>
  (c) => {
    c.attributes.float("seed", 0);
    if (c.attributes.int("dtype", 1) !== 1) return unsupported("its numbers are not of the type float");
    return emit(c, make(ints(like ? operand(c, 0).shape : (c.attributes.ints("shape") ?? [])), c));
  };
const uniform = (shape: Term, { attributes }: Context): Term =>
  call("random_uniform", [shape], { low: float(attributes.float("low", 0)), high: float(attributes.float("high", 1)) });
const normal = (shape: Term, { attributes }: Context): Term =>
  call("random_normal", [shape], { std: float(attributes.float("scale", 1)), mean: float(attributes.float("mean", 0)) });

export const createRules: Readonly<Record<string, Rule>> = {
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Range: rangeOf,
  EyeLike: eyeLike,
  OneHot: oneHot,
  NonZero: nonZero,
  RandomUniform: random(false, uniform),
  RandomUniformLike: random(true, uniform),
  RandomNormal: random(false, normal),
  RandomNormalLike: random(true, normal),
};
