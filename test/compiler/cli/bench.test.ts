import { describe, expect, test } from "vitest";
import { describeProfile, profileOf } from "../../../compiler/cli/profile.ts";
import { compileStages } from "../../../compiler/compile.ts";
import type { Call } from "../../../ir/plan.ts";
import { adapter } from "../../gpu.ts";
import { dlm, folder } from "./harness.ts";

const onGpu = test.skipIf(!(await adapter()));

const net = `model Net(x: f32[N, 8]) -> logits {
  h = x |> hidden: Linear(16) |> relu
  logits = h |> head: Linear(4)
}
train Net {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  optimizer = sgd(lr=0.1)
}
`;

describe("dlm bench", () => {
  test("an inference as JSON", async () => {
    const at = folder({ "net.dlm": net });
    const { code, out } = await dlm(["bench", at("net.dlm"), "--runs", "5", "--json", "--dim", "N=2"]);
    expect(code).toBe(0);
    const result = JSON.parse(out);
    // Every look at this clock takes a millisecond.
    expect(result).toMatchObject({ median_ms: 1, min_ms: 1, runs: 5, load_ms: 1, first_ms: 1, threads: 1, target: "wasm" });
    expect(result).toMatchObject({ model: "Net", entry: "inference", dims: { N: 2 }, exact: false, tuning: null });
    expect(result.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(result.parameters).toBe(8 * 16 + 16 + 16 * 4 + 4);
    expect(result.flops).toBeGreaterThanOrEqual(2 * 2 * (8 * 16 + 16 * 4));
    expect(result.arena_bytes).toBeGreaterThanOrEqual(result.lower_bound_bytes);
    expect(result.code_bytes).toBeGreaterThan(0);
    expect(result).not.toHaveProperty("profile");
  });

  test.each([["1"], ["2"]])("the profile of a training step on %s threads", async (threads) => {
    const at = folder({ "net.dlm": net });
    const args = ["--train", "--profile", "--runs", "3", "--json", "--threads", threads];
    const { code, out, err } = await dlm(["bench", at("net.dlm"), ...args]);
    expect([code, err]).toEqual([0, ""]);
    const { profile } = JSON.parse(out) as { profile: { kernel: string; line: string | null; path: string; ms: number; share: number }[] };
    expect(profile.some((r) => /matmul/.test(r.kernel) && r.line === `${at("net.dlm")}:2`)).toBe(true);
    expect(profile.every((r) => r.ms >= 0)).toBe(true);
    expect(profile.reduce((n, r) => n + r.share, 0)).toBeCloseTo(1, 5);
  });

  onGpu("the profile on WebGPU has a row for each call, whatever the number of its dispatches", async () => {
    const at = folder({ "net.dlm": net });
    const { code, out } = await dlm(["bench", at("net.dlm"), "--target", "wgsl", "--train", "--profile", "--runs", "2", "--json"], {
      tick: 100,
    });
    expect(code).toBe(0);
    const { profile, target } = JSON.parse(out) as { target: string; profile: { kernel: string; line: string | null; ms: number }[] };
    expect(target).toBe("wgsl");
    expect(profile.some((r) => /matmul/.test(r.kernel) && r.line === `${at("net.dlm")}:2`)).toBe(true);
    expect(profile.every((r) => r.ms >= 0)).toBe(true);
    expect(profile.some((r) => r.ms > 0)).toBe(true);
  });

  test("what is printed", async () => {
    const at = folder({ "net.dlm": net });
    const { out } = await dlm(["bench", at("net.dlm"), "--runs", "4", "--profile"]);
    expect(out).toMatch(/^Net: wasm, 1 thread\n {2}one inference, batch 1 {2}1 ms, the median of 4 runs\n/);
    expect(out).toMatch(/\n +time +share +GFLOP\/s +kernel +line +layer\n/);
    expect(out).toContain(`${at("net.dlm")}:3`);
  });

  test("a training step of 32 examples, and what is compiled for long on a terminal", async () => {
    const at = folder({ "net.dlm": net });
    const { out, err } = await dlm(["bench", at("net.dlm"), "--runs", "1", "--train"], { columns: 200 });
    expect(out).toContain("  one training step, batch 32  ");
    expect(out).not.toContain("Winograd");
    expect(err).toContain(`compiling ${at("net.dlm")} ...\r`);
  });

  test("operations of transformed convolutions are those of the direct ones, and it says so", async () => {
    const at = folder({ "net.dlm": "model Net(x: f32[1, 32, 12, 12]) -> y { y = x |> Conv2d(32, kernel=3, padding=1) }\n" });
    const bench = async (...flags: string[]) => (await dlm(["bench", at("net.dlm"), "--runs", "1", ...flags])).out;
    expect(await bench()).toContain("a convolution counts as the direct one; Winograd does fewer");
    expect(await bench("--exact")).not.toContain("Winograd");
  });

  test.each([
    [["--runs", "0"], "`--runs` must be a whole number from 1"],
    [["--profile", "--target", "reference"], "`--profile` needs `--target wasm`"],
  ])("refuses %j", async (flags, message) => {
    const at = folder({ "net.dlm": net });
    const { code, err } = await dlm(["bench", at("net.dlm"), ...flags]);
    expect(code).toBe(1);
    expect(err).toContain(message);
  });

  test("a step needs a train block", async () => {
    const at = folder({ "net.dlm": net.split("train")[0]! });
    const { code, err } = await dlm(["bench", at("net.dlm"), "--train"]);
    expect(code).toBe(1);
    expect(err).toContain("there is no train block in");
  });
});

describe("the profile", () => {
  test.each(["wasm", "wgsl"] as const)("joined operations have the line of what takes most work (%s)", async (target) => {
    const source = `model Pooled(x: f32[1, 4, 8, 8]) -> y {
  a = x |> conv: Conv2d(8, kernel=3, padding=1) |> max_pool(2)
  y = a |> flatten
    |> fc: Linear(3)
}`;
    const { plan } = await compileStages(source, { file: "net.dlm", target });
    const { calls } = plan.entries.find((e) => e.name === "forward")!;
    const lineOf = (kernel: string) => calls.find((c) => c.kernel.startsWith(kernel))?.origin?.span?.start.line;
    expect(lineOf("max_pool2d")).toBe(2);
    expect(lineOf("matmul")).toBe(4);
  });

  const call = (kernel: string, flops: number, line: number | null): Call => ({
    kernel,
    args: [],
    origin: line === null ? null : { span: { file: "net.dlm", start: { line, column: 1 }, end: { line, column: 2 } }, path: `l${line}` },
    flops,
  });

  test("a call takes the median of its runs", () => {
    const rows = profileOf(
      [call("a", 4e6, 3), call("b", 0, null)],
      [
        [0, 1, 1.5],
        [0, 2, 9],
        [0, 4, 4.5],
      ],
    );
    expect(rows).toEqual([
      { ms: 2, share: 0.8, flops: 4e6, kernel: "a", line: "net.dlm:3", path: "l3" },
      { ms: 0.5, share: 0.2, flops: 0, kernel: "b", line: null, path: "" },
    ]);
  });

  test("of an even number of runs it is the mean of the two in the middle", () => {
    const runs = [
      [0, 1],
      [0, 2],
    ];
    expect(profileOf([call("a", 0, 3)], runs)).toMatchObject([{ ms: 1.5 }]);
  });

  test("the longest come first, the rest is one row", () => {
    const calls = Array.from({ length: 40 }, (_, i) => call(`k${i}`, 1e6, i + 1));
    const ends = Array.from({ length: 41 }, (_, i) => (i * (81 - i)) / 2);
    const lines = describeProfile(profileOf(calls, [ends]))
      .trimEnd()
      .split("\n");
    expect(lines.length).toBe(1 + 30 + 1);
    expect(lines[1]!.trim().split(/\s+/)).toEqual(["40.000", "ms", "4.9", "%", "0.0", "k0", "net.dlm:1", "l1"]);
    expect(lines.at(-1)!.trim()).toBe("55.000 ms  6.7 %           10 more calls");
  });
});
