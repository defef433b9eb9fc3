/** Products of matrices. */
import { describe, expect, test } from "vitest";
import { expectClose } from "../../passes/numeric.ts";
import { type AttributeValue, at, bodyOf, floats, ints, noise, op, problemsOf, result, run, type Tensor, table } from "./support.ts";

const product = (a: Tensor, b: Tensor): number[] =>
  table([a.dims[0]!, b.dims[1]!], ([i, j]) =>
    Array.from({ length: a.dims[1]! }, (_, k) => at(a, [i!, k]) * at(b, [k, j!])).reduce((p, q) => p + q, 0),
  );
const turned = (t: Tensor): Tensor =>
  floats(
    [t.dims[1]!, t.dims[0]!],
    table([t.dims[1]!, t.dims[0]!], ([i, j]) => at(t, [j!, i!])),
  );

describe("Gemm", () => {
  const [a, b, c] = [noise([3, 4]), noise([4, 2], 2), noise([2], 3)];
  const sums = (alpha: number, beta: number) => product(a, b).map((v, i) => alpha * v + beta * c.data[i % 2]!);
  const forms: readonly (readonly [string, Tensor, Tensor, Record<string, AttributeValue>, number, number])[] = [
    ["plain", a, b, {}, 1, 1],
    ["transposed", turned(a), turned(b), { transA: 1, transB: 1 }, 1, 1],
    ["scaled", a, b, { alpha: 0.5, beta: { float: 3 } }, 0.5, 3],
  ];
  test.each(forms)("%s", (name, left, right, attributes, alpha, beta) => {
    expectClose(
      result("Gemm", { a: left, b: right, c }, attributes, { constants: ["b", "c"] }).data,
      sums(alpha, beta),
      1e-6,
      `${name}, a layer`,
    );
    expectClose(result("Gemm", { a: left, b: right, c }, attributes).data, sums(alpha, beta), 1e-6, name);
  });
  test("is a Linear", () => {
    const node = op("Gemm", ["x", "fc.weight", "fc.bias"], ["y"], { transB: 1 });
    const weights = { "fc.weight": noise([5, 4]), "fc.bias": noise([5]) };
    expect(bodyOf({ nodes: [node], inputs: { x: noise([2, 4]) }, weights })).toEqual(["y = x |> fc: Linear(5)"]);
  });
});

test("a bias with more axes than the product adds them", () => {
  const [x, w, b] = [noise([2, 3]), noise([3, 4], 2), noise([1, 1, 4], 3)];
  const y = run({ nodes: [op("MatMul", ["x", "w"], ["t"]), op("Add", ["t", "b"], ["y"])], inputs: { x }, weights: { w, b } }).y!;
  expect(y.dims).toEqual([1, 2, 4]);
  expectClose(
    y.data,
    product(x, w).map((v, i) => v + b.data[i % 4]!),
    1e-6,
    "sum",
  );
});
test("before version 7 an addition says where the bias begins", () => {
  const [x, w, b] = [noise([4, 3]), noise([3, 4], 2), noise([4], 3)];
  const nodes = [op("MatMul", ["x", "w"], ["t"]), op("Add", ["t", "b"], ["y"], { axis: 0, broadcast: 1 })];
  const y = run({ nodes, inputs: { x }, weights: { w, b }, opset: 6 }).y!;
  expectClose(
    y.data,
    product(x, w).map((v, i) => v + b.data[Math.floor(i / 4)]!),
    1e-6,
    "rows",
  );
});

describe("MatMul", () => {
  const [x, w, b] = [noise([2, 3, 4]), noise([4, 5], 2), noise([5], 3)];
  const rows = floats([6, 4], x.data);
  test("with the addition behind it is a Linear, whichever side the bias is on", () => {
    for (const sides of [
      ["t", "l.bias"],
      ["l.bias", "t"],
    ]) {
      const c = {
        nodes: [op("MatMul", ["x", "onnx::MatMul_7"], ["t"]), op("Add", sides, ["y"])],
        inputs: { x },
        weights: { "onnx::MatMul_7": w, "l.bias": b },
      };
      expect(bodyOf(c)).toEqual(["y = x |> l: Linear(5)"]);
      expectClose(
        run(c).y!.data,
        product(rows, w).map((v, i) => v + b.data[i % 5]!),
        1e-6,
        "linear",
      );
    }
  });
  test("a sum that others read too stays apart", () => {
    const nodes = [op("MatMul", ["x", "w"], ["t"]), op("Add", ["t", "b"], ["y"]), op("Relu", ["t"], ["z"])];
    const y = run({ nodes, inputs: { x }, weights: { w, b }, outputs: ["y", "z"] });
    expectClose(
      y.z!.data,
      product(rows, w).map((v) => Math.max(0, v)),
      1e-6,
      "shared",
    );
  });
  test("a transposed table keeps its name", () => {
    const nodes = [op("Transpose", ["head.weight"], ["t"], { perm: [1, 0] }), op("MatMul", ["x", "t"], ["y"])];
    const c = { nodes, inputs: { x }, weights: { "head.weight": turned(w) } };
    expect(bodyOf(c)).toEqual(["y = x |> head: Linear(5, bias=false)"]);
    expectClose(run(c).y!.data, product(rows, w), 1e-6, "head");
  });
  test("tied to an embedding, the table is one variable", () => {
    const nodes = [
      op("Gather", ["wte.weight", "ids"], ["e"]),
      op("Transpose", ["wte.weight"], ["t"], { perm: [1, 0] }),
      op("MatMul", ["e", "t"], ["y"]),
    ];
    const wte = noise([6, 3]);
    const c = { nodes, inputs: { ids: ints([2], [4, 1]) }, weights: { "wte.weight": wte } };
    expect(bodyOf(c).filter((l) => /param|Linear|Embedding/.test(l))).toHaveLength(1);
    const picked = floats(
      [2, 3],
      [4, 1].flatMap((i) => wte.data.slice(3 * i, 3 * i + 3)),
    );
    expectClose(run(c).y!.data, product(picked, turned(wte)), 1e-6, "tied");
  });
  test("of integers it is exact", () => {
    const [p, q] = [ints([1, 2], [20001, 30001]), ints([2, 1], [30011, 20011])];
    expect(result("MatMul", { p, q }).data).toEqual([20001 * 30011 + 30001 * 20011]);
  });
});

describe("Einsum", () => {
  const [a, b] = [noise([2, 3]), noise([2, 3, 2], 2)];
  test("without a result it sorts the letters that stand once", () => {
    const y = result("Einsum", { a, b }, { equation: "zj,zjb" });
    expectClose(
      y.data,
      table([2], ([k]) => table([2, 3], ([i, j]) => at(a, [i!, j!]) * at(b, [i!, j!, k!])).reduce((p, q) => p + q, 0)),
      1e-6,
      "implicit",
    );
  });
  test("dots are axes", () => {
    const y = result("Einsum", { b }, { equation: "...ij->...ji" });
    expect(y.data).toEqual(table([2, 2, 3], ([n, i, j]) => at(b, [n!, j!, i!])));
  });
  test("a diagonal is refused", () =>
    expect(problemsOf({ nodes: [op("Einsum", ["a"], ["y"], { equation: "ii->i" })], inputs: { a: noise([2, 2]) } })[0]!.reason).toContain(
      "diagonal",
    ));
});

describe("PRelu", () => {
  const x = noise([2, 3, 4]);
  const sloped = (slope: (c: number) => number) => table(x.dims, (i) => (at(x, i) > 0 ? at(x, i) : at(x, i) * slope(i[1]!)));
  test("a slope for each channel", () => {
    const slope = floats([3, 1], [0.1, 0.2, 0.3]);
    const expected = sloped((c) => slope.data[c]!);
    expectClose(result("PRelu", { x, slope }, {}, { constants: ["slope"] }).data, expected, 1e-7, "layer");
    expectClose(result("PRelu", { x, slope }).data, expected, 1e-7, "table");
  });
  test("one slope", () =>
    expectClose(
      result("PRelu", { x, s: floats([1], [0.4]) }, {}, { constants: ["s"] }).data,
      sloped(() => 0.4),
      1e-6,
      "one",
    ));
});
