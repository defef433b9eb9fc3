/** Every pass keeps the meaning, leaves a sound kernel, and its result prints and reads back. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type KernelPass, wasmKernelPasses, wgslKernelPasses } from "../../../compiler/schedule/passes.ts";
import { canVectorize } from "../../../compiler/schedule/vectorize.ts";
import { interpret } from "../../../ir/kernel/interpret.ts";
import type { Kernel, Stmt } from "../../../ir/kernel/kernel.ts";
import { parseKernel } from "../../../ir/kernel/parse.ts";
import { printKernel } from "../../../ir/kernel/print.ts";
import { mentions, visitExprs, visitStmts } from "../../../ir/kernel/rewrite.ts";
import { type Stage, verifyKernel } from "../../../ir/kernel/verify.ts";
import { randomKernel, randomMemory } from "../../ir/kernel/random-kernel.ts";

/** Lanes are independent for sure: what is stored is stored once, not read, and moves with the lane alone. */
function independent(body: readonly Stmt[]): boolean {
  const stored = new Map<string, number>();
  const inner = new Set<string>();
  let fine = true;
  visitStmts(body, (s) => {
    if (s.kind === "for") inner.add(s.axis);
    if (s.kind !== "store" || s.buffer.space === "register") return;
    stored.set(s.buffer.name, (stored.get(s.buffer.name) ?? 0) + 1);
    fine &&= stored.get(s.buffer.name) === 1 && !s.index.some((e) => [...inner].some((axis) => mentions(e, axis)));
  });
  visitExprs(body, (e) => {
    fine &&= e.kind !== "load" || !stored.has(e.buffer.name);
  });
  return fine;
}
const stageAfter = (pass: string): Stage => (pass === "pointers" ? "pointers" : pass === "flatten" ? "flat" : "logical");
const outputs = (k: Kernel, source: Kernel) => {
  const memory = randomMemory(source);
  interpret(k, memory, "single");
  return { y: [...memory.y!], z: [...memory.z!] };
};
function check(seed: number, passes: readonly KernelPass[]): Kernel {
  const source = randomKernel(seed, {
    canVectorize: (body, axis, ranges) => canVectorize(body, axis, ranges, { apart: true }) && independent(body),
  });
  expect(verifyKernel(source, "logical")).toEqual([]);
  const expected = outputs(source, source);
  let kernel = source;
  for (const { name, run } of passes) {
    const before = kernel;
    kernel = run(before);
    try {
      expect(verifyKernel(kernel, stageAfter(name))).toEqual([]);
      expect(outputs(kernel, source)).toEqual(expected);
    } catch (error) {
      throw new Error(`seed ${seed}, pass ${name}: ${error}\n${printKernel(before)}\n=>\n${printKernel(kernel)}`);
    }
  }
  expect(printKernel(parseKernel(printKernel(kernel)))).toBe(printKernel(kernel));
  return source;
}
test.each([
  ["wasm", wasmKernelPasses],
  ["wgsl", wgslKernelPasses],
] as const)("passes for %s", (_, passes) => {
  let vectors = 0;
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      visitStmts(check(seed, passes).body, (s) => {
        vectors += Number(s.kind === "for" && s.loop === "vector");
      });
    }),
    { numRuns: 40 },
  );
  expect(vectors).toBeGreaterThan(0);
});
