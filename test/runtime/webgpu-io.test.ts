/** Inputs and outputs that never come to the host. */
import { expect } from "vitest";
import { type GpuBuffer, gpuNeeds, type Inputs, load } from "../../runtime/index.ts";
import { failure, programOf, x } from "./fixtures.ts";
import {
  affine,
  bufferOf,
  bufferUsage,
  dispatch,
  floatsIn,
  forward,
  gpu,
  kernel,
  onGpu,
  ownDevice,
  prepare,
  program,
  sum,
  weights,
  wgsl,
} from "./webgpu-fixtures.ts";

const toDevice = bufferUsage.copySrc | bufferUsage.copyDst;

onGpu("a buffer of the caller's device is an input, and outputs stay there", async () => {
  const gpuDevice = await ownDevice();
  const net = await load(program, { weights, gpuDevice });
  const input = bufferOf(gpuDevice, Float32Array.of(1, 1, 2, 2));
  expect(await net.run({ x: input })).toEqual({ y: Float32Array.of(1006, 1007, 1011, 1013) });
  const { y: first } = await net.run({ x: input }, { outputs: "gpu" });
  const { y: second } = await net.run({ x: [0, 0, 0, 0] }, { outputs: "gpu" });
  expect(await floatsIn(gpuDevice, first as GPUBuffer)).toEqual([1006, 1007, 1011, 1013]);
  expect(await floatsIn(gpuDevice, second as GPUBuffer)).toEqual([1005, 1005, 1005, 1005]);
  // One run feeds the next.
  const { y } = await net.run({ x: second as GPUBuffer });
  expect(y![3]).toBe(4 * 1005 + 1005);
  await net.dispose();
  // The device and the outputs are the caller's.
  expect(await floatsIn(gpuDevice, first as GPUBuffer)).toEqual([1006, 1007, 1011, 1013]);
  gpuDevice.destroy();
});

onGpu("outputs fill buffers given by name", async () => {
  const gpuDevice = await ownDevice();
  const net = await load(program, { weights, gpuDevice });
  const target = bufferOf(gpuDevice, new Float32Array(6), toDevice);
  const outputs = await net.run({ x: [1, 1, 2, 2] }, { outputs: { y: target } });
  expect(outputs).toEqual({ y: target });
  expect(await floatsIn(gpuDevice, target)).toEqual([1006, 1007, 1011, 1013, 0, 0]);
  const wrong = (to: Record<string, unknown>) => failure(() => net.run({ x: [1, 1, 2, 2] }, { outputs: to as Record<string, GpuBuffer> }));
  expect((await wrong({ z: target })).message).toBe("tiny has no output z; its outputs are y");
  expect((await wrong({ y: [] })).message).toBe("outputs.y is no GPUBuffer");
  expect((await wrong({ y: bufferOf(gpuDevice, new Float32Array(3)) })).message).toBe(
    "the GPUBuffer for y has 12 bytes, expected 16 for f32[4]",
  );
  const unwritable = gpuDevice.createBuffer({ size: 16, usage: bufferUsage.copySrc });
  expect((await wrong({ y: unwritable })).message).toBe("the GPUBuffer for y lacks the usage COPY_DST");
  expect((await failure(() => net.run({ x: [1, 1, 2, 2] }, { outputs: "cpu" as "gpu" }))).message).toBe(
    'outputs is cpu, expected "arrays", "gpu" or an object with a GPUBuffer for each output wanted',
  );
  await net.dispose();
  gpuDevice.destroy();
});

onGpu("parts of buffers are inputs and outputs", async () => {
  const gpuDevice = await ownDevice();
  const net = await load(program, { weights, gpuDevice });
  const ring = bufferOf(gpuDevice, Float32Array.of(9, 9, 1, 1, 2, 2, 9, 9));
  const expected = Float32Array.of(1006, 1007, 1011, 1013);
  for (const x of [
    { buffer: ring, offset: 8 },
    { buffer: ring, offset: 8, size: 16 },
  ]) {
    expect(await net.run({ x })).toEqual({ y: expected });
    const { y } = await net.run({ x }, { outputs: { y: { buffer: ring, offset: 16, size: 16 } } });
    expect(y).toBe(ring);
    expect(await floatsIn(gpuDevice, ring)).toEqual([9, 9, 1, 1, ...expected]);
    gpuDevice.queue.writeBuffer(ring, 16, Float32Array.of(2, 2, 9, 9));
  }
  expect((await net.run({ x: { buffer: ring } })).y![0]).toBe(1014);
  const input = (x: object) => failure(() => net.run({ x } as Inputs));
  expect((await input({ buffer: ring, size: 20 })).message).toBe("x has 5 elements, expected 4 for f32[4]");
  expect((await input({ buffer: ring, offset: 20 })).message).toBe("the part of a GPUBuffer for x has 12 bytes, expected 16 for f32[4]");
  expect((await input({ buffer: ring, ofset: 4 })).message).toBe("the part for x has ofset, expected buffer, offset and size");
  expect((await input({ buffer: ring, offset: "4" })).message).toBe('the offset for x is "4", expected a multiple of 4');
  expect((await input({ buffer: ring, offset: 2 })).message).toBe("the offset for x is 2, expected a multiple of 4");
  expect((await input({ buffer: ring, size: -4 })).message).toBe("the size for x is -4, expected a multiple of 4");
  expect((await input({ buffer: ring, offset: 20, size: 16 })).message).toBe("the part for x ends at 36, and its GPUBuffer has 32 bytes");
  expect((await input({ buffer: ring, offset: 36 })).message).toBe("the offset for x is 36, and its GPUBuffer has 32 bytes");
  expect((await input({ buffer: new ArrayBuffer(16) })).message).toBe("x is Object, expected a flat array of numbers for f32[4]");
  const output = (y: object) => failure(() => net.run({ x: [1, 1, 2, 2] }, { outputs: { y } as Record<string, GpuBuffer> }));
  expect((await output({ buffer: ring, offset: 20 })).message).toBe("the part of a GPUBuffer for y has 12 bytes, expected 16 for f32[4]");
  expect((await output({ buffer: ring, size: 12 })).message).toBe("the part of a GPUBuffer for y has 12 bytes, expected 16 for f32[4]");
  expect((await output({ buffer: {} })).message).toBe("outputs.y is no GPUBuffer");
  await net.dispose();
  gpuDevice.destroy();
});

onGpu("of several lengths the size of a part is the one that counts", async () => {
  const gpuDevice = await ownDevice();
  const double = kernel(
    "double",
    ["var<storage, read_write> x: array<f32, 4>", "var<storage, read_write> y: array<f32, 4>"],
    "y[i] = 2.0 * x[i];",
  );
  const run = (n: number) => ({
    signature: { inputs: [{ ...x, shape: [n] }], outputs: [{ ...x, name: "y", offset: 256, shape: [n] }] },
    dispatches: [
      dispatch(
        0,
        [
          ["io", 0, 16],
          ["io", 256, 16],
        ],
        n,
      ),
    ],
  });
  const [one, two] = [run(2), run(4)];
  const both = programOf(wgsl([double], { forward: one.dispatches, forward_1: two.dispatches }), {
    entries: [
      { name: "forward", ...one.signature },
      { name: "forward_1", ...two.signature },
    ],
    variables: [],
  });
  const net = await load(both, { gpuDevice });
  const buffer = bufferOf(gpuDevice, Float32Array.of(1, 2, 3, 4, 5, 6));
  expect((await net.run({ x: { buffer, offset: 4, size: 8 } })).y).toEqual(Float32Array.of(4, 6));
  expect((await net.run({ x: { buffer, offset: 8, size: 16 } })).y).toEqual(Float32Array.of(6, 8, 10, 12));
  expect((await failure(() => net.run({ x: { buffer, offset: 8 } }))).message).toBe(
    "x has several lengths: the part of the GPUBuffer given for it needs a size",
  );
  await net.dispose();
  gpuDevice.destroy();
});

onGpu("buffers that do not fit are refused before anything runs", async () => {
  const gpuDevice = await ownDevice();
  const net = await load(program, { weights, gpuDevice });
  const short = bufferOf(gpuDevice, new Float32Array(3));
  expect(await failure(() => net.run({ x: short }))).toMatchObject({
    code: "input",
    message: "x has 3 elements, expected 4 for f32[4]",
  });
  const unreadable = bufferOf(gpuDevice, new Float32Array(4), bufferUsage.copyDst);
  expect((await failure(() => net.run({ x: unreadable }))).message).toBe("the GPUBuffer for x lacks the usage COPY_SRC");
  const other = await ownDevice();
  const foreign = await failure(() => net.run({ x: bufferOf(other, new Float32Array(4)) }));
  expect(foreign).toMatchObject({ code: "input" });
  expect(foreign.message).toMatch(/^the GPUBuffer for x is destroyed, mapped or of another device: a GPU error: .*\S$/s);
  const mapped = gpuDevice.createBuffer({ size: 16, usage: toDevice, mappedAtCreation: true });
  expect(await failure(() => net.run({ x: mapped }))).toMatchObject({
    code: "input",
    message: "the GPUBuffer for x is mapped: unmap() it first",
  });
  const to = await failure(() => net.run({ x: [1, 1, 2, 2] }, { outputs: { y: bufferOf(other, new Float32Array(4)) } }));
  expect(to).toMatchObject({ code: "input", message: expect.stringMatching(/^the GPUBuffer for y is destroyed/) });
  const input = bufferOf(gpuDevice, new Float32Array(4));
  const either = await failure(() => net.run({ x: input }, { outputs: { y: bufferOf(other, new Float32Array(4)) } }));
  expect(either.message).toMatch(/^one of the buffers given for x, y is destroyed/);
  expect((await net.run({ x: [1, 1, 2, 2] })).y![0]).toBe(1006);
  await net.dispose();
  for (const device of [gpuDevice, other]) device.destroy();
});

onGpu("calls that overlap one that the device refuses prepare for themselves", async () => {
  const gpuDevice = await ownDevice();
  const net = await load(program, { weights, gpuDevice });
  const destroyed = bufferOf(gpuDevice, new Float32Array(4));
  destroyed.destroy();
  const [refused, good] = await Promise.allSettled([net.run({ x: destroyed }), net.run({ x: [1, 1, 2, 2] })]);
  expect(refused.status).toBe("rejected");
  expect(good).toMatchObject({ value: { y: Float32Array.of(1006, 1007, 1011, 1013) } });
  await net.dispose();
  gpuDevice.destroy();
});

onGpu("nor do they rely on what a call was to prepare for which there was no memory", async () => {
  const gpuDevice = await ownDevice();
  const net = await load(program, { weights, gpuDevice });
  const { queue } = gpuDevice;
  const [submit, pop] = [queue.submit.bind(queue), gpuDevice.popErrorScope.bind(gpuDevice)];
  const later: (() => Promise<GPUError | null>)[] = [];
  // As a device without memory: nothing of the call runs, which its outermost scope tells.
  queue.submit = () => {
    queue.submit = submit;
    later.push(pop, pop, async () => {
      await pop();
      return { message: "no more memory" };
    });
    return undefined;
  };
  gpuDevice.popErrorScope = () => (later.shift() ?? pop)();
  const [refused, good] = await Promise.allSettled([net.run({ x: [1, 1, 2, 2] }), net.run({ x: [1, 1, 2, 2] })]);
  expect(refused).toMatchObject({ reason: { code: "memory" } });
  expect(good).toMatchObject({ value: { y: Float32Array.of(1006, 1007, 1011, 1013) } });
  await net.dispose();
  gpuDevice.destroy();
});

onGpu("a buffer that could not be mapped or used is not kept for later runs", async () => {
  const gpuDevice = await ownDevice();
  const net = await load(program, { weights, gpuDevice });
  const run = async () => (await net.run({ x: [1, 1, 2, 2] })).y![0];
  const staged: GPUBuffer[] = [];
  const create = gpuDevice.createBuffer.bind(gpuDevice);
  let unmappable = true;
  gpuDevice.createBuffer = (d) => {
    const buffer = create(d);
    staged.push(buffer);
    if (unmappable) buffer.mapAsync = async () => Promise.reject(new Error("no memory"));
    return buffer;
  };
  expect((await failure(run)).message).toContain("no memory");
  unmappable = false;
  expect(await run()).toBe(1006);
  expect(staged.length).toBe(2);
  const submit = gpuDevice.queue.submit.bind(gpuDevice.queue);
  let destroyed = 0;
  const destroy = staged[1]!.destroy.bind(staged[1]);
  staged[1]!.destroy = () => {
    destroyed++;
    return destroy();
  };
  gpuDevice.queue.submit = () => {
    throw new Error("not now");
  };
  expect((await failure(run)).message).toContain("not now");
  expect(destroyed).toBe(1);
  gpuDevice.queue.submit = submit;
  expect(await run()).toBe(1006);
  await net.dispose();
  gpuDevice.destroy();
});

onGpu("errors of the caller's own work on a shared device are not the net's", async () => {
  const gpuDevice = await ownDevice();
  const seen: string[] = [];
  gpuDevice.onuncapturederror = (e) => {
    e.preventDefault();
    seen.push(e.error.message);
  };
  const net = await load(program, { weights, gpuDevice });
  gpuDevice.createBuffer({ size: 16, usage: 0xffff });
  expect((await net.run({ x: [1, 1, 2, 2] })).y![0]).toBe(1006);
  await net.dispose();
  expect(seen.length).toBe(1);
  gpuDevice.destroy();
});

onGpu("a device that lacks what the program needs is refused, with how to ask for it", async () => {
  const gpuDevice = await ownDevice();
  const code = wgsl([sum, affine], { prepare: [prepare], forward: [forward] }, { maxComputeWorkgroupStorageSize: 32768 });
  const needing = programOf(code);
  const e = await failure(() => load(needing, { weights, gpuDevice }));
  expect(e).toMatchObject({ code: "unsupported" });
  expect(e.message).toBe(
    "the device given as gpuDevice cannot run tiny: maxComputeWorkgroupStorageSize is 16384 as requested, the program needs 32768. " +
      "What helps: request it with what gpuNeeds(program) gives, or compile it to wasm",
  );
  gpuDevice.destroy();
  const adapter = (await gpu.requestAdapter()) as GPUAdapter;
  const able = await adapter.requestDevice(gpuNeeds(needing));
  const net = await load(needing, { weights, gpuDevice: able });
  expect((await net.run({ x: [1, 1, 2, 2] })).y![0]).toBe(1006);
  await net.dispose();
  able.destroy();
});
