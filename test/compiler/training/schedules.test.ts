/** Learning rates as compiled code computes them, against PyTorch (test/golden/torch_schedules.py). */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compileGraphs } from "../../../compiler/compile-graphs.ts";
import type { Schedule } from "../../../compiler/frontend/module.ts";
import { signaturesOf } from "../../../compiler/signature.ts";
import { learningRate } from "../../../compiler/training/schedules.ts";
import { ops } from "../../../ir/ops/index.ts";
import type { Program } from "../../../ir/program.ts";
import { load } from "../../../runtime/index.ts";
import { adapter } from "../../gpu.ts";
import { build } from "../frontend/elaborating.ts";

interface Golden {
  readonly at: readonly number[];
  readonly variants: readonly { readonly schedule: string; readonly rates: readonly number[] }[];
}
const golden = JSON.parse(readFileSync(new URL("goldens/schedules.json", import.meta.url), "utf8")) as Golden;

/** The schedule that a text of the language means. */
const scheduleOf = (text: string): Schedule =>
  build(`model M(x: f32[N, 2]) -> y { y = x |> fc: Linear(1) }\ntrain M { loss = mean(y); optimizer = sgd(lr=${text}) }`, { train: true })
    .training!.optimizers[0]!.optimizer.lr;

/** A program whose outputs are the rates at the update counts of its input `t`. */
async function ratesProgram(target: "wasm" | "wgsl"): Promise<Program> {
  const shape = [golden.at.length];
  const t = ops.input({}, { name: "t", dtype: "i32", shape });
  const outputs = golden.variants.map(({ schedule }, i) => ({
    name: `rate_${i}`,
    value: ops.broadcast({ x: learningRate(scheduleOf(schedule), t) }, { shape }),
  }));
  const forward = { name: "forward", inputs: [t], outputs, updates: [] };
  const { graphs, planned, code, plan } = await compileGraphs("rates", { forward }, [], { target });
  return {
    ...{ format: "dlm", version: 1, name: "rates", doc: null, target, variables: [], sizes: plan.sizes, code },
    entries: signaturesOf(graphs, planned),
    stats: { parameters: 0, flops: 0, arenaBytes: 0, lowerBoundBytes: 0, codeBytes: 0 },
  };
}

async function rates(target: "wasm" | "wgsl"): Promise<readonly Float32Array[]> {
  const gpu = target === "wgsl" ? await adapter() : undefined;
  const net = await load(await ratesProgram(target), gpu ? { gpu } : {});
  const outputs = await net.run({ t: Int32Array.from(golden.at) });
  await net.dispose();
  return golden.variants.map((_, i) => outputs[`rate_${i}`] as Float32Array);
}

const compare = (actual: readonly Float32Array[]): void => {
  for (const [i, { schedule, rates: expected }] of golden.variants.entries()) {
    const off = golden.at.filter((_, j) => !(Math.abs(actual[i]![j]! - expected[j]!) <= 1e-5 * Math.abs(expected[j]!) + 1e-37));
    const shown = off.map((t) => [t, actual[i]![golden.at.indexOf(t)], expected[golden.at.indexOf(t)]]);
    expect({ schedule, shown }).toEqual({ schedule, shown: [] });
  }
};

test("learning rates over 10,000 updates are those of PyTorch to 1e-5", async () => {
  compare(await rates("wasm"));
});
const gpu = await adapter();
test.skipIf(!gpu)("on wgsl too", async () => {
  compare(await rates("wgsl"));
});
