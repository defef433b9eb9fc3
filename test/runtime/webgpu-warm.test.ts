/** When kernels are compiled: ahead of the calls asked for, by the first call of all others. */
import { afterEach, expect, vi } from "vitest";
import type { Program } from "../../ir/program.ts";
import { type LoadOptions, load } from "../../runtime/index.ts";
import { failure, gain, trainable } from "./fixtures.ts";
import { compiling, dispatch, kernel, onGpu, spying, program as tiny, weights, wgsl } from "./webgpu-fixtures.ts";

const inIo = ["var<storage, read_write> gain: array<f32, 4>", "var<storage, read_write> io: array<f32, 384>"];
const bound = [
  ["parameters", gain.offset, 16],
  ["io", 0, 1536],
] as const;
const kernels = {
  fill: kernel("fill", inIo, "gain[i] = 10.0;"),
  ready: kernel("ready", inIo, "io[300] = gain[0];"),
  predict: kernel("predict", inIo, "io[64u + i] = gain[i] * io[i];"),
  learn: kernel("learn", inIo, "gain[i] = gain[i] + 1.0;"),
  loss: kernel("loss", inIo, "io[256] = gain[0];"),
};
type Name = keyof typeof kernels;
const names = Object.keys(kernels) as Name[];
const run = (name: Name) => dispatch(names.indexOf(name), bound, 4);
const programWith = (changed: Partial<Record<Name, string>> = {}): Program =>
  trainable(
    wgsl(
      names.map((name) => ({ name, code: changed[name] ?? kernels[name].code })),
      {
        init: [run("fill")],
        prepare: [run("ready")],
        forward: [run("predict")],
        step: [run("learn"), run("loss")],
        evaluate: [run("loss")],
      },
    ),
  );
const program = programWith();
const batch = { x: [1, 2, 3, 4], label: [0, 0] };
const input = { x: [1, 2, 3, 4] };

onGpu("load compiles what a prediction needs, the first step its own, once", async () => {
  const { gpu, compiled } = compiling();
  const told: string[] = [];
  const net = await load(program, { gpu, onProgress: ({ done, total }) => told.push(`${done}/${total}`) });
  expect(compiled.sort()).toEqual(["fill", "predict", "ready"]);
  expect((await net.run(input)).y).toEqual(Float32Array.of(10, 20, 30, 40));
  expect(compiled.length).toBe(3);
  expect((await net.step(batch)).loss).toBe(11);
  expect(compiled.slice(3).sort()).toEqual(["learn", "loss"]);
  await net.step(batch);
  expect((await net.evaluate(batch)).loss).toBe(12);
  expect(compiled.length).toBe(5);
  expect(told).toEqual(["1/3", "2/3", "3/3", "1/2", "2/2"]);
  await net.dispose();
});

afterEach(() => {
  vi.unstubAllGlobals();
});
onGpu("what the caller's function for progress throws is thrown to the caller's page, and the net is none the worse", async () => {
  const later: (() => void)[] = [];
  vi.stubGlobal("queueMicrotask", (f: () => void) => later.push(f));
  const onProgress = (): never => {
    throw new Error("mine");
  };
  const net = await load(program, { gpu: compiling().gpu, onProgress });
  expect((await net.run(input)).y).toEqual(Float32Array.of(10, 20, 30, 40));
  expect(later.length).toBe(3);
  for (const f of later) expect(f).toThrow("mine");
  await net.dispose();
});

onGpu("nothing fills variables that a checkpoint has", async () => {
  const first = await load(program, { gpu: spying().source });
  const checkpoint = await first.checkpoint();
  const { gpu, compiled } = compiling();
  const net = await load(program, { gpu, checkpoint });
  expect(compiled.sort()).toEqual(["predict", "ready"]);
  await Promise.all([first.dispose(), net.dispose()]);
});

/** Kernels compile when `go` says so. */
function gated() {
  const waiting = new Map<string, () => void>();
  const spied = compiling(async (name) => {
    if (name !== "fill" && name !== "ready") await new Promise<void>((resolve) => waiting.set(name, resolve));
  });
  const go = async (name: Name): Promise<void> => {
    while (!waiting.has(name)) await new Promise((resolve) => setTimeout(resolve, 1));
    waiting.get(name)!();
    waiting.delete(name);
  };
  return { ...spied, go };
}

onGpu("load waits for the first call named; the others follow it in the background", async () => {
  const { gpu, compiled, go } = gated();
  const loading = load(program, { gpu, weights, warm: ["run", "evaluate", "step"] });
  await go("predict");
  const net = await loading;
  const running = net.run(input);
  expect((await running).y).toEqual(Float32Array.of(1, 4, 9, 16));
  expect(compiled).not.toContain("learn");
  await go("loss");
  await go("learn");
  const before = compiled.length;
  expect((await net.step(batch)).loss).toBe(2);
  expect(compiled.length).toBe(before);
  await net.dispose();
});

onGpu("a call that is not the first one named waits for its own, and later calls for it", async () => {
  const { gpu, compiled, go } = gated();
  const loading = load(program, { gpu, weights, warm: ["step"] });
  await go("learn");
  await go("loss");
  const net = await loading;
  expect(compiled).not.toContain("predict");
  const ended: string[] = [];
  const calls = [net.run(input).then(() => ended.push("run")), net.step(batch).then(() => ended.push("step"))];
  await go("predict");
  await Promise.all(calls);
  expect(ended).toEqual(["run", "step"]);
  await net.dispose();
  const none: LoadOptions = { gpu: compiling().gpu, weights, warm: [] };
  const cold = await load(program, none);
  expect((await cold.run(input)).y).toEqual(Float32Array.of(1, 4, 9, 16));
  await cold.dispose();
});

onGpu("what is under way in the background when the net is disposed of ends there", async () => {
  const { gpu, compiled, go } = gated();
  const loading = load(program, { gpu, weights, warm: ["run", "evaluate", "step"] });
  await go("predict");
  const net = await loading;
  await net.dispose();
  await go("loss");
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(compiled).not.toContain("learn");
});

onGpu("a kernel that is refused fails the calls that need it, and no others", async () => {
  const broken = "@compute @workgroup_size(1) fn learn() {\n  let x: i32 = 1.5;\n}";
  const { gpu, devices } = compiling();
  const net = await load(programWith({ learn: broken }), { gpu, warm: ["run", "step"] });
  for (let i = 0; i < 2; i++) {
    const e = await failure(() => net.step(batch));
    expect(e).toMatchObject({ name: "DlmError", code: "device" });
    expect(e.message).toMatch(/the GPU refuses the kernel learn: line 2/);
    expect((await net.run(input)).y![1]).toBe(20);
  }
  expect((await net.evaluate(batch)).loss).toBe(10);
  // None of it was a step.
  devices[0]!.destroy();
  await devices[0]!.lost;
  expect((await net.evaluate(batch)).loss).toBe(10);
  await net.dispose();
});

onGpu("a kernel that could not be compiled is compiled again by the next call", async () => {
  let refused = true;
  const { gpu } = compiling(async (name) => {
    if (refused && name === "learn") throw new Error("no memory");
  });
  const net = await load(program, { gpu });
  expect((await failure(() => net.step(batch))).message).toBe("the GPU refuses the kernel learn: no memory");
  refused = false;
  expect((await net.step(batch)).loss).toBe(11);
  await net.dispose();
});

onGpu("layouts that the device refused are made again by the next call", async () => {
  const { gpu, devices } = compiling();
  const net = await load(tiny, { gpu, weights, warm: [] });
  const device = devices[0]!;
  const create = device.createBindGroupLayout.bind(device);
  device.createBindGroupLayout = (d) => {
    device.createBindGroupLayout = create;
    return create({ entries: [...d.entries, ...d.entries] });
  };
  expect(await failure(() => net.run(input))).toMatchObject({ name: "DlmError", code: "device" });
  expect((await net.run(input)).y).toEqual(Float32Array.of(1006, 1009, 1014, 1021));
  await net.dispose();
});

onGpu("a device lost while the first step is compiled is replaced by the next call", async () => {
  let losing = true;
  const { gpu, devices } = compiling(async (name, device) => {
    if (!losing || name !== "learn") return;
    losing = false;
    device.destroy();
    await device.lost;
    throw new Error("lost");
  });
  const net = await load(program, { gpu });
  expect(await failure(() => net.step(batch))).toMatchObject({ name: "DlmError", code: "device" });
  expect((await net.step(batch)).loss).toBe(11);
  expect(devices.length).toBe(2);
  expect(net.notes.length).toBe(1);
  await net.dispose();
});
