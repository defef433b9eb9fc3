/** `dlm weights`: the list, what is written, what is compared. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import { writeNpz } from "../../../compiler/formats/npz.ts";
import { type Entry, parseSafetensors, writeSafetensors } from "../../../runtime/index.ts";
import { bytesOf, numbersOf } from "../../../runtime/safetensors.ts";
import { floatEntry } from "../../runtime/entries.ts";
import { dlm, folder } from "./harness.ts";

const floats = (name: string, shape: number[], ...values: number[]): Entry => floatEntry(name, shape, Float32Array.from(values));
const long = (name: string, ...values: bigint[]): Entry => ({
  name,
  dtype: "I64",
  shape: [values.length],
  data: bytesOf(BigInt64Array.from(values)),
});
const net = [
  floats("layer1.0.weight", [2, 2], 1, 2, 3, 6),
  floats("layer1.0.bias", [2], 0.5, Number.NaN),
  floats("fc.weight", [3], 1, Infinity, -Infinity),
  long("fc.count", 7n),
];
const file = (...entries: Entry[]) => writeSafetensors(entries, { format: "pt" });
const names = (path: string) => parseSafetensors(readFileSync(path)).entries.map((e) => e.name);

describe("the list", () => {
  test("names, types, sizes and statistics of the finite values", async () => {
    const at = folder({ w: file(...net) });
    expect(await dlm(["weights", at("w")])).toEqual({
      code: 0,
      err: "",
      out: [
        "name             dtype  shape  bytes  mean    std  min  max",
        "layer1.0.weight  f32    [2,2]   16 B     3  1.871    1    6",
        "layer1.0.bias    f32    [2]      8 B   0.5      0  0.5  0.5  1 NaN",
        "fc.weight        f32    [3]     12 B     1      0    1    1  2 infinite",
        "fc.count         i64    [1]      8 B     7      0    7    7",
        "",
        "4 tensors, 10 elements, 44 B",
        "",
      ].join("\n"),
    });
  });
  test("as JSON, with metadata", async () => {
    const at = folder({ w: file(net[0]!, floats("none", [0])) });
    const { out } = await dlm(["weights", at("w"), "--json"]);
    expect(JSON.parse(out)).toEqual({
      tensors: [
        { name: "layer1.0.weight", dtype: "f32", shape: [2, 2], bytes: 16, mean: 3, std: Math.sqrt(3.5), min: 1, max: 6, nan: 0, inf: 0 },
        { name: "none", dtype: "f32", shape: [0], bytes: 0, mean: null, std: null, min: null, max: null, nan: 0, inf: 0 },
      ],
      elements: 4,
      bytes: 16,
      metadata: { format: "pt" },
    });
  });
  test("of an archive", async () => {
    const at = folder({ "w.npz": writeNpz(new Map([["b", { type: "f8", shape: [], data: Float64Array.of(2) }]])) });
    expect((await dlm(["weights", at("w.npz")])).out).toContain(
      "b     f64    []       8 B     2    0    2    2\n\n1 tensor, 1 element, 8 B\n",
    );
  });
});

describe("changes", () => {
  const write = async (...flags: string[]) => {
    const at = folder({ w: file(...net) });
    const result = await dlm(["weights", at("w"), "-o", at("sub/out.safetensors"), ...flags]);
    return { at, result, path: at("sub/out.safetensors") };
  };
  test("tensors are chosen by the names in the file, then renamed", async () => {
    const { result, path } = await write("--only", "layer1.*", "--only", "fc.w*", "--drop", "*.bias", "--rename", "*.weight=net.*.w");
    expect(result).toEqual({ code: 0, err: "", out: `${path}: 2 tensors, 7 elements, 28 B\n` });
    const { entries, metadata } = parseSafetensors(readFileSync(path));
    expect(entries).toEqual([
      { ...net[0], name: "net.layer1.0.w" },
      { ...net[2], name: "net.fc.w" },
    ]);
    expect(metadata).toEqual({ format: "pt" });
    expect(readdirSync(dirname(path))).toEqual(["out.safetensors"]);
  });
  test("stars are carried over in order, one rename after the other", async () => {
    const { path } = await write("--rename", "layer*.*.*=block.*.*.*", "--rename", "block.1.*=stage.*", "--rename", "fc.count=n");
    expect(names(path)).toEqual(["stage.0.weight", "stage.0.bias", "fc.weight", "n"]);
  });
  test("a file does not lose tensors by being replaced, and none is written without any", async () => {
    const at = folder({ "w.safetensors": file(...net) });
    const drop = async (glob: string, out: string) => (await dlm(["weights", at("w.safetensors"), "--drop", glob, "-o", at(out)])).err;
    expect(await drop("fc.*", "w.safetensors")).toContain("would replace the file that is read, and lose tensors");
    expect(await drop("*", "o.safetensors")).toContain("would have no tensors: --only and --drop leave none");
    expect(existsSync(at("o.safetensors"))).toBe(false);
    expect(names(at("w.safetensors"))).toHaveLength(4);
  });
  test("a file may be replaced by its own changes, with the bytes of the rest untouched", async () => {
    const at = folder({ "w.safetensors": file(...net) });
    await dlm(["weights", at("w.safetensors"), "--rename", "fc.*=head.*", "-o", at("w.safetensors")]);
    const { entries } = parseSafetensors(readFileSync(at("w.safetensors")));
    expect(entries.map((e) => e.data)).toEqual(net.map((e) => e.data));
    expect(entries.at(-1)!.name).toBe("head.count");
  });
  test.each([
    ["f16", "F16", [1, 2049, 65519], [1, 2048, 65504]],
    ["bf16", "BF16", [1, 257, 3e38], [1, 256, 226 * 2 ** 120]],
    ["f32", "F32", [1, 0.1, 1e38], [1, Math.fround(0.1), Math.fround(1e38)]],
  ] as const)("floating-point tensors become %s, others stay", async (flag, dtype, given, expected) => {
    const doubles: Entry = { name: "d", dtype: "F64", shape: [3], data: bytesOf(Float64Array.from(given)) };
    const at = folder({ w: file(doubles, long("n", 70000n)) });
    expect(await dlm(["weights", at("w"), "--dtype", flag, "-o", at("o")])).toMatchObject({ code: 0, err: "" });
    const [d, n] = parseSafetensors(readFileSync(at("o"))).entries;
    expect(d!.dtype).toBe(dtype);
    for (const [i, value] of numbersOf(d!).entries()) expect(value / expected[i]!).toBeCloseTo(1, 4);
    expect(n).toEqual(long("n", 70000n));
  });
  test("infinities and NaN stay in halves", async () => {
    const { path } = await write("--dtype", "f16");
    const { entries } = parseSafetensors(readFileSync(path));
    expect(entries.slice(1, 3).map((e) => Array.from(numbersOf(e)))).toEqual([
      [0.5, Number.NaN],
      [1, Infinity, -Infinity],
    ]);
  });
  test("a value that a half cannot hold is an error, and nothing is written", async () => {
    const at = folder({ w: file(floats("fc.weight", [2], 1, -65520)) });
    expect(await dlm(["weights", at("w"), "--dtype", "f16", "-o", at("o")])).toEqual({
      code: 1,
      out: "",
      err: "error[data]: `fc.weight` has the value -65520, which is infinite in f16\n  help: bf16 has the range of f32\n",
    });
    expect(existsSync(at("o"))).toBe(false);
  });
  test("without -o the list shows what would be written", async () => {
    const at = folder({ w: file(...net) });
    const { out } = await dlm(["weights", at("w"), "--only", "fc.weight", "--dtype", "bf16"]);
    expect(out).toContain("\nfc.weight  bf16   [3]      6 B ");
  });
});

describe("two files", () => {
  const compare = async (first: Entry[], second: Entry[], ...flags: string[]) => {
    const at = folder({ a: file(...first), b: file(...second) });
    const { code, out, err } = await dlm(["weights", at("a"), at("b"), ...flags]);
    expect(err).toBe("");
    return { code, out: out.replaceAll(dirname(at("a")), "D") };
  };
  test("equal files agree, NaN and infinities with themselves", async () => {
    const { code, out } = await compare(net, [...net].reverse());
    expect(code).toBe(0);
    expect(out).toContain("\nlargest difference: absolute 0, relative 0\n4 tensors of 4 within 0\n");
  });
  test("differences by tensor and overall", async () => {
    const first = [floats("a", [2], 1, 2), floats("b", [2], 1000, 0), long("c", 1n)];
    const second = [floats("a", [2], 1, 2.5), floatEntry("b", [2], Float32Array.of(1000, 0.25), "F16"), long("c", 1n)];
    expect(await compare(first, second, "--tolerance", "0.2")).toEqual({
      code: 1,
      out: [
        "name  dtype     shape  absolute  relative  beyond 0.2",
        "a     f32       [2]         0.5       0.2",
        "b     f32, f16  [2]        0.25         1           1",
        "c     i64       [1]           0         0",
        "",
        "largest difference: absolute 0.5 (a), relative 1 (b)",
        "2 tensors of 3 within 0.2",
        "",
      ].join("\n"),
    });
    expect((await compare(first, second, "--tolerance", "0.25")).code).toBe(0);
    expect((await compare(first, second)).code).toBe(1);
  });
  test("names and shapes that differ are told, and decide", async () => {
    const first = [floats("a", [2], 1, 2), floats("b", [1, 2], 1, 2), floats("c", [], 1)];
    const second = [floats("b", [2], 1, 2), floats("c", [], 1), floats("d", [], 1)];
    const { code, out } = await compare(first, second, "--tolerance", "1");
    expect(code).toBe(1);
    expect(out).toContain("only in D/a: a F32[2]\nonly in D/b: d F32[]\nother shape: b is F32[1,2], then F32[2]\n");
    expect((await compare(first, second, "--only", "c")).code).toBe(0);
    expect((await compare(first, second, "--drop", "a", "--drop", "b", "--drop", "d")).code).toBe(0);
  });
  test("renames and types of the first are changed before", async () => {
    const halves = net.map((e) => (e.dtype === "F32" ? floatEntry(e.name, e.shape, numbersOf(e) as Float32Array, "F16") : e));
    const other = halves.map((e) => ({ ...e, name: e.name.replace("layer1", "block") }));
    expect((await compare(net, other, "--rename", "layer1.*=block.*", "--dtype", "f16")).code).toBe(0);
  });
  test("a NaN against a number is infinitely far; integers of 64 bits are compared exactly", async () => {
    const nan = await compare([floats("a", [1], Number.NaN)], [floats("a", [1], 1)], "--tolerance", "1e9", "--json");
    expect(nan.code).toBe(1);
    expect(JSON.parse(nan.out)).toMatchObject({ agree: false, absolute: null, tensors: [{ name: "a", absolute: null, beyond: 1 }] });
    const large = await compare([long("n", 2n ** 60n)], [long("n", 2n ** 60n + 1n)], "--json");
    expect(JSON.parse(large.out)).toEqual({
      agree: false,
      tolerance: 0,
      absolute: 1,
      relative: 2 ** -60,
      only_in_first: [],
      only_in_second: [],
      other_shape: [],
      tensors: [{ name: "n", dtypes: ["i64", "i64"], shape: [1], absolute: 1, relative: 2 ** -60, beyond: 1 }],
    });
  });
});

test.each([
  [["--rename", "nothing.*=x.*"], "error[flag]: `--rename nothing.*=x.*` matches no tensor\n"],
  [["--only", "fc"], "error[flag]: `--only fc` matches no tensor\n"],
  [["--drop", "x?"], "error[flag]: `--drop x?` matches no tensor\n"],
  [["--rename", "*.weight=w"], "error[flag]: `layer1.0.weight` and `fc.weight` would both be called `w`\n"],
  [["--rename", "fc.count=fc.weight"], "error[flag]: `fc.weight` and `fc.count` would both be called `fc.weight`\n"],
  [["--rename", "fc.*=a.*.*"], "error[flag]: `--rename fc.*=a.*.*` has more `*` behind the `=` than in front\n"],
  [["--rename", "fc.count="], "error[flag]: `fc.count` cannot be called ``\n"],
  [["--rename", "fc.count=__metadata__"], "error[flag]: `fc.count` cannot be called `__metadata__`\n"],
  [["--rename", "fc"], "error[flag]: `--rename fc` must be NAME=VALUE\n"],
  [["--dtype", "f64"], "error[flag]: `--dtype` cannot be `f64`\n"],
  [["--dtype", "F16"], "error[flag]: `--dtype` cannot be `F16`\n"],
  [["--tolerance", "1"], "error[flag]: `--tolerance` is for comparing two files\n"],
  [["w", "--tolerance", "-1"], "error[flag]: `--tolerance` must be a number from 0, found `-1`\n"],
  [["w", "-o", "o.safetensors"], "error[flag]: `-o` writes the tensors of one file, found two\n"],
  [["w", "w"], "error[flag]: `dlm weights` takes one or two files, found 3\n"],
  [["-o", "o.npz"], "error[flag]: weights are written as .safetensors, not `.npz`\n"],
])("refuses %j", async (flags, message) => {
  const at = folder({ w: file(...net) });
  const { code, out, err } = await dlm(["weights", at("w"), ...flags]);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err.startsWith(message), err).toBe(true);
});
