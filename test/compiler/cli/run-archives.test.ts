/** Inputs and outputs of `dlm run` in one file. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { writeNpy } from "../../../compiler/formats/npy.ts";
import { readNpz, writeNpz } from "../../../compiler/formats/npz.ts";
import { fakeToolchain } from "./fake.ts";
import { dlm, folder } from "./harness.ts";

const f4 = (shape: readonly number[], ...values: number[]) => ({ type: "f4", shape, data: Float32Array.from(values) }) as const;
const bytes = (...values: number[]) => ({ type: "u1", shape: [1, values.length], data: Uint8Array.from(values) }) as const;
const line = (files: Readonly<Record<string, Uint8Array>>) =>
  folder({ "net.dlm": "model Line(x: f32[N]) -> logits {\n  logits = x\n}\n", ...files });
/** The model's w is 1 with this seed. */
const run = (net: string, ...flags: string[]) => dlm(["run", net, "--seed", "10", ...flags], { toolchain: fakeToolchain() });

test("an archive gives an array to each input, and takes all outputs", async () => {
  const at = line({ "x.npz": writeNpz(new Map([["x", f4([3], 0.5, -1, 2)]])) });
  const { code, err } = await run(at("net.dlm"), "--input", at("x.npz"), "--output", at("new/y.npz"));
  expect({ code, err }).toEqual({ code: 0, err: "note: no --weights: parameters are initialised from the seed 10\n" });
  const outputs = readNpz(readFileSync(at("new/y.npz")), "y.npz");
  expect([...outputs]).toEqual([["logits", f4([1, 3], 0.5, -1, 2)]]);
  const again = await run(at("net.dlm"), "--input", at("x.npz"), "--output", at("z.npz"), "--output", `logits=${at("y.npy")}`);
  expect(again.code).toBe(0);
  expect(readFileSync(at("z.npz"))).toEqual(readFileSync(at("new/y.npz")));
  expect(existsSync(at("y.npy"))).toBe(true);
});

test("an input that is named wins, wherever it stands", async () => {
  const at = line({ "x.npz": writeNpz(new Map([["x", f4([2], 1, 2)]])), "x.npy": writeNpy(f4([2], 3, 4)) });
  for (const flags of [
    [`x=${at("x.npy")}`, at("x.npz")],
    [at("x.npz"), `x=${at("x.npy")}`],
  ]) {
    const { out } = await run(at("net.dlm"), "--json", ...flags.flatMap((f) => ["--input", f]));
    expect(JSON.parse(out).outputs.logits.data).toEqual([3, 4]);
  }
});

test("a scale is for the arrays of uint8", async () => {
  const at = line({ "x.npz": writeNpz(new Map([["x", bytes(0, 100)]])), "f.npz": writeNpz(new Map([["x", f4([1, 2], 1, 2)]])) });
  const values = async (file: string) =>
    JSON.parse((await run(at("net.dlm"), "--json", "--input", file, "--dim", "N=2")).out).outputs.logits.data;
  expect(await values(`${at("x.npz")}?scale=0.5`)).toEqual([0, 50]);
  expect(await values(`${at("f.npz")}?scale=0.5`)).toEqual([1, 2]);
});

test("mistakes are told with the file, and nothing is written", async () => {
  const at = line({ "x.npz": writeNpz(new Map([["image", f4([2], 1, 2)]])), "no.npz": new TextEncoder().encode("text") });
  const fails = async (...flags: string[]) => {
    const { code, err } = await run(at("net.dlm"), ...flags);
    expect(code).toBe(1);
    return err;
  };
  expect(await fails("--input", at("x.npz"))).toContain("the model has no input `image`");
  expect(await fails("--input", at("no.npz"))).toContain("no.npz is not an .npz file");
  expect(await fails("--output", `logits=${at("y.npz")}`)).toContain(
    `one output is written as .npy\n  help: --output ${at("y.npz")} writes all`,
  );
  expect(await fails("--output", at("y.npz"), "--output", `y=${at("y.npy")}`)).toContain("the model has no output `y`");
  expect(existsSync(at("y.npz"))).toBe(false);
});
