import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { NdArray } from "../../../compiler/formats/array.ts";
import { writeNpz } from "../../../compiler/formats/npz.ts";
import { parseSafetensors } from "../../../runtime/index.ts";
import { fakeToolchain, type OneBinding } from "./fake.ts";
import { dlm, folder } from "./harness.ts";

/** Points of y = 2 x - 1. */
const line = (count: number): string => {
  const xs = Array.from({ length: count }, (_, i) => Math.fround(((i * 7) % count) / count));
  return `x,y\n${xs.map((x) => `${x},${2 * x - 1}`).join("\n")}\n`;
};
const toolchain = fakeToolchain();
const files = { "net.dlm": "", "a.csv": line(40) };
const records = (path: string) =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((l) => JSON.parse(l));

describe("train", () => {
  test("learns, and writes weights that eval reads", async () => {
    const at = folder(files);
    const csv = `csv:${at("a.csv")}`;
    const trained = await dlm(["train", at("net.dlm"), "--data", csv, "--epochs", "60", "--batch", "8", "--out", at("w"), "--json"], {
      toolchain,
    });
    expect(trained.code).toBe(0);
    expect(JSON.parse(trained.out)).toMatchObject({ steps: 300 });
    expect(JSON.parse(trained.out).loss).toBeLessThan(1e-3);
    const scored = await dlm(["eval", at("net.dlm"), "--data", csv, "--weights", at("w"), "--json"], { toolchain });
    expect(scored).toMatchObject({ code: 0 });
    const score = JSON.parse(scored.out);
    expect(Object.keys(score)).toEqual(["loss", "metrics", "examples"]);
    expect(score).toMatchObject({ examples: 40, metrics: { error: expect.any(Number) } });
    expect(score.loss).toBeLessThan(1e-3);
  });
  test("one epoch of 32 by default; the last partial batch is dropped", async () => {
    const at = folder(files);
    const { out } = await dlm(["train", at("net.dlm"), "--data", `csv:${at("a.csv")}`], { toolchain });
    expect(out).toMatch(/^loss [\d.]+ {2}error [\d.]+ {2}after 1 steps\n$/);
  });
  test("validation weighs the remainder by its examples", async () => {
    const compiled: OneBinding[] = [];
    const at = folder(files);
    const argv = [
      "train",
      at("net.dlm"),
      "--data",
      `csv:${at("a.csv")}`,
      "--val",
      "0.25",
      "--batch",
      "8",
      "--epochs",
      "2",
      "--log",
      at("l"),
    ];
    const watching = fakeToolchain({ onCompile: (o) => compiled.push(o) });
    const { code, err } = await dlm([...argv, "--out", at("w")], { toolchain: watching });
    expect(code).toBe(0);
    expect(err.match(/epoch \d: validation .*/g)).toHaveLength(2);
    // 10 validation examples: one batch of 8 and one of 2, compiled once
    expect(compiled.map((o) => o.dims?.N ?? o.batch)).toEqual([8, 2]);
    const last = records(at("l")).at(-1).validation;
    const { entries } = parseSafetensors(readFileSync(at("w")));
    const [w, b] = ["w", "b"].map((n) => Buffer.from(entries.find((e) => e.name === n)!.data).readFloatLE());
    const rows = readFileSync(at("a.csv"), "utf8")
      .trim()
      .split("\n")
      .slice(31)
      .map((l) => l.split(",").map(Number));
    const errors = rows.map(([x, y]) => Math.abs(w! * x! + b! - y!));
    expect(last.examples).toBe(10);
    expect(last.metrics.error).toBeCloseTo(errors.reduce((a, c) => a + c) / 10, 5);
  });
  test("a fixed batch leaves examples out and says so", async () => {
    const at = folder(files);
    const argv = ["eval", at("net.dlm"), "--data", `csv:${at("a.csv")}`];
    const { code, out, err } = await dlm(argv, { toolchain: fakeToolchain({ fixedBatch: 16 }) });
    expect(code).toBe(0);
    expect(out).toContain("(32 examples)");
    expect(err).toContain("note: the batch of 16 is fixed: the last 8 of 40 examples are left out\n");
  });
  test("the log has a line per step; shuffling depends on the seed, --no-shuffle keeps the order", async () => {
    const at = folder(files);
    const losses = async (...more: string[]) => {
      await dlm(["train", at("net.dlm"), "--data", `csv:${at("a.csv")}`, "--batch", "4", "--log", at("l"), ...more], { toolchain });
      return records(at("l")).map((r) => r.loss);
    };
    const first = await losses();
    expect(first).toHaveLength(10);
    expect(await losses()).toEqual(first);
    expect(await losses("--seed", "3")).not.toEqual(first);
    const plain = await losses("--no-shuffle");
    expect(plain).not.toEqual(first);
    // w = b = 0 at the start: the first loss is the mean of y squared over the first four rows
    const ys = readFileSync(at("a.csv"), "utf8")
      .trim()
      .split("\n")
      .slice(1, 5)
      .map((l) => Number(l.split(",")[1]));
    expect(plain[0]).toBeCloseTo(ys.reduce((a, y) => a + y * y) / 4 - ys[0]! / 4 + (ys[0]! * ys[0]!) / 4, 5);
  });
  test("resuming gives the same bits as not stopping", async () => {
    const at = folder(files);
    const argv = (...more: string[]) => ["train", at("net.dlm"), "--data", `csv:${at("a.csv")}`, "--batch", "8", "--seed", "5", ...more];
    await dlm(argv("--steps", "23", "--out", at("whole"), "--log", at("whole.jsonl")), { toolchain });
    await dlm(argv("--steps", "12", "--checkpoint", at("c"), "--log", at("parts.jsonl")), { toolchain });
    expect(readdirSync(at("c")).sort()).toEqual(["state.json", "step-12.safetensors"]);
    const rest = ["train", at("net.dlm"), "--data", `csv:${at("a.csv")}`, "--resume", at("c"), "--steps", "23"];
    const resumed = await dlm([...rest, "--out", at("parts"), "--log", at("parts.jsonl")], { toolchain });
    expect(resumed).toMatchObject({ code: 0 });
    expect(readFileSync(at("parts"))).toEqual(readFileSync(at("whole")));
    expect(readFileSync(at("parts.jsonl"), "utf8")).toBe(readFileSync(at("whole.jsonl"), "utf8"));
  });
  test("Ctrl-C stops after the step, saves, and can be continued", async () => {
    const at = folder(files);
    const argv = ["train", at("net.dlm"), "--data", `csv:${at("a.csv")}`, "--batch", "8", "--epochs", "6"];
    await dlm([...argv, "--out", at("whole")], { toolchain });
    const stopped = await dlm([...argv, "--checkpoint", at("c")], { toolchain, interruptAt: "step 12/30" });
    expect(stopped.code).toBe(130);
    expect(stopped.err).toContain(`note: stopped after step 12; continue with --resume ${at("c")}\n`);
    await dlm(["train", at("net.dlm"), "--data", `csv:${at("a.csv")}`, "--resume", at("c"), "--out", at("parts")], { toolchain });
    expect(readFileSync(at("parts"))).toEqual(readFileSync(at("whole")));
  });
  test("Ctrl-C ends the last validation, before which weights and checkpoint are saved", async () => {
    const at = folder(files);
    const argv = ["train", at("net.dlm"), "--data", `csv:${at("a.csv")}`, "--val", "0.5", "--batch", "4", "--epochs", "1"];
    await dlm([...argv, "--out", at("whole")], { toolchain });
    const seen: boolean[][] = [];
    const load: typeof toolchain.load = async (...given) => {
      const net = await toolchain.load(...given);
      const evaluate: typeof net.evaluate = (inputs) => {
        seen.push([existsSync(at("w")), existsSync(at("c/step-5.safetensors"))]);
        return net.evaluate(inputs);
      };
      return new Proxy(net, { get: (of, name) => (name === "evaluate" ? evaluate : Reflect.get(of, name, of)) });
    };
    const stopped = await dlm([...argv, "--out", at("w"), "--checkpoint", at("c"), "--log", at("l")], {
      toolchain: { ...toolchain, load },
      interruptAt: "validation example",
      tick: 2000,
    });
    expect(stopped.code).toBe(130);
    expect(stopped.err).toContain("note: the validation was stopped; all 5 steps are done\n");
    expect(stopped.out).toContain(`weights: ${at("w")}\n`);
    expect(seen.length).toBeLessThan(5);
    expect(seen[0]).toEqual([true, true]);
    expect(records(at("l")).filter((r) => "validation" in r)).toEqual([]);
    expect(readFileSync(at("w"))).toEqual(readFileSync(at("whole")));
  });
  test("a checkpoint of another run is refused", async () => {
    const at = folder(files);
    const argv = ["train", at("net.dlm"), "--data", `csv:${at("a.csv")}`];
    await dlm([...argv, "--batch", "8", "--checkpoint", at("c")], { toolchain });
    const { code, err } = await dlm([...argv, "--batch", "4", "--resume", at("c")], { toolchain });
    expect(code).toBe(1);
    expect(err).toBe(
      "error[flag]: the checkpoint was made with another value of --batch: 8, now 4\n" +
        "  help: to train on differently, start a new run with --weights\n",
    );
  });
  test("all that differs from the checkpoint is told, before anything is written", async () => {
    const at = folder({ ...files, "b.csv": line(41).replace("x,y", "y,x") });
    const argv = (...more: string[]) => ["train", at("net.dlm"), "--batch", "8", ...more];
    await dlm(argv("--data", `csv:${at("a.csv")}`, "--checkpoint", at("c"), "--set", "k=1", "--dim", "K=2"), { toolchain });
    expect(JSON.parse(readFileSync(at("c/state.json"), "utf8"))).toMatchObject({
      trainBlock: "Line",
      set: { k: "1" },
      dims: { K: 2 },
      fields: ["x", "y"],
      stored: 40,
    });
    const before = readFileSync(at("c/state.json"), "utf8");
    const others = ["--data", `csv:${at("b.csv")}`, "--train-block", "other", "--dim", "K=3", "--out", at("new/w"), "--log", at("new/l")];
    const { code, err } = await dlm(argv("--resume", at("c"), "--steps", "9", ...others), { toolchain });
    const was = "error[flag]: the checkpoint was made with another value of";
    expect({ code, err }).toEqual({
      code: 1,
      err: `${[
        `${was} --train-block: Line, now other`,
        `${was} --set: k=1, now none`,
        `${was} the dimensions: K=2, now K=3`,
        `${was} the fields of --data: x, y, now y, x`,
        `${was} the number of examples in --data: 40, now 41`,
        `${was} the number of training examples: 40, now 41`,
      ].join("\n\n")}\n  help: to train on differently, start a new run with --weights\n`,
    });
    expect(existsSync(at("new"))).toBe(false);
    expect(readFileSync(at("c/state.json"), "utf8")).toBe(before);
  });
  test("a run that is over stays as it is; only weights that are not there are written", async () => {
    const at = folder({ ...files, kept: "kept" });
    const argv = (...more: string[]) => ["train", at("net.dlm"), "--data", `csv:${at("a.csv")}`, "--batch", "8", ...more];
    await dlm(argv("--steps", "7", "--checkpoint", at("c"), "--out", at("w")), { toolchain });
    const before = readFileSync(at("c/state.json"), "utf8");
    const again = await dlm(argv("--resume", at("c"), "--out", at("kept"), "--log", at("l")), { toolchain });
    expect(again).toEqual({ code: 0, out: "nothing left to do: 7 steps are done\n", err: "" });
    expect((await dlm(argv("--resume", at("c"), "--steps", "3", "--json"), { toolchain })).out).toBe('{"steps":7}\n');
    expect(readFileSync(at("kept"), "utf8")).toBe("kept");
    expect(existsSync(at("l"))).toBe(false);
    expect(readFileSync(at("c/state.json"), "utf8")).toBe(before);
    const written = await dlm(argv("--resume", at("c"), "--out", at("w2")), { toolchain });
    expect(written).toEqual({ code: 0, out: `nothing left to do: 7 steps are done\nweights: ${at("w2")}\n`, err: "" });
    expect(readFileSync(at("w2"))).toEqual(readFileSync(at("w")));
  });
  test("a value that is no number is found in the data", async () => {
    const x = Float32Array.from({ length: 20 }, (_, i) => (i === 17 ? Number.NaN : i / 20));
    const arrays: NdArray[] = [x, new Float32Array(20)].map((data) => ({ type: "f4", shape: [20], data }));
    const at = folder({
      ...files,
      "a.npz": writeNpz(
        new Map([
          ["x", arrays[0]!],
          ["y", arrays[1]!],
        ]),
      ),
    });
    const argv = ["train", at("net.dlm"), "--data", `npz:${at("a.npz")}`, "--batch", "4", "--no-shuffle", "--epochs", "2"];
    const { code, err } = await dlm(argv, { toolchain });
    expect(code).toBe(1);
    expect(err).toContain("error[data]: the loss is NaN at step 5: `x` of example 17 is NaN\n");
  });
  test("a frozen parameter that nothing gives is warned about", async () => {
    const at = folder(files);
    const argv = ["train", at("net.dlm"), "--data", `csv:${at("a.csv")}`];
    const frozen = fakeToolchain({ frozen: true });
    const warning = "warning: frozen, but without --weights these have initial values for good: b\n";
    expect((await dlm([...argv, "--out", at("w")], { toolchain: frozen })).err).toContain(warning);
    expect((await dlm([...argv, "--weights", at("w")], { toolchain: frozen })).err).not.toContain("warning");
  });
  test("fields matched by order are told once", async () => {
    const at = folder({ ...files, "b.csv": line(40).replace("x,y", "a,b") });
    for (const command of ["train", "eval"]) {
      const { err } = await dlm([command, at("net.dlm"), "--data", `csv:${at("b.csv")}`, "--val", "0.1"], { toolchain });
      expect(err.match(/note: data matched by order, not by name: a -> x, b -> y\n/g)).toHaveLength(1);
    }
  });
  test("mistakes of the command line are told before anything is compiled", async () => {
    const at = folder(files);
    const never = fakeToolchain({ onCompile: () => expect.unreachable("compiled") });
    const csv = ["--data", `csv:${at("a.csv")}`];
    const mistakes = [
      ["--data", "csv:none"],
      ["--data", "none"],
      [...csv, "--val", "2"],
      [...csv, "--threads", "0"],
      [...csv, "--weights", "none"],
      [...csv, "--mean", "x"],
    ];
    const ofTraining = [
      [...csv, "--steps", "x"],
      [...csv, "--epochs", "0"],
      [...csv, "--checkpoint-every", "0"],
    ];
    for (const more of mistakes) expect((await dlm(["eval", at("net.dlm"), ...more], { toolchain: never })).err).toMatch(/^error\[/);
    for (const more of [...mistakes, ...ofTraining]) {
      const { code, err } = await dlm(["train", at("net.dlm"), ...more], { toolchain: never });
      expect([code, err]).toEqual([1, expect.stringMatching(/^error\[/)]);
    }
  });
  test("a loss that is no number stops the run and writes no weights", async () => {
    const at = folder(files);
    const argv = [
      "train",
      at("net.dlm"),
      "--data",
      `csv:${at("a.csv")}`,
      "--batch",
      "8",
      "--epochs",
      "50",
      "--out",
      at("w"),
      "--log",
      at("l"),
    ];
    const { code, err } = await dlm(argv, { toolchain: fakeToolchain({ learningRate: 1e6 }) });
    expect(code).toBe(1);
    expect(err).toMatch(/error\[train\]: the loss is (Infinity|NaN) at step \d+: training has diverged\n {2}help: a smaller learning rate/);
    expect(existsSync(at("w"))).toBe(false);
    expect(records(at("l")).length).toBeGreaterThan(1);
  });
  test("a program without inputs needs no data, but a number of steps", async () => {
    const at = folder(files);
    const dream = fakeToolchain({ withoutData: true });
    expect((await dlm(["train", at("net.dlm")], { toolchain: dream })).err).toBe(
      "error[flag]: without data there are no epochs: say how long with `--steps`\n",
    );
    const { code, out } = await dlm(["train", at("net.dlm"), "--steps", "20", "--json"], { toolchain: dream });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ steps: 20, examples: 0 });
    expect((await dlm(["train", at("net.dlm"), "--steps", "1", "--data", "synthetic:digits"], { toolchain: dream })).err).toBe(
      "error[flag]: `--data` is of no use: nothing is an input\n",
    );
  });
  test.each([
    [["--steps", "3", "--epochs", "2"], "error[flag]: `--steps` and `--epochs` exclude each other\n"],
    [["--val", "1"], "error[flag]: `--val` must be a fraction from 0 up to 1, found `1`\n"],
    [["--batch", "41"], "error[data]: there are 40 examples to train on, fewer than a batch of 41\n  help: use --batch 40 or less\n"],
    [
      ["--val", "0.9"],
      "error[data]: --val 0.9 leaves 4 of 40 examples to train on, fewer than a batch of 32\n  help: use --batch 4 or less\n",
    ],
    [
      ["--val", "0.99"],
      "error[data]: --val 0.99 leaves 0 of 40 examples to train on, fewer than a batch of 32\n  help: use a smaller --val\n",
    ],
    [["--mean", "a"], "error[flag]: `--mean` must be numbers separated by commas, found `a`\n"],
    [["--std", "0"], "error[flag]: `--std` must not be 0\n"],
    [["--weights", "none"], "error[file]: cannot read none: there is no such file or folder\n"],
  ])("%j is a mistake", async (more, message) => {
    const at = folder(files);
    expect(await dlm(["train", at("net.dlm"), "--data", `csv:${at("a.csv")}`, ...more], { toolchain })).toEqual({
      code: 1,
      out: "",
      err: message,
    });
  });
  test("folders of what is written are made, before the work", async () => {
    const at = folder(files);
    const argv = ["train", at("net.dlm"), "--data", `csv:${at("a.csv")}`];
    expect((await dlm([...argv, "--out", at("new/deep/w"), "--log", at("logs/l")], { toolchain })).code).toBe(0);
    expect(existsSync(at("new/deep/w")) && existsSync(at("logs/l"))).toBe(true);
    expect(await dlm([...argv, "--out", at("a.csv/w")], { toolchain })).toEqual({
      code: 1,
      out: "",
      err: `error[file]: cannot create ${at("a.csv")}: a file with this name is in the way\n`,
    });
  });
  test("data is asked for by name", async () => {
    const at = folder(files);
    const expected = "error[flag]: the model needs data for `x`, `y`\n  help: give --data, for example --data synthetic:digits\n";
    expect((await dlm(["train", at("net.dlm")], { toolchain })).err).toBe(expected);
    expect((await dlm(["eval", at("net.dlm")], { toolchain })).err).toBe(expected);
  });
  test("curves are drawn", async () => {
    const at = folder(files);
    await dlm(["train", at("net.dlm"), "--data", `csv:${at("a.csv")}`, "--batch", "4", "--val", "0.2", "--plot", at("p.svg")], {
      toolchain,
    });
    const svg = readFileSync(at("p.svg"), "utf8");
    expect(svg).toMatch(/^<svg .*<\/svg>\n$/s);
    expect(svg.match(/<polyline/g)).toHaveLength(4);
    expect(svg).toContain(">validation</text>");
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });
});

describe("progress", () => {
  const argv = (at: (n: string) => string) =>
    ["train", at("net.dlm"), "--data", `csv:${at("a.csv")}`, "--batch", "1", "--tick", "1"].slice(0, -2);
  test("in a pipe: a line for each tenth", async () => {
    const { err } = await dlm(argv(folder(files)), { toolchain, tick: 500 });
    const lines = err.trimEnd().split("\n");
    expect(lines).toHaveLength(11);
    expect(lines[1]).toMatch(/^step 4\/40 {2}epoch 1 {2}loss [\d.e-]+ {2}error [\d.e-]+ {2}\d+ examples\/s {2}\d+:\d\d left$/);
    expect(err).not.toContain("\u001b");
  });
  test("on a terminal: one line, redrawn, no wider than the window", async () => {
    const { err } = await dlm(argv(folder(files)), { toolchain, tick: 500, columns: 50 });
    const frames = err.split("\r\u001b[K");
    expect(frames.length).toBeGreaterThan(30);
    expect(Math.max(...frames.map((f) => f.length))).toBeLessThan(50);
    expect(frames[20]).toMatch(/^step \[=+ *\] 20\/40/);
    expect(frames.at(-1)).toBe("");
  });
});

describe("outputs of training", () => {
  test.each([
    ["weights in place of a folder", ["--out", "d"], "cannot write d: it is a folder"],
    ["weights below a file", ["--out", "a.csv/w"], "cannot create a.csv: a file with this name is in the way"],
    ["a plot in place of a folder", ["--plot", "d"], "cannot write d: it is a folder"],
    ["a log in place of a folder", ["--log", "d"], "cannot write d: it is a folder"],
    ["a checkpoint in place of a file", ["--checkpoint", "a.csv"], "cannot create a.csv: a file with this name is in the way"],
    ["a checkpoint over a foreign state", ["--checkpoint", "foreign"], "foreign/state.json is not the state of a checkpoint"],
  ])("%s is refused before the first step", async (_, given, message) => {
    const at = folder(files);
    for (const name of ["d", "foreign"]) mkdirSync(at(name));
    writeFileSync(at("foreign/state.json"), "{}");
    const argv = ["train", at("net.dlm"), "--data", `csv:${at("a.csv")}`, "--batch", "8", given[0]!, at(given[1]!)];
    const { code, err } = await dlm(given[0] === "--log" ? argv : [...argv, "--log", at("l.jsonl")], { toolchain });
    expect(code).toBe(1);
    expect(err.replaceAll(`${at("")}/`, "")).toContain(`error[file]: ${message}`);
    expect(err).not.toContain("step");
    expect(existsSync(at("l.jsonl"))).toBe(false);
  });
  test("a checkpoint that cannot be written ends the run, and the weights are saved", async () => {
    const at = folder(files);
    mkdirSync(at("c/step-10.safetensors"), { recursive: true });
    const argv = ["train", at("net.dlm"), "--data", `csv:${at("a.csv")}`, "--batch", "8", "--epochs", "3", "--no-shuffle"];
    const failed = await dlm([...argv, "--checkpoint", at("c"), "--out", at("w")], { toolchain });
    expect(failed.code).toBe(1);
    expect(failed.err).toContain(`note: the weights so far are in ${at("w")}\n`);
    expect(failed.err).toContain(`error[file]: cannot write ${at("c/step-10.safetensors")}: it is a folder`);
    await dlm([...argv.slice(0, -3), "--no-shuffle", "--steps", "10", "--out", at("ten")], { toolchain });
    expect(readFileSync(at("w"))).toEqual(readFileSync(at("ten")));
  });
});
