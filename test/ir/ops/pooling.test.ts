import { describe, expect, test } from "vitest";
import type { Attrs } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";
import { f32, i32, type Shape } from "../../../ir/type.ts";
import { checkOp, complaint, value } from "./check-op.ts";
import { evaluate } from "./evaluate.ts";
import * as naive from "./naive.ts";

interface Case {
  readonly x: Shape;
  readonly y: Shape;
  readonly attrs: Attrs;
}
const cases: readonly Case[] = [
  { x: [2, 2, 4, 4], y: [2, 2, 2, 2], attrs: { kernel: [2, 2], stride: [2, 2] } },
  { x: [1, 2, 5, 6], y: [1, 2, 3, 3], attrs: { kernel: [3, 3], stride: [2, 2], padding: [1, 1, 1, 1] } },
  { x: [1, 1, 5, 5], y: [1, 1, 4, 3], attrs: { kernel: [2, 3], stride: [1, 1] } },
  { x: [1, 1, 7, 7], y: [1, 1, 3, 2], attrs: { kernel: [1, 2], stride: [3, 4] } },
  { x: [1, 1, 6, 5], y: [1, 1, 3, 3], attrs: { kernel: [3, 2], stride: [2, 2], padding: [0, 1, 1, 0] } },
  { x: [1, 2, 3, 3], y: [1, 2, 1, 1], attrs: { kernel: [3, 3], stride: [3, 3] } },
];
const volumes: readonly Case[] = [
  { x: [1, 2, 4, 2, 4], y: [1, 2, 2, 1, 2], attrs: { kernel: [2, 2, 2], stride: [2, 2, 2] } },
  { x: [2, 1, 3, 4, 5], y: [2, 1, 3, 2, 5], attrs: { kernel: [2, 3, 2], stride: [1, 2, 1], padding: [0, 1, 1, 0, 1, 0] } },
];
const how = (attrs: Attrs) => attrs as unknown as naive.Pooling;
/** Winners in valid places, some of them in several windows. */
const winners = (x: Shape, y: Shape, attrs: Attrs): number[] => {
  const full = { padding: x.slice(2).flatMap(() => [0, 0]), ...attrs };
  const data = naive.build(x, (index) => (index.reduce((sum, i, a) => sum + i * [1, 3, 7, 5, 2][a]!, 0) * 11) % 13);
  return naive.maxPoolIndex({ shape: x, data }, y, how(full));
};

/** The row-major position in each window of its first winner. */
function winnersInWindows(x: naive.Tensor, y: Shape, { kernel, stride, padding }: naive.Pooling): number[] {
  const found = naive.maxPoolIndex(x, y, { kernel, stride, padding });
  return naive.build(y, ([n, c, ...i]) => {
    const place = naive.unravel(x.shape.slice(2), found[naive.position(y, [n!, c!, ...i])]!);
    return naive.position(
      kernel,
      place.map((p, a) => p - i[a]! * stride[a]! + padding[2 * a]!),
    );
  });
}

checkOp(ops.maxPool2d, {
  samples: cases.map(({ x, y, attrs }) => ({ inputs: [f32(...x)], attrs, shape: y })),
  reference: ([x], attrs, { shape }) => naive.maxPool(x!, shape, how(attrs)),
});
checkOp(ops.maxPool2dIndex, {
  samples: cases.map(({ x, y, attrs }) => ({ inputs: [f32(...x)], attrs, shape: y, dtype: "i32" })),
  reference: ([x], attrs, { shape }) => naive.maxPoolIndex(x!, shape, how(attrs)),
});
checkOp(ops.maxPool2dWinner, {
  samples: cases.map(({ x, y, attrs }) => ({ inputs: [f32(...x)], attrs, shape: y, dtype: "i32" })),
  reference: ([x], attrs, { shape }) => winnersInWindows(x!, shape, how(attrs)),
});
checkOp(ops.maxPool2dGrad, {
  samples: cases.map(({ x, y, attrs }) => ({
    inputs: [f32(...y), i32(...y)],
    attrs: { ...attrs, shape: x },
    shape: x,
    values: (n) => (n ? winners(x, y, attrs) : null),
  })),
  reference: ([dy, index], _, { shape }) => naive.maxPoolGrad(dy!, index!, shape),
});
checkOp(ops.maxPool3d, {
  samples: volumes.map(({ x, y, attrs }) => ({ inputs: [f32(...x)], attrs, shape: y })),
  reference: ([x], attrs, { shape }) => naive.maxPool(x!, shape, how(attrs)),
});
checkOp(ops.maxPool3dIndex, {
  samples: volumes.map(({ x, y, attrs }) => ({ inputs: [f32(...x)], attrs, shape: y, dtype: "i32" })),
  reference: ([x], attrs, { shape }) => naive.maxPoolIndex(x!, shape, how(attrs)),
});
checkOp(ops.maxPool3dWinner, {
  samples: volumes.map(({ x, y, attrs }) => ({ inputs: [f32(...x)], attrs, shape: y, dtype: "i32" })),
  reference: ([x], attrs, { shape }) => winnersInWindows(x!, shape, how(attrs)),
});
checkOp(ops.maxPool3dGrad, {
  samples: volumes.map(({ x, y, attrs }) => ({
    inputs: [f32(...y), i32(...y)],
    attrs: { ...attrs, shape: x },
    shape: x,
    values: (n) => (n ? winners(x, y, attrs) : null),
  })),
  reference: ([dy, index], _, { shape }) => naive.maxPoolGrad(dy!, index!, shape),
});

const countedOrNot = (list: readonly Case[]) =>
  list.flatMap((c) => [true, false].map((count_include_pad) => ({ ...c, attrs: { ...c.attrs, count_include_pad } })));
checkOp(ops.avgPool2d, {
  samples: countedOrNot(cases).map(({ x, y, attrs }) => ({ inputs: [f32(...x)], attrs, shape: y })),
  reference: ([x], attrs, { shape }) => naive.avgPool(x!, shape, how(attrs), attrs.count_include_pad === true),
});
checkOp(ops.avgPool2dGrad, {
  samples: countedOrNot(cases).map(({ x, y, attrs }) => ({ inputs: [f32(...y)], attrs: { ...attrs, shape: x }, shape: x })),
  reference: ([dy], attrs, { shape }) => naive.avgPoolGrad(dy!, shape, how(attrs), attrs.count_include_pad === true),
});
checkOp(ops.avgPool3d, {
  samples: countedOrNot(volumes).map(({ x, y, attrs }) => ({ inputs: [f32(...x)], attrs, shape: y })),
  reference: ([x], attrs, { shape }) => naive.avgPool(x!, shape, how(attrs), attrs.count_include_pad === true),
});
checkOp(ops.avgPool3dGrad, {
  samples: countedOrNot(volumes).map(({ x, y, attrs }) => ({ inputs: [f32(...y)], attrs: { ...attrs, shape: x }, shape: x })),
  reference: ([dy], attrs, { shape }) => naive.avgPoolGrad(dy!, shape, how(attrs), attrs.count_include_pad === true),
});

describe("max pooling", () => {
  const attrs = { kernel: [2, 2], stride: [2, 2] };
  test("padding never wins", () => {
    const x = ops.full({}, { value: -5, dtype: "f32", shape: [1, 1, 2, 2] });
    const y = ops.maxPool2d({ x }, { kernel: [3, 3], stride: [1, 1], padding: [1, 1, 1, 1] });
    expect([...evaluate([y], () => [])[0]!]).toEqual([-5, -5, -5, -5]);
  });
  test("the gradient goes to the first of equal winners", () => {
    const x = ops.full({}, { value: 1, dtype: "f32", shape: [1, 1, 2, 2] });
    const node = ops.maxPool2d({ x }, attrs);
    const dy = ops.full({}, { value: 3, dtype: "f32", shape: [1, 1, 1, 1] });
    expect([...evaluate([node.op.grad!(node, dy)[0]!], () => [])[0]!]).toEqual([3, 0, 0, 0]);
  });
});

describe("complaints", () => {
  test("say what was found and what was expected", () => {
    const attrs = { kernel: [2, 2], stride: [2, 2] };
    expect(complaint(() => ops.maxPool2d({ x: value() }, attrs))).toMatchInlineSnapshot(
      `"error[shape]: max_pool2d expects x with 4 dimensions (N, C, H, W), got f32[2,3]"`,
    );
    expect(complaint(() => ops.maxPool2d({ x: value(f32(1, 1, 1, 4)) }, attrs))).toMatchInlineSnapshot(
      `"error[shape]: max_pool2d: the kernel [2, 2] is larger than the padded image of f32[1,1,1,4]"`,
    );
    expect(complaint(() => ops.avgPool2d({ x: value(f32(1, 1, 4, 4)) }, { ...attrs, padding: [2, 0, 0, 0] }))).toMatchInlineSnapshot(
      `"error[shape]: avg_pool2d: padding [2, 0, 0, 0] must be smaller than the kernel [2, 2]"`,
    );
    expect(complaint(() => ops.avgPool2dGrad({ dy: value(f32(1, 1, 3, 3)) }, { ...attrs, shape: [1, 1, 4, 4] }))).toMatchInlineSnapshot(
      `"error[shape]: avg_pool2d_grad expects dy of type f32[1,1,2,2], got f32[1,1,3,3]"`,
    );
  });
});
