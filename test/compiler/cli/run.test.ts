import { readFileSync } from "node:fs";
import { encode } from "fast-png";
import { describe, expect, test } from "vitest";
import { dimensionHint, freeDimensions } from "../../../compiler/cli/free-dimensions.ts";
import { bindDimensions, fillInputs, type Given, type ImageOptions } from "../../../compiler/cli/run-inputs.ts";
import { checkLabels, describeOutput, jsonOutputs, type Output } from "../../../compiler/cli/run-outputs.ts";
import type { NdArray } from "../../../compiler/formats/array.ts";
import { feedOf } from "../../../compiler/formats/feed.ts";
import { readNpy, writeNpy } from "../../../compiler/formats/npy.ts";
import { writeNpz } from "../../../compiler/formats/npz.ts";
import { readPng, writePng } from "../../../compiler/formats/png.ts";
import type { Field } from "../../../ir/program.ts";
import { sourceOf } from "../formats/support.ts";
import { fakeToolchain } from "./fake.ts";
import { dlm, folder } from "./harness.ts";

const input = (name: string, dtype: Field["dtype"], shape: number[], range?: Field["range"]): Field => ({
  name,
  dtype,
  shape,
  region: "io",
  offset: 0,
  ...(range ? { range } : {}),
});
const array = (shape: number[], data: number[]): Given => ({
  kind: "array",
  path: "a.npy",
  array: { type: "f4", shape, data: Float32Array.from(data) },
});
const picture = (channels: number, width: number, height: number, data: number[]): Given => ({
  kind: "image",
  path: "p.png",
  picture: readPng(encode({ width, height, channels, data: Uint8Array.from(data) }), "p.png"),
});
const plain = { normalisation: null, resize: false };
const fill = (field: Field, given: Given | null, more: Partial<ImageOptions> = {}) =>
  fillInputs([field], new Map(given ? [[field.name, given]] : []), { ...plain, ...more });

describe("inputs", () => {
  test("arrays are taken as they are; axes of extent 1 may come and go", () => {
    expect(fill(input("x", "f32", [1, 2]), array([2], [300, -1])).values).toEqual({ x: Float32Array.of(300, -1) });
    expect(fill(input("x", "i32", [2, 1]), array([1, 2], [7, -1])).values).toEqual({ x: Int32Array.of(7, -1) });
  });
  const pixels = (shape: number[], data: number[], scale?: number): Given => ({
    kind: "array",
    path: "u8.npy",
    array: { type: "u1", shape, data: Uint8Array.from(data) },
    ...(scale === undefined ? {} : { scale }),
  });
  test.each([
    ["a picture", [1, 1, 1, 2], [1, 1, 1, 2]],
    ["one without its batch", [1, 1, 1, 2], [1, 2]],
    ["a flat one", [1, 2], [1, 2]],
  ])("bytes of %s are scaled as training does", (_, shape, given) => {
    const { values, scaled } = fill(input("x", "f32", shape), pixels(given, [0, 255]));
    expect(values.x).toEqual(Float32Array.of(0, 1));
    expect(scaled).toEqual(["input x: the bytes of u8.npy are divided by 255, as in training; ?scale=1 takes it as it is"]);
    const times = fill(input("x", "f32", shape), pixels(given, [0, 255], 2));
    expect([times.values.x, times.scaled]).toEqual([Float32Array.of(0, 510), ["input x: the bytes of u8.npy are multiplied by 2"]]);
  });
  test("bytes stay as they are where training takes them so: one an example, integers", () => {
    expect(fill(input("x", "f32", [2]), pixels([2], [0, 255]))).toMatchObject({ values: { x: Float32Array.of(0, 255) }, scaled: [] });
    expect(fill(input("x", "i32", [1, 2]), pixels([1, 2], [0, 255]))).toMatchObject({ values: { x: Int32Array.of(0, 255) }, scaled: [] });
  });
  test("training and running read the same bytes alike", async () => {
    const u8: NdArray = { type: "u1", shape: [2, 1, 1, 3], data: Uint8Array.of(0, 51, 102, 153, 204, 255) };
    const source = await sourceOf("npz:a.npz", { "a.npz": writeNpz(new Map([["x", u8]])) });
    const field = input("x", "f32", [2, 1, 1, 3]);
    for (const normalisation of [null, { mean: [0.5], std: [0.25] }])
      expect(fill(field, { kind: "array", path: "u8.npy", array: u8 }, { normalisation }).values).toEqual(
        feedOf([field], source, normalisation).read(source.train, [0, 1]),
      );
    const flat = { normalisation: { mean: [0.5], std: [1] } };
    expect(() => fill(input("x", "f32", [2]), array([2], [0, 1]), flat)).toThrow("apply to images, and no input is one");
  });
  test("pictures are scaled, and normalised by channel", () => {
    const grey = picture(1, 2, 1, [0, 255]);
    expect(fill(input("x", "f32", [1, 1, 1, 2]), grey).values).toEqual({ x: Float32Array.of(0, 1) });
    expect(fill(input("x", "f32", [3, 1, 2]), grey, { normalisation: { mean: [0, 0, 1], std: [1, 2, 1] } }).values).toEqual({
      x: Float32Array.of(0, 1, 0, 0.5, -1, 0),
    });
  });
  test("pictures are resized when asked", () => {
    const wide = picture(1, 4, 1, [0, 0, 255, 255]);
    expect(fill(input("x", "f32", [1, 1, 1, 2]), wide, { resize: true }).values.x![0]).toBeLessThan(0.2);
    expect(() => fill(input("x", "f32", [1, 1, 1, 2]), wide)).toThrow("takes 2x1\n  help: add --resize");
  });
  test("what is missing is random, the same every time, within the range that is indexed, and told", () => {
    const ids = input("ids", "i32", [1000], { min: 3, max: 5 });
    const { values, invented } = fill(ids, null);
    expect(invented).toEqual(["input ids: i32[1000] not given, filled with random values"]);
    expect([...new Set(values.ids as Int32Array)].sort()).toEqual([3, 4, 5]);
    expect(fill(ids, { kind: "random", seed: 0 })).toEqual({ values, invented: [], scaled: [] });
    expect(fill(ids, { kind: "random", seed: 1 }).values).not.toEqual(values);
    const floats = fill(input("x", "f32", [1000]), null).values.x!;
    expect(Math.min(...floats)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...floats)).toBeLessThanOrEqual(1);
    expect(new Set(fill(input("m", "bool", [100]), null).values.m)).toEqual(new Set([0, 1]));
  });
  test.each([
    ["another shape", input("x", "f32", [3]), array([2], [1, 2]), "error[data]: the input `x` is f32[3], but a.npy has the shape (2)"],
    [
      "fractions",
      input("x", "i32", [1]),
      array([1], [0.5]),
      "error[data]: a.npy: element 0 is 0.5, but i32 takes a whole number of 32 bits",
    ],
    [
      "another size",
      input("x", "f32", [1, 1, 2, 2]),
      picture(1, 2, 1, [0, 0]),
      "error[data]: p.png is 2x1 pixels, the input `x` takes 2x2",
    ],
    ["no picture", input("x", "i32", [1, 2]), picture(1, 2, 1, [0, 0]), "error[data]: p.png is a picture, but the input `x` is i32[1,2]"],
    [
      "two examples",
      input("x", "f32", [2, 1, 1, 2]),
      picture(1, 2, 1, [0, 0]),
      "error[data]: p.png is a picture, but the input `x` is f32[2,1,1,2]",
    ],
    [
      "features",
      input("x", "f32", [1, 2]),
      picture(1, 3, 1, [0, 0, 0]),
      "error[data]: p.png is a picture, but the input `x` is f32[1,2]\n  help: pictures go to",
    ],
  ])("%s is refused", (_, field, given, message) => {
    expect(() => fill(field, given)).toThrow(message);
    if (given.kind === "image" && !message.includes("pixels")) expect(() => fill(field, given, { resize: true })).toThrow(message);
  });
  test("an unknown name is refused", () => {
    expect(() => fillInputs([input("x", "f32", [1])], new Map([["y", array([1], [1])]]), plain)).toThrow(
      "error[flag]: the model has no input `y`\n  help: its inputs are: x: f32[1]",
    );
  });
});

describe("free dimensions", () => {
  const source = "const T = 7\nmodel M(image: f32[N, C, H = 28, W], ids: i32[N, T], D = 2, v: f32[D, 2 * N]) -> y {\n  y = image\n}\n";
  const settings = { target: "wasm", dims: {}, bindings: [{}], set: {}, exact: false, reproducible: false, relaxed: false } as const;
  const bind = (given: Record<string, Given>, model?: string) =>
    bindDimensions(source, "m.dlm", model === undefined ? settings : { ...settings, model }, new Map(Object.entries(given)));
  test("come from the arrays given; constants and hyper-parameters stay", () => {
    const image = array([4, 3, 32, 30], new Array(4 * 3 * 32 * 30).fill(0));
    expect(bind({ image })).toEqual({ N: 4, C: 3, H: 32, W: 30 });
    expect(bind({ ids: array([5, 6], new Array(30).fill(0)), v: array([3, 10], new Array(30).fill(0)) })).toEqual({ N: 5 });
  });
  test("a picture is one example and leaves defaults alone", () => {
    expect(bind({ image: picture(1, 5, 6, new Array(30).fill(0)) })).toEqual({ N: 1, W: 5 });
    expect(bind({ ids: picture(1, 5, 6, new Array(30).fill(0)) })).toEqual({});
  });
  test("nothing to bind: random inputs, other ranks, other models", () => {
    expect(bind({ image: { kind: "random", seed: 0 } })).toEqual({});
    expect(bind({ image: array([4], [1, 2, 3, 4]) })).toEqual({});
    expect(bind({ ids: array([5, 6], new Array(30).fill(0)) }, "Other")).toEqual({});
  });
});

test("sizes that would make data fit", () => {
  const source = "model M(image: f32[N, 3, H = 8, W], s: f32[N, K, K], ids: i32[N, 2 * T]) -> y {\n  y = image\n}\n";
  const free = freeDimensions(source, "m.dlm", {});
  expect(dimensionHint(free, "image", [3, 8, 8], [3, 8, 32])).toBe("--dim W=32");
  expect(dimensionHint(free, "image", [3, 8, 8], [3, 16, 32])).toBe("--dim H=16 --dim W=32");
  expect(dimensionHint(free, "image", [3, 8, 8], [1, 16, 32])).toBe(null);
  expect(dimensionHint(free, "image", [3, 8, 8], [3, 64])).toBe(null);
  expect(dimensionHint(free, "s", [4, 4], [5, 5])).toBe("--dim K=5");
  expect(dimensionHint(free, "s", [4, 4], [5, 6])).toBe(null);
  expect(dimensionHint(free, "ids", [4], [6])).toBe(null);
  expect(dimensionHint(free, "other", [4], [6])).toBe(null);
});

describe("outputs", () => {
  const output = (name: string, shape: number[], data: number[]): Output => ({ name, dtype: "f32", shape, data: Float32Array.from(data) });
  test("a classifier's best five, with names", () => {
    const logits = output("logits", [1, 6], [0, 3, 1, 2, -1, -2]);
    expect(describeOutput(logits, null)).toMatchInlineSnapshot(`
      "logits: f32[1,6]
        1  0.6337  (logit 3)
        3  0.2331  (logit 2)
        2  0.0858  (logit 1)
        0  0.0315  (logit 0)
        4  0.0116  (logit -1)
      "
    `);
    expect(describeOutput(logits, null, 1).trim().split("\n")).toHaveLength(2);
    expect(describeOutput(logits, ["zero", "one"]).split("\n")[1]).toBe("  one   0.6337  (logit 3)");
    expect(describeOutput(output("probabilities", [2], [0.25, 0.75]), null)).toBe("probabilities: f32[2]\n  1  0.7500\n  0  0.2500\n");
  });
  test("a classifier's rows, the first five of them", () => {
    const rows = output("scores", [7, 2], [0.25, 0.75, ...new Array(12).fill(0.5)]);
    const lines = describeOutput(rows, ["no", "yes"]).split("\n");
    expect(lines.slice(0, 5)).toEqual(["scores: f32[7,2]", "  row 0", "    yes  0.7500", "    no   0.2500", "  row 1"]);
    expect(lines.slice(-3)).toEqual(["    yes  0.5000", "  ... 2 more rows", ""]);
    expect(describeOutput(output("scores", [2, 2], [1, 0, 0, 1]), null)).not.toContain("more rows");
  });
  test("labels must be as many as the classes", () => {
    const check = (count: number, ...outputs: Output[]) => checkLabels(outputs, new Array(count).fill("a"), "l.txt");
    const logits = output("logits", [1, 3], [1, 2, 3]);
    check(3, logits);
    check(2, output("y", [3], [1, 2, 3]));
    expect(() => check(2, logits)).toThrow("error[flag]: l.txt has 2 lines, but `logits` has 3 classes");
  });
  test("few values as they are, many as a summary", () => {
    expect(describeOutput(output("y", [2, 2], [1, 2, 3, 0.5]), null)).toBe("y: f32[2,2] = 1 2 3 0.5\n");
    const many = Array.from({ length: 100 }, (_, i) => i - 1);
    expect(describeOutput(output("y", [100], many), null)).toBe("y: f32[100]  min -1  max 98  mean 48.5\n");
    expect(describeOutput(output("y", [101], [...many, Number.NaN]), null)).toBe(
      "y: f32[101]  min -1  max 98  mean 48.5  and 1 NaN or infinite\n",
    );
  });
  test("JSON", () => {
    expect(JSON.parse(jsonOutputs([output("y", [2], [0.1, Infinity])]))).toEqual({
      outputs: { y: { shape: [2], data: [Math.fround(0.1), null] } },
    });
  });
});

describe("dlm run", () => {
  const source = "model Line(x: f32[N]) -> logits {\n  logits = x\n}\n";
  const toolchain = fakeToolchain();
  const npy = (a: NdArray) => writeNpy(a);
  test("binds the dimension, runs, prints and writes", async () => {
    const at = folder({ "net.dlm": source, "x.npy": npy({ type: "f8", shape: [3], data: Float64Array.of(1, 2, 4) }) });
    const argv = ["run", at("net.dlm"), "--seed", "10", "--input", `x=${at("x.npy")}`, "--output", `logits=${at("y.npy")}`];
    const shown = await dlm(argv, { toolchain });
    expect(shown).toMatchObject({ code: 0, err: "note: no --weights: parameters are initialised from the seed 10\n" });
    expect(shown.out.split("\n").slice(0, 2)).toEqual(["logits: f32[1,3]", "  2  0.8438  (logit 4)"]);
    expect(readNpy(readFileSync(at("y.npy")), "y.npy")).toEqual({ type: "f4", shape: [1, 3], data: Float32Array.of(1, 2, 4) });
    const { out } = await dlm([...argv, "--json"], { toolchain });
    expect(JSON.parse(out)).toEqual({ outputs: { logits: { shape: [1, 3], data: [1, 2, 4] } } });
  });
  test("says on standard error what it made up", async () => {
    const at = folder({ "net.dlm": source });
    const { code, out, err } = await dlm(["run", at("net.dlm"), "--dim", "N=4", "--json"], { toolchain });
    expect(code).toBe(0);
    expect(err).toBe(
      "input x: f32[4] not given, filled with random values\nnote: no --weights: parameters are initialised from the seed 0\n",
    );
    expect(JSON.parse(out).outputs.logits.shape).toEqual([1, 4]);
  });
  test("mistakes", async () => {
    const png = writePng({ channels: 1, height: 1, width: 1, data: Float32Array.of(1) });
    const at = folder({
      "net.dlm": source,
      "x.txt": "1 2 3",
      "p.png": png,
      "cut.png": png.subarray(0, -20),
      "junk.png": "junk",
      "cat.jpg": Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0),
      "x.npy": npy({ type: "f4", shape: [1], data: Float32Array.of(1) }),
    });
    const run = async (...more: string[]) => (await dlm(["run", at("net.dlm"), ...more], { toolchain })).err;
    expect(await run("--input", `x=${at("x.txt")}`)).toBe(
      `error[file]: ${at("x.txt")} is not an .npy file\n  help: write it with numpy.save\n`,
    );
    expect(await run("--input", `x=${at("p.png")}`)).toContain("is a picture, but the input `x` is f32[1]");
    expect(await run("--input", "x=random:x")).toBe(
      "error[flag]: the seed of `random:x` must be a whole number\n  help: write random or random:7\n",
    );
    expect(await run("--input", `x=${at("cat.jpg")}`)).toBe(
      `error[file]: ${at("cat.jpg")} cannot be decoded: it is damaged or cut short\n`,
    );
    expect(await run("--input", `x=${at("junk.png")}`)).toBe(`error[file]: ${at("junk.png")} is not a PNG file\n`);
    expect(await run("--input", `x=${at("cut.png")}`)).toBe(
      `error[file]: ${at("cut.png")} cannot be decoded: it is damaged or cut short\n`,
    );
    expect(await run("--input", `x=${at("x.npy")}?scale=2`)).toBe(
      `error[data]: ${at("x.npy")} holds f4, \`?scale=\` is for arrays of uint8\n`,
    );
    expect(await run("--input", `x=${at("x.npy")}?scale=a`)).toContain("must be a positive number");
    expect(await run("--input", "z=random")).toBe("error[flag]: the model has no input `z`\n  help: its inputs are: x: f32[1]\n");
    expect(await run("--output", "logits=y.png")).toBe(
      "error[flag]: outputs are written as .npy, not `.png`\n  help: write --output logits=y.npy\n",
    );
    expect(await run("--labels", at("x.txt"), "--dim", "N=2")).toContain("has 1 lines, but `logits` has 2 classes");
    expect(await run("--output", "z=y.npy")).toContain("error[flag]: the model has no output `z`\n  help: its outputs are: logits\n");
  });
});
