/** Operators that rearrange elements. */
import { describe, expect, test } from "vitest";
import { at, bodyOf, bools, floats, ints, list, noise, op, problemsOf, result, run, table } from "./support.ts";

const x = noise([2, 3, 4]);

describe("reshaping", () => {
  test("0 keeps an extent, -1 is what is left", () => {
    const y = result("Reshape", { x, to: list(0, -1) }, {}, { constants: ["to"] });
    expect(y).toEqual({ dims: [2, 12], data: x.data });
  });
  test("the shape was an attribute", () => expect(result("Reshape", { x }, { shape: [6, 4] }, { opset: 1 }).dims).toEqual([6, 4]));
  test("a shape that depends on inputs is refused", () =>
    expect(problemsOf({ nodes: [op("Reshape", ["x", "s"], ["y"])], inputs: { x, s: list(6, 4) } })[0]!.reason).toContain(
      "depend on the model's inputs",
    ));
  test("words that fit", () => {
    const body = (dims: readonly number[], to: readonly number[]) =>
      bodyOf({ nodes: [op("Reshape", ["x", "s"], ["y"])], inputs: { x: noise(dims) }, weights: { s: list(...to) } })[0];
    expect(body([2, 3, 4], [2, 12])).toBe("y = flatten(x)");
    expect(body([2, 3, 4], [2, 3, 1, 4])).toBe("y = unsqueeze(x, 2)");
    expect(body([2, 1, 4], [2, 4])).toBe("y = squeeze(x, axis=1)");
    expect(body([2, 3, 4], [4, 6])).toBe("y = reshape(x, [4, 6])");
  });
  test("Squeeze and Unsqueeze take axes from attributes or operands", () => {
    const t = noise([1, 3, 1, 2]);
    expect(result("Squeeze", { t }, { axes: [0] }, { opset: 11 }).dims).toEqual([3, 1, 2]);
    expect(result("Squeeze", { t }, {}, { opset: 13 }).dims).toEqual([3, 2]);
    expect(result("Unsqueeze", { x, a: list(-1, 0) }, {}, { opset: 13, constants: ["a"] }).dims).toEqual([1, 2, 3, 4, 1]);
  });
  test("Transpose; two of them are one", () => {
    const expected = table([4, 2, 3], ([k, i, j]) => at(x, [i!, j!, k!]));
    expect(result("Transpose", { x }, { perm: [2, 0, 1] })).toEqual({ dims: [4, 2, 3], data: expected });
    const twice = [
      op("Transpose", ["x"], ["t"], { perm: [2, 0, 1] }),
      op("Transpose", ["t"], ["u"], { perm: [1, 2, 0] }),
      op("Relu", ["u"], ["y"]),
    ];
    expect(bodyOf({ nodes: twice, inputs: { x } })).toEqual(["y = relu(x)"]);
  });
});

describe("parts", () => {
  test("Slice, backwards and beyond the ends", () => {
    const operands = { x, starts: list(-1, 1), ends: list(-1000, Number.MAX_SAFE_INTEGER), axes: list(2, 1), steps: list(-2, 1) };
    const y = result("Slice", operands, {}, { constants: ["starts", "ends", "axes", "steps"] });
    expect(y).toEqual({ dims: [2, 2, 2], data: table([2, 2, 2], ([i, j, k]) => at(x, [i!, j! + 1, 3 - 2 * k!])) });
  });
  test("Slice by attributes", () =>
    expect(bodyOf({ nodes: [op("Slice", ["x"], ["y"], { axes: [2], starts: [1], ends: [3] })], inputs: { x }, opset: 9 })).toEqual([
      "y = x[:, :, 1:3]",
    ]));
  test("Split into equal parts, given ones, and uneven ones", () => {
    const split = (attributes: Record<string, number | number[]>, opset: number) =>
      run({ nodes: [op("Split", ["t"], ["a", "b"], attributes)], inputs: { t: noise([5, 2]) }, outputs: ["a", "b"], opset });
    expect(split({ split: [1, 4] }, 11)).toMatchObject({ a: { dims: [1, 2] }, b: { dims: [4, 2] } });
    expect(split({ num_outputs: 2 }, 18)).toMatchObject({ a: { dims: [3, 2] }, b: { dims: [2, 2] } });
    expect(split({ axis: 1 }, 11)).toMatchObject({ a: { dims: [5, 1] }, b: { dims: [5, 1] } });
  });
  test("Concat leaves out what is empty", () => {
    const c = { nodes: [op("Concat", ["x", "none"], ["y"], { axis: 1 })], inputs: { x }, weights: { none: floats([2, 0, 4], []) } };
    expect(run(c).y).toEqual({ dims: [2, 3, 4], data: x.data });
  });
});

describe("borders and copies", () => {
  const t = floats([2, 3], [1, 2, 3, 4, 5, 6]);
  const pad = (pads: number[], mode: string) => result("Pad", { t, pads: list(...pads) }, { mode }, { constants: ["pads"] });
  test("Pad with a number, reflected, by the edge, around", () => {
    expect(result("Pad", { t }, { pads: [0, 1, 0, 0], value: { float: 9 } }, { opset: 2 })).toEqual({
      dims: [2, 4],
      data: [9, 1, 2, 3, 9, 4, 5, 6],
    });
    expect(pad([0, 2, 0, 1], "reflect").data).toEqual([3, 2, 1, 2, 3, 2, 6, 5, 4, 5, 6, 5]);
    expect(pad([1, 0, 0, 1], "edge").data).toEqual([1, 2, 3, 3, 1, 2, 3, 3, 4, 5, 6, 6]);
    expect(pad([0, 1, 0, 2], "wrap").data).toEqual([3, 1, 2, 3, 1, 2, 6, 4, 5, 6, 4, 5]);
  });
  test("negative widths cut off", () => expect(pad([-1, 1, 0, -2], "constant")).toEqual({ dims: [1, 2], data: [0, 4] }));
  test("axes that Pad names", () => {
    const operands = { t, pads: list(1, 0), _: floats([], []), axes: list(-1) };
    expect(result("Pad", operands, {}, { opset: 18, constants: ["pads", "_", "axes"] }).data).toEqual([0, 1, 2, 3, 0, 4, 5, 6]);
  });
  test("Tile and Expand", () => {
    const y = result("Tile", { t, repeats: list(2, 2) }, {}, { constants: ["repeats"] });
    expect(y).toEqual({ dims: [4, 6], data: table([4, 6], ([i, j]) => at(t, [i! % 2, j! % 3])) });
    expect(result("Expand", { t, to: list(2, 1, 1) }, {}, { constants: ["to"] })).toEqual({
      dims: [2, 2, 3],
      data: [...t.data, ...t.data],
    });
  });
});

describe("element types", () => {
  const t = floats([4], [-1.7, 0, 2.9, Number.NaN]);
  test("Cast", () => {
    expect(result("Cast", { t }, { to: 7 }).data).toEqual([-1, 0, 2, 0]);
    expect(result("Cast", { t: ints([3], [0, 2, -1]) }, { to: 9 }).data).toEqual([0, 1, 1]);
    expect(result("Cast", { t }, { to: 10 }).data).toEqual(t.data);
  });
  test("CastLike", () => expect(result("CastLike", { t, like: bools([1], [1]) }).data).toEqual([1, 0, 1, 1]));
  test("types that the language lacks are named", () =>
    expect(problemsOf({ nodes: [op("Cast", ["t"], ["y"], { to: 8 })], inputs: { t } })[0]!.reason).toContain("string"));
});

describe("images", () => {
  const image = noise([1, 8, 2, 3]);
  test("DepthToSpace in both orders", () => {
    const dcr = table([1, 2, 4, 6], ([, c, i, j]) => at(image, [0, ((i! % 2) * 2 + (j! % 2)) * 2 + c!, i! >> 1, j! >> 1]));
    const crd = table([1, 2, 4, 6], ([, c, i, j]) => at(image, [0, c! * 4 + (i! % 2) * 2 + (j! % 2), i! >> 1, j! >> 1]));
    expect(result("DepthToSpace", { image }, { blocksize: 2 }).data).toEqual(dcr);
    expect(result("DepthToSpace", { image }, { blocksize: 2, mode: "CRD" }).data).toEqual(crd);
  });
  test("SpaceToDepth undoes it", () => {
    const nodes = [op("DepthToSpace", ["image"], ["t"], { blocksize: 2 }), op("SpaceToDepth", ["t"], ["y"], { blocksize: 2 })];
    expect(run({ nodes, inputs: { image } }).y!.data).toEqual(image.data);
  });
  test("Trilu", () => {
    const t = noise([3, 4]);
    const kept = (f: (i: number, j: number) => boolean) => table([3, 4], ([i, j]) => (f(i!, j!) ? at(t, [i!, j!]) : 0));
    expect(result("Trilu", { t }).data).toEqual(kept((i, j) => j >= i));
    expect(result("Trilu", { t, k: ints([], [-1]) }, { upper: 0 }, { constants: ["k"] }).data).toEqual(kept((i, j) => j <= i - 1));
  });
});

test("sizes of parts must be those of the whole", () => {
  const c = { nodes: [op("Split", ["x", "s"], ["y", "z"])], inputs: { x: noise([6]) }, weights: { s: list(2, 2) }, outputs: ["y", "z"] };
  expect(problemsOf(c)[0]).toMatchObject({ trouble: "misfit", reason: "the sizes [2, 2] are not those of parts of 6" });
});
test("Squeeze by no axes takes away all that are 1", () =>
  expect(result("Squeeze", { x: noise([1, 3, 1]), axes: ints([0], []) }, {}, { constants: ["axes"] }).dims).toEqual([3]));
test("attributes that nothing needs are attributes all the same", () => {
  const none = { pads: [0, 0, 0, 0], mode: "constant", value: { float: 0 } };
  expect(bodyOf({ nodes: [op("Pad", ["x"], ["y"], none)], inputs: { x: noise([2, 2]) }, opset: 10 })).toEqual(["y = x"]);
  const empty = { nodes: [op("Concat", ["s", "t"], ["c"], { axis: 0 }), op("Reshape", ["x", "c"], ["y"])], inputs: { x: noise([1]) } };
  expect(run({ ...empty, weights: { s: ints([0], []), t: ints([0], []) } }).y!.dims).toEqual([]);
});
