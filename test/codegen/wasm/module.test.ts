/** The module around the kernels: memory import, limits, regions. */
import { expect, test } from "vitest";
import { emitWasm, layoutOf, printWat } from "../../../codegen/wasm/emit.ts";
import { add, buffer, exp, f32, fma, grid, i32, load, splat, store, thread, vector } from "../../../ir/kernel/build.ts";
import type { Expr, Kernel } from "../../../ir/kernel/kernel.ts";
import { regions } from "../../../ir/program.ts";
import { planOf, runWasm } from "../support.ts";

const [x, y] = [buffer("x", "in", [8]), buffer("y", "out", [8])];
const elementwise = (name: string, f: (v: Expr) => Expr): Kernel => ({
  name,
  buffers: [x, y],
  body: [grid("i", 8, (i) => [store(y, [i], f(load(x, i)))])],
});
const plusOne = elementwise("plus_one", (v) => add(v, f32(1)));
const placed = planOf("wasm", [plusOne], 64);

test("the limits byte makes the memory shared", async () => {
  const { module, limitsOffset, bytes } = await emitWasm(placed.plan, { relaxed: false });
  expect(module[limitsOffset]).toBe(1);
  const pages = Math.ceil(bytes / 65536);
  const unshared = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const shared = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const start = (m: Uint8Array<ArrayBuffer>, memory: WebAssembly.Memory) =>
    new WebAssembly.Instance(new WebAssembly.Module(m), { env: { memory, overdue: () => {} } });
  expect(() => start(module, unshared)).not.toThrow();
  expect(() => start(module, shared)).toThrow(/shared/);
  const patched = module.slice();
  patched[limitsOffset] = 3;
  expect(() => start(patched, shared)).not.toThrow();
  expect(() => start(patched, unshared)).toThrow(/shared/);
});

test("regions are aligned, in order, and scratch is last", () => {
  const sizes = { control: 4, parameters: 100, optimizer: 0, state: 4, prepared: 65, io: 12, arena: 70000, scratch: 1 << 20 };
  const { bases, bytes, pages } = layoutOf({ ...placed.plan, sizes });
  const starts = regions.map((r) => bases[r]);
  expect(starts[0]).toBe(64);
  expect(starts).toEqual([...starts].sort((a, b) => a - b));
  expect(starts.every((at) => at % 64 === 0)).toBe(true);
  regions.forEach((r, i) => {
    expect(bases[r] + sizes[r]).toBeLessThanOrEqual(starts[i + 1] ?? bytes);
  });
  expect(pages).toBe(Math.ceil(bytes / 65536));
});

test("more memory than WebAssembly has is the user's limit", () => {
  const sizes = { ...placed.plan.sizes, arena: 2 ** 32 };
  expect(() => layoutOf({ ...placed.plan, sizes })).toThrow(/error\[limit\].*4096 MiB.*arena 4096 MiB.*smaller batch/s);
});

test("scratch counts once: how many threads have room is found when the program is loaded", async () => {
  const sizes = { ...placed.plan.sizes, scratch: 2 ** 29 };
  const { module, limitsOffset } = await emitWasm({ ...placed.plan, sizes }, { relaxed: false });
  // Flags, then a minimum of 8193 pages and a maximum of 65536, as LEB128.
  expect([...module.subarray(limitsOffset, limitsOffset + 6)]).toEqual([1, 0x81, 0x40, 0x80, 0x80, 0x04]);
});

test("relaxed multiply-add only where it is asked for", async () => {
  const four = buffer("four", "in", [4]);
  const out = buffer("sum", "out", [4]);
  const wide: Expr = { kind: "load", lanes: 4, buffer: four, base: null, index: [i32(0)] };
  const k: Kernel = { name: "madd", buffers: [four, out], body: [store(out, [i32(0)], fma(wide, wide, splat(f32(1))))] };
  const plan = planOf("wasm", [k]).plan;
  expect(await printWat(plan)).not.toContain("relaxed");
  expect(await printWat(plan, { relaxed: true })).toContain("f32x4.relaxed_madd");
  const [exact, relaxed] = [await emitWasm(plan, { relaxed: false }), await emitWasm(plan, { relaxed: true })];
  expect(relaxed.limitsOffset).toBe(exact.limitsOffset);
  expect((await runWasm(k, { four: [1, 2, 3, 4] })).sum).toEqual(Float32Array.of(2, 5, 10, 17));
});

test("kernels that were not lowered are named", async () => {
  const emit = (k: Kernel) => emitWasm(planOf("wasm", [k]).plan, { relaxed: false });
  await expect(emit(elementwise("raw", exp))).rejects.toThrow("exp of f32 is no WebAssembly operation");
  const wide: Kernel = { name: "wide", buffers: [x, y], body: [vector("j", 4, (j) => [store(y, [j], load(x, j))])] };
  await expect(emit(wide)).rejects.toThrow("wide: the vector loop over j is left");
  const gpu: Kernel = { name: "gpu", buffers: [x, y], body: [thread("j", 8, (j) => [store(y, [j], load(x, j))])] };
  await expect(emit(gpu)).rejects.toThrow("gpu: j loops over invocations of a workgroup");
});
