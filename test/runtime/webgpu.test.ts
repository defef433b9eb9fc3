/** WGSL programs, written by hand, on whatever adapter is there; the checks that need none use a made-up one. */
import { expect, test } from "vitest";
import type { Program } from "../../ir/program.ts";
import { DlmError, type GpuSource, load } from "../../runtime/index.ts";
import { failure, field, gain, mask, programOf, trainable, y } from "./fixtures.ts";
import { affine, dispatch, forward, gpu, kernel, onGpu, prepare, program, spying, submits, sum, weights, wgsl } from "./webgpu-fixtures.ts";

onGpu("prepare and forward on a device, several times", async () => {
  const net = await load(program, { weights, gpu, device: "webgpu" });
  expect(await net.run({ x: [1, 1, 2, 2] })).toEqual({ y: Float32Array.of(1006, 1007, 1011, 1013) });
  const outputs = await Promise.all([1, 2, 3].map((v) => net.run({ x: [v, v, v, v] })));
  expect(outputs.map((o) => o.y![3])).toEqual([1009, 1013, 1017]);
  expect((await net.parameters()).map((p) => p.values)).toEqual([Float32Array.of(1, 2, 3, 4), Float32Array.of(5)]);
  await net.dispose();
  expect(await failure(() => net.run({ x: [1, 1, 2, 2] }))).toMatchObject({ code: "disposed" });
});

onGpu("an entry of several dispatches runs them in order, equal shaders and groups shared", async () => {
  const double = kernel("double", ["var<storage, read_write> y: array<f32, 4>"], "y[i] = 2.0 * y[i] + 1.0;");
  const twice = dispatch(2, [["io", y.offset, 16]], 4);
  const copy = dispatch(3, [["io", y.offset, 16]], 4);
  const code = wgsl([sum, affine, double, { ...double, name: "again" }], { prepare: [prepare], forward: [forward, twice, copy] });
  const net = await load(programOf(code), { weights, gpu });
  expect((await net.run({ x: [0, 0, 0, 0] })).y![0]).toBe(1005 * 4 + 3);
  await net.dispose();
});

onGpu("bool and u8 take a word an element on the device and a byte at the border", async () => {
  const flip = kernel(
    "flip",
    ["var<storage, read_write> a: array<u32, 3>", "var<storage, read_write> b: array<u32, 5>", "var<storage, read_write> c: array<u32, 5>"],
    "if (i < 3u) { c[i] = select(1u, 0u, a[i] != 0u); } else { c[i] = b[i] + 1u; }",
  );
  const codes = field("codes", "io", 1024, [5], { dtype: "u8" });
  const out = field("out", "io", 1280, [5], { dtype: "u8" });
  const flipped = dispatch(
    0,
    [
      ["io", mask.offset, 12],
      ["io", codes.offset, 20],
      ["io", out.offset, 20],
    ],
    5,
  );
  const wide: Program = programOf(wgsl([flip], { forward: [flipped] }), {
    entries: [{ name: "forward", inputs: [mask, codes], outputs: [out, mask] }],
    variables: [],
  });
  const net = await load(wide, { gpu });
  expect(await net.run({ mask: [true, false, true], codes: [0, 0, 0, 199, 254] })).toEqual({
    out: Uint8Array.of(0, 1, 0, 200, 255),
    mask: Uint8Array.of(1, 0, 1),
  });
  await net.dispose();
});

onGpu("a checkpoint continues on the device", async () => {
  const step = kernel(
    "learn",
    [
      "var<storage, read_write> gain: array<f32, 4>",
      "var<storage, read_write> m: array<f32, 4>",
      "var<storage, read_write> io: array<f32, 384>",
    ],
    "m[i] = 0.9 * m[i] + io[i]; gain[i] = gain[i] - 0.1 * m[i]; io[256] = gain[0];",
  );
  const all = dispatch(
    0,
    [
      ["parameters", gain.offset, 16],
      ["optimizer", 0, 16],
      ["io", 0, 1536],
    ],
    4,
  );
  const train = trainable(wgsl([step], { init: [], prepare: [], forward: [], step: [all], evaluate: [] }));
  const batch = { x: [1, 2, 3, 4], label: [0, 0] };
  const a = await load(train, { gpu });
  await a.step(batch);
  const b = await load(train, { gpu, checkpoint: await a.checkpoint() });
  await a.step(batch);
  await b.step(batch);
  expect(await b.checkpoint()).toEqual(await a.checkpoint());
  expect((await b.parameters())[0]!.values[1]).toBeCloseTo(-0.1 * (2 + 3.8), 5);
  await Promise.all([a.dispose(), b.dispose()]);
});

onGpu("a kernel that is not valid is named with its line", async () => {
  const broken = { name: "broken", code: "@compute @workgroup_size(1) fn broken() {\n  let x: i32 = 1.5;\n}" };
  const e = await failure(() => load(programOf(wgsl([broken], { forward: [dispatch(0, [])] })), { weights, gpu }));
  expect(e).toMatchObject({ name: "DlmError", code: "device" });
  expect(e.message).toMatch(/the GPU refuses the kernel broken: line 2/);
});

onGpu("bindings that do not fit are refused at load", async () => {
  const short = dispatch(0, [["parameters", gain.offset, 16]]);
  const e = await failure(() => load(programOf(wgsl([sum], { forward: [short] })), { weights, gpu }));
  expect(e).toMatchObject({ name: "DlmError", code: "device" });
  const beyond = dispatch(0, [
    ["parameters", gain.offset, 1 << 20],
    ["prepared", 0, 4],
  ]);
  expect(await failure(() => load(programOf(wgsl([sum], { forward: [beyond] })), { weights, gpu }))).toMatchObject({ code: "device" });
});

onGpu("an error during a run is reported, not swallowed", async () => {
  const alias = dispatch(0, [
    ["parameters", gain.offset, 16],
    ["parameters", gain.offset, 4],
  ]);
  const net = await load(programOf(wgsl([sum], { forward: [alias] }), { entries: [{ name: "forward", inputs: [], outputs: [y] }] }), {
    weights,
    gpu,
  });
  const e = await failure(() => net.run({}));
  expect(e).toMatchObject({ name: "DlmError", code: "device" });
  expect(e.message).toContain("a GPU error");
  await net.dispose();
});

onGpu("a device has exactly the limits and features that the program declares", async () => {
  const { source, requested } = spying();
  const limits = { maxStorageBufferBindingSize: 2 ** 27, maxComputeInvocationsPerWorkgroup: 128 };
  const code = wgsl([sum, affine], { prepare: [prepare], forward: [forward] }, limits, { features: ["timestamp-query"] });
  const net = await load(programOf(code), { weights, gpu: source });
  expect(requested.map((r) => [r.requiredLimits, r.requiredFeatures])).toEqual([[limits, ["timestamp-query"]]]);
  await net.dispose();
});

onGpu("a run is one submit, with prepare and all outputs; more only where work is long", async () => {
  const { source, devices } = spying();
  const net = await load(program, { weights, gpu: source });
  const seen = submits(devices[0]!);
  await net.run({ x: [1, 1, 2, 2] });
  expect(seen.count).toBe(1);
  await net.parameters();
  expect(seen.count).toBe(2);
  await net.dispose();

  const double = kernel("double", ["var<storage, read_write> y: array<f32, 4>"], "y[i] = 2.0 * y[i];");
  const again = dispatch(2, [["io", y.offset, 16]], 4);
  const code = wgsl([sum, affine, double], { prepare: [prepare], forward: [forward, again, again] });
  const long = programOf(code, { stats: { ...program.stats, flops: 60e9 } });
  const slow = await load(long, { weights, gpu: source });
  const parts = submits(devices[1]!);
  expect((await slow.run({ x: [1, 1, 2, 2] })).y![0]).toBe(4 * 1006);
  expect(parts.count).toBe(3);
  await slow.dispose();
});

onGpu("every kernel that is compiled is told, equal ones once", async () => {
  const told: string[] = [];
  const code = wgsl([sum, affine, { ...sum, name: "again" }], { prepare: [prepare], forward: [forward] });
  const net = await load(programOf(code), { weights, gpu, onProgress: ({ done, total }) => told.push(`${done}/${total}`) });
  expect(told).toEqual(["1/2", "2/2"]);
  await net.dispose();
});

onGpu("calls overlap on the device and keep their order; dispose waits for all of them", async () => {
  const { source, devices } = spying();
  const net = await load(program, { weights, gpu: source });
  // A call that prepares keeps the others waiting until the device has taken it.
  await net.run({ x: [0, 0, 0, 0] });
  const seen = submits(devices[0]!);
  const first = net.run({ x: [1, 1, 1, 1] });
  const others = Array.from({ length: 9 }, (_, i) => net.run({ x: Array(4).fill(i + 2) }));
  const ended = net.dispose();
  await first;
  expect(seen.count).toBeGreaterThan(1);
  expect((await Promise.all([first, ...others])).map((o) => o.y![1])).toEqual(Array.from({ length: 10 }, (_, i) => 1005 + 2 * (i + 1)));
  await ended;
});

const adapterWith = (limits: Readonly<Record<string, number>>): GpuSource => ({
  requestAdapter: async () => ({ limits, features: new Set(), requestDevice: () => Promise.reject(new Error("not today")) }),
});
const needing = (limits: Readonly<Record<string, number>>): Program => programOf(wgsl([], { forward: [] }, limits));

test("a device that cannot run the program is refused with the limits side by side", async () => {
  const small = adapterWith({ maxBufferSize: 1000, minStorageBufferOffsetAlignment: 256, maxBindGroups: 4 });
  const e = await failure(() =>
    load(needing({ maxBufferSize: 2000, maxBindGroups: 4, minStorageBufferOffsetAlignment: 64, maxNew: 1 }), { weights, gpu: small }),
  );
  expect(e).toMatchObject({ code: "unsupported" });
  expect(e.message).toBe(
    "this GPU cannot run tiny, which was compiled with limits that not every device has: maxBufferSize is 1000, the program needs 2000; minStorageBufferOffsetAlignment is 256, the program needs 64; " +
      "maxNew is unknown, the program needs 1. What helps: " +
      'compile it with limits "default", or "compat" for devices of the compatibility mode (dlm --limits compat), or with those of this GPU, or compile it to wasm',
  );
  expect((await failure(() => load(needing({}), { weights, gpu: small }))).message).toBe("WebGPU gives no device for tiny: not today");
});

test("a device of the compatibility mode is taken where there is no other", async () => {
  const { requestAdapter } = adapterWith({});
  const compatible: GpuSource = { requestAdapter: async (o) => (o?.featureLevel === "compatibility" ? requestAdapter() : null) };
  expect((await failure(() => load(needing({}), { weights, gpu: compatible }))).message).toBe("WebGPU gives no device for tiny: not today");
});

test("features that a device lacks are named, with what to do", async () => {
  const code = wgsl([], { forward: [] }, {}, { features: ["shader-f16", "timestamp-query"] });
  const e = await failure(() => load(programOf(code), { weights, gpu: adapterWith({}) }));
  expect(e).toMatchObject({ code: "unsupported" });
  expect(e.message).toBe(
    "this GPU cannot run tiny: it has no feature shader-f16; it has no feature timestamp-query. " +
      'What helps: compile it with storage "f32" (option storage, of dlm --storage), or compile it without profile, or compile it to wasm',
  );
});

test("no WebGPU and no adapter are told apart", async () => {
  const none = await failure(() => load(needing({}), { weights, gpu: { requestAdapter: async () => null } }));
  expect(none).toMatchObject({ code: "unsupported", message: expect.stringMatching(/^WebGPU finds no GPU: .*tiny compiled to wasm/) });
  const missing = await failure(() => load(needing({}), { weights }));
  expect(missing).toBeInstanceOf(DlmError);
  expect(missing.message).toContain("navigator.gpu is missing");
});

test("a manifest is no program", async () => {
  const manifest = { ...program, code: { kind: "wgsl", file: "net.wgsl.json" } } as unknown as Program;
  const e = await failure(() => load(manifest, { weights, gpu }));
  expect(e.message).toBe("load got the manifest of a program: programFromArtefact(manifest, readFile) gives the program");
});
