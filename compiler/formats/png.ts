/** PNG in and out, as images f32[channels, height, width] with values from 0 to 1. */
import { convertIndexedToRgb, type DecodedPng, decode, encode, hasPngSignature } from "fast-png";
import { fail } from "../../ir/diagnostic.ts";

export interface Image {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly data: Float32Array<ArrayBuffer>;
}

export const isPng = (bytes: Uint8Array): boolean => hasPngSignature(bytes);

/**
 * Converted to `channels`: 1 (grey by ITU-R 601 weights), 3 (RGB), 2 and 4 (the same with alpha).
 * Where alpha is dropped, the picture is laid over black.
 */
export function readPng(bytes: Uint8Array, channels: number, name: string): Image {
  if (channels < 1 || channels > 4) fail("data", `${name}: a PNG has 1 to 4 channels, the input has ${channels}`, null);
  const { width, height, rgba } = pixels(decodePng(bytes, name));
  const data = new Float32Array(channels * height * width);
  const plane = height * width;
  for (let p = 0; p < plane; p++) {
    const values = convert(rgba[4 * p]!, rgba[4 * p + 1]!, rgba[4 * p + 2]!, rgba[4 * p + 3]!, channels);
    for (let c = 0; c < channels; c++) data[c * plane + p] = values[c]!;
  }
  return { channels, height, width, data };
}

/** One or three channels; values outside 0..1 are clamped. */
export function writePng({ channels, height, width, data }: Image): Uint8Array {
  const plane = height * width;
  const out = new Uint8Array(plane * channels);
  for (let c = 0; c < channels; c++)
    for (let p = 0; p < plane; p++) out[p * channels + c] = Math.round(Math.min(1, Math.max(0, data[c * plane + p]!)) * 255);
  return encode({ width, height, data: out, channels, depth: 8 });
}

/** By a triangle filter, which averages where the picture shrinks and interpolates where it grows. */
export function resize(image: Image, height: number, width: number): Image {
  const { channels, height: h, width: w, data } = image;
  const wide = resample(data, channels * h, w, 1, width);
  const out = new Float32Array(channels * height * width);
  for (let c = 0; c < channels; c++) out.set(resample(wide.subarray(c * h * width), 1, h, width, height), c * height * width);
  return { channels, height, width, data: out };
}

/** [rows, from, inner] to [rows, to, inner]. */
function resample(data: Float32Array, rows: number, from: number, inner: number, to: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(rows * to * inner);
  const reach = Math.max(1, from / to);
  for (let t = 0; t < to; t++) {
    const centre = ((t + 0.5) * from) / to - 0.5;
    const first = Math.max(0, Math.ceil(centre - reach));
    const last = Math.min(from - 1, Math.floor(centre + reach));
    const weights = Array.from({ length: last - first + 1 }, (_, i) => Math.max(0, 1 - Math.abs(first + i - centre) / reach));
    const sum = weights.reduce((a, b) => a + b);
    for (let r = 0; r < rows; r++)
      for (let k = 0; k < inner; k++)
        out[(r * to + t) * inner + k] = weights.reduce((v, weight, i) => v + weight * data[(r * from + first + i) * inner + k]!, 0) / sum;
  }
  return out;
}

function convert(r: number, g: number, b: number, a: number, channels: number): readonly number[] {
  if (channels === 4) return [r, g, b, a];
  if (channels === 3) return [r * a, g * a, b * a];
  const grey = r === g && g === b ? r : 0.299 * r + 0.587 * g + 0.114 * b;
  return channels === 2 ? [grey, a] : [grey * a];
}

function decodePng(bytes: Uint8Array, name: string): DecodedPng {
  if (!isPng(bytes)) fail("file", `${name} is not a PNG file`, null);
  try {
    return decode(bytes);
  } catch {
    return fail("file", `${name} cannot be decoded: it is damaged or cut short`, null);
  }
}

/** Every kind of PNG as four numbers a pixel. */
function pixels(png: DecodedPng): { width: number; height: number; rgba: Float32Array } {
  const { width, height } = png;
  const channels = png.palette ? (png.palette[0]?.length ?? 3) : png.channels;
  const values = png.palette ? convertIndexedToRgb(png) : unpack(png);
  const largest = png.palette ? 255 : 2 ** png.depth - 1;
  const rgba = new Float32Array(width * height * 4);
  for (let p = 0; p < width * height; p++) {
    const at = (c: number) => values[p * channels + c]!;
    const coloured = channels >= 3;
    const clear = png.transparency && !png.palette && [...png.transparency].every((v, c) => v === at(c));
    const alpha = clear ? 0 : channels === 2 || channels === 4 ? at(channels - 1) / largest : 1;
    rgba.set([at(0) / largest, at(coloured ? 1 : 0) / largest, at(coloured ? 2 : 0) / largest, alpha], 4 * p);
  }
  return { width, height, rgba };
}

/** Depths below 8 hold several pixels a byte, each row from a new byte. */
function unpack({ data, depth, width, height }: DecodedPng): ArrayLike<number> {
  if (depth >= 8) return data;
  const stride = Math.ceil((width * depth) / 8);
  const out = new Uint8Array(width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      out[y * width + x] = (data[y * stride + (bit >> 3)]! >> (8 - depth - (bit & 7))) & (2 ** depth - 1);
    }
  return out;
}
