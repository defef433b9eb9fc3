/** Weights whose names or shapes are not the program's: what is said, and that what helps does help. */
import { describe, expect, test } from "vitest";
import { writeSafetensors } from "../../../runtime/index.ts";
import { floatEntry } from "../../runtime/entries.ts";
import { fakeToolchain } from "./fake.ts";
import { dlm, folder } from "./harness.ts";

const chain = "x |> fc: Linear(3) |> head: Linear(2)";
const affine = `model Affine(x: f32[1, 2]) -> y {\n  y = ${chain}\n}\n`;
const nested = `layer Net(x) {\n  return ${chain}\n}\nmodel Nested(x: f32[1, 2]) -> y {\n  y = x |> net: Net\n}\n`;
const zeros = (name: string, ...shape: number[]) => floatEntry(name, shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));
const entries = [zeros("fc.weight", 3, 2), zeros("fc.bias", 3), zeros("head.weight", 2, 3), zeros("head.bias", 2)];
const prefixed = entries.map((e) => ({ ...e, name: `module.${e.name}` }));
const misshaped = [...entries.slice(0, 2), zeros("head.weight", 5, 3), zeros("head.bias", 5)];

/** The flags of the command that the help suggests. */
const suggested = (err: string): string[] =>
  (/dlm weights \S+ (.*) -o OUT\.safetensors\n/.exec(err)?.[1] ?? "").split(" ").map((flag) => flag.replaceAll("'", ""));

describe("weights that do not fit", () => {
  test.each([
    ["one prefix too many", affine, prefixed, "take `module.` off the names"],
    ["one prefix missing", nested, entries, "put `net.` before the names"],
  ])("%s: the suggested command mends it", async (_, source, given, help) => {
    const at = folder({ "a.dlm": source, "w.safetensors": writeSafetensors(given) });
    const { code, err } = await dlm(["run", at("a.dlm"), "--weights", at("w.safetensors")]);
    expect(code).toBe(1);
    expect(err).toContain(`help: ${help}: dlm weights ${at("w.safetensors")} --rename`);
    await dlm(["weights", at("w.safetensors"), ...suggested(err), "-o", at("o.safetensors")]);
    expect(await dlm(["run", at("a.dlm"), "--weights", at("o.safetensors")])).toMatchObject({ code: 0 });
  });
  test("--allow-missing for another shape: the suggested command leaves it out", async () => {
    const at = folder({ "a.dlm": affine, "w.safetensors": writeSafetensors(misshaped) });
    const run = (file: string, ...more: string[]) => dlm(["run", at("a.dlm"), "--weights", at(file), ...more]);
    const { code, err } = await run("w.safetensors", "--allow-missing", "head.*");
    expect(code).toBe(1);
    expect(err).toContain("help: a tensor of another shape is not missing; leave it out: dlm weights");
    expect(suggested(err)).toEqual(["--drop", "head.*"]);
    await dlm(["weights", at("w.safetensors"), ...suggested(err), "-o", at("o.safetensors")]);
    expect(await run("o.safetensors", "--allow-missing", "head.*")).toMatchObject({ code: 0 });
    expect((await run("w.safetensors")).err).not.toContain("leave it out");
  });
});

describe("warnings", () => {
  test("a glob that matches nothing missing, for run and compile", async () => {
    const at = folder({ "a.dlm": affine, "w.safetensors": writeSafetensors(entries) });
    const flags = ["--weights", at("w.safetensors"), "--allow-missing", "tail.*"];
    const warning = "warning: `--allow-missing tail.*` matches no missing parameter\n";
    expect((await dlm(["run", at("a.dlm"), ...flags])).err).toContain(warning);
    expect((await dlm(["compile", at("a.dlm"), "-o", at("out"), ...flags])).err).toContain(warning);
    const partial = folder({ "a.dlm": affine, "w.safetensors": writeSafetensors(entries.slice(0, 2)) });
    const used = await dlm(["run", partial("a.dlm"), "--weights", partial("w.safetensors"), "--allow-missing", "head.*"]);
    expect(used).toMatchObject({ code: 0, err: expect.not.stringContaining("warning") });
  });
  test("training from weights of another model", async () => {
    const at = folder({ "net.dlm": "", "other.safetensors": writeSafetensors(entries), "own.safetensors": writeSafetensors([zeros("w")]) });
    const train = async (file: string) =>
      (await dlm(["train", at("net.dlm"), "--steps", "1", "--weights", at(file)], { toolchain: fakeToolchain({ withoutData: true }) })).err;
    expect(await train("other.safetensors")).toContain(`warning: ${at("other.safetensors")}: none of its tensors is a parameter of Line\n`);
    expect(await train("own.safetensors")).not.toContain("warning");
  });
});
