/** No operation without a test. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { opByName, ops } from "../../../ir/ops/index.ts";

const text = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith(".test.ts") && name !== "coverage.test.ts")
  .map((name) => readFileSync(join(import.meta.dirname, name), "utf8"))
  .join("\n");
const mentions = (pattern: string) => new RegExp(pattern).test(text);

test("every operation is tested", () => {
  expect(Object.keys(ops).filter((key) => !mentions(`\\bops\\.${key}\\b`))).toEqual([]);
});
test("every operation with a gradient or a lowering rule goes through checkOp", () => {
  const exempt = ["stopGradient"];
  const rules = Object.entries(ops).filter(([key, op]) => (op.grad ?? op.lower ?? op.decompose) !== null && !exempt.includes(key));
  expect(rules.map(([key]) => key).filter((key) => !mentions(`checkOp\\(\\s*ops\\.${key},`))).toEqual([]);
});
test("names in text are the names in code", () => {
  expect(opByName.size).toBe(Object.keys(ops).length);
  for (const [key, op] of Object.entries(ops)) {
    expect(op.schema.name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())).toBe(key);
    expect(opByName.get(op.schema.name)).toBe(op);
  }
});
test("rules fit the kind of operation", () => {
  for (const { schema, lower, decompose } of Object.values(ops)) {
    const rules = { leaf: [false, false], composite: [false, true], opaque: [false, false] }[schema.kind as string] ?? [true, false];
    expect([schema.name, lower !== null, decompose !== null]).toEqual([schema.name, ...rules]);
  }
});
