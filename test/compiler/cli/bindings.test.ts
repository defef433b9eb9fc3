/** Several sizes for one dimension on the command line. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { writeNpy } from "../../../compiler/formats/npy.ts";
import { load, programFromArtefact } from "../../../runtime/index.ts";
import { dlm, folder } from "./harness.ts";

const affine = `model Affine(x: f32[N, T]) -> y {
  y = x |> scale: Scale
}
layer Scale(x: f32[N, T]) {
  param w: f32[1] = constant(2.0)
  return x * w
}
train Affine {
  loss = mean(y)
  optimizer = sgd(lr=0.5)
}
`;
const rows = (n: number, t = 1) => writeNpy({ type: "f4", shape: [n, t], data: Float32Array.from({ length: n * t }, (_, i) => i) });

describe("flags", () => {
  test.each([
    [["N=1,,4"], "`--dim N` must be whole numbers separated by commas, found `1,,4`"],
    [["N=1,x"], "`--dim N` must be whole numbers separated by commas, found `1,x`"],
    [["N=1,1"], "`--dim N=1,1` has the size 1 twice"],
    [["N=0,2"], "`--dim N` must be a whole number from 1 to 2147483647, found `0`"],
    [["N=1,2,3,4,5", "T=1,2,3,4,5,6,7,8,9,10,11,12,13"], "`--dim` gives 65 bindings (5 of N times 13 of T), a program has at most 64"],
  ])("%j", async (dims, message) => {
    const at = folder({ "a.dlm": affine });
    const argv = ["compile", at("a.dlm"), "-o", at("out"), ...dims.flatMap((d) => ["--dim", d])];
    expect(await dlm(argv)).toEqual({ code: 1, out: "", err: `error[flag]: ${message}\n` });
  });
  test.each(["train", "eval"])("%s takes one size", async (command) => {
    const { code, err } = await dlm([command, folder({ "a.dlm": affine })("a.dlm"), "--dim", "N=1,2"]);
    expect(code).toBe(1);
    expect(err).toBe(
      "error[flag]: this command takes one size for each `--dim`\n  help: `dlm compile`, `dlm inspect` and `dlm run` take several\n",
    );
  });
  test("bindings that share no parameters are refused, and nothing is written", async () => {
    const at = folder({ "a.dlm": affine.replace("f32[1]", "f32[T]") });
    const { code, err } = await dlm(["compile", at("a.dlm"), "-o", at("out"), "--dim", "T=1,2"]);
    expect(code).toBe(1);
    expect(err).toContain("error[shape]: `scale.w` is a param f32[1] with T=1, but a param f32[2] with T=2");
    expect(() => readFileSync(at("out/a.json"))).toThrow("ENOENT");
  });
});

describe("compile", () => {
  test("sizes multiply; the artefact runs with each", async () => {
    const at = folder({ "a.dlm": affine });
    const { code, out } = await dlm(["compile", at("a.dlm"), "-o", at("out"), "--dim", "N=1,2", "--dim", "T=1,3"]);
    expect(code).toBe(0);
    expect(out.match(/N=\d, T=\d: \d+ floating-point operations, arena \d+ B/g)).toHaveLength(4);
    const manifest = JSON.parse(readFileSync(at("out/a.json"), "utf8"));
    expect(manifest.bindings).toEqual([
      { N: 1, T: 1 },
      { N: 1, T: 3 },
      { N: 2, T: 1 },
      { N: 2, T: 3 },
    ]);
    const net = await load(await programFromArtefact(manifest, async (name) => readFileSync(at(`out/${name}`))));
    for (const n of [1, 3, 2, 6]) expect((await net.run({ x: Array(n).fill(4) })).y).toEqual(new Float32Array(n).fill(8));
    await net.dispose();
  });
  test("as JSON", async () => {
    const at = folder({ "a.dlm": affine });
    const json = async (...argv: string[]) => JSON.parse((await dlm(["compile", at("a.dlm"), "-o", at("out"), "--json", ...argv])).out);
    expect((await json("--dim", "N=2,5")).bindings).toEqual([
      { dims: { N: 2, T: 1 }, flops: 2, arena_bytes: 0, lower_bound_bytes: 0 },
      { dims: { N: 5, T: 1 }, flops: 5, arena_bytes: 0, lower_bound_bytes: 0 },
    ]);
    expect(await json("--dim", "N=2")).not.toHaveProperty("bindings");
    const { targets, code_bytes } = await json("--target", "wasm,wgsl");
    expect(Object.keys(targets)).toEqual(["wasm", "wgsl"]);
    expect(targets.wasm.code_bytes).toBe(code_bytes);
    expect(targets.wgsl.code_bytes).toBeGreaterThan(0);
    expect(targets.wgsl.code_bytes).not.toBe(code_bytes);
  });
});

describe("inspect", () => {
  const argv = (at: (name: string) => string, ...more: string[]) => ["inspect", at("a.dlm"), "--dim", "N=1,2", "--train", ...more];
  test.each(["graph", "kernels", "plan"])("--emit %s shows the entries of each binding", async (stage) => {
    const at = folder({ "a.dlm": affine });
    const { code, out } = await dlm(argv(at, "--emit", stage));
    expect(code).toBe(0);
    expect(out).toMatch(/^# N=1, T=1: init, prepare, forward, step, evaluate\n# N=2, T=1: forward_1, step_1, evaluate_1\n\n/);
    const body = out.split("\n\n").slice(1).join("\n\n");
    expect(body.match(/\b(?:init|prepare|forward|step|evaluate)(_1)?\b/g)).toEqual(
      expect.arrayContaining(["init", "step", "step_1", "evaluate_1"]),
    );
    const { out: forward } = await dlm(argv(at, "--emit", stage, "--entry", "forward"));
    expect(forward).toContain("forward_1");
    expect(forward.split("\n\n").slice(1).join("\n\n")).not.toMatch(/step|init\b/);
  });
  test("--print-after shows each, --emit wat what a module exports", async () => {
    const at = folder({ "a.dlm": affine });
    const { out } = await dlm(argv(at, "--print-after", "dce", "--entry", "forward"));
    expect(out.match(/^# after .*$/gm)).toEqual(["# after dce (forward)", "# after dce (forward_1)"]);
    expect((await dlm(argv(at, "--emit", "wat"))).out).toContain('(export "step_1" ');
  });
});

describe("run", () => {
  const run = (at: (name: string) => string, ...more: string[]) =>
    dlm(["run", at("a.dlm"), "--dim", "N=2,4", "--target", "reference", ...more]);
  test("the inputs choose; free dimensions still follow them", async () => {
    const at = folder({ "a.dlm": affine, "2.npy": rows(2), "4.npy": rows(4, 3) });
    const shape = async (file: string) => JSON.parse((await run(at, "--input", `x=${at(file)}`, "--json")).out).outputs.y;
    expect(await shape("2.npy")).toEqual({ shape: [2, 1], data: [0, 2] });
    expect(await shape("4.npy")).toEqual({ shape: [4, 3], data: Array.from({ length: 12 }, (_, i) => 2 * i) });
  });
  test("random inputs take the first binding", async () => {
    const { code, out } = await run(folder({ "a.dlm": affine }));
    expect(code).toBe(0);
    expect(out).toMatch(/^y: f32\[2,1\]/);
  });
  test("what fits none is refused", async () => {
    const at = folder({ "a.dlm": affine, "3.npy": rows(3) });
    expect((await run(at, "--input", `x=${at("3.npy")}`)).err).toBe(
      "error[data]: no binding of Affine takes `x` of the shape (3, 1)\n  help: its inputs are x: f32[2,1], or x: f32[4,1]\n",
    );
    expect((await run(at, "--input", "z=random")).err).toContain("error[flag]: the model has no input `z`");
  });
  test("a picture takes the binding of one", async () => {
    const source = "model P(image: f32[N, 1, H, W]) -> y {\n  y = mean(image, axis=[1, 2, 3])\n}\n";
    const at = folder({ "a.dlm": source });
    const seven = new URL("../../../examples/seven.png", import.meta.url).pathname;
    const argv = ["run", at("a.dlm"), "--target", "reference", "--input", `image=${seven}`];
    expect((await dlm([...argv, "--dim", "N=4,1"])).out).toMatch(/^y: f32\[1\]/);
    expect((await dlm([...argv, "--dim", "H=14,28", "--dim", "W=28"])).code).toBe(0);
    expect((await dlm([...argv, "--dim", "H=14,15", "--dim", "W=28"])).err).toContain("no binding of P takes `image` of 28x28 pixels");
  });
});
