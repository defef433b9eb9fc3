/** Conversions between singles and formats of 16 bits. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "../../ir/float16.ts";

const formats = [
  { name: "half precision", to: toFloat16, from: fromFloat16, infinity: 0x7c00 },
  { name: "bfloat16", to: toBfloat16, from: fromBfloat16, infinity: 0x7f80 },
] as const;

test("bits of known numbers", () => {
  const halves = [0x0000, 0x8000, 0x3c00, 0xc000, 0x0001, 0x03ff, 0x0400, 0x7bff, 0x7c00, 0xfc00];
  expect(halves.map(fromFloat16)).toEqual([0, -0, 1, -2, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 65504, Infinity, -Infinity]);
  const brains = [0x0000, 0x8000, 0x3f80, 0xc000, 0x0001, 0x0080, 0x7f7f, 0x7f80, 0xff80];
  expect(brains.map(fromBfloat16)).toEqual([0, -0, 1, -2, 2 ** -133, 2 ** -126, 255 * 2 ** 120, Infinity, -Infinity]);
  expect([0x7e00, 0x7c01, 0xfe00].map(fromFloat16)).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  expect([0x7fc0, 0x7f81, 0xffc0].map(fromBfloat16)).toEqual([Number.NaN, Number.NaN, Number.NaN]);
});

test("halves are rounded to the nearest, ties to even", () => {
  const half = (v: number): number => fromFloat16(toFloat16(v));
  expect([2049, 2051, 65519, 65520, 1e30, -1e30].map(half)).toEqual([2048, 2052, 65504, Infinity, Infinity, -Infinity]);
  expect([2 ** -25, 1.5 * 2 ** -24, 3 * 2 ** -25 + 2 ** -40, -(2 ** -26)].map(half)).toEqual([0, 2 ** -23, 2 ** -23, -0]);
  expect(half(2 ** -14 - 2 ** -26)).toBe(2 ** -14);
});

test("bfloat16s are rounded to the nearest, ties to even", () => {
  const brain = (v: number): number => fromBfloat16(toBfloat16(v));
  expect([1 + 2 ** -8, 1 + 3 * 2 ** -8, -3.3895313892515355e38, 3.4028234663852886e38].map(brain)).toEqual([
    1,
    1 + 2 ** -6,
    -3.3895313892515355e38,
    Infinity,
  ]);
  expect([2 ** -134, 3 * 2 ** -134].map(brain)).toEqual([0, 2 ** -132]);
});

test.each(formats)("all bits of $name survive a round trip, NaN as NaN", ({ to, from }) => {
  const changed = Array.from({ length: 65536 }, (_, bits) => bits).filter((bits) => {
    const value = from(bits);
    return Number.isNaN(value) ? !Number.isNaN(from(to(value))) : to(value) !== bits;
  });
  expect(changed).toEqual([]);
});

test.each(formats)("no neighbour in $name is nearer to a single than its conversion", ({ to, from, infinity }) => {
  const largest = from(infinity - 1);
  fc.assert(
    fc.property(fc.float({ min: 0, max: Math.fround(Math.min(largest, 1e38)), noNaN: true }), (v) => {
      const bits = to(v);
      const gap = Math.abs(from(bits) - v);
      if (bits > 0) expect(gap).toBeLessThanOrEqual(Math.abs(from(bits - 1) - v));
      expect(gap).toBeLessThanOrEqual(Math.abs(from(bits + 1) - v));
      expect(to(-v)).toBe(bits | 0x8000);
    }),
    { numRuns: 2000 },
  );
});
