import { describe, expect, test } from "vitest";
import { type Attrs, reachable } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";
import { f32, i32, type Shape, type TensorType, tensor } from "../../../ir/type.ts";
import { checkOp, complaint, value } from "./check-op.ts";
import { evaluate } from "./evaluate.ts";
import { build, element, type Tensor } from "./naive.ts";

const list = (attrs: Attrs, name: string) => attrs[name] as readonly number[];
const bytes = (...shape: number[]) => tensor("u8", shape);

checkOp(ops.reshape, {
  samples: (
    [
      [
        [2, 3, 4],
        [6, 4],
      ],
      [
        [6, 4],
        [2, 3, 4],
      ],
      [
        [2, 3, 4],
        [4, 3, 2],
      ],
      [
        [2, 1, 3],
        [2, 3, 1, 1],
      ],
      [[1, 1], []],
      [[], [1, 1, 1]],
      [[12], [3, 1, 4]],
      [
        [2, 6, 2],
        [4, 3, 2],
      ],
    ] as [Shape, Shape][]
  ).map(([from, shape]) => ({ inputs: [f32(...from)], attrs: { shape }, shape })),
  reference: ([x]) => x!.data,
});

checkOp(ops.permute, {
  samples: [
    { inputs: [f32(2, 3)], attrs: { axes: [1, 0] }, shape: [3, 2] },
    { inputs: [f32(2, 3, 4)], attrs: { axes: [2, 0, 1] }, shape: [4, 2, 3] },
    { inputs: [f32(2, 3, 4, 5)], attrs: { axes: [0, 2, 3, 1] }, shape: [2, 4, 5, 3] },
    { inputs: [i32()], attrs: { axes: [] }, shape: [], dtype: "i32" },
  ],
  reference: ([x], attrs, { shape }) => {
    const axes = list(attrs, "axes");
    return build(shape, (index) => {
      const from: number[] = [];
      axes.forEach((a, i) => {
        from[a] = index[i]!;
      });
      return element(x!, ...from);
    });
  },
});

checkOp(ops.slice, {
  samples: [
    { inputs: [f32(5)], attrs: { starts: [1], limits: [4], steps: [1] }, shape: [3] },
    { inputs: [f32(7)], attrs: { starts: [0], limits: [7], steps: [3] }, shape: [3] },
    { inputs: [f32(8, 5)], attrs: { starts: [1, 2], limits: [7, 5], steps: [2, 1] }, shape: [3, 3] },
    { inputs: [f32(3, 6)], attrs: { starts: [0, 1], limits: [3, 6], steps: [2, 4] }, shape: [2, 2] },
    { inputs: [bytes(4)], attrs: { starts: [2], limits: [4], steps: [1] }, shape: [2], dtype: "u8" },
  ],
  reference: ([x], attrs, { shape }) =>
    build(shape, (index) => element(x!, ...index.map((i, a) => list(attrs, "starts")[a]! + i * list(attrs, "steps")[a]!))),
});

const padded = (x: Tensor, attrs: Attrs, shape: Shape): number[] => {
  const filled = build(shape, () => Number(attrs.value));
  build(x.shape, (index) => {
    const at = index.reduce((sum, i, a) => sum * shape[a]! + i + list(attrs, "before")[a]!, 0);
    filled[at] = element(x, ...index);
    return 0;
  });
  return filled;
};
checkOp(ops.pad, {
  samples: [
    { inputs: [f32(3)], attrs: { before: [1], after: [2] }, shape: [6] },
    { inputs: [f32(2, 3)], attrs: { before: [0, 2], after: [1, 0], value: -1.5 }, shape: [3, 5] },
    { inputs: [f32(2, 3)], attrs: { before: [0, 0], after: [0, 0], value: 3 }, shape: [2, 3] },
    { inputs: [i32(2)], attrs: { before: [1], after: [1], value: 7 }, shape: [4], dtype: "i32" },
    { inputs: [tensor("bool", [2])], attrs: { before: [1], after: [1], value: 1 }, shape: [4], dtype: "bool" },
  ],
  reference: ([x], attrs, { shape }) => padded(x!, attrs, shape),
});

checkOp(ops.broadcast, {
  samples: [
    { inputs: [f32(3)], attrs: { shape: [2, 3] }, shape: [2, 3] },
    { inputs: [f32(2, 1, 3)], attrs: { shape: [4, 2, 5, 3] }, shape: [4, 2, 5, 3] },
    { inputs: [f32()], attrs: { shape: [2, 2] }, shape: [2, 2] },
    { inputs: [f32(1, 1)], attrs: { shape: [1, 3] }, shape: [1, 3] },
  ],
  reference: ([x], _, { shape }) =>
    build(shape, (index) => element(x!, ...x!.shape.map((d, a) => Math.min(d - 1, index[a + shape.length - x!.shape.length]!)))),
});

checkOp(ops.concat, {
  samples: [
    { inputs: [f32(2, 3), f32(1, 3)], attrs: { axis: 0 }, shape: [3, 3] },
    { inputs: [f32(2, 1, 2), f32(2, 3, 2), f32(2, 2, 2)], attrs: { axis: 1 }, shape: [2, 6, 2] },
    { inputs: [f32(2, 3)], attrs: { axis: 1 }, shape: [2, 3] },
    { inputs: [bytes(1), bytes(2)], attrs: { axis: 0 }, shape: [3], dtype: "u8" },
  ],
  reference: (xs, attrs, { shape }) => {
    const axis = Number(attrs.axis);
    return build(shape, (index) => {
      let from = index[axis]!;
      const x = xs.find((t) => {
        if (from < t.shape[axis]!) return true;
        from -= t.shape[axis]!;
        return false;
      })!;
      return element(x, ...index.map((i, a) => (a === axis ? from : i)));
    });
  },
});

const clamped = (id: number, rows: number) => Math.max(0, Math.min(rows - 1, id));
checkOp(ops.take, {
  samples: [
    { inputs: [f32(5, 2), i32(3)], shape: [3, 2], values: (n) => (n ? [4, 0, 4] : null) },
    { inputs: [f32(5), i32(2, 2)], shape: [2, 2], values: (n) => (n ? [1, -3, 9, 1] : null) },
    { inputs: [f32(4, 2, 3), i32()], shape: [2, 3], values: (n) => (n ? [2] : null) },
    { inputs: [i32(4), tensor("u8", [3])], shape: [3], dtype: "i32" },
  ],
  reference: ([x, ids], _, { shape }) =>
    build(shape, (index) => {
      const rank = ids!.shape.length;
      return element(x!, clamped(element(ids!, ...index.slice(0, rank)), x!.shape[0]!), ...index.slice(rank));
    }),
});
const many = [7, 3, 7, 50, 7, 0, 3, -2, 7, 7, 39, 7, 7];
const zipf = Array.from({ length: 70 }, (_, i) => Math.floor(100 / (1 + ((i * 37) % 70))));
/** Adds every row of dy to the row of the result that its index names. */
const collected = ([dy, ids]: readonly Tensor[], attrs: Attrs, { shape }: TensorType): number[] => {
  const rows = Number(attrs.rows);
  const out = build(shape, () => 0);
  const width = out.length / rows;
  Array.from(dy!.data).forEach((v, at) => {
    out[clamped(ids!.data[Math.floor(at / width)]!, rows) * width + (at % width)]! += v;
  });
  return out;
};
const collections = [
  { inputs: [f32(3, 2), i32(3)], attrs: { rows: 5 }, shape: [5, 2], values: (n: number) => (n ? [4, 0, 4] : null) },
  { inputs: [f32(2, 2), i32(2, 2)], attrs: { rows: 3 }, shape: [3], values: (n: number) => (n ? [1, -3, 9, 1] : null) },
  { inputs: [f32(2, 3), i32()], attrs: { rows: 2 }, shape: [2, 2, 3], values: (n: number) => (n ? [1] : null) },
  { inputs: [f32(13, 10), i32(13)], attrs: { rows: 40 }, shape: [40, 10], values: (n: number) => (n ? many : null) },
  {
    inputs: [f32(13, 2, 5), tensor("u8", [13])],
    attrs: { rows: 40 },
    shape: [40, 2, 5],
    values: (n: number) => (n ? many.map(Math.abs) : null),
  },
  { inputs: [f32(70, 16), i32(70)], attrs: { rows: 100 }, shape: [100, 16], values: (n: number) => (n ? zipf : null) },
];
checkOp(ops.collect, { samples: collections, reference: collected });
checkOp(ops.takeGrad, { samples: collections, reference: collected });
test("the gradient of a known table is taken from it the other way round", () => {
  for (const { table, rows, folds } of [
    { table: [4, 0, 4, 9, -1, 2], rows: 5, folds: 1 },
    { table: [2, 1, 0, 3], rows: 4, folds: 0 },
    { table: [0, 0, 1, 1], rows: 2, folds: 1 },
    { table: [1, 0], rows: 5, folds: 0 },
  ]) {
    const dy = value(f32(table.length, 2), "dy");
    const ids = ops.dense({}, { data: table, dtype: "i32", shape: [table.length] });
    const said = ops.takeGrad.decompose!(ops.takeGrad({ dy, ids }, { rows }));
    const data = table.flatMap((_, i) => [i + 1, i - 9]);
    const expected = collected(
      [
        { shape: dy.type.shape, data },
        { shape: [table.length], data: table },
      ],
      { rows },
      said.type,
    );
    expect([...evaluate([said], () => data)[0]!]).toEqual(expected);
    expect(reachable([said]).filter((n) => n.op.schema.kind === "fold").length).toBe(folds);
  }
});
test("a few indices into many rows are linked instead of looked for in every row", () => {
  const decomposed = (rows: number) => ops.takeGrad.decompose!(ops.takeGrad({ dy: value(f32(64, 32)), ids: value(i32(64)) }, { rows }));
  const searches = (rows: number) => reachable([decomposed(rows)]).some((n) => n.op === ops.collect);
  expect([searches(4), searches(10000)]).toEqual([true, false]);
});
checkOp(ops.gather, {
  samples: [
    { inputs: [f32(3, 4), i32(3, 2)], attrs: { axis: 1 }, shape: [3, 2], values: (n) => (n ? [3, 0, 1, 1, -5, 7] : null) },
    { inputs: [f32(3, 4, 2), i32(2, 3, 1)], attrs: { axis: 0 }, shape: [2, 3, 1], values: (n) => (n ? [2, 0, 2, 1, 0, 2] : null) },
    {
      inputs: [i32(2, 3), i32(2, 3)],
      attrs: { axis: 0 },
      shape: [2, 3],
      dtype: "i32",
      values: (n) => (n ? [1, 0, 1, 0, 0, 1] : [1, 2, 3, 4, 5, 6]),
    },
  ],
  reference: ([x, ids], { axis }, { shape }) =>
    build(shape, (index) => element(x!, ...index.with(Number(axis), clamped(element(ids!, ...index), x!.shape[Number(axis)]!)))),
});

checkOp(ops.relayout, {
  samples: [{ inputs: [f32(2, 3)], shape: [2, 3] }],
  reference: ([x]) => x!.data,
});

test("padding may be infinite", () => {
  const x = ops.dense({}, { data: [1, 2], dtype: "f32", shape: [2] });
  const y = ops.pad({ x }, { before: [1], after: [0], value: Number.NEGATIVE_INFINITY });
  expect([...evaluate([y], () => [])[0]!]).toEqual([Number.NEGATIVE_INFINITY, 1, 2]);
});

describe("complaints", () => {
  test("say what was found and what was expected", () => {
    const x = value();
    expect(complaint(() => ops.reshape({ x }, { shape: [4, 2] }))).toMatchInlineSnapshot(
      `"error[shape]: reshape: f32[2,3] has 6 elements, the shape [4, 2] has 8"`,
    );
    expect(complaint(() => ops.reshape({ x }, { shape: [-1, 6] }))).toMatchInlineSnapshot(
      `"error[shape]: reshape: every dimension must be a positive integer, got [-1, 6]"`,
    );
    expect(complaint(() => ops.permute({ x }, { axes: [0, 0] }))).toMatchInlineSnapshot(
      `"error[shape]: permute expects each axis of f32[2,3] once (0, 1 in some order), got [0, 0]"`,
    );
    expect(complaint(() => ops.slice({ x }, { starts: [0, 2], limits: [2, 9], steps: [1, 1] }))).toMatchInlineSnapshot(
      `"error[shape]: slice: 2:9 is empty or outside of axis 1 of f32[2,3]"`,
    );
    expect(complaint(() => ops.slice({ x }, { starts: [0, 0], limits: [2, 3], steps: [1, 0] }))).toMatchInlineSnapshot(
      `"error[shape]: slice: steps must be integers of at least 1, got [1, 0]"`,
    );
    expect(complaint(() => ops.pad({ x }, { before: [1], after: [1] }))).toMatchInlineSnapshot(
      `"error[shape]: pad expects 2 numbers for before, got [1]"`,
    );
    expect(complaint(() => ops.broadcast({ x }, { shape: [2, 4] }))).toMatchInlineSnapshot(
      `"error[shape]: broadcast: f32[2,3] does not broadcast to [2, 4]"`,
    );
    expect(complaint(() => ops.concat({ xs: [x, value(f32(3, 4))] }, { axis: 0 }))).toMatchInlineSnapshot(
      `"error[shape]: concat along axis 0: f32[2,3] and f32[3,4] differ in another dimension"`,
    );
    expect(complaint(() => ops.concat({ xs: [x] }, { axis: 2 }))).toMatchInlineSnapshot(
      `"error[shape]: concat: axis 2 does not exist, f32[2,3] has 0 to 1"`,
    );
    expect(complaint(() => ops.concat({ xs: [] }, { axis: 0 }))).toMatchInlineSnapshot(
      `"error[shape]: concat expects at least one tensor"`,
    );
    expect(complaint(() => ops.take({ x, ids: value(f32(2)) }))).toMatchInlineSnapshot(`
      "error[shape]: take expects ids of type i32 or u8, got f32[2]
        help: convert it: cast(ids, i32)"
    `);
  });
});
