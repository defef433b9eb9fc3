/** Operators that read and write at indices. */
import { describe, expect, test } from "vitest";
import { at, bodyOf, bools, floats, ints, list, noise, op, result, run, type Tensor, table } from "./support.ts";

const x = noise([3, 4]);

describe("reading", () => {
  test("Gather by a tensor, from the end where it is negative", () => {
    const y = result("Gather", { x, ids: ints([2, 2], [0, -1, 3, 1]) }, { axis: 1 });
    const places = [0, 3, 3, 1];
    expect(y).toEqual({ dims: [3, 2, 2], data: table([3, 2, 2], ([i, a, b]) => at(x, [i!, places[a! * 2 + b!]!])) });
  });
  test("known indices are slices where they are steady", () => {
    const body = (ids: Tensor) => bodyOf({ nodes: [op("Gather", ["x", "ids"], ["y"], { axis: 1 })], inputs: { x }, weights: { ids } });
    expect(body(ints([], [-1]))).toEqual(["y = x[:, 3]"]);
    expect(body(list(1, 2))).toEqual(["y = x[:, 1:3]"]);
  });
  test("a table of the file is an Embedding", () => {
    const c = { nodes: [op("Gather", ["words.weight", "ids"], ["y"])], inputs: { ids: list(2, 0, 2) }, weights: { "words.weight": x } };
    expect(bodyOf(c)).toEqual(["y = ids |> words: Embedding(3, 4)"]);
    expect(run(c).y!.data).toEqual([2, 0, 2].flatMap((i) => x.data.slice(4 * i, 4 * i + 4)));
  });
  test("GatherElements", () => {
    const y = result("GatherElements", { x, ids: ints([2, 4], [2, 0, -1, 1, 0, 0, 0, 0]) });
    expect(y.data).toEqual([at(x, [2, 0]), at(x, [0, 1]), at(x, [2, 2]), at(x, [1, 3]), ...[0, 1, 2, 3].map((j) => at(x, [0, j]))]);
  });
  test("GatherND, of elements, of rows, in a batch", () => {
    const t = noise([2, 3, 4]);
    expect(result("GatherND", { t, ids: ints([2, 3], [1, 2, 3, 0, -1, 0]) }).data).toEqual([at(t, [1, 2, 3]), at(t, [0, 2, 0])]);
    expect(result("GatherND", { t, ids: ints([1, 2], [1, 0]) }, {}, { constants: ["ids"] })).toEqual({
      dims: [1, 4],
      data: t.data.slice(12, 16),
    });
    const y = result("GatherND", { t, ids: ints([2, 1], [2, 0]) }, { batch_dims: 1 });
    expect(y).toEqual({ dims: [2, 4], data: [...t.data.slice(8, 12), ...t.data.slice(12, 16)] });
  });
  test("Compress", () =>
    expect(result("Compress", { x, keep: bools([3], [0, 1, 1]) }, { axis: 0 }, { constants: ["keep"] }).data).toEqual(x.data.slice(4)));
  test("ReverseSequence", () => {
    const y = result("ReverseSequence", { x, lengths: list(1, 2, 3, 3) }, { time_axis: 0, batch_axis: 1 }, { constants: ["lengths"] });
    const turned = (t: number, length: number) => (t < length ? length - 1 - t : t);
    expect(y.data).toEqual(table([3, 4], ([t, b]) => at(x, [turned(t!, [1, 2, 3, 3][b!]!), b!])));
  });
});

describe("writing", () => {
  const zeros = floats([3, 3], new Array(9).fill(0));
  test("ScatterElements", () => {
    const y = result("ScatterElements", { zeros, ids: ints([2, 3], [1, 0, -1, 0, 2, 1]), u: floats([2, 3], [1, 2, 3, 4, 5, 6]) });
    expect(y.data).toEqual([4, 2, 0, 1, 0, 6, 0, 5, 3]);
  });
  test("ScatterElements that adds", () => {
    const y = result("ScatterElements", { x, ids: ints([1, 3], [1, 1, 2]), u: floats([1, 3], [1, 2, 4]) }, { axis: 1, reduction: "add" });
    expect(y.data.slice(0, 4)).toEqual([0, 3, 4, 0].map((v, j) => x.data[j]! + v));
  });
  test("ScatterND of rows, and of elements", () => {
    const rows = result("ScatterND", { zeros, ids: ints([2, 1], [2, 0]), u: floats([2, 3], [1, 2, 3, 4, 5, 6]) });
    expect(rows.data).toEqual([4, 5, 6, 0, 0, 0, 1, 2, 3]);
    const single = result("ScatterND", { zeros, ids: ints([2, 2], [1, 1, 2, 0]), u: floats([2], [7, 8]) }, {}, { constants: ["ids"] });
    expect(single.data).toEqual([0, 0, 0, 0, 7, 0, 8, 0, 0]);
  });
  test("ScatterND of everything is the updates", () => {
    const c = {
      nodes: [op("ScatterND", ["zeros", "ids", "u"], ["t"]), op("Relu", ["t"], ["y"])],
      inputs: { zeros, u: noise([3, 3]) },
      weights: { ids: ints([3, 1], [0, 1, 2]) },
    };
    expect(bodyOf(c)).toEqual(["y = relu(u)"]);
  });
});
