/** What devices do to a run besides computing: clocks, lack of memory, browsers that look away. */
import { afterEach, expect, test, vi } from "vitest";
import type { Program } from "../../ir/program.ts";
import { artefactOf, type GpuSource, load, programFromArtefact, writeSafetensors } from "../../runtime/index.ts";
import { encodeSteps } from "../../runtime/webgpu/steps.ts";
import { floatEntry } from "./entries.ts";
import { failure, field, gain, programOf, x, y } from "./fixtures.ts";
import {
  affine,
  dispatch,
  forward,
  gpu,
  kernel,
  onGpu,
  ownDevice,
  prepare,
  program,
  spying,
  submits,
  sum,
  weights,
  wgsl,
} from "./webgpu-fixtures.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Two calls, the second of two dispatches. */
const measured = (): Program => {
  const double = kernel("double", ["var<storage, read_write> y: array<f32, 4>"], "y[i] = 2.0 * y[i];");
  const again = dispatch(2, [["io", y.offset, 16]], 4);
  const more = { features: ["timestamp-query"], calls: { prepare: [1], forward: [1, 2] } };
  const code = wgsl([sum, affine, double], { prepare: [prepare], forward: [forward, again, again] }, {}, more);
  const times = field("$times", "io", 1024, [3]);
  return programOf(code, { entries: [...program.entries.slice(0, 2), { name: "forward", inputs: [x], outputs: [y, times] }] });
};

onGpu("a program compiled to be measured gives the time of each call, the sum of its dispatches", async () => {
  const { source, requested } = spying();
  const net = await load(measured(), { weights, gpu: source });
  expect(requested[0]!.requiredFeatures).toEqual(["timestamp-query"]);
  const { y: values, $times } = await net.run({ x: [1, 1, 2, 2] });
  expect(values![0]).toBe(4 * 1006);
  expect($times!.length).toBe(3);
  expect($times![0]).toBe(0);
  expect($times![1]).toBeGreaterThanOrEqual(0);
  expect($times![2]).toBeGreaterThanOrEqual($times![1]!);
  expect($times![2]).toBeGreaterThan(0);
  expect(Object.keys(await net.run({ x: [1, 1, 2, 2] }, { outputs: "gpu" }))).toEqual(["y"]);
  await net.dispose();
});

test("features and calls are part of the artefact", async () => {
  const files = artefactOf(measured());
  const read = async (name: string) => new TextEncoder().encode(files[name] as string);
  expect(await programFromArtefact(JSON.parse(files["net.json"] as string), read)).toEqual(measured());
});

onGpu("Firefox looks for finished work when something is submitted: nothing is, until it is done", async () => {
  const { source, devices } = spying();
  const net = await load(program, { weights, gpu: source });
  const seen = submits(devices[0]!);
  vi.stubGlobal("navigator", { userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0" });
  expect((await net.run({ x: [1, 1, 2, 2] })).y![0]).toBe(1006);
  expect(seen.count).toBeGreaterThan(1);
  vi.stubGlobal("navigator", { userAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/145.0.0.0 Safari/537.36" });
  seen.count = 0;
  await net.run({ x: [1, 1, 2, 2] });
  expect(seen.count).toBe(1);
  await net.dispose();
});

onGpu("an error of the device that belongs to no call stops the net", async () => {
  const { source, devices } = spying();
  const net = await load(program, { weights, gpu: source });
  devices[0]!.createBuffer({ size: 16, usage: 0xffff });
  await devices[0]!.queue.onSubmittedWorkDone();
  const e = await failure(() => net.run({ x: [1, 1, 2, 2] }));
  expect(e).toMatchObject({ name: "DlmError", code: "device" });
  expect(e.message).toMatch(/^tiny: a GPU error, after which results are not to be trusted \(load again\): ./);
  await net.dispose();
});

/** Devices that have no memory for a while. */
function starving(): { readonly gpu: GpuSource; starve: boolean; readonly devices: readonly GPUDevice[] } {
  const { source, devices } = spying();
  const state = { starve: true, devices, gpu: { requestAdapter: async () => adapter((await source.requestAdapter()) as GPUAdapter) } };
  const adapter = ({ limits, features, requestDevice }: GPUAdapter) => ({
    limits,
    features,
    requestDevice: async (descriptor: GPUDeviceDescriptor) => {
      const device = await requestDevice(descriptor);
      const open: GPUErrorFilter[] = [];
      const [push, pop] = [device.pushErrorScope.bind(device), device.popErrorScope.bind(device)];
      device.pushErrorScope = (kind) => {
        open.push(kind);
        return push(kind);
      };
      device.popErrorScope = async () => {
        const kind = open.pop();
        const error = await pop();
        return state.starve && kind === "out-of-memory" ? ({ message: "no more memory" } as GPUError) : error;
      };
      return device;
    },
  });
  return state;
}
onGpu("too little memory is told, with what the program takes, at load and in a run", async () => {
  const state = starving();
  const message = expect.stringMatching(
    /^the GPU has no memory for tiny, which takes 1 MiB \(a smaller batch takes less\): no more memory$/,
  );
  expect(await failure(() => load(program, { weights, gpu: state.gpu }))).toMatchObject({ name: "DlmError", code: "memory", message });
  await state.devices[0]!.lost;
  state.starve = false;
  const net = await load(program, { weights, gpu: state.gpu });
  state.starve = true;
  expect(await failure(() => net.run({ x: [1, 1, 2, 2] }))).toMatchObject({ code: "memory", message });
  state.starve = false;
  expect((await net.run({ x: [1, 1, 2, 2] })).y![0]).toBe(1006);
  await net.dispose();
});

onGpu("too little memory for weights is told by load, also on a device of the caller's", async () => {
  const state = starving();
  state.starve = false;
  const adapter = (await state.gpu.requestAdapter()) as GPUAdapter;
  const gpuDevice = await adapter.requestDevice({});
  const { queue } = gpuDevice;
  const write = queue.writeBuffer.bind(queue);
  queue.writeBuffer = (...given: Parameters<typeof write>) => {
    state.starve = true;
    return write(...given);
  };
  const e = await failure(() => load(program, { weights, gpuDevice }));
  expect(e).toMatchObject({ code: "memory", message: expect.stringMatching(/^the GPU has no memory for tiny, .*: no more memory$/) });
  gpuDevice.destroy();
});

onGpu("large weights go to the device in parts, and are the same", async () => {
  const elements = [18 * 2 ** 20, 2 ** 20, 2 ** 18] as const;
  const offsets = [0, 4 * elements[0], 4 * (elements[0] + elements[1])] as const;
  const bytes = 4 * (elements[0] + elements[1] + elements[2]);
  const variables = elements.map((n, i) => ({ ...gain, name: `w${i}`, region: "parameters" as const, offset: offsets[i]!, shape: [n] }));
  const big = programOf(wgsl([], { forward: [] }, { maxBufferSize: bytes }), {
    entries: [{ name: "forward", inputs: [], outputs: [] }],
    variables,
    sizes: { ...program.sizes, parameters: bytes },
  });
  const values = elements.map((n, i) => Float32Array.from({ length: n }, (_, j) => i + (j % 8191)));
  const file = writeSafetensors(values.map((v, i) => floatEntry(`w${i}`, [v.length], v)));
  const gpuDevice = await ownDevice();
  let since = 0;
  const parts: number[] = [];
  const { queue } = gpuDevice;
  const [write, submit] = [queue.writeBuffer.bind(queue), queue.submit.bind(queue)];
  queue.writeBuffer = (buffer, offset, data, at, size) => {
    since += size!;
    write(buffer, offset, data, at, size);
    return undefined;
  };
  queue.submit = (buffers) => {
    if (since > 0) parts.push(since);
    since = 0;
    return submit(buffers);
  };
  const net = await load(big, { weights: file, gpuDevice });
  expect(parts).toEqual([64 * 2 ** 20, bytes - 64 * 2 ** 20]);
  const found = await net.parameters();
  for (const [i, { values: v }] of found.entries())
    expect(Buffer.compare(new Uint8Array(v.buffer), new Uint8Array(values[i]!.buffer))).toBe(0);
  await net.dispose();
  gpuDevice.destroy();
});

onGpu("a start that fails frees what it has made on a device of the caller's", async () => {
  const adapter = (await gpu.requestAdapter()) as GPUAdapter;
  const gpuDevice = await adapter.requestDevice({ requiredFeatures: ["timestamp-query"] });
  const alive = new Set<GPUBuffer | GPUQuerySet>();
  const counted = <D, T extends GPUBuffer | GPUQuerySet>(create: (d: D) => T) => {
    return (d: D): T => {
      const made = create(d);
      const destroy = made.destroy.bind(made);
      made.destroy = () => {
        alive.delete(made);
        destroy();
        return undefined;
      };
      alive.add(made);
      return made;
    };
  };
  gpuDevice.createBuffer = counted(gpuDevice.createBuffer.bind(gpuDevice));
  gpuDevice.createQuerySet = counted(gpuDevice.createQuerySet.bind(gpuDevice));
  gpuDevice.createComputePipelineAsync = () => Promise.reject(new Error("no pipeline"));
  expect((await failure(() => load(measured(), { weights, gpuDevice }))).message).toContain("the GPU refuses the kernel");
  expect(alive.size).toBe(0);
  gpuDevice.destroy();
});

onGpu("what is read back in parts is the same", async () => {
  // Ten outputs of 16 MiB: more than is read at once.
  const size = 4 * 2 ** 20;
  const outputs = Array.from({ length: 10 }, (_, i) => field(`out${i}`, "io", i * 4 * size, [size]));
  const body = "all[i * 4194304u + 3u] = f32(i) + 1.0;";
  const fill = kernel("fill", [`var<storage, read_write> all: array<f32, ${10 * size}>`], body);
  const code = wgsl([fill], { forward: [dispatch(0, [["io", 0, 40 * size]], 10)] }, { maxStorageBufferBindingSize: 40 * size });
  const big = programOf(code, {
    entries: [{ name: "forward", inputs: [], outputs }],
    variables: [],
    sizes: { ...program.sizes, io: 40 * size },
  });
  const { source, devices } = spying();
  const net = await load(big, { gpu: source });
  const seen = submits(devices[0]!);
  const values = await net.run({});
  expect(outputs.map((f) => values[f.name]![3])).toEqual(outputs.map((_, i) => i + 1));
  expect(seen.count).toBe(3);
  await net.dispose();
});

test("what is set already is not set again", () => {
  const said: unknown[] = [];
  const say =
    (word: string) =>
    (...given: unknown[]) =>
      void said.push([word, ...given]);
  const pass = { setPipeline: say("pipeline"), setBindGroup: say("group"), dispatchWorkgroups: say("dispatch") };
  const steps = {
    pipelines: ["p", "p", "q"],
    groups: ["a", "b", "b"],
    workgroups: Uint32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9),
    submitted: 9,
  };
  encodeSteps(pass as never, steps as never, 0, 3);
  expect(said).toEqual([
    ["pipeline", "p"],
    ["group", 0, "a"],
    ["dispatch", 1, 2, 3],
    ["group", 0, "b"],
    ["dispatch", 4, 5, 6],
    ["pipeline", "q"],
    ["dispatch", 7, 8, 9],
  ]);
});
