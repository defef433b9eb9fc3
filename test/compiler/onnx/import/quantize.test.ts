/** Numbers in fewer bits. */
import { describe, expect, test } from "vitest";
import { expectClose } from "../../passes/numeric.ts";
import { bodyOf, floats, noise, op, problemsOf, result, run, type Tensor } from "./support.ts";

const bytes = (dims: readonly number[], data: readonly number[]): Tensor => ({ dtype: "uint8", dims, data });
const small = (dims: readonly number[], data: readonly number[]): Tensor => ({ dtype: "int8", dims, data });
const x = floats([2, 3], [-1000, -0.26, 0, 0.25, 0.8, 1000]);

describe("QuantizeLinear", () => {
  test("rounds halves to the even one and saturates, by the type of the zero point", () => {
    const tables = { s: floats([], [0.5]), z: bytes([], [3]) };
    expect(result("QuantizeLinear", { x, ...tables }, {}, { constants: ["s", "z"] }).data).toEqual([0, 2, 3, 3, 5, 255]);
    const signed = { s: floats([], [0.5]), z: small([], [-1]) };
    expect(result("QuantizeLinear", { x, ...signed }, {}, { constants: ["s", "z"] }).data).toEqual([-128, -2, -1, -1, 1, 127]);
  });
  test("a scale for each place of an axis", () => {
    const y = result("QuantizeLinear", { x, s: floats([3], [1, 0.1, 0.01]) }, { axis: 1 }, { constants: ["s"] });
    expect(y.data).toEqual([0, 0, 0, 0, 8, 255]);
  });
});

describe("DequantizeLinear", () => {
  test("undoes it", () => {
    const operands = { q: bytes([3], [0, 3, 255]), s: floats([], [0.5]), z: bytes([], [3]) };
    expectClose(result("DequantizeLinear", operands, {}, { constants: ["s", "z"] }).data, [-1.5, 0, 126], 1e-7, "u8");
  });
  test("weights of the file are layers by their own name", () => {
    const nodes = [op("DequantizeLinear", ["fc.weight", "s", "z"], ["w"], { axis: 0 }), op("Gemm", ["x", "w"], ["y"], { transB: 1 })];
    const weights = { "fc.weight": small([2, 3], [1, -2, 3, 4, 5, -128]), s: floats([2], [0.5, 2]), z: small([2], [0, 1]) };
    const c = { nodes, inputs: { x: noise([1, 3]) }, weights };
    expect(bodyOf(c)).toEqual(["y = x |> fc: Linear(2, bias=false)"]);
    const rows = [
      [0.5, -1, 1.5],
      [6, 8, -258],
    ];
    expectClose(
      run(c).y!.data,
      rows.map((r) => r.reduce((t, w, k) => t + w * c.inputs.x.data[k]!, 0)),
      1e-6,
      "fc",
    );
  });
  test("blocks are refused", () => {
    const c = {
      nodes: [op("DequantizeLinear", ["q", "s"], ["y"], { block_size: 2 })],
      inputs: { q: bytes([2, 2], [1, 2, 3, 4]) },
      weights: { s: floats([2, 1], [1, 2]) },
    };
    expect(problemsOf(c)[0]!.reason).toContain("blocks");
  });
});
