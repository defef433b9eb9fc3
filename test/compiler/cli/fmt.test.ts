import { readFileSync, statSync } from "node:fs";
import { expect, test } from "vitest";
import { dlm, folder } from "./harness.ts";

const ugly = "model M( x:f32[N] )->y{\n  y=x+1\n}\n";
const pretty = "model M(x: f32[N]) -> y {\n  y = x + 1\n}\n";

test("files are formatted in place; a formatted one is not touched", async () => {
  const at = folder({ "a.dlm": ugly, "b.dlm": pretty });
  const before = statSync(at("b.dlm")).mtimeMs;
  expect(await dlm(["fmt", at("a.dlm"), at("b.dlm")])).toEqual({ code: 0, out: "", err: "" });
  expect(readFileSync(at("a.dlm"), "utf8")).toBe(pretty);
  expect(statSync(at("b.dlm")).mtimeMs).toBe(before);
});
test("--check lists what is not formatted and changes nothing", async () => {
  const at = folder({ "a.dlm": ugly, "b.dlm": pretty });
  expect(await dlm(["fmt", "--check", at("a.dlm"), at("b.dlm")])).toEqual({ code: 1, out: `${at("a.dlm")}\n`, err: "" });
  expect(readFileSync(at("a.dlm"), "utf8")).toBe(ugly);
  expect(await dlm(["fmt", "--check", at("b.dlm")])).toEqual({ code: 0, out: "", err: "" });
});
test("a file with mistakes stays as it is, the others are formatted", async () => {
  const broken = "model M(x: f32[N] -> y {\n";
  const at = folder({ "a.dlm": broken, "b.dlm": ugly });
  const { code, err } = await dlm(["fmt", at("a.dlm"), at("none.dlm"), at("b.dlm")]);
  expect(code).toBe(1);
  expect(err).toContain(`--> ${at("a.dlm")}:1:`);
  expect(err).toContain(`cannot read ${at("none.dlm")}`);
  expect(readFileSync(at("a.dlm"), "utf8")).toBe(broken);
  expect(readFileSync(at("b.dlm"), "utf8")).toBe(pretty);
});
