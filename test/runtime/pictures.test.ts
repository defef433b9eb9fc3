/** Pictures as inputs, on a device and elsewhere. */
import { afterAll, expect, test, vi } from "vitest";
import type { Field, Program } from "../../ir/program.ts";
import { sizeOf } from "../../ir/type.ts";
import { type Inputs, load, type Picture } from "../../runtime/index.ts";
import { failure, field, programOf, recorder, sizes, x } from "./fixtures.ts";
import { dispatch, gpu, kernel, onGpu, ownDevice, spying, submits, wgsl } from "./webgpu-fixtures.ts";

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
const echo = (channels: number): Program => echoOf(image(channels));
const echoOf = (io: Field): Program => {
  const bytes = 4 * sizeOf(io.shape);
  const out = 256 + Math.ceil(bytes / 256) * 256;
  const copy = kernel(
    "echo",
    [`var<storage, read_write> a: array<f32, ${bytes / 4}>`, `var<storage, read_write> b: array<f32, ${bytes / 4}>`],
    "b[i] = a[i];",
  );
  const run = dispatch(
    0,
    [
      ["io", 256, bytes],
      ["io", out, bytes],
    ],
    bytes / 4,
  );
  const entries = [{ name: "forward" as const, inputs: [io], outputs: [{ ...io, name: "out", offset: out }] }];
  return programOf(wgsl([copy], { forward: [run] }), { entries, variables: [], sizes: { ...sizes, io: 2 * out } });
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

onGpu("an error of the device on the way to a picture's input is that call's alone", async () => {
  const { source, devices } = spying();
  const net = await load(echo(3), { gpu: source });
  const device = devices[0]!;
  const create = device.createBindGroup.bind(device);
  device.createBindGroup = (d) => {
    device.createBindGroup = create;
    return create({ ...d, entries: [] });
  };
  expect(await failure(() => net.run({ image: picture }))).toMatchObject({
    code: "device",
    message: expect.stringMatching(/^the GPU refuses/),
  });
  near((await net.run({ image: picture })).out!, expected[3]!);
  await net.dispose();
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

/* ---- lists of pictures ------------------------------------------------------------------------------------------- */

/** Pictures that differ. */
const shifted = (by: number, pixels = width * height): Uint8ClampedArray<ArrayBuffer> =>
  Uint8ClampedArray.from({ length: 4 * pixels }, (_, i) => (i * 37 + by * 11) % 256);
const batch = (n: number): (typeof picture)[] => Array.from({ length: n }, (_, i) => ({ ...picture, data: shifted(i) }));
const planesOf = (pictures: readonly { readonly data: Uint8ClampedArray }[]): number[] =>
  pictures.flatMap(({ data }) => [0, 1, 2].flatMap((c) => [...data].filter((_, i) => i % 4 === c).map((v) => v / 255)));

onGpu("a batch of pictures is one submit, and may be numbers the next time", async () => {
  const gpuDevice = await ownDevice();
  const net = await load(echoOf(image(3, [4])), { gpuDevice });
  near((await net.run({ image: batch(4) })).out!, planesOf(batch(4)));
  const seen = submits(gpuDevice);
  const copied: unknown[] = [];
  gpuDevice.queue.copyExternalImageToTexture = ({ source }, to, size) => {
    copied.push(source);
    gpuDevice.queue.writeTexture(to, shifted(7), { bytesPerRow: 4 * width }, size);
    return undefined;
  };
  const [a, b, c] = batch(3) as unknown as [Picture, Picture, Picture];
  const bitmap = { width, height, close: () => undefined };
  near((await net.run({ image: [a, bitmap, b, c] })).out!, planesOf([...batch(1), { data: shifted(7) }, ...batch(3).slice(1)]));
  expect([seen.count, copied]).toEqual([1, [bitmap]]);
  near((await net.run({ image: Array(72).fill(0.25) })).out!, Array(72).fill(0.25));
  await net.dispose();
  gpuDevice.destroy();
});

onGpu("more pictures than a texture has layers or a binding has room for", async () => {
  const dots = Array.from({ length: 300 }, (_, i) => ({ width: 1, height: 1, data: shifted(i, 1) }));
  const many = await load(echoOf({ ...image(3), shape: [300, 3, 1, 1] }), { gpu });
  near((await many.run({ image: dots })).out!, planesOf(dots));
  await many.dispose();
  const gpuDevice = await ownDevice();
  // Room for five pictures of 72 bytes, which are no whole number of alignments.
  Object.defineProperty(gpuDevice, "limits", {
    value: { maxTextureArrayLayers: 256, maxStorageBufferBindingSize: 256 + 400, maxBufferSize: 2 ** 20 },
  });
  const net = await load(echoOf(image(3, [3, 4])), { gpuDevice });
  near((await net.run({ image: batch(12) })).out!, planesOf(batch(12)));
  await net.dispose();
  gpuDevice.destroy();
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

test("lists of pictures on other targets", async () => {
  const net = await load(hostEcho(3, [2]));
  near((await net.run({ image: batch(2) })).image!, planesOf(batch(2)));
  const one = await load(hostEcho(3));
  near((await one.run({ image: batch(1) })).image!, planesOf(batch(1)));
});

test("the number of pictures chooses among several sizes of a batch", async () => {
  const one = hostEcho(3);
  const [forward] = one.entries;
  const large = [{ ...image(3, [3]), offset: 768 }];
  const { code } = recorder();
  const both = programOf(code, { ...one, code, entries: [forward!, { name: "forward_1", inputs: large, outputs: large }] });
  const net = await load(both);
  near((await net.run({ image: batch(3) })).image!, planesOf(batch(3)));
  near((await net.run({ image: picture })).image!, planesOf([picture]));
  expect((await failure(() => net.run({ image: batch(2) }))).message).toBe(
    "image is a list of 2 pictures, expected a list of 1 for f32[1,3,2,3] or 3 for f32[3,3,2,3]",
  );
});

test.each<[Inputs[string], string]>([
  [picture, "image is one picture, expected a list of 2 for f32[2,3,2,3]"],
  [batch(3), "image is a list of 3 pictures, expected a list of 2 for f32[2,3,2,3]"],
  [[picture, { width: 4, height: 2 }], "image[1] is a picture of 4x2 pixels, expected 3x2: resize it, as createImageBitmap does"],
  [[{ width: 0, height: 0 }, picture], "image[0] is a picture without pixels: it was closed or transferred, or is not loaded yet"],
  [[picture, null] as unknown as Picture[], "image[1] is no picture, as others of the list are"],
  [
    [
      [1, 2],
      [3, 4],
    ] as unknown as Picture[],
    "image is Array, expected a flat array of numbers for f32[2,3,2,3]",
  ],
])("a batch of two is not %o", async (given, message) => {
  const net = await load(hostEcho(3, [2]));
  expect(await failure(() => net.run({ image: given }))).toMatchObject({ name: "DlmError", code: "input", message });
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
    "x is a picture, which f32[4] does not take: f32[C,H,W] takes one, f32[N,C,H,W] a list of N, of 1 to 4 channels",
  );
  const flat = await load(hostEcho(3, []));
  expect((await failure(() => flat.run({ image: [picture] }))).message).toBe(
    "image is a list of pictures, which f32[3,2,3] does not take: f32[C,H,W] takes one, f32[N,C,H,W] a list of N, of 1 to 4 channels",
  );
  expect(await failure(() => net.run({ x: [1, 2, 3, 4] }, { outputs: "gpu" }))).toMatchObject({
    code: "option",
    message: "outputs stay on a GPU where the program is compiled to wgsl: tiny is not",
  });
});
