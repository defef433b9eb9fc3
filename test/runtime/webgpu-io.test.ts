/** Inputs and outputs that never come to the host, and pictures. */
import { afterAll, expect, test, vi } from "vitest";
import type { Program } from "../../ir/program.ts";
import { type GpuBuffer, gpuNeeds, type Inputs, load, type Picture } from "../../runtime/index.ts";
import { failure, field, programOf, recorder, x } from "./fixtures.ts";
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
    "the device given as gpuDevice cannot run tiny: maxComputeWorkgroupStorageSize is 16384, the program needs 32768. " +
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

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

const [width, height] = [3, 2];
/** Pixels whose four bytes all differ. */
const data = Uint8ClampedArray.from({ length: 4 * width * height }, (_, i) => (i * 37) % 256);
for (let c = 0; c < 3; c++) data[c] = 90;
const picture = { width, height, data };
const at = (pixel: number, channel: number): number => data[4 * pixel + channel]! / 255;
const pixels = Array.from({ length: width * height }, (_, p) => p);
const grey = pixels.map((p) => (p === 0 ? at(0, 0) : 0.299 * at(p, 0) + 0.587 * at(p, 1) + 0.114 * at(p, 2)));
const plane = (c: number): number[] => pixels.map((p) => at(p, c));
/** By the number of channels, as `dlm run` converts PNG files. */
const expected: Readonly<Record<number, readonly number[]>> = {
  1: grey,
  2: [...grey, ...plane(3)],
  3: [0, 1, 2].flatMap(plane),
  4: [0, 1, 2, 3].flatMap(plane),
};
const near = (values: ArrayLike<number>, wanted: readonly number[]): void => {
  expect(values.length).toBe(wanted.length);
  for (const [i, w] of wanted.entries()) expect(values[i]).toBeCloseTo(w, 6);
};

const image = (channels: number, lead: readonly number[] = [1]) => field("image", "io", 256, [...lead, channels, height, width]);
/** Gives back what it gets. */
const echo = (channels: number): Program => {
  const io = image(channels);
  const bytes = 4 * channels * width * height;
  const copy = kernel(
    "echo",
    [`var<storage, read_write> a: array<f32, ${bytes / 4}>`, `var<storage, read_write> b: array<f32, ${bytes / 4}>`],
    "b[i] = a[i];",
  );
  const run = dispatch(
    0,
    [
      ["io", 256, bytes],
      ["io", 512, bytes],
    ],
    bytes / 4,
  );
  const entries = [{ name: "forward" as const, inputs: [io], outputs: [{ ...io, name: "out", offset: 512 }] }];
  return programOf(wgsl([copy], { forward: [run] }), { entries, variables: [] });
};

onGpu.each([[1], [2], [3], [4]])("ImageData to %i channels on the device", async (channels) => {
  const net = await load(echo(channels), { gpu });
  near((await net.run({ image: picture })).out!, expected[channels]!);
  await net.dispose();
});

onGpu("other pictures are copied by the device; an input that is a picture may be numbers the next time", async () => {
  const gpuDevice = await ownDevice();
  // Node has no ImageBitmap: the copy that a browser makes of one, made here.
  const bitmap = { width, height, close: () => undefined };
  const copied: unknown[] = [];
  gpuDevice.queue.copyExternalImageToTexture = ({ source }, { texture }, size) => {
    copied.push(source);
    gpuDevice.queue.writeTexture({ texture }, data, { bytesPerRow: 4 * width }, size);
    return undefined;
  };
  const net = await load(echo(3), { gpuDevice });
  near((await net.run({ image: bitmap })).out!, expected[3]!);
  near((await net.run({ image: Array(18).fill(0.5) })).out!, Array(18).fill(0.5));
  near((await net.run({ image: bitmap })).out!, expected[3]!);
  expect(copied).toEqual([bitmap, bitmap]);
  gpuDevice.queue.copyExternalImageToTexture = () => {
    throw new TypeError("not a picture");
  };
  expect(await failure(() => net.run({ image: bitmap }))).toMatchObject({
    code: "input",
    message: "image is a picture, and there is no OffscreenCanvas here to read it: give an ImageData or an array",
  });
  await net.dispose();
  gpuDevice.destroy();
});

onGpu("what a picture failed to get is freed, and asked for again by the next one", async () => {
  const gpuDevice = await ownDevice();
  const net = await load(echo(3), { gpuDevice });
  const create = gpuDevice.createComputePipelineAsync.bind(gpuDevice);
  const texture = gpuDevice.createTexture.bind(gpuDevice);
  let freed = 0;
  gpuDevice.createTexture = (d) => {
    const made = texture(d);
    const destroy = made.destroy.bind(made);
    made.destroy = () => {
      freed++;
      return destroy();
    };
    return made;
  };
  gpuDevice.createComputePipelineAsync = () => Promise.reject(new Error("no pipeline"));
  expect((await failure(() => net.run({ image: picture }))).message).toContain("no pipeline");
  expect(freed).toBe(1);
  gpuDevice.createComputePipelineAsync = create;
  near((await net.run({ image: picture })).out!, expected[3]!);
  await net.dispose();
  expect(freed).toBe(2);
  gpuDevice.destroy();
});

onGpu("a part of the runtime that did not arrive is asked for again", async () => {
  vi.doMock("../../runtime/webgpu/pictures.ts", () => {
    throw new Error("no network");
  });
  const net = await load(echo(3), { gpu });
  expect(await failure(() => net.run({ image: picture }))).toMatchObject({ code: "device" });
  vi.doUnmock("../../runtime/webgpu/pictures.ts");
  near((await net.run({ image: picture })).out!, expected[3]!);
  await net.dispose();
});

onGpu("a picture chooses among several sizes", async () => {
  const big = { ...image(3), shape: [1, 3, 4, 6] };
  const small = echo(3);
  const [entry] = small.entries;
  const entries = [
    { name: "forward" as const, inputs: [big], outputs: [] },
    { ...entry!, name: "forward_1" as const },
  ];
  const code = small.code as Extract<Program["code"], { kind: "wgsl" }>;
  const both: Program = { ...small, entries, code: { ...code, entries: { forward: [], forward_1: code.entries.forward! } } };
  const net = await load(both, { gpu });
  near((await net.run({ image: picture })).out!, expected[3]!);
  expect((await failure(() => net.run({ image: { width: 5, height: 4 } }))).message).toBe(
    "image is a picture of 5x4 pixels, expected 6x4 or 3x2: resize it, as createImageBitmap does",
  );
  await net.dispose();
});

/** A program that runs on the host, with its input as its output. */
const hostEcho = (channels: number, lead: readonly number[] = [1]): Program => {
  // Behind what the model of the recorder writes.
  const io = { ...image(channels, lead), offset: 768 };
  const { code } = recorder();
  return programOf(code, { entries: [{ name: "forward", inputs: [io], outputs: [io] }], variables: [] });
};

test.each([[1], [2], [3], [4]])("ImageData to %i channels on other targets", async (channels) => {
  const net = await load(hostEcho(channels));
  near((await net.run({ image: picture })).image!, expected[channels]!);
});

const page = globalThis as { OffscreenCanvas?: unknown };
afterAll(() => {
  delete page.OffscreenCanvas;
});
test("other pictures are read through a canvas, where there is one", async () => {
  const net = await load(hostEcho(3, []));
  const frame = { displayWidth: width, displayHeight: height };
  const run = () => net.run({ image: frame });
  expect((await failure(run)).message).toBe(
    "image is a picture, and there is no OffscreenCanvas here to read it: give an ImageData or an array",
  );
  const drawn: unknown[] = [];
  page.OffscreenCanvas = class {
    getContext = () => ({ drawImage: (source: unknown) => drawn.push(source), getImageData: () => picture });
  };
  near((await run()).image!, expected[3]!);
  expect(drawn).toEqual([frame]);
});

test.each<[Inputs, string]>([
  [{ image: { width: 3, height: 3 } }, "image is a picture of 3x3 pixels, expected 3x2: resize it, as createImageBitmap does"],
  [
    { image: { width, height, data: new Uint8ClampedArray(4) } as Picture },
    "image: a picture with data has 4 bytes a pixel, as ImageData: 24 here",
  ],
  [
    { image: { size: 4, usage: 0, mapState: "unmapped" } },
    "image is a GPUBuffer, which only a program compiled to wgsl takes: read it into an array first",
  ],
  [{ image: { width: 0, height: 0 } }, "image is a picture without pixels: it was closed or transferred, or is not loaded yet"],
  [{ image: new Date() as unknown as Picture }, "image is Date, expected a flat array of numbers for f32[1,3,2,3]"],
  [{ picture }, "unknown input picture; the inputs are image: f32[1,3,2,3]"],
])("refused on other targets: %o", async (inputs, message) => {
  const net = await load(hostEcho(3));
  expect(await failure(() => net.run(inputs))).toMatchObject({ name: "DlmError", code: "input", message });
});

test("inputs that take no picture, and outputs without a GPU", async () => {
  const net = await load(programOf(recorder().code));
  expect((await failure(() => net.run({ [x.name]: picture }))).message).toBe(
    "x is a picture, and f32[4] takes none: f32[C,H,W] and f32[1,C,H,W] of 1 to 4 channels do",
  );
  expect(await failure(() => net.run({ x: [1, 2, 3, 4] }, { outputs: "gpu" }))).toMatchObject({
    code: "option",
    message: "outputs stay on a GPU where the program is compiled to wgsl: tiny is not",
  });
});
