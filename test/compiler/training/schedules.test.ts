/** Learning rates as compiled code computes them, against PyTorch (test/golden/torch_schedules.py). */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compileGraphs } from "../../../compiler/compile-graphs.ts";
import type { Schedule } from "../../../compiler/frontend/module.ts";
import { complementOfPower, integerPower } from "../../../compiler/training/scalars.ts";
import { learningRate } from "../../../compiler/training/schedules.ts";
import type { Node } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";
import { load } from "../../../runtime/index.ts";
import { adapter } from "../../gpu.ts";
import { programOf } from "../../graph-program.ts";
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

/** Values of functions of an i32[] at many counts, by compiled code. */
async function valuesAt(
  counts: readonly number[],
  functions: readonly ((t: Node) => Node)[],
  target: "wasm" | "wgsl" = "wasm",
): Promise<readonly Float32Array[]> {
  const shape = [counts.length];
  const t = ops.input({}, { name: "t", dtype: "i32", shape });
  const outputs = functions.map((f, i) => ({ name: `value_${i}`, value: ops.broadcast({ x: f(t) }, { shape }) }));
  const forward = { name: "forward", inputs: [t], outputs, updates: [] };
  const program = programOf(forward, target, await compileGraphs("values", { forward }, [], { target }));
  const gpu = target === "wgsl" ? await adapter() : undefined;
  const net = await load(program, gpu ? { gpu } : {});
  const results = await net.run({ t: Int32Array.from(counts) });
  await net.dispose();
  return functions.map((_, i) => results[`value_${i}`] as Float32Array);
}
const rates = (target: "wasm" | "wgsl") => {
  const functions = golden.variants.map(({ schedule }) => {
    const parsed = scheduleOf(schedule);
    return (t: Node) => learningRate(parsed, t);
  });
  return valuesAt(golden.at, functions, target);
};

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

test("schedules at their edges", async () => {
  const rising = (t: number) => 0.004 + (0.1 - 0.004) * Math.sin(((Math.PI / 2) * t) / 9) ** 2;
  const cases: readonly (readonly [string, readonly (readonly [number, number])[]])[] = [
    ["one_cycle(0.1, steps=1)", [0, 1, 9].map((t) => [t, 4e-7])],
    ["one_cycle(0.1, steps=10, pct_start=1)", [...[0, 4, 9].map((t) => [t, rising(t)] as const), [50, 0.1]]],
    ["one_cycle(0.1, steps=3, pct_start=0)", [0, 1, 2].map((t) => [t, 4e-7 + (0.1 - 4e-7) * Math.cos(((Math.PI / 2) * (t + 1)) / 3) ** 2])],
    [
      "cosine(0.1, steps=1)",
      [
        [0, 0.1],
        [1, 0],
        [2, 0],
      ],
    ],
    [
      "cosine(0.1, steps=1, restarts=true)",
      [
        [0, 0.1],
        [1, 0.1],
      ],
    ],
    [
      "cosine(1.0, steps=1000000000, restarts=true, growth=2)",
      [
        [1000000000, 1],
        [2147483647, Math.cos(((Math.PI / 4) * 1147483647) / 1e9) ** 2],
      ],
    ],
    [
      "step_decay(0.1, every=1, factor=0)",
      [
        [0, 0.1],
        [1, 0],
        [6, 0],
      ],
    ],
    [
      "linear_warmup(0, steps=4, from=0.4)",
      [
        [0, 0.4],
        [1, 0.3],
        [3, 0.1],
        [4, 0],
        [9, 0],
      ],
    ],
    [
      "0.5 |> then(0.25, after=3)",
      [
        [2, 0.5],
        [3, 0.25],
      ],
    ],
  ];
  for (const [schedule, points] of cases) {
    const parsed = scheduleOf(schedule);
    const [values] = await valuesAt(
      points.map(([t]) => t),
      [(t) => learningRate(parsed, t)],
    );
    for (const [i, [t, expected]] of points.entries())
      expect(Math.abs(values![i]! - expected), `${schedule} at ${t}: ${values![i]}`).toBeLessThanOrEqual(1e-6 * Math.max(expected, 1e-6));
  }
});

test("powers and their complements are good to 1e-6, from the first update to the millionth", async () => {
  const counts = [1, 2, 3, 7, 100, 499, 500, 501, 5000, 12_345, 100_000, 1_000_000];
  const bases = [0, 0.5, 0.9, 0.999, 0.999999];
  const functions = bases.flatMap((base) => [(n: Node) => integerPower(base, n), (n: Node) => complementOfPower(base, n)]);
  const values = await valuesAt(counts, functions);
  for (const [i, base] of bases.entries())
    for (const [j, n] of counts.entries()) {
      const [power, complement] = [values[2 * i]![j]!, values[2 * i + 1]![j]!];
      expect(Math.abs(power - base ** n), `${base} ** ${n}`).toBeLessThanOrEqual(1e-6 * base ** n + 1e-37);
      const exact = -Math.expm1(n * Math.log(base));
      expect(Math.abs(complement - exact), `1 - ${base} ** ${n}`).toBeLessThanOrEqual(1e-6 * exact);
    }
});
