import { expect, test } from "vitest";
import { runPasses } from "../../compiler/pass.ts";

const double = { name: "double", run: (n: number) => n * 2 };
const keep = { name: "keep", run: (n: number) => n };

test("passes run in order, and each is seen afterwards", () => {
  const seen: string[] = [];
  const result = runPasses([double, { name: "increment", run: (n: number) => n + 1 }], 5, {
    after: (name, n, ms) => seen.push(`${name} ${n} ${ms >= 0}`),
  });
  expect(result).toBe(11);
  expect(seen).toEqual(["double 10 true", "increment 11 true"]);
});

test("the verifier sees the first IR and what changed", () => {
  const verified: number[] = [];
  runPasses([keep, double, keep], 3, { verify: (n) => verified.push(n) });
  expect(verified).toEqual([3, 6]);
});

test("errors say where they happened", () => {
  const bad = {
    name: "bad",
    run: (): number => {
      throw new Error("broken");
    },
  };
  expect(() => runPasses([double, bad], 1)).toThrow("in pass bad: broken");
  const positive = (n: number) => {
    if (n > 3) throw new Error("too large");
  };
  expect(() => runPasses([double, double], 1, { verify: positive })).toThrow("after pass double: too large");
  expect(() => runPasses([], 4, { verify: positive })).toThrow("before the first pass: too large");
});
