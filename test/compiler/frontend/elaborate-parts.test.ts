import { expect, test } from "vitest";
import { erf } from "../../../compiler/frontend/elaborate/builtins/initializers.ts";
import { matches } from "../../../compiler/frontend/elaborate/globs.ts";
import { hashText, resolveImport, snakeCase } from "../../../compiler/frontend/elaborate/paths.ts";
import { editDistance, helpForArgument, helpForName, nearest } from "../../../compiler/frontend/elaborate/suggest.ts";
import { evaluate } from "../../ir/ops/evaluate.ts";
import { build, modelOf } from "./elaborating.ts";

test("globs match whole paths, `*` any characters", () => {
  const yes = ["*", "*.weight", "layer1.*", "layer1.0.bn.weight", "l*bn*t", "*1*0*", "layer1.0.bn.weight*", "**"];
  for (const glob of yes) expect(matches(glob, "layer1.0.bn.weight"), glob).toBe(true);
  for (const glob of ["", "weight", "layer1", "*.bias", "layer1.*.bias", "layer1.0.bn.weight.*", "."]) {
    expect(matches(glob, "layer1.0.bn.weight"), glob).toBe(false);
  }
  expect(matches("*a".repeat(30), "a".repeat(2000))).toBe(true);
  expect(matches(`${"*a".repeat(30)}b`, "a".repeat(2000))).toBe(false);
});

test("the nearest name", () => {
  expect(editDistance("kitten", "sitting", 5)).toBe(3);
  expect(editDistance("abcd", "abdc", 5)).toBe(1);
  expect(editDistance("abcd", "x", 2)).toBe(Number.POSITIVE_INFINITY);
  expect(nearest("Linaer", ["relu", "Linear", "Line"])).toBe("Linear");
  expect(nearest("LINEAR", ["Linear"])).toBe("Linear");
  expect(nearest("zzz", ["relu", "gelu"])).toBe(null);
  expect(nearest("x", ["y"])).toBe(null);
  expect(helpForName("constructor", ["relu"])).toBe(null);
  expect(helpForName("MaxPool2d", [])).toBe("write `max_pool`");
  expect(helpForArgument("in_channels", ["out"])).toBe("leave it out: `in_channels` is known from the input");
  expect(helpForArgument("q", ["out", "bias"])).toBe("its parameters are `out`, `bias`");
});

test("names of unlabelled layers", () => {
  const names = ["Linear", "BatchNorm", "Conv2d", "RMSNorm", "MLP", "ConvBN", "MultiHeadAttention", "GPT2Block", "LSTM", "A"];
  const snake = ["linear", "batch_norm", "conv2d", "rms_norm", "mlp", "conv_bn", "multi_head_attention", "gpt2_block", "lstm", "a"];
  expect(names.map(snakeCase)).toEqual(snake);
});

test("where imports lead", () => {
  expect(resolveImport("net.dlm", "./a.dlm")).toBe("a.dlm");
  expect(resolveImport("m/net.dlm", "../a.dlm")).toBe("a.dlm");
  expect(resolveImport("m/n/net.dlm", "./../x/./a.dlm")).toBe("m/x/a.dlm");
  expect(resolveImport("net.dlm", "../../a.dlm")).toBe("../../a.dlm");
  expect(resolveImport("/home/me/net.dlm", "../a.dlm")).toBe("/home/a.dlm");
  expect(resolveImport("net.dlm", "std/resnet.dlm")).toBe("std/resnet.dlm");
  expect(resolveImport("std/resnet.dlm", "./blocks.dlm")).toBe("std/blocks.dlm");
  expect(resolveImport("net.dlm", "a.dlm")).toBe(null);
  expect(resolveImport("net.dlm", "/etc/passwd")).toBe(null);
});

test("keys of places are spread over 32 bits", () => {
  const keys = new Set(Array.from({ length: 5000 }, (_, i) => hashText(`layer${i}/dropout#1`)));
  expect(keys.size).toBe(5000);
  expect([...keys].every((k) => Number.isInteger(k) && k >= -(2 ** 31) && k < 2 ** 31)).toBe(true);
  expect([...keys].filter((k) => k < 0).length / 5000).toBeCloseTo(0.5, 1);
});

test("erf", () => {
  const known = [0, 0.1, 0.5, 1, 2, 2.9, 3.1, 4, 6];
  const values = [
    0, 0.1124629160182849, 0.5204998778130465, 0.8427007929497149, 0.9953222650189527, 0.999958902121901, 0.9999883513426328,
    0.9999999845827421, 1,
  ];
  known.forEach((x, i) => {
    expect(erf(x)).toBeCloseTo(values[i]!, 12);
    expect(erf(-x)).toBeCloseTo(-values[i]!, 12);
  });
});

/** Values of `param w: f32[25, 40] = initial` under seed 3. */
function initialValues(initial: string): Float64Array {
  const [w] = build(modelOf(`param w: f32[25, 40] = ${initial}\ny = x * sum(w)`)).variables;
  return evaluate([w!.initial], (leaf) => {
    expect(leaf.attrs.name).toBe("seed");
    return [3];
  })[0]!;
}
const meanOf = (v: Float64Array) => v.reduce((a, b) => a + b, 0) / v.length;
const deviationOf = (v: Float64Array) => Math.sqrt(v.reduce((a, b) => a + (b - meanOf(v)) ** 2, 0) / v.length);

test("initial values have the distribution they are named after", () => {
  const deviations: readonly (readonly [initial: string, mean: number, deviation: number, bound: number])[] = [
    ["normal(0.5, mean=2)", 2, 0.5, 9],
    ["uniform(-1, 3)", 1, 4 / Math.sqrt(12), 3],
    ["xavier_uniform()", 0, Math.sqrt(2 / 65), Math.sqrt(6 / 65)],
    ["xavier_normal(gain=2)", 0, 2 * Math.sqrt(2 / 65), 9],
    ["he_uniform()", 0, Math.sqrt(2 / 40), Math.sqrt(6 / 40)],
    ["he_normal", 0, Math.sqrt(2 / 40), 9],
    ["truncated_normal(low=-1, high=1)", 0, 0.5396, 1],
    ["truncated_normal(0.5, mean=1, low=0.5, high=2)", 1.1148, 0.3605, 2],
    ["constant(0.25)", 0.25, 0, 0.25],
    ["ones", 1, 0, 1],
    ["3", 3, 0, 3],
  ];
  for (const [initial, mean, deviation, bound] of deviations) {
    const values = initialValues(initial);
    expect(values.length).toBe(1000);
    expect(Math.abs(meanOf(values) - mean), initial).toBeLessThanOrEqual(4 * (deviation / Math.sqrt(1000)) + 1e-6);
    expect(Math.abs(deviationOf(values) - deviation), initial).toBeLessThanOrEqual(0.1 * deviation + 1e-6);
    expect(Math.max(...values.map(Math.abs)), initial).toBeLessThanOrEqual(bound + 1e-6);
  }
  expect(new Set(initialValues("normal(1.0)")).size).toBeGreaterThan(990);
});
