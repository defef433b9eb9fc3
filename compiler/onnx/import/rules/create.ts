/** Operators that make tensors from nothing, or from constants. */
import { sizeOf } from "../../../../ir/type.ts";
import { binary, call, float, int, ints, type Term, value } from "../../../decompile/sketch.ts";
import type { OnnxElementType } from "../../../formats/onnx/element-type.ts";
import { axisIn, type Context, emit, intsOperand, knownOperand, type Operators, operand, operator, type Rule } from "../context.ts";
import { converted, live, numberTerm, permuted, range, tensorTerm } from "../terms.ts";
import { heldInteger, type Known, known, knownInts, misfit, typeNumbered, unsupported } from "../values.ts";

const constant: Rule = (c) => {
  const tensor = c.attributes.tensor("value");
  if (tensor) return c.constant(tensor);
  const single = (element: OnnxElementType, v: number) => known(element, [], [v]);
  if (c.attributes.has("value_float")) return single("float", c.attributes.float("value_float", 0));
  if (c.attributes.has("value_int")) return single("int64", c.attributes.int("value_int", 0));
  const floats = c.attributes.floats("value_floats");
  if (floats) return known("float", [floats.length], floats);
  const ints = c.attributes.ints("value_ints");
  return ints ? knownInts(ints) : unsupported("its value is not a table of numbers");
};

/** Largest tables that are kept as such; larger ones are calls that make them. */
const largestTable = 2 ** 20;
const constantOfShape: Rule = (c) => {
  const shape = intsOperand(c, 0, "its shape") ?? [];
  const given = c.attributes.tensor("value");
  const fill = given ? c.constant(given) : known("float", [1], [0]);
  const size = sizeOf(shape);
  if (shape.some((d) => d < 0)) return misfit(`its shape is [${shape.join(", ")}]`);
  if (size <= largestTable)
    return known(fill.element, shape, (fill.dtype === "f32" ? new Float32Array(size) : new Float64Array(size)).fill(fill.data[0]!));
  const value = numberTerm(fill.data[0]!, fill.dtype) ?? unsupported(`it makes ${size} elements that are no numbers`);
  return emit(c, call("full", [ints(shape), value], fill.dtype === "u8" ? { dtype: { kind: "word", text: "u8" } } : {}));
};

const rangeOf: Rule = (c) => {
  const [start, limit, delta] = [0, 1, 2].map((i) => knownOperand(c, i, "its bounds") ?? misfit("a bound is missing")) as [
    Known,
    Known,
    Known,
  ];
  const [from, to, by] = [start.data[0]!, limit.data[0]!, delta.data[0]!];
  const count = Math.max(0, Math.ceil((to - from) / by));
  if (count <= largestTable) {
    const held = (v: number) => (start.dtype === "f32" ? v : heldInteger(v, start.element));
    return known(
      start.element,
      [count],
      range(count).map((i) => held(from + i * by)),
    );
  }
  const ends = [from, to, by].map((v) => numberTerm(v, start.dtype) ?? misfit("a bound is no number"));
  return Number.isSafeInteger(count) ? emit(c, call("arange", ends)) : misfit(`it makes ${count} elements`);
};

const eyeLike: Rule = (c) => {
  const x = operand(c, 0);
  const [rows, columns] = x.shape as [number, number];
  const k = c.attributes.int("k", 0);
  const element = c.attributes.has("dtype") ? typeNumbered(c.attributes.int("dtype", 1)) : x.element;
  if (rows * columns <= largestTable) {
    return known(
      element,
      x.shape,
      range(rows * columns).map((i) => (Math.floor(i / columns) + k === i % columns ? 1 : 0)),
    );
  }
  const row: Term = call("reshape", [call("arange", [int(rows)]), ints([rows, 1])]);
  const diagonal = emit(c, binary("==", call("arange", [int(columns)]), k === 0 ? row : binary("+", row, int(k))));
  return converted(c, diagonal, element);
};

/** Ids may count from the end; one outside of the table gives "off" everywhere. */
const oneHot: Rule = (c) => {
  const given = operand(c, 0);
  const depth = knownOperand(c, 1, "its depth")?.data[0] ?? misfit("its depth is missing");
  const values = knownOperand(c, 2, "its values") ?? misfit("its values are missing");
  const ids = live(c, given.dtype === "i32" ? given : converted(c, given, "int64"));
  const rank = ids.shape.length;
  const axis = axisIn(c.attributes.int("axis", -1), rank + 1);
  const forward = call("where", [binary("<", value(ids.name), int(0)), binary("+", value(ids.name), int(depth)), value(ids.name)]);
  const hot = emit(c, call("one_hot", [forward, int(depth)]));
  const order = range(rank + 1).map((a) => (a < axis ? a : a === axis ? rank : a - 1));
  const placed = permuted(c, hot, order);
  const [off, on] = [values.data[0]!, values.data[1]!];
  if (off === 0 && on === 1) return converted(c, placed, values.element);
  const choice = [on, off].map((v) => numberTerm(v, values.dtype) ?? unsupported("its values are no numbers"));
  return emit(c, call("where", [binary(">", tensorTerm(c, placed), float(0.5)), ...choice]));
};

/** Where known elements are not 0, one column each. */
const nonZero: Rule = (c) => {
  const x = knownOperand(c, 0, "the places of its result") ?? misfit("its operand is missing");
  const places = Array.from(x.data, (v, i) => (v === 0 ? -1 : i)).filter((i) => i >= 0);
  const rows = x.shape.map((d, a) => places.map((i) => Math.floor(i / sizeOf(x.shape.slice(a + 1))) % d));
  return known("int64", [x.shape.length, places.length], rows.flat());
};

const random =
  (like: boolean, make: (shape: Term, c: Context) => Term): Rule =>
  (c) => {
    if (c.attributes.int("dtype", 1) !== 1) return unsupported("its numbers are not of the type float");
    return emit(c, make(ints(like ? operand(c, 0).shape : (c.attributes.ints("shape") ?? [])), c));
  };
const uniform = (shape: Term, { attributes }: Context): Term =>
  call("random_uniform", [shape], { low: float(attributes.float("low", 0)), high: float(attributes.float("high", 1)) });
const normal = (shape: Term, { attributes }: Context): Term =>
  call("random_normal", [shape], { std: float(attributes.float("scale", 1)), mean: float(attributes.float("mean", 0)) });
const randomly = (like: boolean, make: typeof uniform, own: readonly string[]) =>
  operator(random(like, make), ["seed", "dtype", ...(like ? [] : ["shape"]), ...own], { results: null, folds: false });

export const createOperators: Operators = {
  Constant: operator(constant, ["value", "value_float", "value_floats", "value_int", "value_ints"], { results: null }),
  ConstantOfShape: operator(constantOfShape, ["value"], { results: null }),
  Range: operator(rangeOf),
  EyeLike: operator(eyeLike, ["dtype", "k"], { results: null }),
  OneHot: operator(oneHot, ["axis"], { results: [2] }),
  NonZero: operator(nonZero, [], { results: ["int64"] }),
  RandomUniform: randomly(false, uniform, ["low", "high"]),
  RandomUniformLike: randomly(true, uniform, ["low", "high"]),
  RandomNormal: randomly(false, normal, ["mean", "scale"]),
  RandomNormalLike: randomly(true, normal, ["mean", "scale"]),
};
