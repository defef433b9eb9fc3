import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { tuningOf, writeTuning } from "../../../compiler/cli/tuning.ts";
import { compileStages } from "../../../compiler/compile.ts";
import { keyOf, type Question } from "../../../ir/choice.ts";
import { dlm, folder } from "./harness.ts";

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
  writeTuning(at("net.tuning.json"), "an engine", { [keyOf(q!)]: "direct" });
  expect(await kernels()).not.toContain("winograd");
  expect((await inspect()).err).toBe(`note: schedules as measured: ${at("net.tuning.json")}\n`);
  writeTuning(at("none.json"), "an engine", {});
  expect(await kernels("--tuning", at("none.json"))).toContain("winograd");
});

test.each([
  ["nothing", "is no tuning"],
  ['{"format": "dlm"}', "is no tuning"],
  ['{"format": "dlm-tuning", "version": 2, "choices": {}}', "is a tuning of version 2, expected 1"],
  ['{"format": "dlm-tuning", "version": 1, "choices": {"a": 1}}', '"choices" must be an object of strings'],
])("refuses %s", (text, message) => {
  const at = folder({ "net.tuning.json": text });
  expect(() => tuningOf(at("net.dlm"), undefined)).toThrow(message);
});

test("dlm tune asks about every kernel, keeps answers of other shapes and writes only what is faster", async () => {
  const at = folder({ "net.dlm": net });
  writeTuning(at("net.tuning.json"), "an engine", { "winograd: other": "direct" });
  const before = readFileSync(at("net.tuning.json"), "utf8");
  const { code, out, err } = await dlm(["tune", at("net.dlm"), "--runs", "3"]);
  expect([code, err]).toEqual([0, expect.stringContaining("measuring winograd: option 2 of 2, questions: 1\n")]);
  expect(out).toMatch(/questions: \d; with a faster answer than the compiler's: \d\n/);
  const after = readFileSync(at("net.tuning.json"), "utf8");
  if (out.includes("nothing is written")) expect(after).toBe(before);
  else expect(tuningOf(at("net.dlm"), undefined)!.choices).toMatchObject({ "winograd: other": "direct" });
  expect(JSON.parse(after).choices).toHaveProperty(["winograd: other"], "direct");
});

test("refuses what cannot be measured", async () => {
  const at = folder({ "net.dlm": net });
  expect((await dlm(["tune", at("net.dlm"), "--target", "reference"])).err).toContain("`dlm tune` needs `--target wasm`");
  writeFileSync(at("net.tuning.json"), "{");
  expect((await dlm(["tune", at("net.dlm")])).err).toContain("is no tuning");
});
