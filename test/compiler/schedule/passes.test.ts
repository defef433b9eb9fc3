/**
 * Passes as text: every `.ir` file beside this one names a pass (`# pass: unroll`), holds a kernel, and behind `# expect:`
 * what the pass makes of it. `vitest run --update` writes the latter anew.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { collapse } from "../../../compiler/schedule/collapse.ts";
import { legalize } from "../../../compiler/schedule/legalize.ts";
import { wasmKernelPasses, wgslKernelPasses } from "../../../compiler/schedule/passes.ts";
import { canVectorize } from "../../../compiler/schedule/vectorize.ts";
import { interpret } from "../../../ir/kernel/interpret.ts";
import type { Kernel } from "../../../ir/kernel/kernel.ts";
import { parseKernel } from "../../../ir/kernel/parse.ts";
import { printKernel } from "../../../ir/kernel/print.ts";
import { visitStmts } from "../../../ir/kernel/rewrite.ts";
import { type Stage, verifyKernel } from "../../../ir/kernel/verify.ts";
import { randomMemory } from "../../ir/kernel/random-kernel.ts";

const passes = new Map<string, (k: Kernel) => Kernel>([
  ...[...wasmKernelPasses, ...wgslKernelPasses].filter((p) => p.name !== "legalize").map((p) => [p.name, p.run] as const),
  ["collapse", collapse("grid")],
  ["legalize-wasm", legalize({ target: "wasm" })],
  ["legalize-wgsl", legalize({ target: "wgsl" })],
]);
const separator = "# expect:\n";
const files = readdirSync(import.meta.dirname).filter((f) => f.endsWith(".ir"));

function outputs(k: Kernel, source: Kernel): Record<string, number[]> {
  const memory = randomMemory(source);
  interpret(k, memory, "single");
  return Object.fromEntries(Object.entries(memory).map(([name, data]) => [name, [...data]]));
}
describe.each(files)("%s", (file) => {
  const path = join(import.meta.dirname, file);
  const given = readFileSync(path, "utf8").split(separator)[0]!;
  const name = /^# pass: (.*)$/m.exec(given)![1]!;
  const kernel = parseKernel(given);
  const result = passes.get(name)!(kernel);

  test("text", async () => {
    await expect(`${given}${separator}${printKernel(result)}\n`).toMatchFileSnapshot(path);
  });
  test("reads back", () => {
    expect(parseKernel(printKernel(result))).toEqual(result);
  });
  test("verifies", () => {
    const stage: Stage = name === "pointers" ? "pointers" : name === "flatten" ? "flat" : "logical";
    expect(verifyKernel(kernel, name === "pointers" ? "flat" : "logical")).toEqual([]);
    expect(verifyKernel(result, stage)).toEqual([]);
  });
  test("a second time changes nothing", () => {
    if (name !== "pointers") expect(printKernel(passes.get(name)!(result))).toBe(printKernel(result));
  });
  test("means the same", () => {
    const [after, before] = [outputs(result, kernel), outputs(kernel, kernel)];
    // legalize may round differently; everything else keeps the bits.
    for (const [buffer, values] of Object.entries(before)) {
      if (!name.startsWith("legalize")) expect(after[buffer]).toEqual(values);
      values.forEach((v, i) => void expect(Math.abs(after[buffer]![i]! - v)).toBeLessThanOrEqual(2e-6 * Math.abs(v)));
    }
  });
});
test("a pass that finds nothing to do gives back the same kernel", () => {
  const kernel = parseKernel("kernel k(out y: f32[4]) { serial i in 4 { y[i] = 1.0 } }");
  for (const name of ["vectorize", "unroll", "registers", "simplify", "collapse", "legalize-wasm"])
    expect(passes.get(name)!(kernel)).toBe(kernel);
});
test("every pass has a file", () => {
  const named = new Set(files.map((f) => /^# pass: (.*)$/m.exec(readFileSync(join(import.meta.dirname, f), "utf8"))![1]));
  // Buffers of kernels in parts are others: parts.test.ts.
  for (const name of passes.keys()) if (name !== "collapse-thread" && name !== "parts") expect(named).toContain(name);
});
test.each([
  ["a gather", "y[j] = x[ids[j]]"],
  ["a reduction into an outer variable", "s = s + x[j]"],
  ["a store to one place", "y[0] = x[j]"],
  ["an accumulation in memory", "y[0] = y[0] + 1.0"],
  ["an index with a remainder of the axis", "y[j] = x[(j + 1) % 4]"],
  ["a condition of lanes", "if x[j] < 0.0 { y[j] = 1.0 }"],
  ["a condition of numbers", "if j < 2 { y[j] = 1.0 }"],
  ["a store to a remainder of the axis", "y[(j + 1) % 4] = 1.0"],
  ["one place and several", "y[0] = 1.0 y[j] = 2.0"],
])("a vector loop refuses %s", (_, body) => {
  const text = `kernel k(in x: f32[8], in ids: i32[8], in m: bool[8], out y: f32[8]) { var s: f32 = 0.0 vector j in 4 { ${body} } }`;
  expect(() => passes.get("vectorize")!(parseKernel(text))).toThrow("in the vector loop over j");
});
test.each([
  ["a load with stride 2", "y[j] = x[j * 2]", false],
  ["a store with stride 2", "y[j * 2] = x[j]", false],
  ["a load across a loop of four", "unrolled k in 4 { y[j] = z[j, k] }", true],
  ["a load across a serial loop", "serial k in 4 { y[j] = z[j, k] }", false],
  ["a load across a loop that writes there", "unrolled k in 4 { z[k, j] = z[j, k] }", false],
])("%s goes lane by lane, where that is asked for", (_, body, isWide) => {
  const text = `kernel k(in x: f32[8], inout z: f32[4,4], out y: f32[8]) { vector j in 4 { ${body} } }`;
  const [loop] = parseKernel(text).body;
  if (loop?.kind !== "for") throw new Error("no loop");
  expect(canVectorize(loop.body, "j", new Map())).toBe(isWide);
  expect(canVectorize(loop.body, "j", new Map(), { apart: true })).toBe(true);
});
test("a register index must be constant", () => {
  const text = "kernel k(out y: f32[2]) { array a: f32[2] serial i in 2 { a[i] = 1.0 } y[0] = 1.0 }";
  expect(() => passes.get("registers")!(parseKernel(text))).toThrow("a register index must be a constant inside [2]");
});
test("WGSL gets at most three grid axes", () => {
  const result = passes.get("collapse-grid")!(
    parseKernel(readFileSync(join(import.meta.dirname, "collapse.ir"), "utf8").split(separator)[0]!),
  );
  expect(verifyKernel(result, "logical", { wgsl: true })).toEqual([]);
  let grids = 0;
  visitStmts(result.body, (s) => {
    grids += Number(s.kind === "for" && s.loop === "grid");
  });
  expect(grids).toBe(5);
});
