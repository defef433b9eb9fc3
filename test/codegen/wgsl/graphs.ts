/** Graphs as a GPU runs them: in the interpreter, against kernels for a CPU that stand by themselves, and on a software adapter. */
import { describe, expect, test } from "vitest";
import { emitWgsl, type WgslCode } from "../../../codegen/wgsl/emit.ts";
import { scheduleCpu } from "../../../compiler/schedule/cpu.ts";
import { scheduleGpu } from "../../../compiler/schedule/gpu.ts";
import { wgslKernelPasses } from "../../../compiler/schedule/passes.ts";
import { parseGraph } from "../../../ir/graph/parse.ts";
import { bufferElements } from "../../../ir/kernel/address.ts";
import { elementType, type Kernel } from "../../../ir/kernel/kernel.ts";
import { verifyKernel } from "../../../ir/kernel/verify.ts";
import { leavesOf, lowerGraph, noise, runLowered } from "../../compiler/lower/run.ts";
import { nullDevice, runWgsl, softwareDevice, validate } from "../gpu.ts";
import { interpretSingle, type Memory, planOf } from "../support.ts";

export interface Case {
  readonly text: string;
  /** What is wrong with its kernels, as scheduled and as emitted; nothing where they are as meant. */
  readonly complaints: (made: readonly Kernel[], shaders: WgslCode["shaders"]) => readonly string[];
  /** Whether a software adapter runs it: it takes long to compile some. */
  readonly runs: boolean;
}
const expectClose = (got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number, what: string): void => {
  const worst = Array.from(want, (w, i) => Math.abs(got[i]! - w) / Math.max(1, Math.abs(w))).reduce((a, b) => Math.max(a, b), 0);
  expect(worst, what).toBeLessThan(tolerance);
};

const invalid = await nullDevice();
const device = await softwareDevice();
export const checkGraphs = (cases: Readonly<Record<string, Case>>) =>
  describe.each(Object.entries(cases))("%s", (_, { text, complaints, runs }) => {
    const graph = parseGraph(text);
    const inputs = leavesOf(graph);
    const made = lowerGraph(graph, { schedule: scheduleGpu, layouts: true }).kernels;
    const final = made.map((k) => wgslKernelPasses.reduce((x, p) => p.run(x), k));

    test("has kernels as meant, each sound and valid", async () => {
      const code = final.map((k) => emitWgsl(planOf("wgsl", [k]).plan));
      expect(
        complaints(
          made,
          code.flatMap((c) => c.shaders),
        ),
      ).toEqual([]);
      for (const k of made) expect(verifyKernel(k, "logical", { wgsl: true })).toEqual([]);
      for (const k of final) expect(verifyKernel(k, "flat", { wgsl: true })).toEqual([]);
      for (const c of code) expect(await validate(invalid, c)).toEqual([]);
    });
    test("means what loops for a CPU mean", () => {
      const compare = (passes: typeof wgslKernelPasses, model: "double" | "single", tolerance: number): void => {
        const plain = runLowered(graph, inputs, { schedule: (c) => scheduleCpu(c), model: "double" });
        const got = runLowered(graph, inputs, { schedule: scheduleGpu, passes, model, layouts: true });
        for (const [name, want] of Object.entries(plain)) expectClose(got[name]!, want, tolerance, name);
      };
      compare([], "double", 1e-9);
      compare(wgslKernelPasses, "single", 1e-4);
    });
    test.skipIf(!device || !runs)("agrees on a software adapter (skipped without one)", async () => {
      for (const k of final) {
        const memory: Memory = Object.fromEntries(
          k.buffers
            .filter((b) => b.space === "in")
            .map((b, i) => {
              const values = noise(bufferElements(b), i);
              return [b.name, elementType(b) === "i32" ? Int32Array.from(values, (v) => Math.round(v * 50)) : Float32Array.from(values)];
            }),
        );
        const got = await runWgsl(device!, [k], memory);
        for (const [name, want] of Object.entries(interpretSingle(k, memory))) expectClose(got[name]!, want, 1e-4, `${k.name} ${name}`);
      }
    });
  });
