/** Kernels as dispatches: what becomes a workgroup, an invocation, a binding, a shader of its own. */
import { expect, test } from "vitest";
import { emitWgsl } from "../../../codegen/wgsl/emit.ts";
import { splitDispatches } from "../../../codegen/wgsl/split.ts";
import {
  add,
  at,
  barrier,
  buffer,
  declare,
  f32,
  grid,
  i32,
  load,
  local,
  mul,
  serial,
  set,
  splat,
  store,
  sub,
  thread,
  within,
} from "../../../ir/kernel/build.ts";
import type { Buffer, Expr, Kernel, Stmt } from "../../../ir/kernel/kernel.ts";
import type { Plan } from "../../../ir/plan.ts";
import { nullDevice, runWgsl, softwareDevice, validate } from "../gpu.ts";
import { interpretSingle, type Memory, planOf } from "../support.ts";

const invalid = await nullDevice();
const device = await softwareDevice();
const onDevice = test.skipIf(!device);

const kernel = (name: string, buffers: readonly Buffer[], ...body: readonly Stmt[]): Kernel => ({ name, buffers, body });
const emit = (...kernels: readonly Kernel[]) => emitWgsl(planOf("wgsl", kernels).plan);
const check = async (k: Kernel, inputs: Memory) => {
  expect(await validate(invalid, emit(k))).toEqual([]);
  expect(await runWgsl(device!, [k], inputs)).toEqual(interpretSingle(k, inputs));
};

const n = 256;
const x = buffer("x", "in", [n]);
const y = buffer("y", "out", [n]);
const total = buffer("total", "out", [1]);
const data = Float32Array.from({ length: n }, (_, i) => Math.sin(i));

const mean = [declare("mean", f32(0)), serial("k", n, (k) => [set("mean", add(local("mean"), mul(load(x, k), f32(1 / n))))])];
const phases = kernel(
  "phases",
  [x, y, total],
  declare("unused", f32(1)),
  ...mean,
  grid("i", n, (i) => [store(y, [i], sub(load(x, i), local("mean")))]),
  store(total, [i32(0)], f32(0)),
  serial("j", n, (j) => [store(total, [i32(0)], add(load(total, i32(0)), load(y, j)))]),
  grid("l", n / 2, (l) => [store(y, [at(l, 2)], mul(load(y, at(l, 2)), local("mean")))]),
);

test("a dispatch spreads one grid and has the values that it needs", () => {
  const parts = splitDispatches(phases);
  expect(parts.map((p) => p.name)).toEqual(["phases.0", "phases.1", "phases.2"]);
  expect(parts.map((p) => p.buffers.map((b) => b.name))).toEqual([
    ["x", "y"],
    ["y", "total"],
    ["x", "y"],
  ]);
  expect(parts.map((p) => p.body)).toEqual([[...mean, phases.body[3]], phases.body.slice(4, 6), [...mean, phases.body[6]]]);
  expect(splitDispatches(parts[0]!)).toEqual([parts[0]]);
});

test("a value may come from before a grid that does not need it", () => {
  const k = kernel(
    "around",
    [x, y, total],
    ...mean,
    grid("i", n, (i) => [store(y, [i], load(x, i))]),
    store(total, [i32(0)], local("mean")),
  );
  expect(splitDispatches(k).map((p) => p.body)).toEqual([[k.body[2]], [...mean, k.body[3]]]);
});

test("a value from memory that changes in between is refused", () => {
  const k = kernel(
    "stale",
    [x, y],
    declare("first", load(y, i32(0))),
    grid("i", n, (i) => [store(y, [i], load(x, i))]),
    grid("j", n, (j) => [store(y, [j], local("first"))]),
  );
  expect(() => emit(k)).toThrow("stale: a value from y is used after y has changed");
});

onDevice("the parts together give the kernel's numbers (skipped without an adapter)", () => check(phases, { x: data }));

onDevice("workgroup memory and barriers (skipped without an adapter)", async () => {
  const shared = buffer("shared", "workgroup", [16]);
  const k = kernel(
    "reversed",
    [x, y, shared],
    grid("g", n / 16, (g) => [
      thread("t", 4, (t) => [
        thread("u", 4, (u) => [
          store(shared, [at(t, 4, u)], load(x, at(g, 16, at(t, 4, u)))),
          barrier,
          store(y, [at(g, 16, at(t, 4, u))], load(shared, sub(i32(15), at(t, 4, u)))),
        ]),
      ]),
    ]),
  );
  expect(emit(k).shaders[0]!.code).toContain("@workgroup_size(4, 4, 1)");
  await check(k, { x: data });
});

onDevice("four nested grids and a ragged number of invocations (skipped without an adapter)", async () => {
  const out = buffer("out", "out", [2 * 3 * 4 * 5]);
  const index = (a: Expr, b: Expr, c: Expr, d: Expr) => at(at(at(a, 3, b), 4, c), 5, d);
  const body = grid("a", 2, (a) => [
    grid("b", 3, (b) => [grid("c", 4, (c) => [grid("d", 5, (d) => [store(out, [index(a, b, c, d)], load(x, index(a, b, c, d)))])])]),
  ]);
  await check(kernel("four", [x, out], body), { x: data });
  const ragged = grid("g", 4, (g) => [
    thread("t", 64, (t) => [within(at(g, 64, t), 250, [store(y, [at(g, 64, t)], load(x, at(g, 64, t)))])]),
  ]);
  expect(emit(kernel("ragged", [x, y], ragged)).entries.forward![0]!.workgroups).toEqual([4, 1, 1]);
  await check(kernel("ragged", [x, y], ragged), { x: data });
});

onDevice("more workgroups than a dimension has (skipped without an adapter)", async () => {
  const many = buffer("many", "out", [70001]);
  const k = kernel(
    "long",
    [x, many],
    grid("i", 70001, (i) => [store(many, [i], mul(load(x, i32(3)), f32(2)))]),
  );
  const { shaders, entries } = emit(k);
  expect(entries.forward![0]!.workgroups).toEqual([35001, 2, 1]);
  expect(shaders[0]!.code).toContain("if (group >= 70001u) { return; }");
  await check(k, { x: data });
});

onDevice("names of the language are no names of a shader (skipped without an adapter)", async () => {
  const [a, b] = [buffer("var", "in", [n]), buffer("loop", "out", [n])];
  const wide: Expr = { kind: "load", lanes: 4, buffer: a, base: null, index: [at({ kind: "var", type: "i32", lanes: 1, name: "fn" }, 4)] };
  const k = kernel(
    "reserved",
    [a, b],
    grid("fn", n / 4, (i) => [
      { kind: "var", name: "acc.0", type: "f32", lanes: 4, init: wide },
      { kind: "var", name: "acc_0", type: "f32", lanes: 4, init: splat(f32(1)) },
      store(
        b,
        [at(i, 4)],
        add({ kind: "var", type: "f32", lanes: 4, name: "acc.0" }, { kind: "var", type: "f32", lanes: 4, name: "acc_0" }),
      ),
    ]),
  );
  await check(k, { var: data });
});

test("stores beside a grid or thread loop, and loops side by side, are refused", () => {
  const beside = grid("g", 4, (g) => [store(y, [g], f32(0)), thread("t", 4, (t) => [store(y, [at(g, 4, t)], f32(1))])]);
  expect(() => emit(kernel("beside", [y], beside))).toThrow("beside: a store stands beside a grid or thread loop");
  const two = grid("g", 4, (g) => [
    thread("t", 4, (t) => [store(y, [at(g, 8, t)], f32(1))]),
    thread("u", 4, (u) => [store(y, [at(g, 8, u)], f32(2))]),
  ]);
  expect(() => emit(kernel("two", [y], two))).toThrow("two: two thread loops side by side");
});

/* ---- bindings -------------------------------------------------------------------------------------------------- */

const sum = kernel(
  "sum",
  [x, buffer("z", "in", [n]), y],
  grid("i", n, (i) => [store(y, [i], add(load(x, i), load(buffer("z", "in", [n]), i)))]),
);
const planWith = (offsets: readonly number[], name = "sum"): Plan => {
  const { plan } = planOf("wgsl", [{ ...sum, name }]);
  const args = offsets.map((offset) => ({ region: "arena" as const, offset }));
  return { ...plan, entries: [{ ...plan.entries[0]!, calls: [{ kernel: name, args, origin: null, flops: 0 }] }] };
};

test("the same place is bound once, an overlap is refused", async () => {
  const twice = emitWgsl(planWith([0, 0, 1024]));
  expect(twice.entries.forward![0]!.bindings).toEqual([
    { region: "arena", offset: 0, bytes: 1024 },
    { region: "arena", offset: 1024, bytes: 1024 },
  ]);
  expect(await validate(invalid, twice)).toEqual([]);
  expect(emitWgsl(planWith([0, 1024, 0])).entries.forward![0]!.bindings).toHaveLength(2);
  expect(() => emitWgsl(planWith([0, 512, 2048]))).toThrow("sum: x and z overlap");
  expect(() => emitWgsl(planWith([0, 1028, 4096]))).toThrow("not aligned to 256 bytes");
});

test("equal shaders are one", () => {
  const a = planWith([0, 1024, 2048]);
  const b = planWith([0, 1024, 2048], "sum_again");
  const both = {
    ...a,
    kernels: [...a.kernels, ...b.kernels],
    entries: [{ ...a.entries[0]!, calls: [...a.entries[0]!.calls, ...b.entries[0]!.calls] }],
  };
  const { shaders, entries } = emitWgsl(both);
  expect(shaders.map((s) => s.name)).toEqual(["sum"]);
  expect(entries.forward!.map((d) => d.shader)).toEqual([0, 0]);
});

test("limits that not every device has are declared", () => {
  expect(emit(sum).limits).toEqual({});
  const inputs = Array.from({ length: 9 }, (_, i) => buffer(`x${i}`, "in", [4]));
  const shared = buffer("shared", "workgroup", [5000]);
  const many = kernel(
    "many",
    [...inputs, y, shared],
    grid("g", 1, () => [thread("t", 512, (t) => [store(shared, [t], f32(1)), ...inputs.map((b) => store(y, [i32(0)], load(b, i32(0))))])]),
  );
  expect(emit(many).limits).toEqual({
    maxStorageBuffersPerShaderStage: 10,
    maxComputeWorkgroupStorageSize: 20000,
    maxComputeInvocationsPerWorkgroup: 512,
    maxComputeWorkgroupSizeX: 512,
  });
  const { plan } = planOf("wgsl", [sum]);
  expect(emitWgsl({ ...plan, sizes: { ...plan.sizes, parameters: 2 ** 30 } }).limits).toEqual({ maxBufferSize: 2 ** 30 });
});

test("a shader, whole", () => {
  const k = kernel(
    "scaled",
    [x, y],
    grid("i", n / 4, (i) => [
      store(y, [at(i, 4)], mul({ kind: "load", lanes: 4, buffer: x, base: null, index: [at(i, 4)] }, splat(load(x, i)))),
    ]),
  );
  expect(emit(k).shaders[0]!.code).toMatchInlineSnapshot(`
    "@group(0) @binding(0) var<storage, read_write> b_x: array<vec4<f32>, 64>;
    @group(0) @binding(1) var<storage, read_write> b_y: array<vec4<f32>, 64>;
    @compute @workgroup_size(1, 1, 1)
    fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) invocation: vec3<u32>) {
      let v_i = i32(workgroup.x);
      b_y[v_i] = (b_x[v_i] * vec4<f32>(b_x[(v_i / 4i)][(v_i % 4i)]));
    }
    "
  `);
});

const last = buffer("last", "out", [n]);
/** A stage that writes `between`, and behind a barrier one in which each invocation reads an element of another from `from`. */
const meeting = (between: Buffer, from: Buffer) =>
  kernel(
    "meeting",
    [x, y, last, ...(between.space === "workgroup" ? [between] : [])],
    grid("g", n / 8, (g) => [
      thread("t", 8, (t) => [
        store(between, [at(g, 8, t)], load(x, at(g, 8, t))),
        barrier,
        store(last, [at(g, 8, t)], load(from, at(g, 8, sub(i32(7), t)))),
      ]),
    ]),
  );
test("stages that meet in storage wait for storage too, before they wait for each other; others do not", async () => {
  const { code } = emit(meeting(y, y)).shaders[0]!;
  expect(code).toMatchInlineSnapshot(`
    "@group(0) @binding(0) var<storage, read_write> b_x: array<f32, 256>;
    @group(0) @binding(1) var<storage, read_write> b_y: array<f32, 256>;
    @group(0) @binding(2) var<storage, read_write> b_last: array<f32, 256>;
    @compute @workgroup_size(8, 1, 1)
    fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) invocation: vec3<u32>) {
      let v_g = i32(workgroup.x);
      let v_t = i32(invocation.x);
      b_y[((v_g * 8i) + v_t)] = b_x[((v_g * 8i) + v_t)];
      storageBarrier();
      workgroupBarrier();
      b_last[((v_g * 8i) + v_t)] = b_y[(((v_g * 8i) - v_t) + 7i)];
    }
    "
  `);
  expect(await validate(invalid, emit(meeting(y, y)))).toEqual([]);
  const shared = buffer("shared", "workgroup", [n]);
  for (const k of [meeting(shared, shared), meeting(y, x)]) {
    expect(emit(k).shaders[0]!.code).toMatch(/^ *workgroupBarrier\(\);$/m);
    expect(emit(k).shaders[0]!.code).not.toContain("storageBarrier");
  }
  // What is written and what is read may be the same memory under two names.
  const { plan } = planOf("wgsl", [meeting(y, x)]);
  const [from, , to] = plan.entries[0]!.calls[0]!.args;
  const together = [{ ...plan.entries[0]!, calls: [{ ...plan.entries[0]!.calls[0]!, args: [from!, from!, to!] }] }];
  expect(emitWgsl({ ...plan, entries: together }).shaders[0]!.code).toContain("storageBarrier();\n  workgroupBarrier();");
});

test("variables and scratch memory beyond what every implementation has are refused", () => {
  const four = (i: number): Stmt => ({ kind: "var", name: `v${i}`, type: "f32", lanes: 4, init: null });
  const variables = (count: number) =>
    kernel(
      "variables",
      [y],
      grid("g", 1, () => [...Array.from({ length: count }, (_, i) => four(i)), serial("n", 2, (k) => [store(y, [k], f32(0))])]),
    );
  expect(emit(variables(511)).shaders).toHaveLength(1);
  expect(() => emit(variables(512))).toThrow("variables: 8196 bytes of variables, a function has 8192");
  const scratch = (elements: number) => {
    const own = buffer("own", "scratch", [elements]);
    return kernel(
      "scratch",
      [y, own],
      grid("g", 1, (g) => [store(own, [g], f32(0)), store(y, [g], load(own, g))]),
    );
  };
  expect(emit(scratch(2048)).shaders).toHaveLength(1);
  expect(() => emit(scratch(2049))).toThrow("scratch: 8196 bytes of scratch, an invocation has 8192");
});
