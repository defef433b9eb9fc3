import { describe, expect, test } from "vitest";
import { direction, polygonDistance } from "../../../compiler/formats/plane.ts";
import { shapeNames } from "../../../compiler/formats/shapes.ts";
import type { Split } from "../../../compiler/formats/source.ts";
import { input, sourceOf } from "./support.ts";

const labels = (split: Split, count: number) => Array.from({ length: count }, (_, i) => split.values(1, i)[0]!);
const image = (...shape: number[]) => input("image", "f32", [8, ...shape]);

describe("plane", () => {
  test("directions are cosine and sine", () => {
    for (let i = -40; i <= 40; i++) {
      const [x, y] = direction(i / 17);
      expect(x).toBeCloseTo(Math.cos((2 * Math.PI * i) / 17), 8);
      expect(y).toBeCloseTo(Math.sin((2 * Math.PI * i) / 17), 8);
    }
    expect(direction(0.25)).toEqual([-0, 1]);
  });
  test("distance from a polygon, negative inside", () => {
    const square = [
      [1, 1],
      [-1, 1],
      [-1, -1],
      [1, -1],
    ] as const;
    expect(polygonDistance(square, 0, 0.5)).toBe(-0.5);
    expect(polygonDistance(square, 3, 0)).toBe(2);
    expect(polygonDistance(square, 4, 5)).toBe(5);
  });
});

describe.each(["digits", "shapes", "spirals", "segments"])("%s", (kind) => {
  const inputs = kind === "spirals" ? [input("x", "f32", [8, 2]), input("label", "i32", [8], 3)] : [image(1, 28, 28)];
  test("10,000 examples, or `count`, and 2,000 others that are held out; the same every time", async () => {
    const [source, again] = [await sourceOf(`synthetic:${kind}`, {}, inputs), await sourceOf(`synthetic:${kind}?count=7`, {}, inputs)];
    expect([source.train.count, source.heldOut!.count, again.train.count]).toEqual([10_000, 2000, 7]);
    const bits = (s: Split, i: number) => source.fields.map((_, f) => Array.from(s.values(f, i)));
    for (const i of [0, 6]) expect(bits(source.train, i)).toEqual(bits(again.train, i));
    expect(bits(source.train, 0)).not.toEqual(bits(source.heldOut!, 0));
    expect(bits(source.train, 0)).not.toEqual(bits(source.train, 1));
  });
});

describe("shapes", () => {
  test("are drawn at the program's size, as many kinds as it tells apart", async () => {
    const { fields, train, companions } = await sourceOf("synthetic:shapes", {}, [image(3, 20, 30), input("label", "i32", [8], 4)]);
    expect(fields[0]).toMatchObject({ name: "image", dtype: "u8", shape: [3, 20, 30] });
    expect(train.values(0, 0).length).toBe(1800);
    expect(new Set(labels(train, 60))).toEqual(new Set([0, 1, 2, 3]));
    expect(companions).toEqual([{ ending: ".labels.txt", text: "circle\nsquare\ntriangle\nstar\n" }]);
    const wide = await sourceOf("synthetic:shapes", {}, [image(16), input("label", "i32", [8], 10)]);
    expect(wide.fields[0]!.shape).toEqual([1, 4, 4]);
    expect(new Set(labels(wide.train, 100)).size).toBe(shapeNames.length);
  });
});

describe("segments", () => {
  test("a class for every pixel, the ground is 0", async () => {
    const { fields, train } = await sourceOf("synthetic:segments", {}, [image(3, 32, 48), input("mask", "i32", [8, 32, 48], 21)]);
    expect(fields.map((f) => [f.name, f.shape])).toEqual([
      ["image", [3, 32, 48]],
      ["mask", [32, 48]],
    ]);
    const seen = new Set(Array.from({ length: 50 }, (_, i) => Array.from(train.values(1, i))).flat());
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });
  test("a shape differs from the ground where the mask says", async () => {
    const { train } = await sourceOf("synthetic:segments", {}, [image(1, 32, 32), input("mask", "i32", [8, 32, 32], 2)]);
    const jumps = { border: [] as number[], elsewhere: [] as number[] };
    for (let i = 0; i < 20; i++) {
      const [pixels, mask] = [train.values(0, i), train.values(1, i)];
      expect(new Set(Array.from(mask))).toEqual(new Set([0, 1]));
      for (let p = 1; p < 1024; p++)
        if (p % 32 > 0) jumps[mask[p] === mask[p - 1] ? "elsewhere" : "border"].push(Math.abs(pixels[p]! - pixels[p - 1]!));
    }
    const mean = (list: readonly number[]) => list.reduce((a, b) => a + b) / list.length;
    expect(mean(jumps.border)).toBeGreaterThan(4 * mean(jumps.elsewhere));
  });
  test("a model of one class is refused", async () => {
    await expect(sourceOf("synthetic:segments", {}, [image(1, 8, 8), input("mask", "i32", [8, 8, 8], 1)])).rejects.toThrow(
      "error[data]: `synthetic:segments` has at least 2 classes, but the model takes fewer",
    );
  });
});

test("spirals: three arms, which radius and angle tell apart", async () => {
  const { train, fields } = await sourceOf("synthetic:spirals", {}, [input("x", "f32", [8, 2]), input("label", "i32", [8], 3)]);
  expect(fields.map((f) => [f.name, f.dtype, f.shape])).toEqual([
    ["x", "f32", [2]],
    ["label", "i32", []],
  ]);
  let right = 0;
  for (let i = 0; i < 300; i++) {
    const [x, y] = Array.from(train.values(0, i)) as [number, number];
    const turns = Math.atan2(y, x) / (2 * Math.PI) - 0.75 * Math.sqrt(x * x + y * y);
    right += ((Math.round(turns * 3) % 3) + 3) % 3 === train.values(1, i)[0] ? 1 : 0;
  }
  expect(right).toBeGreaterThan(280);
  expect(new Set(labels(train, 100))).toEqual(new Set([0, 1, 2]));
});
