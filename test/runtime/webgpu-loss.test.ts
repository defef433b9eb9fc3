/** Devices that are lost: what continues by itself, and what is refused. */
import { expect } from "vitest";
import type { Program } from "../../ir/program.ts";
import { type LoadOptions, load, type Recover } from "../../runtime/index.ts";
import { failure, field, gain, trainable } from "./fixtures.ts";
import { bufferOf, compiling, dispatch, kernel, onGpu, ownDevice, program, spying, weights, wgsl } from "./webgpu-fixtures.ts";

const input = { x: [1, 1, 2, 2] };
const outputs = { y: Float32Array.of(1006, 1007, 1011, 1013) };
/** Resolves when what watches the device knows of it. */
const lose = async (device: GPUDevice | undefined): Promise<void> => {
  device!.destroy();
  await device!.lost;
};
const note = "the GPU device was lost (destroyed: device was destroyed); a new one continues from";

onGpu("a program that predicts goes on by itself, as often as need be", async () => {
  const { source, devices } = spying();
  const net = await load(program, { weights, gpu: source });
  await net.run(input);
  for (const n of [1, 2]) {
    await lose(devices.at(-1));
    expect(await net.run(input)).toEqual(outputs);
    expect(devices.length).toBe(n + 1);
  }
  expect(net.notes).toEqual(Array(2).fill(`${note} what was given to load`));
  await net.dispose();
});

onGpu("a call under way fails, and says why; the next one goes on", async () => {
  const { source, devices } = spying();
  const net = await load(program, { weights, gpu: source });
  for (const [i, to] of (["arrays", "gpu"] as const).entries()) {
    loseBehindSubmit(devices[i]!);
    const e = await failure(() => net.run(input, { outputs: to as "gpu" }));
    expect(e).toMatchObject({ name: "DlmError", code: "device" });
    expect(e.message).toBe(lostInCall);
    expect(await net.run(input)).toEqual(outputs);
  }
  await net.dispose();
});
const lostInCall = "tiny: the GPU device was lost (destroyed: device was destroyed) during a call, which gives nothing";
function loseBehindSubmit(device: GPUDevice): void {
  const submit = device.queue.submit.bind(device.queue);
  device.queue.submit = (buffers) => {
    submit(buffers);
    device.destroy();
    return undefined;
  };
}

onGpu("outputs on a device that was lost, or that does not tell, are freed", async () => {
  const faults: ((device: GPUDevice) => void)[] = [
    loseBehindSubmit,
    (device) => {
      device.popErrorScope = () => Promise.reject(new Error("gone"));
    },
  ];
  const messages: string[] = [];
  for (const fault of faults) {
    const gpuDevice = await ownDevice();
    const net = await load(program, { weights, gpuDevice });
    let alive = 0;
    const create = gpuDevice.createBuffer.bind(gpuDevice);
    gpuDevice.createBuffer = (d) => {
      const buffer = create(d);
      const destroy = buffer.destroy.bind(buffer);
      buffer.destroy = () => {
        alive--;
        return destroy();
      };
      alive++;
      return buffer;
    };
    fault(gpuDevice);
    messages.push((await failure(() => net.run(input, { outputs: "gpu" }))).message);
    expect(alive).toBe(0);
    await net.dispose();
    gpuDevice.destroy();
  }
  expect(messages).toEqual([lostInCall, "tiny: forward: gone"]);
});

onGpu("a device that is lost while load compiles refuses no kernel", async () => {
  const { gpu } = compiling(async (_, device) => device.destroy());
  const e = await failure(() => load(program, { weights, gpu }));
  expect(e).toMatchObject({ name: "DlmError", code: "device" });
  expect(e.message).toBe("tiny: the GPU device was lost (destroyed: device was destroyed) while it was set up");
});

/** Every step adds 1 to the parameters; loss is the first of them. */
const step = kernel(
  "learn",
  ["var<storage, read_write> gain: array<f32, 4>", "var<storage, read_write> io: array<f32, 384>"],
  "gain[i] = gain[i] + 1.0; io[256] = gain[0];",
);
const all = dispatch(
  0,
  [
    ["parameters", gain.offset, 16],
    ["io", 0, 1536],
  ],
  4,
);
const training: Program = trainable(wgsl([step], { init: [], prepare: [], forward: [], step: [all], evaluate: [] }));
const batch = { x: [1, 2, 3, 4], label: [0, 0] };

const loadTraining = async (recover?: Recover, more: LoadOptions = {}) => {
  const { source, devices } = spying();
  const net = await load(training, { gpu: source, ...(recover ? { recover } : {}), ...more });
  return { net, devices };
};

onGpu("before the first step a training goes on from what was loaded", async () => {
  const { net, devices } = await loadTraining();
  await lose(devices[0]);
  expect((await net.step(batch)).loss).toBe(1);
  expect(net.notes).toEqual([`${note} the initial values of seed 0`]);
  await net.dispose();
});

onGpu("a step whose input was refused is no step", async () => {
  const takesPicture = field("x", "io", 0, [1, 2, 2]);
  const entries = training.entries.map((e) => (e.name === "step" ? { ...e, inputs: [takesPicture, ...e.inputs.slice(1)] } : e));
  const { source, devices } = spying();
  const net = await load({ ...training, entries }, { gpu: source });
  const unreadable = { ...batch, x: { width: 2, height: 2 } };
  expect(await failure(() => net.step(unreadable))).toMatchObject({ code: "input" });
  await lose(devices[0]);
  expect((await net.step(batch)).loss).toBe(1);
  await net.dispose();
});

onGpu("steps are not lost silently", async () => {
  const { net, devices } = await loadTraining();
  await net.step(batch);
  const file = await net.checkpoint();
  await net.step(batch);
  await lose(devices[0]);
  const message =
    "tiny: the GPU device was lost (destroyed: device was destroyed): load again with the last checkpoint(); " +
    '1 training step since then is lost (with recover: "checkpoint" a net does so by itself)';
  for (const call of [() => net.step(batch), () => net.save(), () => net.run(input)])
    expect(await failure(call)).toMatchObject({ code: "device", message });
  expect(devices.length).toBe(1);
  await net.dispose();
  const again = await load(training, { checkpoint: file, gpu: spying().source });
  expect((await again.step(batch)).loss).toBe(2);
  await again.dispose();
});

onGpu("nor is one whose buffer the device refused, after which others go on", async () => {
  const { net, devices } = await loadTraining();
  const destroyed = bufferOf(devices[0]!, Float32Array.of(1, 2, 3, 4));
  destroyed.destroy();
  const [refused, good] = await Promise.allSettled([net.step({ ...batch, x: destroyed }), net.evaluate(batch)]);
  expect(refused).toMatchObject({ reason: { code: "input", message: expect.stringMatching(/^the GPUBuffer for x is destroyed/) } });
  expect(good.status).toBe("fulfilled");
  await lose(devices[0]);
  expect((await net.step(batch)).loss).toBe(1);
  expect(net.notes).toEqual([`${note} the initial values of seed 0`]);
  await net.dispose();
});

onGpu("without any checkpoint too", async () => {
  const { net, devices } = await loadTraining();
  for (let i = 0; i < 2; i++) await net.step(batch);
  await lose(devices[0]);
  expect((await failure(() => net.counters())).message).toContain("load again; 2 training steps are lost (with recover");
  await net.dispose();
});

onGpu("where asked to, a training goes on from its last checkpoint", async () => {
  const { net, devices } = await loadTraining("checkpoint", { weights });
  await net.step(batch);
  await lose(devices[0]);
  expect((await net.step(batch)).loss).toBe(2);
  const file = await net.checkpoint();
  // What the caller does with the file is of no account.
  file.fill(0);
  for (let i = 0; i < 2; i++) await net.step(batch);
  await lose(devices[1]);
  expect((await net.step(batch)).loss).toBe(3);
  expect(net.notes.slice(-2)).toEqual([
    `${note} what was given to load, 1 training step is lost`,
    `${note} the last checkpoint(), 2 training steps since then are lost`,
  ]);
  await net.dispose();
});

onGpu("nothing is continued where nothing is to be kept, or where the device is the caller's", async () => {
  const { net, devices } = await loadTraining("never");
  await lose(devices[0]);
  expect((await failure(() => net.run(input))).message).toBe("tiny: the GPU device was lost (destroyed: device was destroyed): load again");
  await net.dispose();

  const gpuDevice = await ownDevice();
  const shared = await load(program, { weights, gpuDevice });
  await lose(gpuDevice);
  expect((await failure(() => shared.run(input))).message).toBe(
    "tiny: the GPU device was lost (destroyed: device was destroyed), which was given as gpuDevice: with a new one load again",
  );
  await shared.dispose();
});

onGpu("weights whose memory has gone elsewhere are missed", async () => {
  const { source, devices } = spying();
  const own = weights.slice();
  const net = await load(program, { weights: own, gpu: source });
  structuredClone(own.buffer, { transfer: [own.buffer] });
  await lose(devices[0]);
  expect((await failure(() => net.run(input))).message).toContain("and the bytes given to load were transferred elsewhere: load again");
  await net.dispose();
});

onGpu("a new device that cannot be had is asked for again at the next call", async () => {
  const { source, devices } = spying();
  let blocked = false;
  const gpu = { requestAdapter: () => (blocked ? Promise.resolve(null) : source.requestAdapter()) };
  const net = await load(program, { weights, gpu });
  await lose(devices[0]);
  blocked = true;
  expect((await failure(() => net.run(input))).message).toContain("WebGPU finds no GPU");
  blocked = false;
  expect(await net.run(input)).toEqual(outputs);
  expect(net.notes).toEqual([`${note} what was given to load`]);
  await net.dispose();
});
