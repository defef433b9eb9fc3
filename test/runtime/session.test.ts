/** The protocol of entries: what runs when, what is refused, what a checkpoint keeps. */
import { queryObjects } from "node:v8";
import { expect, test } from "vitest";
import { DlmError, load, parseSafetensors, writeSafetensors } from "../../runtime/index.ts";
import { floatEntry } from "./entries.ts";
import { bias, failure, gain, momentum, programOf, recorder, seed, trainable, updates } from "./fixtures.ts";

const image = { x: [1, 2, 3, 4] };
const batch = { ...image, label: [3, 0] };
const runs = (log: readonly string[]): string[] => log.filter((l) => l.startsWith("run")).map((l) => l.slice(4));
const weights = writeSafetensors([
  floatEntry("layer.gain", [4], Float32Array.of(1, 2, 3, 4)),
  floatEntry("layer.bias", [], Float32Array.of(10)),
]);

test("without weights the seed is written, init runs, and prepare comes before the first forward", async () => {
  const r = recorder();
  const net = await load(trainable(r.code), { seed: 7 });
  expect(r.log).toEqual(["write seed", "run init"]);
  await net.run(image);
  await net.run(image);
  expect(runs(r.log)).toEqual(["init", "prepare", "forward", "forward"]);
  expect((await net.counters()).seed).toBe(7);
  expect(net.notes).toEqual([]);
});

test("with all weights init does not run", async () => {
  const r = recorder();
  const net = await load(programOf(r.code), { weights });
  const { y } = await net.run(image);
  expect(runs(r.log)).toEqual(["prepare", "forward"]);
  expect(y).toEqual(Float32Array.of(10011, 10014, 10019, 10026));
});

test("a step marks what was prepared as stale, and is itself preceded by prepare once", async () => {
  const r = recorder();
  const net = await load(trainable(r.code));
  await net.step(batch);
  await net.step(batch);
  await net.evaluate(batch);
  await net.run(image);
  await net.step(batch);
  await net.run(image);
  expect(runs(r.log)).toEqual(["init", "prepare", "step", "step", "prepare", "evaluate", "forward", "step", "prepare", "forward"]);
});

test("weights are written over what init made", async () => {
  const r = recorder();
  const net = await load(trainable(r.code), { weights });
  expect(r.log.indexOf("run init")).toBeLessThan(r.log.indexOf("write layer.gain"));
  expect(net.notes).toEqual(["not in the weights, initialised: layer.seen"]);
  const [first] = await net.parameters();
  expect(first).toMatchObject({ name: "layer.gain", kind: "param", dtype: "f32", shape: [4], values: Float32Array.of(1, 2, 3, 4) });
});

test("step and evaluate give the loss and the other scalars", async () => {
  const net = await load(trainable(recorder().code), { weights });
  expect(await net.evaluate(batch)).toEqual({ loss: 10, metrics: { accuracy: Math.fround(0.3) } });
  const { loss, metrics } = await net.step(batch);
  expect(loss).toBeCloseTo(10 - 0.1 * (4 * 0.45 + 10), 5);
  expect(metrics).toEqual({ accuracy: Math.fround(0.3) });
});

test("calls that overlap run one after another", async () => {
  const r = recorder();
  const net = await load(programOf(r.code), { weights });
  const outputs = await Promise.all([1, 2, 3].map((v) => net.run({ x: [v, v, v, v] })));
  expect(outputs.map((o) => o.y![0])).toEqual([10011, 10012, 10013]);
  expect(r.log.filter((l) => l === "write x" || l === "run forward").join()).toBe(Array(3).fill("write x,run forward").join());
});

test("a session keeps nothing of calls that are done", async () => {
  const net = await load(programOf(recorder().code), { weights });
  const arrays = (): number => queryObjects(Array, { format: "count" });
  const few = async (): Promise<void> => void (await net.counters());
  await few();
  const before = arrays();
  for (let i = 0; i < 2000; i++) await few();
  expect(arrays() - before).toBeLessThan(1000);
});

test("a failed call does not stop later ones", async () => {
  const net = await load(programOf(recorder().code), { weights });
  const [bad, good] = await Promise.allSettled([net.run({ x: [1] }), net.run(image)]);
  expect([bad.status, good.status]).toEqual(["rejected", "fulfilled"]);
});

test("a seed for one call leaves the stream of the training alone", async () => {
  const net = await load(trainable(recorder().code), { weights, seed: 0 });
  const plain = (await net.run(image)).y![0]!;
  expect((await net.run(image, { seed: 2048 })).y![0]).toBe(plain + 2);
  expect((await net.run(image)).y![0]).toBe(plain);
  expect((await failure(() => net.run(image, { seed: 0.5 }))).message).toContain("seed is 0.5");
});

test("a checkpoint continues bit for bit", async () => {
  const a = await load(trainable(recorder().code), { seed: 5 });
  for (let i = 0; i < 3; i++) await a.step(batch);
  const file = await a.checkpoint();
  const r = recorder();
  const b = await load(trainable(r.code), { checkpoint: file, seed: 99 });
  expect(runs(r.log)).toEqual([]);
  expect(await b.counters()).toEqual({ seed: 5, updates: 3 });
  expect(await b.step(batch)).toEqual(await a.step(batch));
  expect(await b.checkpoint()).toEqual(await a.checkpoint());
});

test("a checkpoint holds every variable, a saved model only parameters and states", async () => {
  const net = await load(trainable(recorder().code));
  const { entries, metadata } = parseSafetensors(await net.checkpoint());
  expect(metadata).toEqual({ producer: "dlm", content: "checkpoint", program: "tiny" });
  expect(entries.map((e) => e.name)).toEqual([
    "layer.gain",
    "layer.bias",
    "layer.seen",
    "slot:layer.gain.momentum",
    "counter:seed",
    "counter:updates",
  ]);
  const saved = parseSafetensors(await net.save()).entries;
  expect(saved.map((e) => [e.name, e.dtype, e.shape])).toEqual([
    ["layer.gain", "F32", [4]],
    ["layer.bias", "F32", []],
    ["layer.seen", "I32", []],
  ]);
});

test("a checkpoint serves as weights; both at once are refused", async () => {
  const net = await load(trainable(recorder().code), { seed: 3 });
  const checkpoint = await net.checkpoint();
  const predict = await load(programOf(recorder().code), { weights: checkpoint });
  expect((await predict.parameters())[0]!.values).toEqual(Float32Array.of(3, 4, 5, 6));
  expect(predict.notes).toEqual(["in the weights, not used: layer.seen"]);
  const e = await failure(() => load(trainable(recorder().code), { weights, checkpoint }));
  expect(e).toMatchObject({ code: "option", message: "weights and checkpoint exclude each other" });
});

test("a file that is no checkpoint of the program is refused", async () => {
  const message = "these are weights, not what checkpoint() gave: load them with the option weights";
  expect(await failure(() => load(trainable(recorder().code), { checkpoint: weights }))).toMatchObject({ code: "checkpoint", message });
  const other = await (await load(trainable(recorder().code, { variables: [gain, bias, updates] }))).checkpoint();
  const e = await failure(() => load(trainable(recorder().code), { checkpoint: other }));
  expect(e).toMatchObject({ code: "checkpoint" });
  expect(e.message).toContain("missing: slot:layer.gain.momentum");
});

test("after dispose every call is refused and the backend is freed once, after what was under way", async () => {
  const r = recorder();
  const net = await load(programOf(r.code), { weights });
  const last = net.run(image);
  await Promise.all([net.dispose(), net.dispose()]);
  expect((await last).y).toHaveLength(4);
  expect(r.log.filter((l) => l === "dispose")).toHaveLength(1);
  expect(r.log.at(-1)).toBe("dispose");
  for (const call of [() => net.run(image), () => net.save(), () => net.parameters(), () => net.step(batch)])
    expect(await failure(call)).toMatchObject({ code: "disposed", message: "tiny is used after dispose()" });
});

test("an entry that was not compiled is named", async () => {
  const net = await load(programOf(recorder().code), { weights });
  const e = await failure(() => net.step(batch));
  expect(e).toBeInstanceOf(DlmError);
  expect(e.message).toBe('tiny was compiled without "step": compile it with train: true');
});

test("a program without init needs weights, and frees its backend when it gets none", async () => {
  const r = recorder();
  const program = programOf(r.code);
  const e = await failure(() => load({ ...program, entries: program.entries.filter((x) => x.name !== "init") }));
  expect(e.message).toBe("tiny has no initial values: it needs weights");
  expect(r.log).toEqual(["dispose"]);
});

test("options are checked", async () => {
  const program = programOf(recorder().code);
  expect((await failure(() => load(program, { seed: 2 ** 33 }))).message).toContain("32 bits");
  expect((await failure(() => load(program, { threads: 0 }))).message).toBe("threads is 0, expected 1..256");
  expect((await failure(() => load(program, { device: "webgpu" }))).message).toBe("tiny is compiled to host and cannot run on webgpu");
  const gpuDevice = { queue: {}, limits: {}, features: new Set<string>() };
  expect((await failure(() => load(program, { gpuDevice }))).message).toBe("tiny is compiled to host and takes no gpuDevice");
  const gpu = { requestAdapter: async () => null };
  expect((await load(program, { gpu })).notes).toEqual(["gpu has no effect: tiny is compiled to host"]);
  const high = recorder();
  await load(trainable(high.code), { seed: 2 ** 32 - 1 });
  expect(new Int32Array(high.memory.optimizer.buffer, seed.offset, 1)[0]).toBe(-1);
});

test("memory is told by region", async () => {
  const net = await load(trainable(recorder().code));
  expect(net.memory).toMatchObject({ parameters: 768, io: 1536 });
  expect(momentum.region).toBe("optimizer");
  expect(gain.region).toBe("parameters");
});
