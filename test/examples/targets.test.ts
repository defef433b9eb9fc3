/** One seed on every target: the same initial values, the same dropout masks, and so the same training. */
import { expect, test } from "vitest";
import type { Program } from "../../runtime/index.ts";
import { batch } from "./formula.ts";
import { disagreements, type Part } from "./golden.ts";
import { compileExample, gpu, valuesOf, withNet } from "./support.ts";

const size = 4;
const set = { channels: "[2, 3]", hidden: "50" };

/** Initial values, and losses and values of two steps, dropout on. */
async function train(target: Program["target"]): Promise<Record<string, number[]>> {
  const program = await compileExample("lenet", { target, set, dims: { N: size } });
  return withNet(program, { seed: 11 }, async (net) => {
    const initial = await valuesOf(net, "param");
    const losses = [(await net.step(batch(0, size))).loss, (await net.step(batch(1, size))).loss];
    const trained = await valuesOf(net, "param");
    const named = (suffix: string, values: typeof initial) =>
      Object.entries(values).map(([name, v]) => [`${name} ${suffix}`, Array.from(v)] as const);
    return Object.fromEntries([...named("at first", initial), ["losses", losses], ...named("after two steps", trained)]);
  });
}
const whole = (values: Readonly<Record<string, readonly number[]>>): Part =>
  Object.fromEntries(Object.entries(values).map(([name, v]) => [name, { values: v }]));

test("wasm trains as the reference does", async () => {
  expect(disagreements("wasm", await train("wasm"), whole(await train("reference")), 1e-4)).toEqual([]);
});
test.skipIf(!gpu)(`wgsl trains as wasm does${gpu ? "" : ": no WebGPU adapter"}`, async () => {
  expect(disagreements("wgsl", await train("wgsl"), whole(await train("wasm")), 1e-4)).toEqual([]);
});
