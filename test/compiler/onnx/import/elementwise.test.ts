/** Operators on single elements, by their formulas. */
import { describe, expect, test } from "vitest";
import { expectClose } from "../../passes/numeric.ts";
import { bodyOf, bools, floats, importCase, ints, noise, op, problemsOf, result, run, type Tensor } from "./support.ts";

const x = floats([2, 4], [-3.5, -1, -0.25, 0, 0.25, 0.9, 2, 7.5]);
const inside = floats([5], [-0.9, -0.5, 0, 0.3, 0.8]);
const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
const elu = (v: number, alpha = 1) => (v > 0 ? v : alpha * Math.expm1(v));

type Row = readonly [opType: string, f: (v: number) => number, attributes?: Readonly<Record<string, { float: number }>>, operand?: Tensor];
const unary: readonly Row[] = [
  ["Relu", (v) => Math.max(v, 0)],
  ["Neg", (v) => -v],
  ["Reciprocal", (v) => 1 / v, {}, floats([3], [-2, 0.5, 4])],
  ["Tan", Math.tan],
  ["Sinh", Math.sinh],
  ["Cosh", Math.cosh],
  ["Asinh", Math.asinh],
  ["Acosh", Math.acosh, {}, floats([3], [1, 1.5, 9])],
  ["Atanh", Math.atanh, {}, inside],
  ["Mish", (v) => v * Math.tanh(Math.log1p(Math.exp(v)))],
  ["LeakyRelu", (v) => (v > 0 ? v : 0.3 * v), { alpha: { float: 0.3 } }],
  ["Elu", (v) => elu(v, 2), { alpha: { float: 2 } }],
  ["Celu", (v) => 2 * elu(v / 2), { alpha: { float: 2 } }],
  ["Selu", (v) => 3 * elu(v, 0.5), { alpha: { float: 0.5 }, gamma: { float: 3 } }],
  ["ThresholdedRelu", (v) => (v > 0.5 ? v : 0), { alpha: { float: 0.5 } }],
  ["HardSigmoid", (v) => Math.min(1, Math.max(0, 0.2 * v + 0.5))],
  ["HardSigmoid", (v) => Math.min(1, Math.max(0, v / 6 + 0.5)), { alpha: { float: 1 / 6 } }],
  ["HardSwish", (v) => v * Math.min(1, Math.max(0, v / 6 + 0.5))],
  ["Shrink", (v) => (v < -0.8 ? v + 0.1 : v > 0.8 ? v - 0.1 : 0), { lambd: { float: 0.8 }, bias: { float: 0.1 } }],
  ["Softsign", (v) => v / (1 + Math.abs(v))],
  ["Round", (v) => (Math.abs(v % 1) === 0.5 ? 2 * Math.round(v / 2) : Math.round(v))],
  ["Swish", (v) => v * sigmoid(1.5 * v), { alpha: { float: 1.5 } }],
];
describe("one operand", () => {
  for (const [opType, f, attributes = {}, operand = x] of unary) {
    test([opType, ...Object.keys(attributes)].join(" "), () =>
      expectClose(result(opType, { x: operand }, attributes, { opset: 24 }).data, operand.data.map(f), 1e-6, opType),
    );
  }
  test("IsNaN and IsInf tell infinities and NaN from numbers", () => {
    const odd = floats([4], [Number.NaN, Infinity, -Infinity, 1]);
    expect(result("IsNaN", { x: odd }).data).toEqual([1, 0, 0, 0]);
    expect(result("IsInf", { x: odd }).data).toEqual([0, 1, 1, 0]);
    expect(result("IsInf", { x: odd }, { detect_negative: 0 }).data).toEqual([0, 1, 0, 0]);
  });
});

describe("two operands", () => {
  const a = noise([2, 3]);
  const row = noise([3], 2);
  test("they broadcast", () =>
    expectClose(
      result("Sub", { a, row }).data,
      a.data.map((v, i) => v - row.data[i % 3]!),
      1e-7,
      "Sub",
    ));
  test("before version 7 the second one says where it begins", () => {
    const b = noise([2], 3);
    const y = result("Mul", { a, b }, { broadcast: 1, axis: 0 }, { opset: 6 });
    expectClose(
      y.data,
      a.data.map((v, i) => v * b.data[Math.floor(i / 3)]!),
      1e-7,
      "Mul",
    );
  });
  test("integers divide towards zero", () => {
    const [p, q] = [ints([4], [7, -7, 7, -7]), ints([4], [2, 2, -2, -2])];
    expect(result("Div", { p, q }).data).toEqual([3, -3, -3, 3]);
    expect(result("Div", { p, q: ints([], [2]) }, {}, { constants: ["q"] }).data).toEqual([3, -3, 3, -3]);
  });
  test("the remainder has the sign of the divisor, or with fmod of the dividend", () => {
    const [p, q] = [ints([4], [7, -7, 7, -7]), ints([4], [3, 3, -3, -3])];
    expect(result("Mod", { p, q }).data).toEqual([1, 2, -2, -1]);
    expect(result("Mod", { p, q }, { fmod: 1 }).data).toEqual([1, -1, 1, -1]);
  });
  test("bytes are computed with as integers and wrap", () => {
    const bytes = (...data: number[]): Tensor => ({ dtype: "uint8", dims: [data.length], data });
    expect(result("Add", { a: bytes(250, 3), b: bytes(10, 4) }).data).toEqual([4, 7]);
  });
  test("a power of another type is of the base's", () => {
    expect(result("Pow", { a: ints([3], [2, 3, -4]), b: floats([], [3]) }, {}, { constants: ["b"] }).data).toEqual([8, 27, -64]);
    expectClose(result("Pow", { a: floats([2], [2, 9]), b: floats([2], [-2, 0.5]) }).data, [0.25, 3], 1e-6, "Pow");
  });
  test("bools compare", () =>
    expect(result("Xor", { a: bools([4], [0, 0, 1, 1]), b: bools([4], [0, 1, 0, 1]) }).data).toEqual([0, 1, 1, 0]));
  test("shapes that do not broadcast are told", () => {
    const [problem] = problemsOf({ nodes: [op("Add", ["a", "b"], ["y"])], inputs: { a: noise([2, 3]), b: noise([4]) } });
    expect(problem!.reason).toContain("[2, 3] and [4] do not broadcast");
  });
});

describe("several operands", () => {
  const [a, b, c] = [noise([3]), noise([2, 1], 2), noise([1], 3)];
  const each = (f: (p: number, q: number, r: number) => number) => [0, 1].flatMap((i) => a.data.map((p) => f(p, b.data[i]!, c.data[0]!)));
  test("Max", () => expectClose(result("Max", { a, b, c }).data, each(Math.max), 1e-7, "Max"));
  test("Mean", () =>
    expectClose(
      result("Mean", { a, b, c }).data,
      each((p, q, r) => (p + q + r) / 3),
      1e-6,
      "Mean",
    ));
  test("Where", () => {
    const cond = bools([3], [1, 0, 1]);
    expect(result("Where", { cond, a: floats([], [2]), b: floats([], [5]) }, {}, { constants: ["a", "b"] }).data).toEqual([2, 5, 2]);
  });
});

describe("Clip", () => {
  const clamped = (low: number, high: number) => x.data.map((v) => Math.min(high, Math.max(low, v)));
  test("its bounds are attributes before version 11", () =>
    expect(result("Clip", { x }, { min: { float: -1 }, max: { float: 2 } }, { opset: 6 }).data).toEqual(clamped(-1, 2)));
  test("a bound may be left out", () =>
    expect(result("Clip", { x, _: floats([], []), high: floats([], [1]) }, {}, { constants: ["_", "high"] }).data).toEqual(
      clamped(-Infinity, 1),
    ));
  test("bounds may be computed; crossed ones give the upper", () =>
    expect(result("Clip", { x, low: floats([], [3]), high: floats([], [1]) }).data).toEqual(x.data.map(() => 1)));
  test("0 to 6 is relu6", () =>
    expect(bodyOf({ nodes: [op("Clip", ["x"], ["y"], { min: { float: 0 }, max: { float: 6 } })], inputs: { x }, opset: 10 })).toEqual([
      "y = relu6(x)",
    ]));
});

describe("Dropout", () => {
  test("does nothing when predicting", () => expect(result("Dropout", { x }, { ratio: 0.4 }, { opset: 10 }).data).toEqual(x.data));
  test("its mask is true", () => {
    const y = run({ nodes: [op("Dropout", ["x"], ["y", "mask"])], inputs: { x }, outputs: ["y", "mask"] });
    expect(y.mask!.data).toEqual(x.data.map(() => 1));
  });
  test("that trains is one of the language, which drops nothing in prediction", () => {
    const c = { nodes: [op("Dropout", ["x", "r", "t"], ["y"])], inputs: { x }, weights: { r: floats([], [0.25]), t: bools([], [1]) } };
    expect(bodyOf(c)).toEqual(["y = dropout(x, 0.25)"]);
    expect(importCase(c).warnings).toEqual([expect.stringContaining("exported for training")]);
    expect(bodyOf({ nodes: [op("Dropout", ["x"], ["y"], { is_test: 1 })], inputs: { x }, opset: 6 })).toEqual(["y = x"]);
  });
});

describe("narrow integers wrap", () => {
  const bytes = (data: readonly number[]) => ({ dtype: "int8", dims: [data.length], data }) as const;
  test("where they are converted", () => {
    const cast = (to: number, data: readonly number[]) => result("Cast", { x: { dtype: "int32", dims: [data.length], data } }, { to }).data;
    expect(cast(3, [300, -129, 5])).toEqual([44, 127, 5]);
    expect(cast(4, [-1, 70000])).toEqual([65535, 4464]);
    expect(cast(5, [40000])).toEqual([-25536]);
    expect(result("Cast", { x: { dtype: "uint8", dims: [1], data: [255] } }, { to: 3 }).data).toEqual([-1]);
  });
  test("where they are computed, also while importing", () => {
    const sum = { a: bytes([100, -100]), b: bytes([100, -100]) };
    expect(result("Add", sum).data).toEqual([-56, 56]);
    expect(result("Add", sum, {}, { constants: ["a", "b"] }).data).toEqual([-56, 56]);
    expect(result("Neg", { a: bytes([-128, 1]) }).data).toEqual([-128, -1]);
  });
  test("what fits is left alone", () => {
    const nodes = [op("Cast", ["x"], ["y"], { to: 5 })];
    expect(bodyOf({ nodes, inputs: { x: bytes([1]) } })).toEqual(["y = x"]);
  });
});

describe("powers of integers", () => {
  const whole = (data: readonly number[]) => ({ dtype: "int32", dims: [data.length], data }) as const;
  const power = (exponent: number) => result("Pow", { a: whole([3, -2]), b: whole([exponent]) }, {}, { constants: ["b"] }).data;
  test("are products", () => {
    expect(power(17)).toEqual([129140163, -131072]);
    expect(power(19)).toEqual([1162261467, -524288]);
  });
  test("of constants are cut off", () => {
    const c = { a: whole([3, 7, 4]), b: floats([], [0.5]) };
    expect(result("Pow", c, {}, { constants: ["a", "b"] }).data).toEqual([1, 2, 2]);
  });
  test("others are refused", () =>
    expect(problemsOf({ nodes: [op("Pow", ["a", "b"], ["y"])], inputs: { a: whole([3]), b: whole([2]) } })[0]!.reason).toContain("powe"));
});

test("NaN wins in Max and Min, wherever it stands", () => {
  const [a, b] = [floats([3], [Number.NaN, 1, 2]), floats([3], [1, Number.NaN, 3])];
  for (const constants of [[], ["a"], ["b"], ["a", "b"]]) {
    expect(result("Max", { a, b }, {}, { constants }).data).toEqual([Number.NaN, Number.NaN, 3]);
    expect(result("Min", { a, b }, {}, { constants }).data).toEqual([Number.NaN, Number.NaN, 2]);
  }
});
test("the rest of a division by infinity is the dividend", () => {
  const operands = { a: floats([3], [5, -5, 5]), b: floats([3], [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3]) };
  expect(result("Mod", operands, { fmod: 1 }).data).toEqual([5, -5, 2]);
});
