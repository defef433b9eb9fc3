import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { NdArray } from "../../../compiler/formats/array.ts";
import { feedOf } from "../../../compiler/formats/feed.ts";
import { writeNpz } from "../../../compiler/formats/npz.ts";
import { dataForms, openData } from "../../../compiler/formats/open.ts";
import { sliceOf } from "../../../compiler/formats/source.ts";
import type { Field } from "../../../ir/program.ts";
import { input, memoryDisk, sourceOf } from "./support.ts";

const npz = (arrays: Record<string, NdArray>, spec = "npz:a.npz") => sourceOf(spec, { "a.npz": writeNpz(new Map(Object.entries(arrays))) });
const csv = (text: string) => sourceOf("csv:t.csv", { "t.csv": text });
const bytes = (shape: number[], from = 0): NdArray => ({
  type: "u1",
  shape,
  data: Uint8Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => from + i),
});

describe("specs", () => {
  test.each([
    ["digits", `error[data]: \`digits\` does not say what kind of data it is\n  help: available are: ${dataForms}`],
    ["data/a.npz", "error[data]: `data/a.npz` does not say what kind of data it is\n  help: write npz:data/a.npz"],
    ["book.txt", "error[data]: `book.txt` does not say what kind of data it is\n  help: write text:book.txt"],
    ["mnist:a", `error[data]: unknown kind of data \`mnist:\`\n  help: available are: ${dataForms}`],
    ["synthetic:cats", "error[data]: unknown synthetic data `cats`\n  help: there are: digits, shapes, spirals, segments"],
    ["synthetic:digits?size=3", "error[data]: `synthetic:` has no option `size`\n  help: its options are: count"],
    ["synthetic:digits?count=1.5", "error[data]: `count` in `synthetic:digits?count=1.5` must be a positive whole number"],
    ["synthetic:digits?count=", "error[data]: `count` in `synthetic:digits?count=` must be a positive whole number"],
    ["csv:", "error[data]: `csv:` names no file\n  help: write csv:FILE"],
    ["cifar10:", "error[data]: `cifar10:` names no folder\n  help: write cifar10:DIR"],
    ["idx:a", "error[data]: `idx:a` must name two files\n  help: write idx:IMAGES,LABELS"],
  ])("%s", (spec, message) => {
    expect(() => openData(spec, memoryDisk({}))).toThrow(message);
  });
});

test("images and labels the wrong way round", async () => {
  const idx = (...extents: number[]) => {
    const count = extents.reduce((a, b) => a * b);
    return Uint8Array.of(0, 0, 8, extents.length, ...extents.flatMap((d) => [0, 0, 0, d]), ...new Uint8Array(count));
  };
  const files: Record<string, Uint8Array> = { images: idx(2, 3, 3), labels: idx(2) };
  expect((await sourceOf("idx:images,labels", files)).train.count).toBe(2);
  expect(() => openData("idx:labels,images", memoryDisk(files))).toThrow(
    "error[data]: images holds the images and labels the labels\n  help: write idx:images,labels",
  );
});
test("what is no finite number is found, by field and example", async () => {
  const source = await npz({
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
test("fields that only the order matches are told", async () => {
  const source = await npz({ X: bytes([2, 4]), y: bytes([2]), extra: bytes([2]) });
  const { byOrder } = feedOf([input("image", "f32", [2, 4]), input("label", "i32", [2]), input("y", "i32", [2])], source, null);
  expect(byOrder).toEqual(["X -> image", "extra -> label"]);
  const many = await csv("a,b,c,d,y\n1,2,3,4,5\n");
  expect(feedOf([input("x", "f32", [1, 4]), input("y", "f32", [1])], many, null).byOrder).toEqual(["a .. d -> x"]);
});
test("a size that does not fit has the hint that is given for it", async () => {
  const source = await npz({ image: bytes([2, 1, 4, 4]) });
  const hint = (name: string, now: readonly number[], wanted: readonly number[]) => `${name}: ${now} to ${wanted}`;
  expect(() => feedOf([input("image", "f32", [2, 1, 8, 8])], source, null, hint)).toThrow("\n  help: add image: 1,8,8 to 1,4,4");
});

describe("sources", () => {
  test("digits: fields, counts, a held-out set", async () => {
    const source = await sourceOf("synthetic:digits?count=50");
    expect(source.fields).toEqual([
      { name: "image", dtype: "u8", shape: [1, 28, 28], factor: 1 / 255 },
      { name: "label", dtype: "i32", shape: [], factor: 1 },
    ]);
    expect(source.train.count).toBe(50);
    expect(source.heldOut?.count).toBe(2000);
  });
  test("npz: arrays must agree in number", async () => {
    expect(() => npz({ x: bytes([2, 3]), y: bytes([3]) })).toThrow("error[data]: `y` has 3 examples, `x` has 2");
    expect(() => npz({})).toThrow("error[data]: `npz:a.npz` has no arrays");
    expect(() => npz({ x: { type: "f4", shape: [], data: Float32Array.of(1) } })).toThrow("a.npz: x is one number");
    expect(() => npz({ x: { type: "f4", shape: [0, 2], data: new Float32Array(0) } })).toThrow("`npz:a.npz` has no examples");
  });
  test("real digits from IDX", async ({ skip }) => {
    const folder = "../shared/data/mnist";
    if (!existsSync(folder)) return skip(`${folder} is absent`);
    const spec = `idx:${folder}/t10k-images-idx3-ubyte.gz,${folder}/t10k-labels-idx1-ubyte.gz`;
    const files = Object.fromEntries(
      spec
        .slice(4)
        .split(",")
        .map((path) => [path, readFileSync(path)]),
    );
    const source = await sourceOf(spec, files);
    expect(source.train.count).toBe(10_000);
    const feed = feedOf([input("image", "f32", [4, 1, 28, 28]), input("label", "i32", [4])], source, null);
    const { image, label } = feed.read(source.train, [0, 1, 2, 3]);
    expect([...label!]).toEqual([7, 2, 1, 0]);
    expect(Math.max(...image!)).toBe(1);
  });
});

describe("feeding", () => {
  test("by name, whatever the order; the rest in order", async () => {
    const source = await npz({ label: bytes([2], 7), picture: bytes([2, 2]) });
    const feed = feedOf([input("image", "f32", [2, 1, 2, 1]), input("label", "i32", [2])], source, null);
    expect(feed.batch).toBe(2);
    expect(feed.read(source.train, [1, 0])).toEqual({ image: Float32Array.of(2 / 255, 3 / 255, 0, 1 / 255), label: Int32Array.of(8, 7) });
  });
  test("bytes stay bytes for u8; `scale` changes the factor", async () => {
    const source = await npz({ x: bytes([2, 2], 10) }, "npz:a.npz?scale=2");
    expect(feedOf([input("x", "u8", [1, 2])], source, null).read(source.train, [1])).toEqual({ x: Uint8Array.of(12, 13) });
    expect(feedOf([input("x", "f32", [1, 2])], source, null).read(source.train, [1])).toEqual({ x: Float32Array.of(24, 26) });
  });
  test("columns of a table: one each, numbered, or in order", async () => {
    const source = await csv("x0,x1,y\n1,2,0\n3,4,1\n");
    const table = [input("x", "f32", [2, 2]), input("y", "i32", [2])];
    const expected = { x: Float32Array.of(1, 2, 3, 4), y: Int32Array.of(0, 1) };
    expect(feedOf(table, source, null).read(source.train, [0, 1])).toEqual(expected);
    const other = await csv("width,height,kind\n1,2,0\n3,4,1\n");
    expect(feedOf(table, other, null).read(other.train, [0, 1])).toEqual(expected);
    expect(feedOf([input("height", "f32", [1])], other, null).read(other.train, [1])).toEqual({ height: Float32Array.of(4) });
  });
  test("slices count from their start", async () => {
    const source = await csv("x\n1\n2\n3\n");
    expect(feedOf([input("x", "f32", [1])], source, null).read(sliceOf(source.train, 1, 3), [1])).toEqual({ x: Float32Array.of(3) });
  });
  test("mean and standard deviation, per channel", async () => {
    const source = await npz({ x: bytes([1, 2, 1, 2]), y: bytes([1]) }, "npz:a.npz?scale=1");
    const inputs = [input("x", "f32", [1, 2, 1, 2]), input("y", "f32", [1])];
    expect(feedOf(inputs, source, { mean: [1, 2], std: [2] }).read(source.train, [0])).toEqual({
      x: Float32Array.of(-0.5, 0, 0, 0.5),
      y: Float32Array.of(0),
    });
    expect(() => feedOf(inputs, source, { mean: [1, 2, 3], std: [1] })).toThrow(
      "error[flag]: `--mean` has 3 values, but `x` has 2 channels",
    );
    const one = await csv("y\n1\n");
    expect(() => feedOf([inputs[1]!], one, { mean: [1], std: [1] })).toThrow("`--mean` and `--std` apply to images, and no input is one");
  });
  test("refusals", async () => {
    const source = await npz({ x: bytes([2, 4, 5, 3]), y: { type: "f4", shape: [2], data: Float32Array.of(1, 2.5) } });
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
  test("one-hot labels for class numbers", async () => {
    const source = await npz({ labels: bytes([2, 10]), pair: bytes([2, 2, 5]) });
    const refusal = (input: Field) => {
      try {
        return feedOf([input], source, null) && "";
      } catch (error) {
        return String(error);
      }
    };
    const help = "help: one-hot labels become class numbers by labels.argmax(axis=1) when writing the array";
    expect(refusal(input("labels", "i32", [2]))).toContain(`takes 1 value () per example, but \`labels\` has 10 values (10)\n  ${help}`);
    for (const other of [input("labels", "f32", [2]), input("labels", "i32", [2, 5]), input("pair", "i32", [2])])
      expect(refusal(other)).toMatch(/per example, but `\w+` has 10 values \([\d, ]+\)$/);
  });
  test("labels that the model cannot index with", async () => {
    const source = await csv("label\n3\n10\n");
    const feed = feedOf([input("label", "i32", [2], 10)], source, null);
    expect(() => feed.read(source.train, [0, 1])).toThrow("error[data]: `label` of example 1 is 10, outside 0 to 9");
  });
});
