/** One of several programs: what is chosen, why, and what happens where the choice cannot be started. */
import { afterAll, describe, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import type { Program, Work } from "../../ir/program.ts";
import { estimate, isSoftware, machine } from "../../runtime/choose-device.ts";
import { type GpuSource, load, type Net } from "../../runtime/index.ts";
import { adapter } from "../gpu.ts";
import { failure } from "./fixtures.ts";

const source = `model Line(x: f32[N, 3]) -> y { y = x |> fc: Linear(2) }
train Line {
  input t: f32[N, 2]
  loss = mean((y - t) ** 2)
  optimizer = adam(lr=0.05)
}`;
const [wasm, wgsl] = await Promise.all((["wasm", "wgsl"] as const).map((target) => compile(source, { target, train: true, batch: 2 })));
const both = [wasm!, wgsl!];
const heavy = (program: Program, work: Work): Program => ({
  ...program,
  stats: { ...program.stats, work: { step: work, forward: work } },
});
/** So much work that a GPU is worth it. */
const large = both.map((p) => heavy(p, { flops: 1e11, bytes: 1e8, calls: 1 }));

const gpu = await adapter();
/** The adapter that there is, under the name of a graphics card. */
const card = (from: GpuSource): GpuSource => ({
  requestAdapter: async (options) => {
    const real = (await from.requestAdapter(options)) as object;
    return new Proxy(real, {
      get: (target, key) => {
        if (key === "info") return { vendor: "acme", architecture: "rocket", isFallbackAdapter: false };
        const value = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  },
});
const nets: Net[] = [];
afterAll(async () => void (await Promise.all(nets.map((n) => n.dispose()))));
async function opened(programs: Program | readonly Program[], options: Parameters<typeof load>[1] = {}): Promise<Net> {
  const net = await load(programs, options);
  nets.push(net);
  return net;
}
const inputs = { x: [1, 2, 3, 4, 5, 6] };

describe("device: auto", () => {
  test("little work stays on WebAssembly, and no GPU is asked for", async () => {
    const asked: string[] = [];
    const net = await opened(both, { gpu: { requestAdapter: async () => asked.push("adapter") } });
    expect([net.device, net.program.target, asked]).toEqual(["wasm", "wasm", []]);
    expect(net.notes).toEqual([expect.stringMatching(/^runs on WebAssembly: an estimated \S+ ms a step, on WebGPU \S+ ms$/)]);
  });
  test("so does all work where there is no WebGPU, or no GPU", async () => {
    const net = await opened(large);
    expect([net.device, net.notes]).toEqual(["wasm", ["runs on WebAssembly: there is no WebGPU here"]]);
    const without = await opened(large, { gpu: { requestAdapter: async () => null } });
    expect([without.device, without.notes]).toEqual(["wasm", ["runs on WebAssembly: WebGPU finds no GPU"]]);
  });
  test("little work asks for nothing and compares nothing where there is no WebGPU", async () => {
    expect((await opened(both)).notes).toEqual(["runs on WebAssembly: there is no WebGPU here"]);
  });
  test("a WebGPU that fails is none; one of the compatibility mode is found", async () => {
    const failing = await opened(large, { gpu: { requestAdapter: async () => Promise.reject(new Error("blocked by policy")) } });
    expect([failing.device, failing.notes]).toEqual(["wasm", ["runs on WebAssembly: WebGPU fails to look for a GPU: blocked by policy"]]);
    const software = { info: { description: "llvmpipe" } };
    const requestAdapter: GpuSource["requestAdapter"] = async (o) => (o?.featureLevel === "compatibility" ? software : null);
    const compatible = await opened(large, { gpu: { requestAdapter } });
    expect(compatible.notes).toEqual(["runs on WebAssembly: WebGPU has a driver in software only, which is slower"]);
  });
  test.skipIf(!gpu)("and where the GPU is made of software", async () => {
    const net = await opened(large, { gpu: gpu! });
    expect([net.device, net.notes]).toEqual(["wasm", ["runs on WebAssembly: WebGPU has a driver in software only, which is slower"]]);
  });
  test.skipIf(!gpu)("much work goes to a GPU, with the same results", async () => {
    const net = await opened(large, { gpu: card(gpu!) });
    expect([net.device, net.program.target]).toEqual(["webgpu", "wgsl"]);
    expect(net.notes).toEqual([expect.stringMatching(/^runs on WebGPU: an estimated \d+ ms a step, on WebAssembly \d+ ms$/)]);
    const other = await opened(both, { device: "wasm" });
    const [a, b] = [await net.run(inputs), await other.run(inputs)];
    a.y!.forEach((v, i) => void expect(v).toBeCloseTo(b.y![i]!, 5));
  });
  test.skipIf(!gpu)("a GPU that refuses is left, with its reason", async () => {
    const [small, big] = large as [Program, Program];
    if (big.code.kind !== "wgsl") throw new Error("a wgsl program");
    const greedy: Program = { ...big, code: { ...big.code, limits: { maxComputeWorkgroupSizeX: 2 ** 30 } } };
    const net = await opened([small, greedy], { gpu: card(gpu!) });
    expect(net.device).toBe("wasm");
    expect(net.notes).toEqual([
      expect.stringMatching(/^runs on WebAssembly: this GPU cannot run Line, which .*: maxComputeWorkgroupSizeX is/),
    ]);
    expect(await failure(() => load([small, greedy], { gpu: card(gpu!), device: "webgpu" }))).toMatchObject({ code: "unsupported" });
  });
  test("a program alone needs no reason", async () => {
    const net = await opened(wasm!, { device: "auto" });
    expect([net.device, net.notes]).toEqual(["wasm", []]);
  });
});

test("a device that is asked for picks its program", async () => {
  expect((await opened(both, { device: "wasm" })).notes).toEqual([]);
  expect((await opened(both.toReversed(), { device: "wasm" })).device).toBe("wasm");
  const nowhere = { requestAdapter: async () => null };
  expect((await opened(both, { device: "wasm", gpu: nowhere })).notes).toEqual(["gpu has no effect: Line is compiled to wasm"]);
  expect((await opened(both, { gpu: nowhere })).notes).toEqual([expect.stringMatching(/^runs on WebAssembly: /)]);
  if (gpu) expect((await opened(both, { device: "webgpu", gpu })).device).toBe("webgpu");
  expect(await failure(() => load([wasm!], { device: "webgpu" }))).toMatchObject({
    code: "option",
    message: "Line is compiled to wasm and cannot run on webgpu",
  });
});

test.each<[string, readonly unknown[], string]>([
  ["an empty list", [], "an empty list"],
  ["two for one target", [wasm, wasm], "two programs compiled to wasm"],
  ["a promise inside", [wasm, Promise.resolve()], "a promise"],
  ["another name", [wasm, { ...wgsl, name: "Other" }], "different models: the name (Line, Other) differs"],
  ["other entries", [wasm, { ...wgsl, entries: wgsl!.entries.filter((e) => e.name !== "step") }], 'different models: "step" differs'],
  ["other shapes", [wasm, await compile(source, { target: "wgsl", train: true, batch: 3 })], 'different models: "forward" differs'],
  ["other variables", [wasm, { ...wgsl, variables: wgsl!.variables.slice(1) }], "different models: fc.weight differs"],
])("a list of programs is checked: %s", async (_, programs, message) => {
  const error = await failure(() => load(programs as Program[]));
  expect(error).toMatchObject({ code: "artefact", message: expect.stringContaining(message) });
});

describe("estimates", () => {
  test("more threads, fewer dispatches, less work: less time", () => {
    const [a, b] = large as [Program, Program];
    expect(estimate(a, 4)).toBeLessThan(estimate(a, 2));
    expect(estimate(a, 1)).toBeGreaterThan(estimate(b, 1));
    expect(estimate(wgsl!, 1)).toBeGreaterThan(machine.webgpu.roundTrip + machine.webgpu.gap);
    expect(estimate(wasm!, 1)).toBeLessThan(0.01);
  });
  test("a program says what a step and a prediction take", () => {
    const { work } = wasm!.stats;
    expect(work!.step!.flops).toBeGreaterThan(2 * work!.forward!.flops);
    // x, the weight and y
    expect(work!.forward!.bytes).toBeGreaterThanOrEqual(4 * (6 + 6 + 4));
  });
  test("a lookup reads some rows of its table", async () => {
    const { stats } = await compile("model Look(i: i32[4]) -> y { y = i |> table: Embedding(10000, 8) }", {});
    expect(stats.work!.forward!.bytes).toBeLessThan(1000);
  });
});

test.each([
  [{ info: { vendor: "google", architecture: "swiftshader" } }, true],
  [{ info: { vendor: "mesa", description: "llvmpipe (LLVM 15.0.6, 256 bits)" } }, true],
  [{ info: { vendor: "microsoft", description: "Microsoft Basic Render Driver" } }, true],
  [{ info: { vendor: "intel", isFallbackAdapter: true } }, true],
  [{ isFallbackAdapter: true }, true],
  [{ info: { vendor: "nvidia", architecture: "turing", device: "", description: "" } }, false],
  [{ info: { vendor: "apple", architecture: "metal-3" } }, false],
  [{}, false],
])("%j is software: %s", (made, expected) => expect(isSoftware(made)).toBe(expected));
