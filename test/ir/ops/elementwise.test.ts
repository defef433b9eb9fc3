import { describe, expect, test } from "vitest";
import { ops } from "../../../ir/ops/index.ts";
import { type DType, f32, i32, type Shape, tensor } from "../../../ir/type.ts";
import { checkOp, complaint, type OpChecks, type Sample, value } from "./check-op.ts";
import { evaluate } from "./evaluate.ts";
import { elementwise, erf } from "./naive.ts";

const mask = (...shape: number[]) => tensor("bool", shape);
const bytes = (...shape: number[]) => tensor("u8", shape);

const unary = (f: (x: number) => number, more: Partial<Sample> & { types?: readonly DType[] } = {}): OpChecks => ({
  samples: (more.types ?? ["f32"]).flatMap((dtype): Sample[] => [
    { inputs: [tensor(dtype, [3, 5])], shape: [3, 5], dtype, ...(more.map && { map: more.map }) },
    { inputs: [tensor(dtype, [])], shape: [], dtype, ...(more.map && { map: more.map }) },
  ]),
  reference: ([x], _, type) => elementwise([x!], type.shape, f),
});
const positive = { map: (x: number) => Math.abs(x) + 0.1 };

checkOp(
  ops.neg,
  unary((x) => -x, { types: ["f32", "i32"] }),
);
checkOp(ops.abs, unary(Math.abs, { types: ["f32", "i32"] }));
checkOp(ops.sign, unary(Math.sign, { types: ["f32", "i32"] }));
checkOp(ops.sqrt, unary(Math.sqrt, positive));
checkOp(ops.exp, unary(Math.exp));
checkOp(ops.log, unary(Math.log, positive));
checkOp(ops.sin, unary(Math.sin));
checkOp(ops.cos, unary(Math.cos));
checkOp(ops.tanh, unary(Math.tanh));
checkOp(ops.erf, unary(erf));
checkOp(ops.floor, unary(Math.floor));
checkOp(ops.ceil, unary(Math.ceil));
checkOp(
  ops.round,
  unary((x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x))),
);
checkOp(
  ops.logicalNot,
  unary((x) => 1 - x, { types: ["bool"] }),
);
checkOp(
  ops.sigmoid,
  unary((x) => Math.exp(x) / (1 + Math.exp(x))),
);
checkOp(
  ops.relu,
  unary((x) => (x > 0 ? x : 0)),
);

const shapes: readonly (readonly [Shape, Shape, Shape])[] = [
  [
    [2, 3],
    [2, 3],
    [2, 3],
  ],
  [
    [4, 1, 3],
    [2, 1],
    [4, 2, 3],
  ],
  [[], [5], [5]],
  [[1, 1], [], [1, 1]],
];
const binary = (
  f: (a: number, b: number) => number,
  types: readonly DType[],
  more: Partial<Sample> & { result?: DType } = {},
): OpChecks => ({
  samples: types.flatMap((dtype) =>
    shapes.map(
      ([a, b, shape]): Sample => ({
        inputs: [tensor(dtype, a), tensor(dtype, b)],
        shape,
        dtype: more.result ?? dtype,
        ...(more.map && { map: more.map }),
      }),
    ),
  ),
  reference: ([a, b], _, type) => elementwise([a!, b!], type.shape, f),
});
const both: readonly DType[] = ["f32", "i32"];
const toBool = { result: "bool" } as const;

checkOp(
  ops.add,
  binary((a, b) => a + b, both),
);
checkOp(
  ops.sub,
  binary((a, b) => a - b, both),
);
checkOp(
  ops.mul,
  binary((a, b) => a * b, both),
);
checkOp(
  ops.div,
  binary((a, b) => a / b, ["f32"]),
);
checkOp(
  ops.mod,
  binary((a, b) => a - b * Math.floor(a / b), ["f32"], { map: (x) => x + 0.0137 * x * x }),
);
checkOp(ops.minimum, binary(Math.min, both));
checkOp(ops.maximum, binary(Math.max, both));
checkOp(
  ops.pow,
  binary((a, b) => a ** b, ["f32"], positive),
);
checkOp(
  ops.less,
  binary((a, b) => Number(a < b), ["f32", "i32", "u8"], toBool),
);
checkOp(
  ops.lessEqual,
  binary((a, b) => Number(a <= b), ["f32", "i32", "u8"], toBool),
);
checkOp(
  ops.equal,
  binary((a, b) => Number(a === b), ["f32", "i32", "u8", "bool"], toBool),
);
checkOp(
  ops.notEqual,
  binary((a, b) => Number(a !== b), ["f32", "i32", "u8", "bool"], toBool),
);
checkOp(
  ops.logicalAnd,
  binary((a, b) => a * b, ["bool"], toBool),
);
checkOp(ops.logicalOr, binary(Math.max, ["bool"], toBool));

checkOp(ops.where, {
  samples: [
    { inputs: [mask(2, 3), f32(2, 3), f32(2, 3)], shape: [2, 3] },
    { inputs: [mask(3), f32(2, 1), f32()], shape: [2, 3] },
    { inputs: [mask(), i32(4), i32(4)], shape: [4], dtype: "i32" },
  ],
  reference: (inputs, _, type) => elementwise(inputs, type.shape, (c, a, b) => (c ? a! : b!)),
});

checkOp(ops.cast, {
  samples: [
    { inputs: [f32(3, 4)], attrs: { to: "f32" }, shape: [3, 4] },
    { inputs: [f32(4)], attrs: { to: "i32" }, shape: [4], dtype: "i32", values: () => [-1.7, 1.7, 3e9, Number.NaN] },
    { inputs: [f32(4)], attrs: { to: "u8" }, shape: [4], dtype: "u8", values: () => [-1, 12.9, 256, 300] },
    { inputs: [i32(5)], attrs: { to: "u8" }, shape: [5], dtype: "u8", values: () => [-1, 0, 255, 256, 511] },
    { inputs: [mask(3)], attrs: { to: "f32" }, shape: [3] },
    { inputs: [bytes(6)], attrs: { to: "f32" }, shape: [6] },
    { inputs: [f32(2)], attrs: { to: "bool" }, shape: [2], dtype: "bool", values: () => [0, -0.5] },
  ],
  reference: ([x], { to }) =>
    Array.from(x!.data, (v) => {
      if (to === "f32") return v;
      if (to === "bool") return Number(v !== 0);
      if (to === "i32") return Number.isNaN(v) ? 0 : Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(v)));
      return Number.isInteger(v) && x!.data.length === 5 ? v & 255 : Math.max(0, Math.min(255, Math.trunc(v)));
    }),
});

const evaluated = (op: (typeof ops)["add"], a: readonly number[], b: readonly number[], dtype: DType): number[] => {
  const dense = (data: readonly number[]) => ops.dense({}, { data, dtype, shape: [data.length] });
  return [...evaluate([op({ a: dense(a), b: dense(b) })], () => [])[0]!];
};

describe("numbers that need care", () => {
  test("integers round down, and a divisor of 0 gives 0", () => {
    expect(evaluated(ops.div, [7, -7, 7, -7, 5], [2, 2, -2, -2, 0], "i32")).toEqual([3, -4, -4, 3, 0]);
    expect(evaluated(ops.mod, [7, -7, 7, -7, 5], [2, 2, -2, -2, 0], "i32")).toEqual([1, 1, -1, -1, 0]);
  });
  test("i32 wraps", () => {
    expect(evaluated(ops.add, [2 ** 31 - 1], [1], "i32")).toEqual([-(2 ** 31)]);
    expect(evaluated(ops.mul, [65537], [65537], "i32")).toEqual([131073]);
  });
  test("relu keeps NaN", () => {
    const x = ops.dense({}, { data: [Number.NaN, -1], dtype: "f32", shape: [2] });
    expect([...evaluate([ops.relu({ x })], () => [])[0]!]).toEqual([Number.NaN, 0]);
  });
  test("derivatives at kinks and ties", () => {
    const dy = ops.full({}, { value: 1, dtype: "f32", shape: [1] });
    const zero = ops.dense({}, { data: [0], dtype: "f32", shape: [1] });
    const at = (node: ReturnType<typeof ops.add>) => node.op.grad!(node, dy).map((g) => evaluate([g!], () => [])[0]![0]);
    expect(at(ops.relu({ x: zero }))).toEqual([0]);
    expect(at(ops.abs({ x: zero }))).toEqual([0]);
    expect(at(ops.maximum({ a: zero, b: zero }))).toEqual([0.5, 0.5]);
    expect(at(ops.minimum({ a: zero, b: zero }))).toEqual([0.5, 0.5]);
    expect(at(ops.pow({ a: zero, b: zero }))).toEqual([0, 0]);
  });
  test("stop_gradient is the same value without a gradient", () => {
    const x = ops.dense({}, { data: [1.5], dtype: "f32", shape: [1] });
    expect(evaluate([ops.stopGradient({ x })], () => [])[0]![0]).toBe(1.5);
    expect(ops.stopGradient.grad).toBeNull();
  });
});

describe("complaints", () => {
  test("say what was found and what was expected", () => {
    expect(complaint(() => ops.add({ a: value(f32(2, 3)), b: value(f32(4)) }))).toMatchInlineSnapshot(`
      "error[shape]: add: the shapes of f32[2,3] and f32[4] do not broadcast
        help: aligned at the right, two dimensions must be equal or one of them 1"
    `);
    expect(complaint(() => ops.add({ a: value(f32(2)), b: value(i32(2)) }))).toMatchInlineSnapshot(`
      "error[shape]: add expects operands of one type, got a f32[2] and b i32[2]
        help: convert one: cast(b, f32)"
    `);
    expect(complaint(() => ops.sqrt({ x: value(i32(2)) }))).toMatchInlineSnapshot(`
      "error[shape]: sqrt expects x of type f32, got i32[2]
        help: convert it: cast(x, f32)"
    `);
    expect(complaint(() => ops.where({ cond: value(f32(2)), a: value(f32(2)), b: value(f32(2)) }))).toMatchInlineSnapshot(`
      "error[shape]: where expects cond of type bool, got f32[2]
        help: convert it: cast(cond, bool)"
    `);
    expect(complaint(() => ops.cast({ x: value() }, { to: "f64" }))).toMatchInlineSnapshot(
      `"error[shape]: cast: there is no element type "f64"; there are f32, i32, u8, bool"`,
    );
  });
});
