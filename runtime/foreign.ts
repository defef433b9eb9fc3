/** Inputs that are no lists of numbers: pictures, and buffers of a GPU. */
import type { Field, Signature } from "../ir/program.ts";
import { sizeOf } from "../ir/type.ts";
import { fail } from "./errors.ts";
import { Source, typeOf } from "./field.ts";
import type { AnyGpuBuffer, Picture } from "./gpu-types.ts";
import type { OnGpu } from "./session.ts";
import type { Inputs, InputValues } from "./tensor.ts";

/** Inputs as `encodeInputs` takes them: a GPU reads pictures and buffers from where they are, others get the numbers. */
export function adapt(
  entries: readonly Pick<Signature, "inputs">[],
  inputs: Inputs,
  gpu: OnGpu | undefined,
): Readonly<Record<string, InputValues | Source>> {
  const adapted = Object.entries(inputs).map(([name, given]) => {
    const fields = entries.flatMap((e) => e.inputs.filter((f) => f.name === name));
    const [first] = fields;
    if (!first) return [name, given];
    if (isBuffer(given)) return [name, sourceOf(first, given, gpu)];
    if (!isPicture(given)) return [name, given];
    const field = fieldFor(fields, given);
    return [name, gpu ? new Source(given, sizeOf(field.shape)) : planes(pixelsOf(field, given), channelsOf(field)!)];
  });
  return Object.fromEntries(adapted);
}

function sourceOf(field: Field, given: AnyGpuBuffer, gpu: OnGpu | undefined): Source {
  if (gpu) return new Source(given, gpu.bufferLength(given, field));
  return fail("input", `${field.name} is a GPUBuffer, which only a program compiled to wgsl takes: read it into an array first`);
}

export const isBuffer = (x: unknown): x is AnyGpuBuffer => typeof x === "object" && x !== null && "mapState" in x && "usage" in x;
const isPicture = (x: unknown): x is Picture => typeof x === "object" && x !== null && sizeOfPicture(x) !== null;

/** In pixels; elements of pages have two sizes, of which that of the data counts. */
export function sizeOfPicture(x: object): readonly [width: number, height: number] | null {
  const sizes = x as Readonly<Record<string, unknown>>;
  for (const [w, h] of sizeNames) {
    const [width, height] = [sizes[w], sizes[h]];
    if (typeof width === "number" && typeof height === "number") return [width, height];
  }
  return null;
}
const sizeNames = [
  ["displayWidth", "displayHeight"],
  ["videoWidth", "videoHeight"],
  ["naturalWidth", "naturalHeight"],
  ["width", "height"],
] as const;

/** Of an input that takes pictures; null: it takes none. */
export function channelsOf({ dtype, shape }: Field): number | null {
  const [c = 0] = shape.slice(-3);
  return dtype === "f32" && shape.length >= 3 && c <= 4 && shape.slice(0, -3).every((d) => d === 1) ? c : null;
}

/** Of the fields that an input is in several bindings, the one of the picture's size. */
function fieldFor(fields: readonly Field[], picture: Picture): Field {
  const [width, height] = sizeOfPicture(picture)!;
  const [first] = fields as [Field];
  if (channelsOf(first) === null)
    fail("input", `${first.name} is a picture, and ${typeOf(first)} takes none: f32[C,H,W] and f32[1,C,H,W] of 1 to 4 channels do`);
  const fitting = fields.find(({ shape }) => shape.at(-2) === height && shape.at(-1) === width);
  if (fitting) return fitting;
  if (width === 0 && height === 0)
    fail("input", `${first.name} is a picture without pixels: it was closed or transferred, or is not loaded yet`);
  const sizes = [...new Set(fields.map(({ shape }) => `${shape.at(-1)}x${shape.at(-2)}`))].join(" or ");
  return fail("input", `${first.name} is a picture of ${width}x${height} pixels, expected ${sizes}: resize it, as createImageBitmap does`);
}

interface Pixels {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue and alpha of each, 0..255. */
  readonly data: Uint8ClampedArray<ArrayBuffer>;
}
/** What is in a picture; where it is no ImageData, a canvas has to tell. */
export function pixelsOf(field: Field, picture: Picture): Pixels {
  if ("data" in picture) return imageDataOf(field, picture);
  const [width, height] = sizeOfPicture(picture)!;
  if (typeof OffscreenCanvas === "undefined")
    return fail("input", `${field.name} is a picture, and there is no OffscreenCanvas here to read it: give an ImageData or an array`);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  try {
    context.drawImage(picture as CanvasImageSource, 0, 0, width, height);
    return context.getImageData(0, 0, width, height);
  } catch (e) {
    return fail("input", `${field.name}: the picture cannot be read: ${(e as Error).message}`, e);
  }
}
function imageDataOf(field: Field, picture: Picture): Pixels {
  const { width, height, data } = picture as Pixels;
  if (data instanceof Uint8ClampedArray && data.length === 4 * width * height) return { width, height, data };
  return fail("input", `${field.name}: a picture with data has 4 bytes a pixel, as ImageData: ${4 * width * height} here`);
}

/** [channels, height, width] from 0 to 1, by the rules of `dlm run` for PNG files. */
function planes({ width, height, data }: Pixels, channels: number): Float32Array {
  const plane = width * height;
  const out = new Float32Array(channels * plane);
  for (let p = 0; p < plane; p++) {
    const [r, g, b, a] = [data[4 * p]! / 255, data[4 * p + 1]! / 255, data[4 * p + 2]! / 255, data[4 * p + 3]! / 255];
    out[p] = channels >= 3 || (r === g && g === b) ? r : 0.299 * r + 0.587 * g + 0.114 * b;
    if (channels >= 3) out[plane + p] = g;
    if (channels >= 3) out[2 * plane + p] = b;
    if (channels % 2 === 0) out[(channels - 1) * plane + p] = a;
  }
  return out;
}
