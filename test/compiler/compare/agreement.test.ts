import { expect, test } from "vitest";
import { agreementOf, agrees } from "../../../compiler/compare/agreement.ts";

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

test("an error is relative to the rms of what is expected, and its place is the first of the largest", () => {
  const a = agreementOf([1, 2.5, 0, 1.5], [1, 2, 0, 2], { tolerance: 0.1 });
  expect(a).toMatchObject({ index: 1, found: 2.5, expected: 2, scale: 1.5, beyond: 2, elements: 4 });
  expect(a.error).toBeCloseTo(1 / 3);
  expect([agrees(a), agrees(agreementOf([1, 2.5], [1, 2], { tolerance: 0.4 }))]).toEqual([false, true]);
});

test.each([
  ["NaN on both sides", [nan, 1], [nan, 1], 0],
  ["NaN on one side", [nan, 1], [0, 1], inf],
  ["NaN expected", [0, 1], [nan, 1], inf],
  ["the same infinity", [inf, 1], [inf, 1], 0],
  ["the other infinity", [inf, 1], [-inf, 1], inf],
  ["an infinity that is no such", [inf, 1], [3e38, 1], inf],
  ["zeros", [0, 0], [0, 0], 0],
  ["something where zeros are expected", [0, 1e-30], [0, 0], inf],
])("%s", (_, found, expected, error) => {
  expect(agreementOf(found, expected, { tolerance: 1e-4 }).error).toBe(error);
});

test("infinite values do not make finite ones small; a floor makes noise small; elements that do not count are left out", () => {
  expect(agreementOf([inf, 1.1], [inf, 1], { tolerance: 0.01 }).error).toBeCloseTo(0.1);
  expect(agreementOf([1e-9], [0], { tolerance: 1e-4, floor: 1e-3 })).toMatchObject({ error: 1e-6, beyond: 0 });
  expect(agreementOf([5, 1], [1, 1], { tolerance: 0.1, counts: (i) => i > 0 })).toMatchObject({
    error: 0,
    elements: 1,
    leftOut: 1,
    index: 0,
  });
});
