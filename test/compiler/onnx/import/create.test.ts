/** Operators that make tensors. */
import { describe, expect, test } from "vitest";
import { bodyOf, floats, ints, list, noise, op, problemsOf, result, run } from "./support.ts";

const x = noise([2, 3]);

describe("tables", () => {
  test("Constant in all its forms", () => {
    const added = (attributes: Parameters<typeof op>[3]) =>
      run({ nodes: [op("Constant", [], ["k"], attributes), op("Add", ["x", "k"], ["y"])], inputs: { x: floats([2], [1, 2]) } }).y!.data;
    expect(added({ value: floats([2], [10, 20]) })).toEqual([11, 22]);
    expect(added({ value_float: { float: 3 } })).toEqual([4, 5]);
  });
  test("ConstantOfShape is 0 where nothing is said", () => {
    const made = (attributes: Parameters<typeof op>[3]) =>
      bodyOf({
        nodes: [op("ConstantOfShape", ["s"], ["k"], attributes), op("Concat", ["x", "k"], ["y"], { axis: 0 })],
        inputs: { x },
        weights: { s: list(1, 3) },
      });
    expect(made({})[0]).toContain("full([1, 3], 0.0)");
    expect(made({ value: floats([1], [2.5]) })[0]).toContain("full([1, 3], 2.5)");
  });
  test("Range, counted out", () => {
    const c = {
      nodes: [op("Range", ["a", "b", "d"], ["r"]), op("Add", ["i", "r"], ["y"])],
      inputs: { i: ints([3], [0, 0, 0]) },
      weights: { a: ints([], [9]), b: ints([], [2]), d: ints([], [-3]) },
    };
    expect(run(c).y!.data).toEqual([9, 6, 3]);
  });
  test("EyeLike", () => expect(result("EyeLike", { x }, { k: 1 }).data).toEqual([0, 1, 0, 0, 0, 1]));
  test("NonZero of a known table", () => {
    const nodes = [op("NonZero", ["m"], ["n"]), op("Add", ["i", "n"], ["y"])];
    expect(run({ nodes, inputs: { i: ints([2, 2], [0, 0, 0, 0]) }, weights: { m: floats([2, 2], [0, 5, 7, 0]) } }).y!.data).toEqual([
      0, 1, 1, 0,
    ]);
    expect(problemsOf({ nodes: [op("NonZero", ["x"], ["y"])], inputs: { x } })[0]!.reason).toContain("depend on the model's inputs");
  });
});

describe("OneHot", () => {
  const ids = list(1, -1, 5);
  test("ids may count from the end; one outside is off", () => {
    const y = result("OneHot", { ids, depth: ints([], [3]), values: floats([2], [0, 1]) }, {}, { constants: ["depth", "values"] });
    expect(y.data).toEqual([0, 1, 0, 0, 0, 1, 0, 0, 0]);
  });
  test("other values, along another axis", () => {
    const y = result("OneHot", { ids, depth: ints([], [3]), values: list(2, 7) }, { axis: 0 }, { constants: ["depth", "values"] });
    expect(y.data).toEqual([2, 2, 2, 7, 2, 2, 2, 7, 2]);
  });
});

test("random numbers of a range", () => {
  const c = { nodes: [op("RandomUniform", [], ["y"], { shape: [2, 2], low: { float: 1 }, high: { float: 3 } })] };
  expect(bodyOf(c)).toEqual(["y = random_uniform([2, 2], low=1.0, high=3.0)"]);
});
