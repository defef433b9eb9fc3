import { expect, test } from "vitest";
import { assignGroups, globMatcher } from "../../../compiler/training/groups.ts";

test.each([
  ["*", "", true],
  ["*", "a.b", true],
  ["fc.weight", "fc.weight", true],
  ["fc.weight", "fc1weight", false],
  ["fc*", "fc1.weight", true],
  ["*.bias", "layer1.0.conv1.bias", true],
  ["*.bias", "bias", false],
  ["*.bn*.weight", "layer1.0.bn1.weight", true],
  ["*.bn*.weight", "layer1.0.conv1.weight", false],
  ["a*a", "a", false],
  ["a*a", "aa", true],
  ["a**a", "axa", true],
  ["*ab*ab", "ab", false],
  ["*ab*ab", "abab", true],
  ["[x]", "x", false],
  ["a.*", "a", false],
])("%s on %s: %s", (glob, path, expected) => {
  expect(globMatcher(glob)(path)).toBe(expected);
});

test("many stars take no time worth mentioning", () => {
  expect(globMatcher(`${"*a".repeat(2000)}b`)("a".repeat(4000))).toBe(false);
});

test("the last group that matches wins", () => {
  const [all, bias, conv] = [{ globs: null }, { globs: ["*.bias"] }, { globs: ["x.*", "conv.*"] }] as const;
  const of = assignGroups(["conv.bias", "fc.bias", "fc.weight"], [all, bias, conv]);
  expect([...of]).toEqual([
    ["conv.bias", conv],
    ["fc.bias", bias],
    ["fc.weight", all],
  ]);
  expect(assignGroups(["fc.weight"], [bias]).size).toBe(0);
});
