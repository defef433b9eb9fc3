/** Whatever the search for structure finds in a sketch, the program does what the sketch does. */
import * as fc from "fast-check";
import { test } from "vitest";
import { checked } from "./checking.ts";
import { plan, sketched } from "./random.ts";

test("any sketch is decompiled to a program that does the same", () => {
  fc.assert(
    fc.property(plan, (p) => {
      checked(sketched(p));
    }),
    { numRuns: Number(process.env.RUNS ?? 60), seed: 7, endOnFailure: false },
  );
});
