/** Commands on the real compiler: small models, every command once. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { writeNpy } from "../../../compiler/formats/npy.ts";
import { writeNpz } from "../../../compiler/formats/npz.ts";
import { load, parseSafetensors, programFromArtefact, writeSafetensors } from "../../../runtime/index.ts";
import { dlm, folder } from "./harness.ts";

const net = `## Digits, small.
model Net(image: f32[N, 1, 28, 28], width = 8) -> logits {
  logits = image |> flatten |> fc1: Linear(width) |> relu |> dropout(0.2) |> fc2: Linear(10)
}

train Net {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric accuracy = mean(argmax(logits) == label)
  optimizer = sgd(lr=0.05, momentum=0.9)
}
`;
const affine = "model Affine(x: f32[N, 3]) -> y {\n  y = x |> fc: Linear(2)\n}\n";
const bytes = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const affineWeights = writeSafetensors([
  { name: "fc.weight", dtype: "F32", shape: [2, 3], data: bytes(1, 2, 3, 4, 5, 6) },
  { name: "fc.bias", dtype: "F32", shape: [2], data: bytes(0.5, -0.5) },
]);

describe("run", () => {
  test.each(["wasm", "reference"])("the numbers are right on %s", async (target) => {
    const x = writeNpy({ type: "f4", shape: [2, 3], data: Float32Array.of(1, 0, 0, 1, 1, 1) });
    const at = folder({ "a.dlm": affine, "w.safetensors": affineWeights, "x.npy": x });
    const argv = ["run", at("a.dlm"), "--weights", at("w.safetensors"), "--input", `x=${at("x.npy")}`, "--target", target, "--json"];
    const { code, out, err } = await dlm(argv);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(JSON.parse(out)).toEqual({ outputs: { y: { shape: [2, 2], data: [1.5, 3.5, 6.5, 14.5] } } });
  });
  test("weights may be halves, under a prefix, or NumPy's archive", async () => {
    const x = writeNpy({ type: "f4", shape: [1, 3], data: Float32Array.of(1, 10, 100) });
    const words = (...bits: number[]) => new Uint8Array(Uint16Array.from(bits).buffer);
    const weight = { name: "weight", dtype: "F16", shape: [2, 3], data: words(0x3c00, 0x3555, 0x0001, 0xc000, 0, 0x3c01) } as const;
    const bias = { name: "bias", dtype: "BF16", shape: [2], data: words(0x3eab, 0xbf80) } as const;
    const tracked = { name: "bn.num_batches_tracked", dtype: "I64", shape: [], data: new Uint8Array(8) } as const;
    const f4 = (shape: number[], ...values: number[]) => ({ type: "f4", shape, data: Float32Array.from(values) }) as const;
    const at = folder({
      "a.dlm": affine,
      "x.npy": x,
      "half.safetensors": writeSafetensors([weight, bias, tracked]),
      "w.npz": writeNpz(
        new Map([
          ["fc.weight", f4([2, 3], 1, 2, 3, 4, 5, 6)],
          ["fc.bias", f4([2], 0.5, -0.5)],
        ]),
      ),
    });
    const run = async (weights: string) => {
      const { out, err } = await dlm(["run", at("a.dlm"), "--weights", weights, "--input", `x=${at("x.npy")}`, "--json"]);
      expect(err).toBe("");
      return JSON.parse(out).outputs.y.data;
    };
    const third = 1365 * 2 ** -12;
    const halves = [1 + 10 * third + 100 * 2 ** -24 + 171 * 2 ** -9, -2 + 100 * (1 + 2 ** -10) - 1];
    const got = await run(`fc=${at("half.safetensors")}`);
    for (const [i, y] of halves.entries()) expect(got[i]).toBeCloseTo(y, 5);
    expect(await run(at("w.npz"))).toEqual([321.5, 653.5]);
  });
  test("weights that do not fit are the user's mistake", async () => {
    const at = folder({ "a.dlm": affine.replace("Linear(2)", "Linear(4)"), "w.safetensors": affineWeights });
    const { code, out, err } = await dlm(["run", at("a.dlm"), "--weights", at("w.safetensors")]);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain(`error[weights]: ${at("w.safetensors")}: the weights do not fit Affine:`);
    expect(err).not.toContain("nearest");
  });
  test("a missing parameter is told with the nearest name of the file", async () => {
    const renamed = parseSafetensors(affineWeights).entries.map((e) => ({ ...e, name: `module.${e.name}` }));
    const at = folder({ "a.dlm": affine, "w.safetensors": writeSafetensors(renamed) });
    const [first] = renamed;
    const line = `  help: nearest to ${first!.name.slice(7)} in the file: ${first!.name} F32[${first!.shape}]\n`;
    expect((await dlm(["run", at("a.dlm"), "--weights", at("w.safetensors")])).err).toContain(line);
    expect((await dlm(["compile", at("a.dlm"), "-o", at("out"), "--weights", at("w.safetensors")])).err).toContain(line);
  });
  test("files that are no weights are named, PyTorch's with what to do", async () => {
    const at = folder({
      "a.dlm": affine,
      "w.pt": Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 8, 8, 0, 0),
      "w.cut": affineWeights.subarray(0, -4),
    });
    const run = async (file: string) => (await dlm(["run", at("a.dlm"), "--weights", at(file)])).err;
    expect(await run("w.pt")).toBe(
      `error[file]: ${at("w.pt")} is a PyTorch file, expected safetensors or .npz\n  help: save it with safetensors.torch.save_file\n`,
    );
    expect(await run("w.cut")).toContain(`error[safetensors]: ${at("w.cut")}: not a safetensors file: `);
  });
  test("mistakes in the source are shown with their place", async () => {
    const at = folder({ "a.dlm": affine.replace("Linear(2)", "Liner(2)") });
    const { code, err } = await dlm(["run", at("a.dlm")]);
    expect(code).toBe(1);
    expect(err).toContain(`--> ${at("a.dlm")}:2:16`);
    expect(err).toContain("Linear");
  });
});

test("data of another size names the dimension to set", async () => {
  const source =
    "model M(x: f32[N, 1, H = 4, 3]) -> y {\n  y = mean(x)\n}\ntrain M {\n  loss = mean(x |> fc: Linear(1))\n  optimizer = sgd(lr=0.1)\n}\n";
  const x = { type: "f4", shape: [2, 1, 6, 3], data: new Float32Array(36) } as const;
  const at = folder({ "m.dlm": source, "d.npz": writeNpz(new Map([["x", x]])) });
  const { code, err } = await dlm(["train", at("m.dlm"), "--data", `npz:${at("d.npz")}`, "--batch", "2"]);
  expect([code, err]).toEqual([1, expect.stringContaining("\n  help: add --dim H=6\n")]);
});

describe("check", () => {
  test("fine files, and several mistakes as JSON", async () => {
    const at = folder({ "a.dlm": affine, "b.dlm": "model M(x: f32[N]) -> y {\n  y = x + u\n  z = relu(v)\n}\n" });
    expect(await dlm(["check", at("a.dlm")])).toEqual({ code: 0, out: `${at("a.dlm")}: fine\n`, err: "" });
    const empty = folder({ "e.dlm": "# nothing\n" })("e.dlm");
    expect(await dlm(["check", empty])).toEqual({ code: 0, out: "", err: `warning[file]: ${empty} declares nothing\n\n` });
    const { code, out } = await dlm(["check", at("a.dlm"), at("b.dlm"), "--json"]);
    expect(code).toBe(1);
    const found = JSON.parse(out);
    expect(found.map((d: { range: { start: object } }) => d.range.start)).toEqual([
      { line: 2, column: 11 },
      { line: 3, column: 12 },
    ]);
    expect(Object.keys(found[0])).toEqual(["file", "severity", "code", "message", "range", "notes", "help"]);
    expect(found[0]).toMatchObject({ file: at("b.dlm"), severity: "error", code: "name" });
  });
});

describe("compile", () => {
  test("the artefact runs, alone", async () => {
    const at = folder({ "a.dlm": affine, "w.safetensors": affineWeights });
    const { code, out } = await dlm(["compile", at("a.dlm"), "-o", at("out"), "--target", "wasm,wgsl", "--weights", at("w.safetensors")]);
    expect(code).toBe(0);
    expect(out).toContain("parameters   8 (32 B)");
    const read = async (name: string) => new Uint8Array(readFileSync(at(`out/${name}`)));
    const program = await programFromArtefact(JSON.parse(readFileSync(at("out/a.json"), "utf8")), read);
    const loaded = await load(program, { weights: await read("a.safetensors") });
    expect((await loaded.run({ x: [0, 0, 1] })).y).toEqual(Float32Array.of(3.5, 5.5));
    await loaded.dispose();
    const gpu = await programFromArtefact(JSON.parse(readFileSync(at("out/a.webgpu.json"), "utf8")), read);
    expect(gpu.target).toBe("wgsl");
    for (const name of ["a.wasm", "a.wgsl.json", "a.js", "a.d.ts"]) expect(existsSync(at(`out/${name}`)), name).toBe(true);
  });
  test("a module with relaxed arithmetic is written where that makes a difference", async () => {
    const at = folder({ "a.dlm": affine, "net.dlm": net });
    for (const name of ["a", "net"]) expect((await dlm(["compile", at(`${name}.dlm`), "-o", at("out")])).code).toBe(0);
    expect(existsSync(at("out/a.relaxed.wasm"))).toBe(false);
    expect(existsSync(at("out/net.relaxed.wasm"))).toBe(true);
    expect((await dlm(["compile", at("net.dlm"), "-o", at("same"), "--reproducible"])).code).toBe(0);
    expect(existsSync(at("same/net.relaxed.wasm"))).toBe(false);
  });
});

describe("inspect", () => {
  test.each([
    ["ast", "model Affine"],
    ["graph", "graph Affine("],
    ["kernels", "kernel "],
    ["plan", "plan Affine"],
    ["wat", "(module"],
    ["wgsl", "@compute"],
    ["program", '"format": "dlm"'],
  ])("--emit %s", async (stage, text) => {
    const at = folder({ "a.dlm": affine });
    const { code, out, err } = await dlm(["inspect", at("a.dlm"), "--emit", stage]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain(text);
  });
  test.each([
    ["wat", "wasm", "wgsl"],
    ["wat", "wasm", "reference"],
    ["wgsl", "wgsl", "wasm"],
  ])("--emit %s needs --target %s, not %s", async (stage, wanted, target) => {
    const at = folder({ "a.dlm": affine });
    const { code, out, err } = await dlm(["inspect", at("a.dlm"), "--emit", stage, "--target", target]);
    expect({ code, out, err }).toEqual({ code: 1, out: "", err: `error[flag]: \`--emit ${stage}\` needs \`--target ${wanted}\`\n` });
  });
  test("--emit wgsl shows the text for subgroups beside the other, unless all devices shall give the same", async () => {
    const at = folder({ "a.dlm": "model Rows(x: f32[2, 300]) -> y { y = softmax(x) }" });
    const argv = ["inspect", at("a.dlm"), "--emit", "wgsl"];
    const heads = async (...more: string[]) => (await dlm([...argv, ...more])).out.match(/^\/\/ .*$|^enable .*$/gm);
    const name = "// reduce_max_sub_exp_reduce_sum_div";
    expect(await heads()).toEqual([name, `${name}, with subgroups of 4 to 64`, "enable subgroups;"]);
    expect(await heads("--reproducible")).toEqual([name]);
  });
  test("--print-after shows one pass on one entry, or offers the passes", async () => {
    const at = folder({ "a.dlm": affine });
    const { code, out } = await dlm(["inspect", at("a.dlm"), "--print-after", "cse", "--entry", "forward"]);
    expect(code).toBe(0);
    expect([...new Set(out.match(/^# after .*$/gm))]).toEqual(["# after cse (forward)"]);
    expect((await dlm(["inspect", at("a.dlm"), "--print-after", "css"])).err).toBe(
      "error[flag]: there is no pass `css`\n  help: did you mean `cse`?\n",
    );
  });
});

describe("train and eval", () => {
  const train = (at: (name: string) => string, ...more: string[]) =>
    dlm(["train", at("net.dlm"), "--data", "synthetic:digits?count=160", "--val", "0.2", "--batch", "12", "--threads", "1", ...more]);
  test("interrupted or not, the weights have the same bits; eval sees what validation saw", async () => {
    const at = folder({ "net.dlm": net });
    const whole = await train(at, "--steps", "14", "--out", at("whole"), "--json");
    expect(whole.code).toBe(0);
    expect((await train(at, "--steps", "6", "--checkpoint", at("c"))).code).toBe(0);
    const rest = await train(at, "--steps", "14", "--resume", at("c"), "--out", at("parts"), "--json");
    expect(rest.out).toBe(whole.out);
    expect(readFileSync(at("parts"))).toEqual(readFileSync(at("whole")));
    expect(parseSafetensors(readFileSync(at("whole"))).entries.map((e) => e.name)).toEqual([
      "fc1.weight",
      "fc1.bias",
      "fc2.weight",
      "fc2.bias",
    ]);
    // 32 examples: two batches of 12 and a remainder of 8, or one batch of 32
    const spec = ["--data", "synthetic:digits?count=160", "--val", "0.2", "--weights", at("whole"), "--threads", "1", "--json"];
    const { loss, metrics, examples } = JSON.parse((await dlm(["eval", at("net.dlm"), ...spec])).out);
    const trained = JSON.parse(whole.out);
    expect(examples).toBe(32);
    expect(metrics.accuracy).toBeCloseTo(trained.metrics.accuracy, 6);
    expect(loss).toBeCloseTo(trained.loss, 5);
  });
  test("steps count updates where several micro-batches make one, epochs the data", async () => {
    const settled = net.replace(" |> dropout(0.2)", "");
    const at = folder({ "net.dlm": settled, "parts.dlm": settled.replace("optimizer =", "accumulate = 3\n  ema = 0.5\n  optimizer =") });
    const common = ["--data", "synthetic:digits?count=160", "--val", "0.2", "--threads", "1", "--batch"];
    const run = async (file: string, batch: string, ...more: string[]) => {
      const { code, out } = await dlm(["train", at(file), ...common, batch, "--log", at("log"), "--json", ...more]);
      expect(code).toBe(0);
      const lines = readFileSync(at("log"), "utf8").trimEnd().split("\n");
      return { out: JSON.parse(out), records: lines.map((l) => JSON.parse(l)) };
    };
    const whole = await run("net.dlm", "12", "--steps", "7");
    const parts = await run("parts.dlm", "4", "--steps", "7", "--out", at("w"));
    expect(parts.records.map((r) => [r.step, r.epoch])).toEqual([...[1, 2, 3, 4, 5, 6, 7].map((s) => [s, 1]), [7, 1]]);
    for (const [i, { loss }] of whole.records.slice(0, 7).entries()) expect(parts.records[i].loss).toBeCloseTo(loss, 4);
    // the validation is of the averages, which are what is saved
    const spec = ["--data", "synthetic:digits?count=160", "--val", "0.2", "--weights", at("w"), "--threads", "1", "--json"];
    expect(JSON.parse((await dlm(["eval", at("net.dlm"), ...spec])).out).loss).toBeCloseTo(parts.out.loss, 5);
    expect(parts.out.loss).not.toBeCloseTo(whole.out.loss, 4);
    expect((await dlm(["train", at("parts.dlm"), ...common, "4", "--steps", "2", "--checkpoint", at("c")])).code).toBe(0);
    const changed = folder({ "net.dlm": readFileSync(at("parts.dlm"), "utf8").replace("accumulate = 3", "accumulate = 2") });
    const { code, err } = await dlm(["train", changed("net.dlm"), ...common, "4", "--resume", at("c"), "--steps", "3"]);
    expect([code, err]).toEqual([1, expect.stringContaining("another value of `accumulate` (3 micro-batches an update)")]);
    // 128 examples: 32 micro-batches an epoch, so 21 updates in two
    const epochs = await run("parts.dlm", "4", "--epochs", "2");
    expect(epochs.out.steps).toBe(21);
    expect(epochs.records.filter((r) => r.validation).map((r) => r.step)).toEqual([11, 21]);
  });
  test("a weight that is missing is an error for eval and a note for train", async () => {
    const at = folder({
      "net.dlm": net,
      w: writeSafetensors([{ name: "fc2.bias", dtype: "F32", shape: [10], data: bytes(...Array(10).fill(0)) }]),
    });
    const evaluated = await dlm(["eval", at("net.dlm"), "--data", "synthetic:digits", "--weights", at("w")]);
    expect(evaluated.code).toBe(1);
    expect(evaluated.err).toContain("missing: fc1.weight");
    const trained = await train(at, "--weights", at("w"), "--steps", "1");
    expect(trained.code).toBe(0);
    expect(trained.err).toContain("note: not in the weights, initialised: fc1.weight, fc1.bias, fc2.weight\n");
  });
  test("labels beyond the classes are found before they are used", async () => {
    const at = folder({ "net.dlm": net.replace("Linear(10)", "Linear(5)") });
    const { code, err } = await train(at);
    expect(code).toBe(1);
    expect(err).toMatch(/error\[data\]: `label` of example \d+ is \d, outside 0 to 4\n/);
  });
  test("a model without a train block cannot be trained", async () => {
    const at = folder({ "net.dlm": affine });
    const { code, err } = await train(at);
    expect(code).toBe(1);
    expect(err).toContain("no train block");
  });
});
