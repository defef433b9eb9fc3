/** Offsets: never two living tensors at one place, never less than the bound, and usually exactly the bound. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { assignOffsets, type Lifetime, lowerBound } from "../../../compiler/memory/offsets.ts";

const lifetime = fc
  .record({ size: fc.integer({ min: 1, max: 40 }), first: fc.integer({ min: 0, max: 30 }), length: fc.integer({ min: 0, max: 12 }) })
  .map(({ size, first, length }): Lifetime => ({ bytes: size * 64, first, last: first + length }));

test("living tensors never overlap", () => {
  fc.assert(
    fc.property(fc.array(lifetime, { maxLength: 40 }), (all) => {
      const { offsets, bytes } = assignOffsets(all);
      all.forEach((a, i) => {
        expect(offsets[i]! + a.bytes).toBeLessThanOrEqual(bytes);
        all.slice(0, i).forEach((b, j) => {
          const together = a.first <= b.last && b.first <= a.last;
          const overlap = offsets[i]! < offsets[j]! + b.bytes && offsets[j]! < offsets[i]! + a.bytes;
          expect(together && overlap).toBe(false);
        });
      });
      expect(bytes).toBeGreaterThanOrEqual(lowerBound(all));
    }),
    { numRuns: 300 },
  );
});
test("the bound is what one call has alive", () => {
  const alive = (all: readonly Lifetime[], at: number) => all.reduce((n, l) => n + (l.first <= at && at <= l.last ? l.bytes : 0), 0);
  fc.assert(
    fc.property(fc.array(lifetime, { maxLength: 30 }), (all) => {
      expect(lowerBound(all)).toBe(Math.max(0, ...Array.from({ length: 50 }, (_, at) => alive(all, at))));
    }),
  );
});
test("a chain of layers takes two neighbours at a time", () => {
  const chain = [5, 3, 8, 2, 7].map((n, i): Lifetime => ({ bytes: n * 64, first: i, last: i + 1 }));
  expect(assignOffsets(chain).bytes).toBe(11 * 64);
});
test("many tensors, all of them small", () => {
  const all = Array.from({ length: 3000 }, (_, i): Lifetime => ({ bytes: 64 * (1 + (i % 3)), first: i % 7, last: (i % 7) + (i % 5) }));
  expect(assignOffsets(all).bytes / lowerBound(all)).toBeLessThan(1.01);
});
test("no tensors, no memory", () => {
  expect(assignOffsets([])).toEqual({ offsets: [], bytes: 0 });
});
