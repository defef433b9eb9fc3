/** Settings of train blocks, from source text to compiled code: accumulate, ema, gradient_noise; and that runs resume. */
import { expect, test } from "vitest";
import { compile } from "../../../compiler/compile.ts";
import type { Program } from "../../../ir/program.ts";
import { artefactOf, load, type Net, parseSafetensors, programFromArtefact } from "../../../runtime/index.ts";
import { adapter } from "../../gpu.ts";

const source = (settings: string, model = "x |> fc1: Linear(7) |> relu |> fc2: Linear(2)") => `
model Net(x: f32[N, 3]) -> y {
  state seen: f32[] = 0
  if training { update seen += 1 }
  y = ${model}
}
train Net {
  input target: f32[N, 2]
  loss = mse(y, target)
  ${settings}
}`;
const gpu = await adapter();
const targets = ["wasm", ...(gpu ? (["wgsl"] as const) : [])] as const;
const start = async (settings: string, batch: number, target: Program["target"] = "wasm", model?: string): Promise<Net> => {
  const program = await compile(source(settings, model), { train: true, dims: { N: batch }, target });
  return load(program, { seed: 5, ...(gpu ? { gpu } : {}) });
};

/** Rows `from` to `from + count` of data without end. */
const rows = (from: number, count: number) => ({
  x: Float32Array.from({ length: 3 * count }, (_, i) => Math.sin(3.7 * (3 * from + i) + 0.4)),
  target: Float32Array.from({ length: 2 * count }, (_, i) => Math.cos(2.3 * (2 * from + i))),
});
type Tensors = Readonly<Record<string, readonly number[]>>;
const parametersOf = async (net: Net): Promise<Tensors> =>
  Object.fromEntries((await net.parameters()).map(({ name, values }) => [name, Array.from(values)]));
const fileOf = (file: Uint8Array): Tensors =>
  Object.fromEntries(parseSafetensors(file).entries.map((e) => [e.name, Array.from(new Float32Array(e.data.slice().buffer))]));
const expectNear = (actual: Tensors, expected: Tensors, tolerance: number): void => {
  for (const [name, values] of Object.entries(expected)) {
    const worst = Math.max(...values.map((v, i) => Math.abs(v - actual[name]![i]!)));
    expect(worst, `${name}: ${actual[name]} instead of ${values}`).toBeLessThanOrEqual(tolerance);
  }
};

test.each(targets)("k micro-batches are a batch k times as large, on %s", async (target) => {
  const settings = "optimizer = adamw(lr=step_decay(0.05, every=2, factor=0.5), weight_decay=0.1)\nclip_norm = 0.2\nema = 0.7";
  const whole = await start(settings, 6, target);
  const parts = await start(`${settings}\naccumulate = 3`, 2, target);
  for (let update = 0; update < 5; update++) {
    await whole.step(rows(6 * update, 6));
    for (let i = 0; i < 3; i++) await parts.step(rows(6 * update + 2 * i, 2));
  }
  const { seen: _, ...expected } = await parametersOf(whole);
  expectNear(await parametersOf(parts), expected, 2e-6);
  const { seen: __, ...averages } = fileOf(await whole.save());
  expectNear(fileOf(await parts.save()), averages, 2e-6);
  expect(await parts.counters()).toMatchObject({ micro_step: 15, updates: 5 });
});

test("between updates only states and sums move, and random numbers differ", async () => {
  const dropping = "x |> fc1: Linear(32) |> dropout(0.5) |> fc2: Linear(2)";
  const net = await start("optimizer = sgd(lr=0.1, momentum=0.9)\naccumulate = 4\nema = 0.5", 2, "wasm", dropping);
  const slots = async () => {
    const all = parseSafetensors(await net.checkpoint()).entries.filter((e) => e.name !== "seen" && !e.name.endsWith(".accumulated"));
    return all.filter((e) => e.name !== "counter:micro_step").map((e) => [e.name, Array.from(e.data)]);
  };
  for (let i = 0; i < 4; i++) await net.step(rows(0, 2));
  const before = await slots();
  const losses: number[] = [];
  for (let i = 0; i < 3; i++) losses.push((await net.step(rows(0, 2))).loss);
  expect(await slots()).toEqual(before);
  expect(new Set(losses).size).toBe(3);
  expect((await parametersOf(net)).seen).toEqual([7]);
  await net.step(rows(0, 2));
  const after = await slots();
  const same = after.filter(([, data], i) => JSON.stringify(data) === JSON.stringify(before[i]![1])).map(([name]) => name);
  expect(same).toEqual(["counter:seed"]);
});

test.each(targets)("prediction, evaluation and saved weights use the running average, on %s", async (target) => {
  const decay = 0.8;
  const net = await start(`optimizer = sgd(lr=0.3)\nema = ${decay}`, 4, target);
  let { seen: _, ...average } = await parametersOf(net);
  expectNear(fileOf(await net.save()), average, 0);
  for (let i = 0; i < 6; i++) {
    await net.step(rows(4 * i, 4));
    const now = await parametersOf(net);
    average = Object.fromEntries(Object.entries(average).map(([k, a]) => [k, a.map((v, j) => decay * v + (1 - decay) * now[k]![j]!)]));
  }
  const saved = await net.save();
  expectNear(fileOf(saved), average, 1e-6);

  const data = rows(100, 4);
  const plain = await load(await compile(source("optimizer = sgd(lr=0.3)"), { train: true, dims: { N: 4 } }), { weights: saved });
  const { loss } = await plain.evaluate(data);
  expect((await net.evaluate(data)).loss).toBeCloseTo(loss, 6);
  const [y, expected] = [await net.run({ x: data.x }), await plain.run({ x: data.x })];
  expectNear({ y: Array.from(y.y!) }, { y: Array.from(expected.y!) }, 1e-6);
  // the step goes on with the parameters themselves
  expect((await net.step(data)).loss).not.toBeCloseTo((await plain.step(data)).loss, 4);

  // given weights are where parameters and averages begin
  const program = await compile(source(`optimizer = sgd(lr=0.3)\nema = ${decay}`), { train: true, dims: { N: 4 }, target });
  const again = await load(program, { weights: saved, ...(gpu ? { gpu } : {}) });
  expect(await again.save()).toEqual(saved);
  const files = artefactOf(program);
  const read = await programFromArtefact(JSON.parse(files["net.json"] as string), async (name) => {
    const content = files[name]!;
    return typeof content === "string" ? new TextEncoder().encode(content) : content;
  });
  expect(read.variables).toEqual(program.variables);
  expect((await again.evaluate(data)).loss).toBeCloseTo(loss, 6);
});

test.each(targets)("a checkpoint continues bit for bit, on %s", async (target) => {
  const settings = `optimizer = nadam(lr=cosine(0.05, steps=5))
    optimizer "*.bias" = rmsprop(0.01, centered=true, momentum=0.5)
    accumulate = 2; ema = 0.9; gradient_noise = 0.01; clip_value = 0.5`;
  const model = "x |> fc1: Linear(7) |> dropout(0.2) |> relu |> fc2: Linear(2)";
  const net = await start(settings, 2, target, model);
  for (let i = 0; i < 5; i++) await net.step(rows(2 * i, 2));
  const program = await compile(source(settings, model), { train: true, dims: { N: 2 }, target });
  const other = await load(program, { checkpoint: await net.checkpoint(), ...(gpu ? { gpu } : {}) });
  for (let i = 5; i < 9; i++) expect(await other.step(rows(2 * i, 2))).toEqual(await net.step(rows(2 * i, 2)));
  expect(await other.checkpoint()).toEqual(await net.checkpoint());
  expect(await other.evaluate(rows(50, 2))).toEqual(await net.evaluate(rows(50, 2)));
});

test("gradient noise is normal, of the variance said, and repeats with the seed", async () => {
  const noise = async (seed: number, steps: number, line: string): Promise<number[]> => {
    const text = `model Net(x: f32[N, 60]) -> y { y = x |> fc: Linear(80, bias=false) }
      train Net { loss = mean(y); optimizer = sgd(lr=1); ${line} }`;
    const net = await load(await compile(text, { train: true, dims: { N: 1 } }), { seed });
    for (let i = 1; i < steps; i++) await net.step({ x: new Float32Array(60) });
    const before = (await parametersOf(net))["fc.weight"]!;
    await net.step({ x: new Float32Array(60) });
    const after = (await parametersOf(net))["fc.weight"]!;
    return after.map((v, i) => v - before[i]!);
  };
  const moment = (xs: readonly number[], n: number) => xs.reduce((a, x) => a + x ** n, 0) / xs.length;
  const first = await noise(1, 1, "gradient_noise = 0.25");
  expect(Math.abs(moment(first, 1))).toBeLessThan(0.03);
  expect(moment(first, 2)).toBeCloseTo(0.25, 1);
  expect(moment(first, 4) / moment(first, 2) ** 2).toBeCloseTo(3, 0);
  expect(await noise(1, 1, "gradient_noise = 0.25")).toEqual(first);
  expect(await noise(2, 1, "gradient_noise = 0.25")).not.toEqual(first);
  const annealed = moment(await noise(1, 16, "gradient_noise = (0.25, 1)"), 2);
  expect(annealed / (0.25 / 16)).toBeGreaterThan(0.9);
  expect(annealed / (0.25 / 16)).toBeLessThan(1.1);
});
