import { describe, expect, test } from "vitest";
import { ops } from "../../../ir/ops/index.ts";
import { f32, i32, printType, tensor } from "../../../ir/type.ts";
import { checkOp, checkText, complaint, value } from "./check-op.ts";
import { evaluateGraph } from "./evaluate.ts";

const leaves = [
  ops.input({}, { name: "x", dtype: "u8", shape: [2, 2] }),
  ops.param({}, { name: "conv1.weight", dtype: "f32", shape: [4] }),
  ops.state({}, { name: "bn1.running_mean", dtype: "f32", shape: [4] }),
  ops.slot({}, { name: "conv1.weight.momentum", dtype: "f32", shape: [4] }),
  ops.prepared({}, { name: "packed", dtype: "f32", shape: [1, 4] }),
  ops.counter({}, { name: "seed" }),
  ops.counter({}, { name: "micro_step" }),
  ops.dense({}, { data: [0.1, -0, Number.POSITIVE_INFINITY, Number.NaN], dtype: "f32", shape: [2, 2] }),
  ops.stored({}, { data: [-7], dtype: "i32", shape: [] }),
];

describe("leaves", () => {
  test("have the type they are given, and counters are i32", () => {
    expect(leaves.map((n) => printType(n.type))).toEqual([
      "u8[2,2]",
      "f32[4]",
      "f32[4]",
      "f32[4]",
      "f32[1,4]",
      "i32[]",
      "i32[]",
      "f32[2,2]",
      "i32[]",
    ]);
  });
  test("round-trip as text", () => {
    checkText({ name: "leaves", inputs: [leaves[0]!], outputs: leaves.map((value, i) => ({ name: `y${i}`, value })), updates: [] });
  });
  test("are read by name", () => {
    const [x, w] = [leaves[0]!, leaves[1]!];
    const g = { name: "g", inputs: [x], outputs: [{ name: "y", value: w }], updates: [{ target: w, value: ops.neg({ x: w }) }] };
    const { outputs, updates } = evaluateGraph(g, { "conv1.weight": [1, 2, 3, 4] });
    expect([...outputs.y!, ...updates["conv1.weight"]!]).toEqual([1, 2, 3, 4, -1, -2, -3, -4]);
  });
});

checkOp(ops.full, {
  samples: [
    { inputs: [], attrs: { value: 2.5, dtype: "f32", shape: [2, 3] }, shape: [2, 3] },
    { inputs: [], attrs: { value: -3, dtype: "i32", shape: [] }, shape: [], dtype: "i32" },
    { inputs: [], attrs: { value: 1, dtype: "bool", shape: [2] }, shape: [2], dtype: "bool" },
  ],
  reference: (_, { value }, { shape }) => Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => Number(value)),
});
checkOp(ops.iota, {
  samples: [
    { inputs: [], attrs: { axis: 0, dtype: "i32", shape: [4] }, shape: [4], dtype: "i32" },
    { inputs: [], attrs: { axis: 1, dtype: "f32", shape: [2, 3, 2] }, shape: [2, 3, 2] },
    { inputs: [], attrs: { axis: 0, dtype: "u8", shape: [300] }, shape: [300], dtype: "u8" },
  ],
  reference: (_, { axis, dtype }, { shape }) => {
    const inner = shape.slice(Number(axis) + 1).reduce((n, d) => n * d, 1);
    const size = shape.reduce((n, d) => n * d, 1);
    return Array.from({ length: size }, (_, at) => (Math.floor(at / inner) % shape[Number(axis)]!) % (dtype === "u8" ? 256 : size));
  },
});
checkOp(ops.oneHot, {
  samples: [
    { inputs: [i32(4)], attrs: { depth: 3 }, shape: [4, 3], values: () => [0, 2, 3, -1] },
    { inputs: [tensor("u8", [2, 2])], attrs: { depth: 4 }, shape: [2, 2, 4], values: () => [3, 0, 1, 9] },
  ],
  reference: ([ids], { depth }) => Array.from(ids!.data).flatMap((id) => Array.from({ length: Number(depth) }, (_, i) => Number(i === id))),
});

describe("gradient", () => {
  test("has the type of x", () => {
    expect(printType(ops.gradient({ y: value(f32()), x: value(f32(2, 3)) }).type)).toBe("f32[2,3]");
  });
});

test("complaints", () => {
  expect(complaint(() => ops.counter({}, { name: "steps" }))).toMatchInlineSnapshot(
    `"error[shape]: there is no counter "steps"; there are seed, micro_step, updates"`,
  );
  expect(complaint(() => ops.param({}, { name: "w", dtype: "f32", shape: [0] }))).toMatchInlineSnapshot(
    `"error[shape]: param: every dimension must be a positive integer, got [0]"`,
  );
  expect(complaint(() => ops.dense({}, { data: [1], dtype: "f32", shape: [2] }))).toMatchInlineSnapshot(
    `"error[shape]: dense expects 2 numbers for the shape [2], got 1"`,
  );
  expect(complaint(() => ops.iota({}, { axis: 1, dtype: "i32", shape: [2] }))).toMatchInlineSnapshot(
    `"error[shape]: iota: axis 1 does not exist, i32[2] has 0 to 0"`,
  );
  expect(complaint(() => ops.oneHot({ ids: value(f32(2)) }, { depth: 3 }))).toMatchInlineSnapshot(`
    "error[shape]: one_hot expects ids of type i32 or u8, got f32[2]
      help: convert it: cast(ids, i32)"
  `);
  expect(complaint(() => ops.gradient({ y: value(f32(2)), x: value(f32(2)) }))).toMatchInlineSnapshot(`
    "error[shape]: gradient expects a scalar y, got f32[2]
      help: reduce it first: sum(y) or mean(y)"
  `);
});
