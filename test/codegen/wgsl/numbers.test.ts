/** Every shader is valid; a software adapter gives the interpreter's numbers. */
import { expect, test } from "vitest";
import { emitWgsl } from "../../../codegen/wgsl/emit.ts";
import { languageCases, operationCases } from "../cases.ts";
import { nullDevice, runWgsl, softwareDevice, validate } from "../gpu.ts";
import { interpretSingle, type Numbers, planOf } from "../support.ts";

const differing = (got: Numbers, want: Numbers) =>
  [...want]
    .map((w, i) => [got[i]!, w] as const)
    .filter(([g, w]) => !Object.is(g, w) && !(Math.abs(g - w) <= Math.abs(w) * 2 ** -21 || Math.abs(w) < 2 ** -126));
const cases = [...operationCases, ...languageCases];
const invalid = await nullDevice();
const device = await softwareDevice();

test.each(cases.map((c) => [c.kernel.name, c] as const))("%s is valid", async (_name, { kernel }) => {
  expect(await validate(invalid, emitWgsl(planOf("wgsl", [kernel]).plan))).toEqual([]);
});

test.skipIf(!device).each(cases.map((c) => [c.kernel.name, c] as const))(
  "%s on a software adapter (skipped without one)",
  async (_name, { kernel, inputs }) => {
    const got = await runWgsl(device!, [kernel], inputs);
    const want = interpretSingle(kernel, inputs);
    // Division may be off by 2.5 units in the last place, and results too small for a normal number may be 0.
    if (kernel.name.startsWith("div_f32")) expect(differing(got.y!, want.y!)).toEqual([]);
    else expect(got).toEqual(want);
  },
);
