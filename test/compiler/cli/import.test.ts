/** `dlm import`, and running what it wrote. */
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readNpy, writeNpy } from "../../../compiler/formats/npy.ts";
import { writeOnnx } from "../../../compiler/formats/onnx/write.ts";
import { floats, list, modelOf, noise, op } from "../onnx/import/support.ts";
import { dlm, folder } from "./harness.ts";

const x = noise([2, 3]);
const net = {
  nodes: [op("Gemm", ["in.0", "fc.weight", "fc.bias"], ["t"], { transB: 1 }), op("Relu", ["t"], ["out/0"])],
  inputs: { "in.0": x },
  weights: { "fc.weight": noise([4, 3], 2), "fc.bias": noise([4], 3) },
  outputs: ["out/0"],
};
const files = (c: Parameters<typeof modelOf>[0] = net) => {
  const path = folder({
    "small-net.onnx": writeOnnx(modelOf(c)),
    "in.npy": writeNpy({ type: "f4", shape: [2, 3], data: Float32Array.from(x.data) }),
  });
  return { model: path("small-net.onnx"), out: path("out"), input: path("in.npy"), result: path("y.npy") };
};

test("writes the program and its weights, and says how to run it", async () => {
  const { model, out } = files();
  const { code, out: text, err } = await dlm(["import", model, "-o", out]);
  expect([code, err]).toEqual([0, ""]);
  expect(readdirSync(out).sort()).toEqual(["small-net.dlm", "small-net.safetensors"]);
  expect(readFileSync(join(out, "small-net.dlm"), "utf8")).toContain("model SmallNet(in_0: f32[2, 3]) -> out_0 {");
  expect(text).toContain(`dlm run ${join(out, "small-net.dlm")} --weights ${join(out, "small-net.safetensors")} --input in_0=FILE`);
  expect(text).toMatch(/weights +16 parameters\n/);
});

test("counts parameters, and apart from them what is not trained", async () => {
  const { model, out } = files({
    ...net,
    nodes: [...net.nodes, op("Add", ["out/0", "attn_mask"], ["z"])],
    outputs: ["z"],
    weights: { ...net.weights, attn_mask: noise([2, 4]) },
  });
  expect((await dlm(["import", model, "-o", out])).out).toMatch(/weights +16 parameters, 8 values of state\n/);
});

test("what it wrote runs, under the names of the program and of the file", async () => {
  const { model, out, input, result } = files();
  await dlm(["import", model, "-o", out]);
  const [fc, bias] = [net.weights["fc.weight"], net.weights["fc.bias"]];
  const expected = [0, 1].flatMap((n) =>
    [0, 1, 2, 3].map((o) =>
      Math.max(
        0,
        [0, 1, 2].reduce((s, k) => s + x.data[3 * n + k]! * fc.data[3 * o + k]!, bias.data[o]!),
      ),
    ),
  );
  for (const [i, o] of [
    ["in.0", "out/0"],
    ["in_0", "out_0"],
  ] as const) {
    const weights = join(out, "small-net.safetensors");
    const run = await dlm([
      "run",
      join(out, "small-net.dlm"),
      "--weights",
      weights,
      "--input",
      `${i}=${input}`,
      "--output",
      `${o}=${result}`,
    ]);
    expect([run.code, run.err]).toEqual([0, ""]);
    const found = Array.from(readNpy(readFileSync(result), result).data as Float32Array);
    for (const [k, v] of expected.entries()) expect(found[k]).toBeCloseTo(v, 5);
  }
});

test("--json, --name and --dim", async () => {
  const model = modelOf(net);
  const type = { kind: "tensor", dtype: "float", shape: ["N", 3] } as const;
  const path = folder({ "a.onnx": writeOnnx({ ...model, graph: { ...model.graph, inputs: [{ name: "in.0", type }] } }) });
  const { code, out } = await dlm(["import", path("a.onnx"), "-o", path("b"), "--json", "--name", "Own", "--dim", "N=7"]);
  expect([code, JSON.parse(out)]).toEqual([
    0,
    {
      model: "Own",
      nodes: 2,
      unsupported: [],
      files: { [path("b/a.safetensors")]: expect.any(Number), [path("b/a.dlm")]: expect.any(Number) },
      inputs: ["in_0"],
      outputs: ["out_0"],
      parameters: 16,
    },
  ]);
  // a program that somebody has changed, or a link, is not written over
  const again = (...more: string[]) => dlm(["import", path("a.onnx"), "-o", path("b"), "--name", "Own", "--dim", "N=7", ...more]);
  expect((await again()).code).toBe(0);
  writeFileSync(path("b/a.dlm"), "## mine");
  expect((await again()).err).toContain("differs from what would be written");
  expect(readFileSync(path("b/a.dlm"), "utf8")).toBe("## mine");
  expect((await again("--force")).code).toBe(0);
  rmSync(path("b/a.dlm"));
  symlinkSync(path("elsewhere.dlm"), path("b/a.dlm"));
  expect((await again("--force")).err).toContain("is a link");
  rmSync(path("b/a.dlm"));
  await again();
  expect(readFileSync(path("b/a.dlm"), "utf8")).toContain("model Own(in_0: f32[7, 3])");
  expect((await dlm(["import", path("a.onnx"), "-o", path("b"), "--name", "own"])).err).toContain("begins with a capital");
  expect((await dlm(["import", path("a.onnx"), "-o", path("b"), "--dim", "M=7"])).err).toContain("its dimensions are: N");
});

test("dimensions without a size stay open, or it is said what they are", async () => {
  const shaped = (c: Parameters<typeof modelOf>[0], shape: readonly (string | number)[]) => {
    const model = modelOf(c);
    const [input] = model.graph.inputs as [(typeof model.graph.inputs)[number]];
    const type = { kind: "tensor", dtype: "float", shape } as const;
    return writeOnnx({ ...model, graph: { ...model.graph, inputs: [{ ...input, type }] } });
  };
  const fixed = { nodes: [op("Reshape", ["x", "s"], ["y"])], inputs: { x }, weights: { s: list(1, 3, 1) } };
  const path = folder({ "a.onnx": shaped(net, ["batch", 3]), "b.onnx": shaped(fixed, ["batch", 3]), "c.onnx": shaped(fixed, [1, "seq"]) });
  expect((await dlm(["import", path("a.onnx"), "-o", path("out")])).out).toMatch(/any size +N \(batch\)\n/);
  expect(readFileSync(path("out/a.dlm"), "utf8")).toContain("model A(in_0: f32[N, 3])");
  expect((await dlm(["import", path("b.onnx"), "-o", path("out")])).err).toMatch(
    /note: `batch` is 1 in the program, as Reshape: .*; for another size: --dim batch=SIZE/,
  );
  const refused = await dlm(["import", path("c.onnx"), "-o", path("out")]);
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("c.onnx: the program depends on the size of `seq`: Reshape")]);
});

test("a model without weights has no file of them", async () => {
  const { model, out } = files({ nodes: [op("Relu", ["x"], ["y"])], inputs: { x } });
  expect((await dlm(["import", model, "-o", out])).out).not.toContain("--weights");
  expect(readdirSync(out)).toEqual(["small-net.dlm"]);
});

test("what is not supported is one error, and nothing is written", async () => {
  const nodes = [
    op("Det", ["x"], ["a"], {}, "d"),
    op("Det", ["x"], ["b"]),
    op("NonMaxSuppression", ["x", "x"], ["c"]),
    op("Sum", ["a", "b", "c"], ["y"]),
  ];
  const { model, out } = files({ nodes, inputs: { x } });
  const { code, err } = await dlm(["import", model, "-o", out]);
  expect(code).toBe(1);
  expect(err).toContain("3 nodes use operators or attributes that dlm does not know: Det, NonMaxSuppression");
  expect(err).toContain('Det (operator set 17): there is no such operator in dlm; node 0 "d", node 1');
  expect(existsSync(out)).toBe(false);
  const json = await dlm(["import", model, "-o", out, "--json"]);
  expect([json.code, JSON.parse(json.out).unsupported.map((p: { op: string }) => p.op)]).toEqual([1, ["Det", "Det", "NonMaxSuppression"]]);
});

test("mistakes of the call", async () => {
  const { model, out } = files({ nodes: [op("Add", ["i", "k"], ["y"])], inputs: { i: list(1) }, weights: { k: floats([1], [1]) } });
  expect((await dlm(["import", model])).err).toContain("needs a folder to write to");
  expect((await dlm(["import", "nowhere.onnx", "-o", out])).err).toContain("nowhere.onnx");
  const mixed = await dlm(["import", model, "-o", out]);
  expect([mixed.code, mixed.err]).toEqual([1, expect.stringContaining("node 0")]);
});
