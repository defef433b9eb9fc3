/** One seed on every target: the same initial values, the same dropout masks, and so the same training. */
import { expect, test } from "vitest";
import { type Net, type Program, parseSafetensors } from "../../runtime/index.ts";
import { numbersOf } from "../../runtime/safetensors.ts";
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

/** A checkpoint after three steps on one target, three further ones on the other; against six on the first. */
test.skipIf(!gpu).each([
  ["wasm", "wgsl"],
  ["wgsl", "wasm"],
] as const)("training that began on %s continues on %s", async (first, second) => {
  const [from, to] = await Promise.all([first, second].map((target) => compileExample("lenet", { target, set, dims: { N: size } })));
  const steps = async (net: Net, begin: number): Promise<readonly number[]> => {
    const losses: number[] = [];
    for (let i = begin; i < begin + 3; i++) losses.push((await net.step(batch(i, size))).loss);
    return losses;
  };
  const state = async (net: Net) =>
    Object.fromEntries(parseSafetensors(await net.checkpoint()).entries.map((e) => [e.name, Array.from(numbersOf(e))]));
  const [half, straight] = await withNet(from!, { seed: 3 }, async (net) => {
    await steps(net, 0);
    const checkpoint = await net.checkpoint();
    return [checkpoint, { losses: await steps(net, 3), ...(await state(net)) }] as const;
  });
  const moved = await withNet(to!, { checkpoint: half }, async (net) => ({ losses: await steps(net, 3), ...(await state(net)) }));
  expect(disagreements(second, moved, whole(straight), 1e-4)).toEqual([]);
});
