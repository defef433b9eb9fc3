import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { NdArray } from "../../../compiler/formats/array.ts";
import { feedOf } from "../../../compiler/formats/feed.ts";
import { writeNpz } from "../../../compiler/formats/npz.ts";
import { openData } from "../../../compiler/formats/open.ts";
import { sliceOf } from "../../../compiler/formats/source.ts";
import type { Field } from "../../../ir/program.ts";
import type { DType } from "../../../ir/type.ts";

const input = (name: string, dtype: DType, shape: number[], range?: { min: number; max: number }): Field => ({
  name,
  dtype,
  shape,
  region: "io",
  offset: 0,
  ...(range ? { range } : {}),
});
const npz = (arrays: Record<string, NdArray>, spec = "npz:a.npz") => openData(spec, () => writeNpz(new Map(Object.entries(arrays))));
const csv = (text: string) => openData("csv:t.csv", () => new TextEncoder().encode(text));
const bytes = (shape: number[], from = 0): NdArray => ({
  type: "u1",
  shape,
  data: Uint8Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => from + i),
});
const none = () => new Uint8Array(0);

describe("specs", () => {
  test.each([
    [
      "digits",
      "error[data]: `digits` does not say what kind of data it is\n  help: available are: idx:IMAGES,LABELS, npz:FILE, csv:FILE, synthetic:digits",
    ],
    ["data/a.npz", "error[data]: `data/a.npz` does not say what kind of data it is\n  help: write npz:data/a.npz"],
    [
      "mnist:a",
      "error[data]: unknown kind of data `mnist:`\n  help: available are: idx:IMAGES,LABELS, npz:FILE, csv:FILE, synthetic:digits",
    ],
    ["cifar10:dir", "error[data]: `cifar10:` is not available yet\n  help: available are: idx:"],
    ["synthetic:spirals", "error[data]: `synthetic:spirals` is not available yet"],
    ["synthetic:cats", "error[data]: unknown synthetic data `cats`"],
    ["synthetic:digits?size=3", "error[data]: `synthetic:` has no option `size`\n  help: its options are: count"],
    ["synthetic:digits?count=1.5", "error[data]: `count` in `synthetic:digits?count=1.5` must be a positive whole number"],
    ["synthetic:digits?count=", "error[data]: `count` in `synthetic:digits?count=` must be a positive whole number"],
    ["csv:", "error[data]: `csv:` names no file\n  help: write csv:FILE"],
    ["idx:a", "error[data]: `idx:a` must name two files\n  help: write idx:IMAGES,LABELS"],
  ])("%s", (spec, message) => {
    expect(() => openData(spec, none)).toThrow(message);
  });
});

test("images and labels the wrong way round", () => {
  const idx = (...extents: number[]) => {
    const count = extents.reduce((a, b) => a * b);
    return Uint8Array.of(0, 0, 8, extents.length, ...extents.flatMap((d) => [0, 0, 0, d]), ...new Uint8Array(count));
  };
  const files: Record<string, Uint8Array> = { images: idx(2, 3, 3), labels: idx(2) };
  expect(openData("idx:images,labels", (path) => files[path]!).train.count).toBe(2);
  expect(() => openData("idx:labels,images", (path) => files[path]!)).toThrow(
    "error[data]: images holds the images and labels the labels\n  help: write idx:images,labels",
  );
});
test("what is no finite number is found, by field and example", () => {
  const source = npz({
    x: { type: "f4", shape: [3, 2], data: Float32Array.of(0, 1, 2, Number.NaN, 4, 5) },
    y: { type: "f8", shape: [3], data: Float64Array.of(0, 1, 1e39) },
  });
  const feed = feedOf([input("x", "f32", [1, 2]), input("y", "f32", [1])], source, null);
  expect([[0], [0, 1], [2]].map((examples) => feed.oddValue(source.train, examples))).toEqual([
    null,
    "`x` of example 1 is NaN",
    "`y` of example 2 is Infinity",
  ]);
});
test("fields that only the order matches are told", () => {
  const source = npz({ X: bytes([2, 4]), y: bytes([2]), extra: bytes([2]) });
  const { byOrder } = feedOf([input("image", "f32", [2, 4]), input("label", "i32", [2]), input("y", "i32", [2])], source, null);
  expect(byOrder).toEqual(["X -> image", "extra -> label"]);
  const many = csv("a,b,c,d,y\n1,2,3,4,5\n");
  expect(feedOf([input("x", "f32", [1, 4]), input("y", "f32", [1])], many, null).byOrder).toEqual(["a .. d -> x"]);
});
test("a size that does not fit has the hint that is given for it", () => {
  const source = npz({ image: bytes([2, 1, 4, 4]) });
  const hint = (name: string, now: readonly number[], wanted: readonly number[]) => `${name}: ${now} to ${wanted}`;
  expect(() => feedOf([input("image", "f32", [2, 1, 8, 8])], source, null, hint)).toThrow("\n  help: image: 1,8,8 to 1,4,4");
});

describe("sources", () => {
  test("digits: fields, counts, a held-out set", () => {
    const source = openData("synthetic:digits?count=50", none);
    expect(source.fields).toEqual([
      { name: "image", dtype: "f32", shape: [1, 28, 28], factor: 1 / 255 },
      { name: "label", dtype: "i32", shape: [], factor: 1 },
    ]);
    expect(source.train.count).toBe(50);
    expect(source.heldOut?.count).toBe(2000);
  });
  test("npz: arrays must agree in number", () => {
    expect(() => npz({ x: bytes([2, 3]), y: bytes([3]) })).toThrow("error[data]: `y` has 3 examples, `x` has 2");
    expect(() => npz({})).toThrow("error[data]: `npz:a.npz` has no arrays");
    expect(() => npz({ x: { type: "f4", shape: [], data: Float32Array.of(1) } })).toThrow("a.npz: x is one number");
    expect(() => npz({ x: { type: "f4", shape: [0, 2], data: new Float32Array(0) } })).toThrow("`npz:a.npz` has no examples");
  });
  test("real digits from IDX", ({ skip }) => {
    const folder = "../shared/data/mnist";
    if (!existsSync(folder)) return skip(`${folder} is absent`);
    const spec = `idx:${folder}/t10k-images-idx3-ubyte.gz,${folder}/t10k-labels-idx1-ubyte.gz`;
    const source = openData(spec, (path) => readFileSync(path));
    expect(source.train.count).toBe(10_000);
    const feed = feedOf([input("image", "f32", [4, 1, 28, 28]), input("label", "i32", [4])], source, null);
    const { image, label } = feed.read(source.train, [0, 1, 2, 3]);
    expect([...label!]).toEqual([7, 2, 1, 0]);
    expect(Math.max(...image!)).toBe(1);
  });
});

describe("feeding", () => {
  test("by name, whatever the order; the rest in order", () => {
    const source = npz({ label: bytes([2], 7), picture: bytes([2, 2]) });
    const feed = feedOf([input("image", "f32", [2, 1, 2, 1]), input("label", "i32", [2])], source, null);
    expect(feed.batch).toBe(2);
    expect(feed.read(source.train, [1, 0])).toEqual({ image: Float32Array.of(2 / 255, 3 / 255, 0, 1 / 255), label: Int32Array.of(8, 7) });
  });
  test("bytes stay bytes for u8; `scale` changes the factor", () => {
    const source = npz({ x: bytes([2, 2], 10) }, "npz:a.npz?scale=2");
    expect(feedOf([input("x", "u8", [1, 2])], source, null).read(source.train, [1])).toEqual({ x: Uint8Array.of(12, 13) });
    expect(feedOf([input("x", "f32", [1, 2])], source, null).read(source.train, [1])).toEqual({ x: Float32Array.of(24, 26) });
  });
  test("columns of a table: one each, numbered, or in order", () => {
    const source = csv("x0,x1,y\n1,2,0\n3,4,1\n");
    const table = [input("x", "f32", [2, 2]), input("y", "i32", [2])];
    const expected = { x: Float32Array.of(1, 2, 3, 4), y: Int32Array.of(0, 1) };
    expect(feedOf(table, source, null).read(source.train, [0, 1])).toEqual(expected);
    const other = csv("width,height,kind\n1,2,0\n3,4,1\n");
    expect(feedOf(table, other, null).read(other.train, [0, 1])).toEqual(expected);
    expect(feedOf([input("height", "f32", [1])], other, null).read(other.train, [1])).toEqual({ height: Float32Array.of(4) });
  });
  test("slices count from their start", () => {
    const source = csv("x\n1\n2\n3\n");
    expect(feedOf([input("x", "f32", [1])], source, null).read(sliceOf(source.train, 1, 3), [1])).toEqual({ x: Float32Array.of(3) });
  });
  test("mean and standard deviation, per channel", () => {
    const source = npz({ x: bytes([1, 2, 1, 2]), y: bytes([1]) }, "npz:a.npz?scale=1");
    const inputs = [input("x", "f32", [1, 2, 1, 2]), input("y", "f32", [1])];
    expect(feedOf(inputs, source, { mean: [1, 2], std: [2] }).read(source.train, [0])).toEqual({
      x: Float32Array.of(-0.5, 0, 0, 0.5),
      y: Float32Array.of(0),
    });
    expect(() => feedOf(inputs, source, { mean: [1, 2, 3], std: [1] })).toThrow(
      "error[flag]: `--mean` has 3 values, but `x` has 2 channels",
    );
    expect(() => feedOf([inputs[1]!], csv("y\n1\n"), { mean: [1], std: [1] })).toThrow(
      "`--mean` and `--std` apply to images, and no input is one",
    );
  });
  test("refusals", () => {
    const source = npz({ x: bytes([2, 4, 5, 3]), y: { type: "f4", shape: [2], data: Float32Array.of(1, 2.5) } });
    const feed = (...inputs: Field[]) => feedOf(inputs, source, null).read(source.train, [0, 1]);
    expect(() => feed(input("x", "f32", [2, 50]))).toThrow(
      "error[data]: the input `x` takes 50 values (50) per example, but `x` has 60 values (4, 5, 3)",
    );
    expect(() => feed(input("x", "f32", [2, 3, 4, 5]))).toThrow(
      "error[data]: `x` has its axes (4, 5, 3) in another order than `x` (3, 4, 5)",
    );
    expect(() => feed(input("y", "i32", [2]))).toThrow("error[data]: `y` of example 1 is 2.5, but i32 takes a whole number of 32 bits");
    expect(() => feed(input("x", "f32", [2, 60]), input("y", "f32", [2]), input("z", "f32", [2]))).toThrow(
      "error[data]: nothing in `npz:a.npz` is left for the input `z`\n  help: it has: x u8[4, 5, 3], y f32[]",
    );
    expect(() => feed(input("x", "f32", [2, 60]), input("y", "f32", [3]))).toThrow(
      "error[data]: `y` is f32[3], but every input needs the batch as its first dimension\n  help: `x` is f32[2, 60]",
    );
    expect(() => feed(input("scalar", "f32", []))).toThrow("`scalar` is f32[], but every input needs the batch as its first dimension");
  });
  test("labels that the model cannot index with", () => {
    const source = csv("label\n3\n10\n");
    const feed = feedOf([input("label", "i32", [2], { min: 0, max: 9 })], source, null);
    expect(() => feed.read(source.train, [0, 1])).toThrow("error[data]: `label` of example 1 is 10, outside 0 to 9");
  });
});
