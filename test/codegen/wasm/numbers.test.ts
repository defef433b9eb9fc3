/** WebAssembly gives the interpreter's numbers, bit for bit. */
import { expect, test } from "vitest";
import { languageCases, operationCases, pointerCases } from "../cases.ts";
import { interpretSingle, runWasm } from "../support.ts";

test.each([...operationCases, ...languageCases, ...pointerCases].map((c) => [c.kernel.name, c] as const))(
  "%s",
  async (_name, { kernel, inputs }) => {
    expect(await runWasm(kernel, inputs)).toEqual(interpretSingle(kernel, inputs));
  },
);
