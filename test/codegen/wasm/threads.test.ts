/** Who runs what: grid loops in ranges, the rest once, barriers between what depends. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { serialize } from "node:v8";
import { expect, test } from "vitest";
import { emitWasm, printWat } from "../../../codegen/wasm/emit.ts";
import { add, at, buffer, declare, f32, grid, i32, load, local, mul, serial, set, store, sub } from "../../../ir/kernel/build.ts";
import type { Buffer, Expr, Kernel, Stmt } from "../../../ir/kernel/kernel.ts";
import type { Field, Program } from "../../../ir/program.ts";
import { load as loadProgram } from "../../../runtime/index.ts";
import { loadWasm, planOf, runThreads, runWasm } from "../support.ts";

const n = 1000;
const vector = (name: string, space: "in" | "out" | "inout") => buffer(name, space, [n]);
const x = vector("x", "in");

/** to[i] = from[n - 1 - i] + 1: every range needs what another thread wrote. */
const reverse = (from: string, to: string): Kernel => {
  const [a, b] = [vector(from, "in"), vector(to, "out")];
  return {
    name: `${from}_to_${to}`,
    buffers: [a, b],
    body: [grid("i", n, (i) => [store(b, [i], add(load(a, sub(i32(n - 1), i)), f32(1)))])],
  };
};
const chain = ["x", "y0", "y1", "y2", "y3", "y4", "y5"];
const reverses = chain.slice(1).map((to, i) => reverse(chain[i]!, to));
const data = Float32Array.from({ length: n }, (_, i) => Math.sin(i));

/** How often the function of a kernel waits for all threads. */
const barriersOf = (kernel: string, wat: string): number =>
  wat
    .split(`(func $${kernel} (param`)[1]!
    .split("(func")[0]!
    .match(/call \$dlm\.barrier/g)?.length ?? 0;

/** A mean, a grid that uses it, and a sum of what the grid made: four phases in one kernel. */
const total = buffer("total", "out", [1]);
const y = vector("y", "out");
const phases: Kernel = {
  name: "phases",
  buffers: [x, y, total],
  body: [
    declare("mean", f32(0)),
    serial("k", n, (k) => [set("mean", add(local("mean"), mul(load(x, k), f32(1 / n))))]),
    grid("i", n, (i) => [store(y, [i], sub(load(x, i), local("mean")))]),
    store(total, [i32(0)], f32(0)),
    serial("j", n, (j) => [store(total, [i32(0)], add(load(total, i32(0)), mul(load(y, j), load(y, j))))]),
  ],
};

/** Chaos in [0, 1]: every run starts from what the last one left, each nest reads what other threads wrote, no error dies out. */
const [state, back, first] = [vector("state", "inout"), vector("back", "inout"), buffer("first", "inout", [1])];
const mirrored = (b: Buffer, i: Expr) => load(b, sub(i32(n - 1), i));
const logistic = (v: Expr) => mul(mul(f32(3.9), v), sub(f32(1), v));
const evolve: Kernel = {
  name: "evolve",
  buffers: [state, back, first],
  body: [
    grid("i", n, (i) => [store(back, [i], logistic(mirrored(state, i)))]),
    store(first, [i32(0)], load(back, i32(n - 1))),
    grid("j", n, (j) => [store(state, [j], add(mul(mirrored(back, j), f32(0.9)), mul(load(first, i32(0)), f32(0.1))))]),
  ],
};
test("what every thread computes is complete before another nest changes what it is made from", async () => {
  const [length, threads] = [20000, 3];
  const [v, o] = [buffer("v", "inout", [length]), buffer("o", "out", [length])];
  const centred: Kernel = {
    name: "centred",
    buffers: [v, o],
    body: [
      declare("mean", f32(0)),
      serial("k", length, (k) => [set("mean", add(local("mean"), mul(load(v, k), f32(1 / length))))]),
      grid("i", length, (i) => [store(v, [i], sub(mul(f32(3), load(v, i)), local("mean")))]),
      declare("first", load(v, i32(0))),
      grid("j", length, (j) => [store(o, [j], sub(load(v, j), local("first")))]),
      store(v, [i32(0)], f32(7)),
    ],
  };
  const wat = await printWat(planOf("wasm", [centred]).plan);
  expect(barriersOf("centred", wat)).toBe(3);
  const start = { v: Float32Array.from({ length }, (_, i) => Math.cos(i)) };
  expect(await runThreads([centred], start, threads)).toEqual(await runThreads([centred], start, 1));
});

const parts = evolve.body.map((s, i): Kernel => ({ ...evolve, name: `evolve_${i}`, body: [s] }));
test.each([
  ["inside of one kernel", 2, [evolve]],
  ["inside of one kernel", 3, [evolve]],
  ["from kernel to kernel", 2, parts],
  ["from kernel to kernel", 3, parts],
] as const)("a state that evolves %s on %i threads", async (_where, threads, kernels) => {
  const start = { state: data.map(Math.abs), back: data, first: [0] };
  const alone = await runThreads(kernels, start, 1, 100);
  expect(alone.state!.every((v) => v >= 0 && v <= 1)).toBe(true);
  expect(await runThreads(kernels, start, threads, 100)).toEqual(alone);
});

test.each([2, 3])("%i threads compute what one computes, many times in a row", async (threads) => {
  const kernels = [...reverses, phases];
  const one = await runWasm(kernels, { x: data });
  expect(one.y5![0]).toBe(Math.fround(data[0]! + 6));
  expect(await runThreads(kernels, { x: data }, threads, 200)).toEqual(one);
});

test("what is outside of a grid happens once, what a grid reads happens everywhere", async () => {
  const loaded = await loadWasm(planOf("wasm", [phases]));
  loaded.view("x").set(data);
  const thread0 = loaded.view("y").slice();
  // Only the share of thread 1 of 2, without waiting for anybody: a barrier would trap on this memory.
  expect(() => loaded.forward(1, 2)).toThrow(/Atomics.wait/);
  expect(loaded.view("y").slice(0, n / 2)).toEqual(thread0.slice(0, n / 2));
  expect(
    loaded
      .view("y")
      .slice(n / 2)
      .every(Number.isFinite),
  ).toBe(true);
  expect(loaded.view("total")[0]).toBeNaN();
});

test("threads times iterations may be more than 32 bits have", async () => {
  const length = 2 ** 24;
  const bytes = buffer("bytes", "out", [length], null, "u8");
  const k: Kernel = { name: "fill", buffers: [bytes], body: [grid("i", length, (i) => [store(bytes, [i], i32(9))])] };
  const { forward, view } = await loadWasm(planOf("wasm", [k]));
  const written = (thread: number, threads: number): readonly number[] => {
    view("bytes").fill(0);
    // Nobody else is there: the barrier at the end traps on memory that is not shared.
    expect(() => forward(thread, threads)).toThrow(/Atomics.wait/);
    return [view("bytes").indexOf(9), view("bytes").lastIndexOf(9) + 1];
  };
  for (const thread of [0, 1, 200, 255]) expect(written(thread, 256)).toEqual([thread * 2 ** 16, (thread + 1) * 2 ** 16]);
  expect(written(254, 255)).toEqual([Math.floor((length * 254) / 255), length]);
});

test("more threads than iterations", async () => {
  const [a, b] = [buffer("a", "in", [2 * n]), buffer("b", "out", [2 * n])];
  const row = (i: Expr) => serial("j", n, (j) => [store(b, [at(i, n, j)], add(load(a, at(i, n, j)), f32(1)))]);
  const k: Kernel = { name: "few", buffers: [a, b], body: [grid("i", 2, (i) => [row(i)])] };
  const a0 = [...data, ...data];
  expect((await runThreads([k], { a: a0 }, 3)).b).toEqual(Float32Array.from(a0, (v) => v + 1));
});

test("barriers stand between dependent calls, and at the end", async () => {
  const count = async (kernels: readonly Kernel[]) => {
    const entry = (await printWat(planOf("wasm", kernels).plan)).split("(func $entry.forward (param")[1]!;
    return entry.match(/call \$dlm\.barrier/g)!.length;
  };
  const independent = ["p", "q", "r"].map((to) => reverse("x", to));
  expect(await count(independent)).toBe(1);
  expect(await count([...independent, reverse("q", "s")])).toBe(2);
  expect(await count(reverses)).toBe(reverses.length);
  // Two steps that only thread 0 takes need none between them.
  const serialStep = (from: string, to: string): Kernel => {
    const [a, b] = [buffer(from, "in", [1]), buffer(to, "out", [1])];
    return { name: `${from}${to}`, buffers: [a, b], body: [store(b, [i32(0)], load(a, i32(0)))] };
  };
  expect(await count([serialStep("s0", "s1"), serialStep("s1", "s2")])).toBe(1);
});

test("a value that a grid reads may not be set beside a store", async () => {
  const k: Kernel = {
    name: "mixed",
    buffers: [x, y, total],
    body: [
      declare("last", f32(0)),
      serial("k", n, (i) => [set("last", load(x, i)), store(total, [i32(0)], local("last"))]),
      grid("i", n, (i) => [store(y, [i], local("last"))]),
    ],
  };
  await expect(emitWasm(planOf("wasm", [k]).plan, { relaxed: false })).rejects.toThrow("last is set beside a store outside of a grid");
});

test("small grids are not spread, and nests that cannot meet do not wait", async () => {
  const waits = async (...kernels: readonly Kernel[]) => barriersOf("k", await printWat(planOf("wasm", kernels).plan));
  const out = buffer("o", "inout", [2 * n]);
  const half = (name: string, from: number, value: Expr) => grid(name, n, (i) => [store(out, [at(i, 1, from)], add(value, f32(0)))]);
  const kernel = (...body: Stmt[]): Kernel => ({ name: "k", buffers: [x, out], body });
  expect(await waits(kernel(half("i", 0, load(x, i32(0))), half("j", n, load(x, i32(1)))))).toBe(0);
  expect(await waits(kernel(half("i", 0, load(x, i32(0))), half("j", n - 1, load(x, i32(1)))))).toBe(1);
  expect(await waits(kernel(half("i", 0, load(x, i32(0))), half("j", n, load(out, i32(0)))))).toBe(1);
  const zero = (name: string) => grid(name, n, (i) => [store(out, [i], f32(0))]);
  expect(await waits(kernel(zero("i"), zero("j")))).toBe(0);
  expect(await waits(kernel(zero("i"), half("j", 0, load(x, i32(0)))))).toBe(1);
  const few = (name: string, from: number) => grid(name, 4, (i) => [store(out, [i], load(out, add(i, i32(from))))]);
  expect(await waits(kernel(few("i", 4), few("j", 8)))).toBe(0);
});

test("each thread has scratch of its own", async () => {
  const s = buffer("s", "scratch", [4]);
  const k: Kernel = {
    name: "scratched",
    buffers: [x, s, y],
    body: [grid("i", n, (i) => [serial("j", 4, (j) => [store(s, [j], load(x, i))]), store(y, [i], add(load(s, i32(0)), load(s, i32(3))))])],
  };
  expect((await runThreads([k], { x: data }, 3, 50)).y).toEqual(data.map((v) => v + v));
});

/** A program whose `forward` calls the kernels, from and to buffers of `n` elements. */
async function programOf(kernels: readonly Kernel[], inputs: readonly string[], output: string): Promise<Program> {
  const { plan, places } = planOf("wasm", kernels);
  const code = await emitWasm(plan, { relaxed: false });
  const field = (name: string): Field => {
    const { region, offset, buffer: b } = places.get(name)!;
    return { name, dtype: b.type === "i32" ? "i32" : "f32", shape: [n], region, offset };
  };
  return {
    format: "dlm",
    version: 1,
    name: "test",
    doc: null,
    target: "wasm",
    entries: [{ name: "forward", inputs: inputs.map(field), outputs: [field(output)] }],
    variables: [],
    sizes: plan.sizes,
    code: { kind: "wasm", ...code, relaxed: null },
    stats: { parameters: 0, flops: 0, arenaBytes: 0, lowerBoundBytes: 0, codeBytes: 0 },
  };
}

test.each([
  ["before", "exit code 1"],
  ["during", "it was terminated"],
])("a thread that ends %s a run does not leave the others waiting: this run and later ones are refused", async (when, why) => {
  const folder = mkdtempSync(join(tmpdir(), "dlm-threads-"));
  try {
    const file = join(folder, "program");
    writeFileSync(file, serialize({ program: await programOf(reverses, ["x"], "y5"), x: data }));
    const script = join(import.meta.dirname, "lost-thread.ts");
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", script, file, when], { timeout: 50_000 });
    const refused = `threads: forward cannot run: one of 3 threads has ended (${why}); load the program again`;
    expect(JSON.parse(stdout)).toEqual(["done", refused, refused]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each([2, 3])("a thread that stops does not leave the others waiting, and the next run is as before (%i threads)", async (threads) => {
  const [places, y0] = [buffer("places", "in", [n], null, "i32"), vector("y0", "out")];
  const gather: Kernel = {
    name: "gather",
    buffers: [x, places, y0],
    body: [grid("i", n, (i) => [store(y0, [i], load(x, load(places, i)))])],
  };
  const program = await programOf([gather, ...reverses.slice(1)], ["x", "places"], "y5");
  const net = await loadProgram(program, { threads });
  expect(net.threads).toBe(threads);
  const inside = Int32Array.from({ length: n }, (_, i) => i);
  const run = (ids: Int32Array) => net.run({ x: data, places: ids });
  const before = await run(inside);
  // An address beyond the memory, in the share of the first and of the last thread.
  for (const at of [0, n - 1]) {
    await expect(run(inside.map((p, i) => (i === at ? 2 ** 28 : p)))).rejects.toMatchObject({ code: "trap" });
    expect(await run(inside)).toEqual(before);
  }
  await net.dispose();
});
