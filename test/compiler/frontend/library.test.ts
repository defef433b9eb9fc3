/** Builtin functions that have no counterpart with a gradient in PyTorch: small values by hand, random numbers by their bounds. */
import { expect, test } from "vitest";
import { showType } from "../../../compiler/frontend/elaborate/values.ts";
import { inputRanges } from "../../../compiler/ranges.ts";
import { ops } from "../../../ir/ops/index.ts";
import { evaluateGraph, type Given } from "../../ir/ops/evaluate.ts";
import { build } from "./elaborating.ts";

/** The value of an expression over `x: f32[2, 3]` and `ids: i32[2]`. */
function computed(expression: string, given: Given = {}): number[] {
  const { forward } = build(`model M(x: f32[2, 3], ids: i32[2]) -> y { y = ${expression} }`);
  const usual: Given = { x: [1, 5, 2, 7, -1, 7], ids: [2, 0], seed: [11], micro_step: [0] };
  return [...evaluateGraph(forward, { ...usual, ...given }).outputs.y!];
}

test.each([
  ["eye(2)", [1, 0, 0, 1]],
  ["eye(2, 3, dtype=i32)", [1, 0, 0, 0, 1, 0]],
  ["one_hot(ids, 3)", [0, 0, 1, 1, 0, 0]],
  ["ones([2]) + full([2], 0.5)", [1.5, 1.5]],
  ["arange(1, 6, 2)", [1, 3, 5]],
  ["tensor([0.5, 2])", [0.5, 2]],
  ["x * tensor([[1.0], [-1]])", [1, 5, 2, -7, 1, -7]],
  ["cast(tensor([true, false]), i32) + tensor(3)", [4, 3]],
  ["tensor([1, 0], dtype=bool) |> cast(f32)", [1, 0]],
  ["cast(in_top_k(x, ids, 1), i32)", [0, 1]],
  ["cast(in_top_k(x, ids, 2), i32)", [1, 1]],
  ['upsample(reshape(x, [1, 1, 2, 3]), 2, mode="bed_of_nails")[0, 0, :3]', [1, 0, 5, 0, 2, 0, 0, 0, 0, 0, 0, 0, 7, 0, -1, 0, 7, 0]],
  ["gather(x, 1, reshape(ids, [2, 1]))", [2, 7]],
  ["max_pool(reshape(x, [1, 2, 3]), 2, stride=1, return_indices=true)[1]", [1, 1, 0, 2]],
  ["l2([x, x]) + l1(x)", [2 * 129 + 23]],
  ["clamp(x, high=5.0)", [1, 5, 2, 5, -1, 5]],
])("%s", (expression, expected) => expect(computed(expression)).toEqual(expected));

test.each([
  ["tensor([1, 2])", "i32[2]"],
  ["tensor([[1, 2.5]])", "f32[1, 2]"],
  ["tensor(true)", "bool[]"],
  ["tensor([1], dtype=u8)", "u8[1]"],
])("the type of %s", (expression, type) => {
  const { forward } = build(`model M(x: f32[1]) -> y { y = ${expression} }`);
  expect(showType(forward.outputs[0]!.value.type)).toBe(type);
});
test.each([
  ["tensor([[1, 2], [3]])", "the rows of tensor(...) differ: [2] and [1]"],
  ["tensor([1, [2]])", "the rows of tensor(...) differ: a number and [1]"],
  ["tensor([])", "tensor([]) has no elements"],
  ["tensor([1, true])", "tensor(...) mixes bools and numbers"],
  ["tensor([x])", "tensor(...) makes a tensor of constants"],
  ['tensor(["a"])', "tensor expects numbers, or lists of them"],
  ["x + [1, 2]", "tensor(xs) makes a tensor of numbers"],
  ["relu([0.5])", "tensor(xs) makes a tensor of numbers"],
])("%s is refused", (expression, message) => {
  expect(() => build(`model M(x: f32[1]) -> y { y = ${expression} }`)).toThrow(message);
});

test("random ints fill their range evenly, and no more", () => {
  const counts = new Map<number, number>();
  for (const v of computed("random_int([3000], -2, 4)")) counts.set(v, (counts.get(v) ?? 0) + 1);
  expect([...counts.keys()].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2, 3]);
  expect(Math.min(...counts.values())).toBeGreaterThan(400);
});
test("drawn negatives differ from step to step and from example to example", () => {
  const loss = 'negative_sampling(x, concat([x, x, x], axis=0), ids, negatives=4, reduction="none")';
  const [first, second] = [0, 1].map((step) => computed(loss, { micro_step: [step] }));
  expect(first).toHaveLength(2);
  expect(first).toEqual(computed(loss, { micro_step: [0] }));
  const model = "model M(x: f32[2, 3], ids: i32[2]) -> y { y = sum(x) }";
  const module = build(`${model}\ntrain M { loss = ${loss} |> sum; optimizer = sgd(lr=0.1) }`, { train: true });
  const graph = module.training!.step;
  const at = (step: number) => evaluateGraph(graph, { x: [1, 5, 2, 7, -1, 7], ids: [2, 0], seed: [11], micro_step: [step] }).outputs.loss;
  expect(at(0)).not.toEqual(at(1));
  expect(second).toEqual(first);
});
test("the ids that gather takes have a range", () => {
  const { forward } = build("model M(x: f32[2, 3], ids: i32[2, 1]) -> y { y = gather(x, 1, ids) }");
  expect(inputRanges([forward]).get("ids")).toEqual({ min: 0, max: 2 });
  expect(forward.outputs[0]!.value.op).toBe(ops.gather);
});
