import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Toolchain } from "../../../compiler/cli/toolchain.ts";
import { realToolchain } from "../../../compiler/cli/toolchain.ts";
import { answersAfter } from "../../../compiler/cli/tune.ts";
import { askedOf, costsOf, isClearlyBelow, isWholeFaster } from "../../../compiler/cli/tune-measure.ts";
import { tuningOf, writeTuning } from "../../../compiler/cli/tuning.ts";
import { compileStages, type Stages, timesName } from "../../../compiler/compile.ts";
import { keyOf, type Question } from "../../../ir/choice.ts";
import type { Call } from "../../../ir/plan.ts";
import type { Program } from "../../../ir/program.ts";
import type { Net } from "../../../runtime/index.ts";
import { dlm, folder, type RunOptions } from "./harness.ts";

const net = `model Net(x: f32[1, 32, 12, 12]) -> y { y = x |> a: Conv2d(32, kernel=3, padding=1) |> relu }
`;
async function questionsOf(text: string): Promise<readonly Question[]> {
  const questions: Question[] = [];
  await compileStages(text, { onQuestion: (q) => questions.push(q) });
  return questions;
}
const kernelsOf = async (text: string, tuning: Readonly<Record<string, string>>): Promise<string> =>
  (await compileStages(text, { tuning })).plan.kernels.map((k) => k.name).join();

test("an answer changes the program, one that is no option does not", async () => {
  const [q] = await questionsOf(net);
  expect(q).toMatchObject({ kind: "winograd", about: expect.stringContaining("conv2d(f32[1,32,12,12], f32[32,32,3,3])") });
  expect(q!.options).toEqual(["tiles of 4x4", "tiles of 2x2", "direct"]);
  expect(await kernelsOf(net, {})).toContain("winograd_conv2d_add_relu");
  expect(await kernelsOf(net, { [keyOf(q!)]: "direct" })).not.toContain("winograd");
  expect(await kernelsOf(net, { [keyOf(q!)]: "tiles of 7x7" })).toContain("winograd_conv2d_add_relu");
});

test("a tuning beside the source is used, --tuning names another", async () => {
  const [q] = await questionsOf(net);
  const at = folder({ "net.dlm": net });
  const inspect = (...flags: string[]) => dlm(["inspect", at("net.dlm"), "--emit", "kernels", ...flags]);
  const kernels = async (...flags: string[]) => (await inspect(...flags)).out;
  expect(await kernels()).toContain("winograd");
  writeTuning(at("net.tuning.json"), "an engine", { [keyOf(q!)]: "direct", "winograd: other": "direct" });
  expect(await kernels()).not.toContain("winograd");
  expect((await inspect()).err).toBe(`note: schedules as measured: 1 of 2 answers of ${at("net.tuning.json")} apply\n`);
  expect((await inspect("--target", "wgsl")).err).toBe("");
  writeTuning(at("none.json"), "an engine", { "winograd: other": "direct" });
  expect(await kernels("--tuning", at("none.json"))).toContain("winograd");
  expect((await inspect("--tuning", at("none.json"))).err).toBe(`note: schedules as measured: 0 of 1 answer of ${at("none.json")} apply\n`);
});

test("says which answers do not apply", async () => {
  const [q] = await questionsOf(net);
  const at = folder({ "net.dlm": net });
  writeTuning(at("net.tuning.json"), "an engine", { [keyOf(q!)]: "sideways" });
  const check = async (...flags: string[]) => (await dlm(["inspect", at("net.dlm"), ...flags])).err;
  expect(await check()).toContain(
    `warning: ${at("net.tuning.json")}: \`sideways\` is no answer to "${keyOf(q!)}", which are: tiles of 4x4`,
  );
  expect(await check("--exact")).toBe("");
  expect(await check("--exact", "--tuning", at("net.tuning.json"))).toBe(
    `note: with --exact no answer of ${at("net.tuning.json")} applies\n`,
  );
});

test.each([
  ["nothing", "is no tuning"],
  ['{"format": "dlm"}', "is no tuning"],
  ['{"format": "dlm-tuning", "version": 2, "choices": {}}', "is a tuning of version 2, expected 1"],
  ['{"format": "dlm-tuning", "version": 1, "choices": {"a": 1}}', '"choices" must be an object of strings'],
])("refuses %s", (text, message) => {
  const at = folder({ "net.tuning.json": text });
  expect(() => tuningOf(at("net.dlm"), undefined)).toThrow(message);
  expect(() => tuningOf(at("net.dlm"), undefined)).toThrow("delete it, or measure again: dlm tune");
});

/** Programs that are not run: a call takes what its kernel is said to take, on a clock of the test. */
async function clocked(msOf: (kernel: string) => number): Promise<Pick<RunOptions, "toolchain" | "now">> {
  const real = await realToolchain();
  const stagesOf = new Map<Program, Stages>();
  let now = 0;
  const load = async (program: Program) => {
    const { calls } = stagesOf.get(program)!.plan.entries.find((e) => e.name === "forward")!;
    const run = async () => {
      const times = [0];
      for (const { kernel } of calls) times.push(times.at(-1)! + msOf(kernel));
      now += times.at(-1)!;
      return { [timesName]: Float32Array.from(times) };
    };
    return { run, notes: [], threads: 1, dispose: async () => undefined } as unknown as Net;
  };
  const toolchain: Toolchain = {
    compileStages: async (text, options) => {
      const stages = await real.compileStages(text, options);
      stagesOf.set(stages.program, stages);
      return stages;
    },
    load: load as Toolchain["load"],
  };
  return { toolchain, now: () => now };
}
const directIsFaster = () => clocked((kernel) => (kernel.startsWith("winograd") ? 10 : kernel.startsWith("conv2d") ? 5 : 0));
const winogradIsFaster = () => clocked((kernel) => (kernel.startsWith("winograd") ? 5 : kernel.startsWith("conv2d") ? 10 : 0));

describe("dlm tune", () => {
  const choicesAt = (path: string): unknown => JSON.parse(readFileSync(path, "utf8")).choices;

  test("writes what is faster, and keeps answers of other shapes", async () => {
    const [q] = await questionsOf(net);
    const at = folder({ "net.dlm": net });
    writeTuning(at("net.tuning.json"), "an engine", { "winograd: other": "direct" });
    const { code, out, err } = await dlm(["tune", at("net.dlm"), "--runs", "3"], await directIsFaster());
    expect(code).toBe(0);
    expect(err).toMatch(/^measuring .*net.dlm as the compiler makes it \.\.\.\none inference: \d choices? to measure, about 5 seconds\n/);
    expect(err).toContain("measuring convolutions, directly or by small tiles (Winograd): one, alternative 2 of 2\n");
    expect(err).toContain(`  ${keyOf(q!)}: direct, 5 ms instead of 10 ms with tiles of 4x4\n`);
    expect(out).toMatch(/^choices measured: \d; with a clearly faster answer than the compiler's: 1\n/);
    expect(out).toContain("one inference: 10 ms as the compiler decides, 5 ms with these answers\n");
    expect(choicesAt(at("net.tuning.json"))).toEqual({ "winograd: other": "direct", [keyOf(q!)]: "direct" });
  });

  test("answers that are not faster any more go, where nothing is faster too", async () => {
    const [q] = await questionsOf(net);
    const at = folder({ "net.dlm": net });
    writeTuning(at("net.tuning.json"), "an engine", { "winograd: other": "direct", [keyOf(q!)]: "direct" });
    const { out } = await dlm(["tune", at("net.dlm"), "--runs", "3"], await winogradIsFaster());
    expect(out).toContain("one inference: 5 ms as the compiler decides\nthe compiler's choices stay\n");
    expect(out).toContain(`wrote ${at("net.tuning.json")}, without 1 that it had and that are not faster\n`);
    expect(choicesAt(at("net.tuning.json"))).toEqual({ "winograd: other": "direct" });
  });

  test("writes nothing where nothing is to be said", async () => {
    const at = folder({ "net.dlm": net });
    const { out } = await dlm(["tune", at("net.dlm"), "--runs", "3", "--json"], await winogradIsFaster());
    expect(JSON.parse(out)).toMatchObject({
      measured: "one inference",
      answers: [],
      untuned_ms: 5,
      tuned_ms: null,
      faster: false,
      written: null,
    });
    expect(existsSync(at("net.tuning.json"))).toBe(false);
  });

  test("as JSON", async () => {
    const at = folder({ "net.dlm": net });
    const argv = ["tune", at("net.dlm"), "--runs", "3", "--json", "-o", at("other.json")];
    const result = JSON.parse((await dlm(argv, await directIsFaster())).out);
    expect(result).toMatchObject({ untuned_ms: 10, tuned_ms: 5, faster: true, written: at("other.json") });
    expect(result.answers).toEqual([expect.objectContaining({ option: "direct", ms: 5, preferred: "tiles of 4x4", preferred_ms: 10 })]);
    expect(existsSync(at("net.tuning.json"))).toBe(false);
  });

  test("Ctrl-C leaves the file as it was, and says so", async () => {
    const at = folder({ "net.dlm": net });
    writeTuning(at("net.tuning.json"), "an engine", { "winograd: other": "direct" });
    const before = readFileSync(at("net.tuning.json"), "utf8");
    const { code, err } = await dlm(["tune", at("net.dlm")], { ...(await directIsFaster()), interruptAt: "alternative 2" });
    expect(code).toBe(130);
    expect(err).toContain(`note: stopped: answers so far are not kept, ${at("net.tuning.json")} is as it was\n`);
    expect(readFileSync(at("net.tuning.json"), "utf8")).toBe(before);
  });

  test("a file beside the source that is broken is replaced, another is not", async () => {
    const at = folder({ "net.dlm": net, "net.tuning.json": "{", "other.json": "{}" });
    expect((await dlm(["tune", at("net.dlm"), "-o", at("other.json")])).err).toContain("other.json is no tuning");
    const { err } = await dlm(["tune", at("net.dlm"), "--runs", "3"], await winogradIsFaster());
    expect(err).toContain(`warning: ${at("net.tuning.json")} is no tuning that can be read, and will be replaced\n`);
    expect(choicesAt(at("net.tuning.json"))).toEqual({});
  });

  test("measures real programs", async () => {
    const at = folder({ "net.dlm": net });
    const { code, out } = await dlm(["tune", at("net.dlm"), "--runs", "3"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^choices measured: [1-9]/);
    expect(out).toContain("one inference: ");
  });

  test("refuses what cannot be measured or written, before it measures", async () => {
    const at = folder({ "net.dlm": net });
    const tune = async (...flags: string[]) => (await dlm(["tune", at("net.dlm"), ...flags])).err;
    expect(await tune("--target", "reference")).toContain("`dlm tune` needs `--target wasm`");
    expect(await tune("--exact")).toContain("`dlm tune` has no option `--exact`");
    expect(await tune("-o", at("missing/a.json"))).toContain(`there is no folder ${at("missing")}`);
    expect(existsSync(at("missing"))).toBe(false);
    expect(await tune("-o", "/dev/null")).toContain("cannot write /dev/null: it is there, and is no file");
    writeFileSync(at("text"), "not a tuning");
    expect(await tune("-o", at("text"))).toContain("is no tuning");
  });
});

describe("what counts as faster", () => {
  test("a question is judged by all its places together, each call once", () => {
    const call = (kernel: string, line: number): Call => ({
      kernel,
      args: [],
      origin: { span: { file: "net.dlm", start: { line, column: 1 }, end: { line, column: 2 } }, path: "" },
      flops: 0,
    });
    const calls = [call("k", 1), call("l", 2), call("k", 3), call("m", 3)];
    const options = ["a", "b"] as const;
    const about = { kind: "winograd", about: "conv2d", options } as const;
    const asked = askedOf([
      { ...about, of: { origin: calls[0]!.origin } },
      { ...about, of: { origin: calls[2]!.origin } },
      { ...about, of: { kernel: "k" } },
      { kind: "rows", about: "l", options, of: { kernel: "l" } },
    ]);
    expect(asked.map((q) => q.places.length)).toEqual([3, 1]);
    expect(costsOf(asked[0]!, { calls, runs: [[1, 20, 300, 4000]] })).toEqual([4301]);
    expect(costsOf(asked[1]!, { calls, runs: [[1, 20, 300, 4000]] })).toEqual([20]);
  });

  test("an answer by more than its runs differ, and by some percent", () => {
    expect(isClearlyBelow([8, 9, 9.5], [10, 12, 15])).toBe(true);
    expect(isClearlyBelow([8, 10.5, 12], [10, 12, 15])).toBe(false);
    expect(isClearlyBelow([9.8, 9.8, 9.8], [10, 10, 10])).toBe(false);
  });

  test("whole runs, in pairs", () => {
    expect(isWholeFaster([9, 18, 36, 90], [10, 20, 40, 100])).toBe(true);
    expect(isWholeFaster([9.9, 19.8, 39.6, 99], [10, 20, 40, 100])).toBe(false);
    expect(isWholeFaster([9, 9, 11, 11, 9], [10, 10, 10, 10, 10])).toBe(false);
  });

  test("answers that are faster each, but not together, are not kept", () => {
    const faster = { a: { option: "x", ms: 1, preferred: "y", preferredMs: 2 } };
    expect(answersAfter({ b: "z" }, { asked: ["a"], faster, isFaster: false })).toBeNull();
    expect(answersAfter({ a: "x", b: "z" }, { asked: ["a"], faster, isFaster: false })).toEqual({ b: "z" });
    expect(answersAfter({ b: "z" }, { asked: ["a"], faster, isFaster: true })).toEqual({ a: "x", b: "z" });
  });
});
