/** Operators that read and write at indices. */
import { describe, expect, test } from "vitest";
import { compile } from "../../../../compiler/compile.ts";
import { withNet } from "../../../examples/support.ts";
import { expectClose } from "../../passes/numeric.ts";
import {
  at,
  bodyOf,
  bools,
  type Case,
  floats,
  ints,
  list,
  noise,
  op,
  problemsOf,
  result,
  run,
  type Tensor,
  table,
  textOf,
} from "./support.ts";

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
  test("ids that are computed may count from the end, also in an Embedding", () => {
    const nodes = [op("Sub", ["ids", "one"], ["t"]), op("Gather", ["words.weight", "t"], ["y"])];
    const c = { nodes, inputs: { ids: ints([2], [0, 2]) }, weights: { "words.weight": floats([3, 1], [10, 20, 30]), one: ints([], [1]) } };
    expect(run(c).y!.data).toEqual([30, 20]);
    expect(textOf(c)).toContain("Embedding(3, 1)");
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
  test("known indices: the last of equal ones counts, others than that are refused", () => {
    const known = { constants: ["ids"] };
    const u = floats([2, 3], [1, 2, 3, 4, 5, 6]);
    const elements = result("ScatterElements", { zeros, ids: ints([2, 3], [1, 0, -1, 0, 0, 1]), u }, {}, known);
    expect(elements.data).toEqual([4, 5, 0, 1, 0, 6, 0, 0, 3]);
    const columns = result(
      "ScatterElements",
      { zeros, ids: ints([2, 2], [1, 0, -1, 1]), u: floats([2, 2], [1, 2, 3, 4]) },
      { axis: 1 },
      known,
    );
    expect(columns.data).toEqual([2, 1, 0, 0, 4, 3, 0, 0, 0]);
    const rows = result("ScatterND", { zeros, ids: ints([2, 1], [2, 2]), u }, {}, known);
    expect(rows.data).toEqual([0, 0, 0, 0, 0, 0, 4, 5, 6]);
    const outside = {
      nodes: [op("ScatterND", ["zeros", "ids", "u"], ["y"])],
      inputs: { zeros, u },
      weights: { ids: ints([2, 1], [0, 3]) },
    };
    expect(problemsOf(outside)[0]!.reason).toBe("an index is outside of what it writes to");
  });
  test("known indices of a part in order: slices around what is new", () => {
    const part = (ids: readonly number[], dims: readonly number[], u: readonly number[]) => ({
      nodes: [op("ScatterND", ["x", "ids", "u"], ["y"])],
      inputs: { x: noise([4, 5, 2]), u: noise(u) },
      weights: { ids: ints(dims, ids) },
    });
    const columns = part(
      [0, 1, 2, 3].flatMap((i) => [1, 2].flatMap((j) => [i, j])),
      [4, 2, 2],
      [4, 2, 2],
    );
    expect(bodyOf(columns)).toEqual(["y = concat([x[:, :1], u, x[:, 3:]], axis=1)"]);
    const corner = part(
      [2, 3].flatMap((i) => [0, 1].flatMap((j) => [i, j])),
      [4, 2],
      [4, 2],
    );
    expect(run(corner).y!.data).toEqual(
      table([4, 5, 2], ([i, j, k]) =>
        i! > 1 && j! < 2 ? at(corner.inputs.u, [(i! - 2) * 2 + j!, k!]) : at(corner.inputs.x, [i!, j!, k!]),
      ),
    );
  });
  describe("more indices and places than a table of both may have", () => {
    const [rows, count] = [33_000, 32_999];
    const large = (reduction: string, x: Tensor, u: Tensor, ids: readonly number[]): Case => ({
      nodes: [op("ScatterElements", ["free", "ids", "u"], ["y"], { reduction })],
      inputs: { free: x, ids: ints(u.dims, ids), u },
    });
    const compiled = async (c: Case): Promise<readonly number[]> => {
      const inputs = Object.entries(c.inputs!).map(([name, t]) => [
        name,
        t.dtype === "int64" ? Int32Array.from(t.data) : Float32Array.from(t.data),
      ]);
      const { y } = await withNet(await compile(textOf(c), { target: "wasm" }), {}, (net) => net.run(Object.fromEntries(inputs)));
      return Array.from(y!);
    };
    test("adds by the gradient of taking", async () => {
      const [x, u] = [noise([rows]), noise([count], 2)];
      const ids = table([count], ([i]) => (i! * 8) % rows); // every 8th place, many times
      const c = large("add", x, u, ids);
      expect(bodyOf(c).at(-1)).toContain("grad(sum(take(");
      const expected = [...x.data];
      for (const [i, id] of ids.entries()) expected[id]! += u.data[i]!;
      expectClose(await compiled(c), expected, 1e-5, "sums");
    });
    test("replaces by the number of what is written", async () => {
      const [x, u] = [noise([rows, 2]), noise([count, 1], 2)];
      const ids = table([count], ([i]) => ((i! * 7) % rows) - (i! % 2 ? rows : 0));
      const expected = [...x.data];
      for (const [i, id] of ids.entries()) expected[2 * (id < 0 ? id + rows : id)] = u.data[i]!;
      expect(await compiled(large("none", x, u, ids))).toEqual(expected);
    });
    test("refuses other reductions", () => {
      const c = large(
        "max",
        noise([rows]),
        noise([count]),
        table([count], ([i]) => i!),
      );
      expect(problemsOf(c)[0]!.reason).toBe('it writes too many elements for "max"');
    });
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
