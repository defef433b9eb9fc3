/** Images in another size, by samples of a line. */
import { describe, expect, test } from "vitest";
import { expectClose } from "../../passes/numeric.ts";
import { type AttributeValue, at, bodyOf, floats, list, noise, op, problemsOf, result, run, table } from "./support.ts";

const line = floats([1, 1, 4], [1, 2, 4, 8]);
const none = floats([0], []);
const scaled = (scale: number, attributes: Record<string, AttributeValue>) =>
  result("Resize", { line, roi: none, scales: floats([3], [1, 1, scale]) }, attributes, { constants: ["roi", "scales"], opset: 13 }).data;
const sized = (n: number, attributes: Record<string, AttributeValue>) =>
  result("Resize", { line, roi: none, _: none, sizes: list(1, 1, n) }, attributes, { constants: ["roi", "_", "sizes"], opset: 13 }).data;

describe("nearest", () => {
  test("coordinates", () => {
    expect(scaled(2, { coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" })).toEqual([1, 1, 2, 2, 4, 4, 8, 8]);
    expect(sized(3, { coordinate_transformation_mode: "half_pixel", nearest_mode: "ceil" })).toEqual([2, 4, 8]);
    expect(sized(3, { coordinate_transformation_mode: "align_corners", nearest_mode: "round_prefer_floor" })).toEqual([1, 2, 8]);
    expect(sized(3, { coordinate_transformation_mode: "align_corners", nearest_mode: "round_prefer_ceil" })).toEqual([1, 4, 8]);
  });
  test("whole factors of all spatial axes are upsample", () => {
    const node = op("Resize", ["x", "", "s"], ["y"], { coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" });
    const c = { nodes: [node], inputs: { x: noise([1, 2, 2, 3]) }, weights: { s: floats([4], [1, 1, 2, 2]) } };
    expect(bodyOf(c)).toEqual(["y = upsample(x, scale=2)"]);
    expect(run(c).y!.data).toEqual(table([1, 2, 4, 6], ([n, ch, i, j]) => at(c.inputs.x, [n!, ch!, i! >> 1, j! >> 1])));
  });
  test("Upsample", () => {
    const y = result("Upsample", { line, scales: floats([3], [1, 1, 1.5]) }, {}, { constants: ["scales"], opset: 9 });
    expect(y.data).toEqual([1, 1, 2, 4, 4, 8]);
  });
});

describe("linear", () => {
  const linear = (more: Record<string, AttributeValue> = {}) => ({ mode: "linear", ...more });
  test("between centres, which upsample does", () => expectClose(scaled(2, linear()), [1, 1.25, 1.75, 2.5, 3.5, 5, 7, 8], 1e-6, "half"));
  test("by corners", () => {
    expectClose(sized(7, linear({ coordinate_transformation_mode: "align_corners" })), [1, 1.5, 2, 3, 4, 6, 8], 1e-6, "corners");
    expectClose(sized(1, linear({ coordinate_transformation_mode: "pytorch_half_pixel" })), [1], 1e-6, "pytorch");
  });
  test("smoothing where the image becomes smaller", () => {
    // weights 1/4, 3/4, 3/4, 1/4 over 2; the edge repeated
    const expected = [(1 + 3 * 1 + 3 * 2 + 4) / 8, (2 + 3 * 4 + 3 * 8 + 8) / 8];
    expectClose(
      result("Resize", { line, roi: none, scales: floats([3], [1, 1, 0.5]) }, linear({ antialias: 1 }), {
        constants: ["roi", "scales"],
        opset: 18,
      }).data,
      expected,
      1e-6,
      "antialias",
    );
  });
  test("a region, with a value outside of the image", () => {
    const operands = { line, roi: floats([6], [0, 0, 0, 1, 1, 2]), _: none, sizes: list(1, 1, 3) };
    const attributes = linear({ coordinate_transformation_mode: "tf_crop_and_resize", extrapolation_value: 9.5 });
    expectClose(result("Resize", operands, attributes, { constants: ["roi", "_", "sizes"], opset: 13 }).data, [1, 8, 9.5], 1e-6, "crop");
  });
});

describe("cubic", () => {
  const kernel = (d: number, a: number) =>
    d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
  test("by Keys' kernel, the edge repeated", () => {
    const expected = Array.from({ length: 8 }, (_, i) => {
      const place = (i + 0.5) / 2 - 0.5;
      const first = Math.floor(place) - 1;
      return [0, 1, 2, 3].reduce(
        (s, k) => s + kernel(Math.abs(first + k - place), -0.5) * line.data[Math.max(0, Math.min(3, first + k))]!,
        0,
      );
    });
    expectClose(scaled(2, { mode: "cubic", cubic_coeff_a: -0.5 }), expected, 1e-5, "cubic");
  });
  test("or left out", () => {
    const y = scaled(2, { mode: "cubic", exclude_outside: 1 });
    const weights = [0, 1, 2].map((p) => kernel(Math.abs(p - -0.25), -0.75));
    const total = weights.reduce((p, q) => p + q, 0);
    expectClose([y[0]!], [weights.reduce((s, w, p) => s + (w / total) * line.data[p]!, 0)], 1e-5, "outside");
  });
});

test("sizes that depend on inputs are refused", () => {
  const node = op("Resize", ["line", "", "", "n"], ["y"]);
  expect(problemsOf({ nodes: [node], inputs: { line, n: list(1, 1, 2) } })[0]!.reason).toContain("depend on the model's inputs");
});
