/** The goldens are committed, whole and small: the tests of this folder need neither Python nor another runtime. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { batch, hashes, initial } from "./formula.ts";
import { disagreements, exampleNames, folder, gradientFloor, readGolden, summarize } from "./golden.ts";

test("every example has a golden, and nothing else has", () => {
  const examples = readdirSync(join(import.meta.dirname, "../../examples")).filter((f) => f.endsWith(".dlm"));
  expect(readdirSync(folder).sort()).toEqual(examples.map((f) => f.replace(/dlm$/, "json")).sort());
  expect([...exampleNames].map((e) => `${e}.dlm`).sort()).toEqual(examples.sort());
});

test("goldens are small", () => {
  const bytes = readdirSync(folder).reduce((n, f) => n + statSync(join(folder, f)).size, 0);
  expect(bytes).toBeLessThan(200_000);
});

test("every golden covers the same parameters in gradients and after training, and all its numbers are numbers", () => {
  for (const example of exampleNames) {
    for (const variant of Object.values(readGolden(example).variants)) {
      expect(Object.keys(variant.gradients)).toEqual(Object.keys(variant.parameters));
      expect(Object.keys(variant.states)).toEqual(Object.keys(variant.states3));
      const { set: _, ...parts } = variant;
      const numbers = Object.values(parts).flatMap((part) => Object.values(part).flatMap((s) => Object.values(s).flat()));
      expect(numbers.filter((x) => !Number.isFinite(x))).toEqual([]);
    }
  }
});

test("nothing outside the project and its test tools is imported", () => {
  const files = readdirSync(import.meta.dirname).filter((f) => f.endsWith(".ts"));
  const imports = files.flatMap((f) => {
    const text = readFileSync(join(import.meta.dirname, f), "utf8");
    return [...text.matchAll(/^import .*?from "([^"]+)";$/gm)].map((m) => m[1]!);
  });
  expect(imports.length).toBeGreaterThan(0);
  expect([...new Set(imports)].filter((i) => !/^\.|^node:(fs|path)$|^vitest$|^webgpu$/.test(i))).toEqual([]);
});

describe("the formula is PyTorch's side's", () => {
  test("words", () => expect([...hashes("fc.weight", 3)]).toEqual([801964308, 2527934347, 2301079505]));
  test("values", () => {
    expect([...initial("fc.weight", [10, 784]).subarray(0, 2)]).toEqual([-0.05481225624680519, 0.015498373657464981]);
    expect([...initial("bn1.running_var", [4])].every((v) => v >= 0.5 && v <= 1.5)).toBe(true);
    expect([...batch(1, 4).label]).toEqual([1, 5, 9, 9]);
  });
});

describe("agreement", () => {
  const large = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i));
  const want = { x: { ...summarize("x", large, { values: Array(24).fill(0), rms: 1 }) } };
  const changed = (f: (v: number, i: number) => number) => disagreements("", { x: large.map(f) }, want, 1e-4).length;

  test("small differences pass, large ones do not, wherever they are", () => {
    expect(changed((v) => v)).toBe(0);
    expect(changed((v, i) => v + (i % 2 ? 3e-5 : -3e-5))).toBe(0);
    expect(changed((v) => v * 1.001)).toBe(1);
    expect(changed((v) => v + 2e-4)).toBe(1);
    for (const at of [0, 500, 999]) expect(changed((v, i) => (i === at ? v + 0.1 : v))).toBe(1);
    expect(changed((v, i) => (i === 500 ? Number.NaN : v))).toBe(1);
  });
  test("missing and superfluous tensors are named", () => {
    expect(disagreements("gradient", {}, want, 1e-4)).toEqual(["gradient x: missing"]);
    expect(disagreements("gradient", { x: large, y: large }, want, 1e-4)).toEqual(["gradient y: PyTorch has none"]);
    expect(disagreements("gradient", { x: large.subarray(1) }, { x: { values: [...large] } }, 1e-4)).toHaveLength(1);
  });
  test("noise around zero counts against the largest gradient", () => {
    const gradients = { noise: { values: [1e-9, -1e-9] }, weight: { values: [1, -1] } };
    const floor = gradientFloor(gradients);
    expect(floor).toBe(1e-3);
    expect(disagreements("", { noise: [3e-9, 0], weight: [1, -1] }, gradients, 1e-4, floor)).toEqual([]);
    expect(disagreements("", { noise: [3e-6, 0], weight: [1, -1] }, gradients, 1e-4, floor)).toHaveLength(1);
  });
});
