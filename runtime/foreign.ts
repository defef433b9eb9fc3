/** Inputs that are no lists of numbers: pictures, and buffers of a GPU. */
import type { Field, Signature } from "../ir/program.ts";
import { sizeOf } from "../ir/type.ts";
import { fail } from "./errors.ts";
import { Source, typeOf } from "./field.ts";
import type { AnyGpuBinding, AnyGpuBuffer, Picture } from "./gpu-types.ts";
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
    if (isBuffer(given) || isBinding(given)) return [name, sourceOf(fields, given, gpu)];
    const pictures = isPicture(given) ? [given] : isPictures(given, name) ? given : null;
    if (!pictures) return [name, given];
    const field = fieldFor(fields, pictures, pictures === given);
    return [name, gpu ? new Source(pictures, sizeOf(field.shape)) : planesOf(field, pictures)];
  });
  return Object.fromEntries(adapted);
}

function sourceOf(fields: readonly Field[], given: AnyGpuBuffer | AnyGpuBinding, gpu: OnGpu | undefined): Source {
  if (gpu) return gpu.sourceOf(fields, given);
  return fail("input", `${fields[0]!.name} is a GPUBuffer, which only a program compiled to wgsl takes: read it into an array first`);
}

export const isBuffer = (x: unknown): x is AnyGpuBuffer => typeof x === "object" && x !== null && "mapState" in x && "usage" in x;
export const isBinding = (x: unknown): x is AnyGpuBinding => typeof x === "object" && x !== null && "buffer" in x && isBuffer(x.buffer);
function isPictures(x: unknown, name: string): x is readonly Picture[] {
  if (!Array.isArray(x) || !x.some(isPicture)) return false;
  const other = x.findIndex((p) => !isPicture(p));
  return other < 0 || fail("input", `${name}[${other}] is no picture, as others of the list are`);
}
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
  return dtype === "f32" && shape.length >= 3 && c <= 4 ? c : null;
}
/** How many an input takes. */
const countOf = ({ shape }: Field): number => sizeOf(shape.slice(0, -3));

/** Of the fields that an input is in several bindings, the one of as many pictures of this size. */
function fieldFor(fields: readonly Field[], pictures: readonly Picture[], isList: boolean): Field {
  const [{ name }] = fields as [Field];
  const taking = fields.filter((f) => channelsOf(f) !== null && (!isList || f.shape.length > 3));
  if (taking.length === 0) {
    const what = `${isList ? "a list of pictures" : "a picture"}, which ${typeOf(fields[0]!)} does not take`;
    fail("input", `${name} is ${what}: f32[C,H,W] takes one, f32[N,C,H,W] a list of N, of 1 to 4 channels`);
  }
  const counted = taking.filter((f) => countOf(f) === pictures.length);
  if (counted.length === 0) {
    const wanted = either(taking.map((f) => `${countOf(f)} for ${typeOf(f)}`));
    fail("input", `${name} is ${isList ? `a list of ${pictures.length} pictures` : "one picture"}, expected a list of ${wanted}`);
  }
  const has = ({ shape }: Field, picture: Picture): boolean => {
    const [width, height] = sizeOfPicture(picture)!;
    return shape.at(-2) === height && shape.at(-1) === width;
  };
  const field = counted.find((f) => has(f, pictures[0]!));
  const odd = field ? pictures.findIndex((p) => !has(field, p)) : 0;
  if (field && odd < 0) return field;
  return wrongSize(isList ? `${name}[${odd}]` : name, pictures[odd]!, field ? [field] : counted);
}
function wrongSize(name: string, picture: Picture, fields: readonly Field[]): never {
  const [width, height] = sizeOfPicture(picture)!;
  if (width === 0 && height === 0) fail("input", `${name} is a picture without pixels: it was closed or transferred, or is not loaded yet`);
  const sizes = either(fields.map(({ shape }) => `${shape.at(-1)}x${shape.at(-2)}`));
  return fail("input", `${name} is a picture of ${width}x${height} pixels, expected ${sizes}: resize it, as createImageBitmap does`);
}
const either = (texts: readonly string[]): string => [...new Set(texts)].join(" or ");

interface Pixels {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue and alpha of each, 0..255. */
  readonly data: Uint8ClampedArray<ArrayBuffer>;
}
/** What is in a picture; where it is no ImageData, a canvas has to tell. */
export function pixelsOf({ name }: Field, picture: Picture): Pixels {
  if ("data" in picture) return imageDataOf(name, picture);
  const [width, height] = sizeOfPicture(picture)!;
  if (typeof OffscreenCanvas === "undefined")
    return fail("input", `${name} is a picture, and there is no OffscreenCanvas here to read it: give an ImageData or an array`);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  try {
    context.drawImage(picture as CanvasImageSource, 0, 0, width, height);
    return context.getImageData(0, 0, width, height);
  } catch (e) {
    return fail("input", `${name}: the picture cannot be read: ${(e as Error).message}`, e);
  }
}
function imageDataOf(name: string, picture: Picture): Pixels {
  const { width, height, data } = picture as Pixels;
  if (data instanceof Uint8ClampedArray && data.length === 4 * width * height) return { width, height, data };
  return fail("input", `${name}: a picture with data has 4 bytes a pixel, as ImageData: ${4 * width * height} here`);
}

/** One after the other. */
function planesOf(field: Field, pictures: readonly Picture[]): Float32Array {
  const out = new Float32Array(sizeOf(field.shape));
  const each = out.length / pictures.length;
  for (const [i, picture] of pictures.entries())
    writePlanes(pixelsOf(field, picture), channelsOf(field)!, out.subarray(i * each, (i + 1) * each));
  return out;
}
/** [channels, height, width] from 0 to 1, by the rules of `dlm run` for PNG files. */
function writePlanes({ width, height, data }: Pixels, channels: number, out: Float32Array): void {
  const plane = width * height;
  for (let p = 0; p < plane; p++) {
    const [r, g, b, a] = [data[4 * p]! / 255, data[4 * p + 1]! / 255, data[4 * p + 2]! / 255, data[4 * p + 3]! / 255];
    out[p] = channels >= 3 || (r === g && g === b) ? r : 0.299 * r + 0.587 * g + 0.114 * b;
    if (channels >= 3) out[plane + p] = g;
    if (channels >= 3) out[2 * plane + p] = b;
    if (channels % 2 === 0) out[(channels - 1) * plane + p] = a;
  }
}
