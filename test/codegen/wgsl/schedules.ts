/** Kernels of graphs as a GPU runs them: on the interpreter before and after passes, and on a software adapter. */
import { describe, expect, test } from "vitest";
import { emitWgsl } from "../../../codegen/wgsl/emit.ts";
import { scheduleCpu } from "../../../compiler/schedule/cpu.ts";
import { scheduleGpu } from "../../../compiler/schedule/gpu.ts";
import { wgslKernelPasses } from "../../../compiler/schedule/passes.ts";
import { parseGraph } from "../../../ir/graph/parse.ts";
import { bufferElements } from "../../../ir/kernel/address.ts";
import { interpret } from "../../../ir/kernel/interpret.ts";
import type { Kernel } from "../../../ir/kernel/kernel.ts";
import { verifyKernel } from "../../../ir/kernel/verify.ts";
import { lowerGraph, noise } from "../../compiler/lower/run.ts";
import { nullDevice, runWgsl, softwareDevice, validate } from "../gpu.ts";
import { type Memory, planOf } from "../support.ts";

const lowered = (text: string, schedule: typeof scheduleGpu): readonly Kernel[] =>
  lowerGraph(parseGraph(text), { schedule, layouts: true }).kernels;
const inputsOf = (k: Kernel): Memory =>
  Object.fromEntries(k.buffers.filter((b) => b.space === "in").map((b, i) => [b.name, noise(bufferElements(b), i)]));

function outputsOf(k: Kernel, model: "double" | "single"): Record<string, Float64Array> {
  const outputs = Object.fromEntries(
    k.buffers.filter((b) => b.space === "out").map((b) => [b.name, new Float64Array(bufferElements(b)).fill(Number.NaN)]),
  );
  const inputs = Object.fromEntries(Object.entries(inputsOf(k)).map(([name, v]) => [name, Float64Array.from(v)]));
  interpret(k, { ...inputs, ...outputs }, model);
  return outputs;
}

/**
 * Tests for every kernel of `graphs` that is `meant`: invocations work together, and what they compute is what loops for a CPU
 * compute. `run`: the graphs that a software adapter runs.
 */
export async function checkSchedules(
  graphs: Readonly<Record<string, string>>,
  meant: (k: Kernel) => boolean,
  run: ReadonlySet<string>,
): Promise<void> {
  const invalid = await nullDevice();
  const device = await softwareDevice();
  const cases = Object.entries(graphs).flatMap(([name, text]) => {
    const plain = lowered(text, scheduleCpu);
    return lowered(text, scheduleGpu).flatMap((k, i) => (meant(k) ? [{ name, k, plain: plain[i]! }] : []));
  });
  test("every graph has a kernel that is meant", () => {
    expect(new Set(cases.map((c) => c.name))).toEqual(new Set(Object.keys(graphs)));
  });
  describe.each(cases.map((c) => [`${c.name}: ${c.k.name}`, c] as const))("%s", (_, { name, k, plain }) => {
    const final = wgslKernelPasses.reduce((x, p) => p.run(x), k);
    const expectClose = (got: Record<string, ArrayLike<number>>, tolerance: number) => {
      for (const [buffer, want] of Object.entries(outputsOf(plain, "double"))) {
        const worst = Math.max(...Array.from(want, (w, i) => Math.abs(w - got[buffer]![i]!)));
        expect(worst, buffer).toBeLessThan(tolerance);
      }
    };
    test("is shared by invocations and sound, and the interpreter agrees", () => {
      expect(k.buffers.some((b) => b.space === "workgroup")).toBe(true);
      expect(verifyKernel(k, "logical", { wgsl: true })).toEqual([]);
      expect(verifyKernel(final, "flat", { wgsl: true })).toEqual([]);
      expectClose(outputsOf(k, "double"), 1e-12);
      expectClose(outputsOf(final, "single"), 1e-4);
    });
    test("is valid", async () => {
      expect(await validate(invalid, emitWgsl(planOf("wgsl", [final]).plan))).toEqual([]);
    });
    test.skipIf(!device || !run.has(name))("agrees on a software adapter (skipped without one)", async () => {
      expectClose(await runWgsl(device!, [final], inputsOf(k)), 1e-4);
    });
  });
}
