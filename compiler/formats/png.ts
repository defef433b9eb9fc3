/** PNG in and out. */
import { type DecodedPng, decode, encode, hasPngSignature } from "fast-png";
import { fail } from "../../ir/diagnostic.ts";
import { type Image, mostPixels, type Picture } from "./image.ts";

export const isPng = (bytes: Uint8Array): boolean => hasPngSignature(bytes);

/** `name` is the file's, for messages. */
export function readPng(bytes: Uint8Array, name: string): Picture {
  if (!isPng(bytes)) fail("file", `${name} is not a PNG file`, null);
  const [width, height] = pngSize(bytes) ?? [0, 0];
  if (width * height > mostPixels) fail("file", `${name} cannot be decoded: it is too large`, null);
  try {
    return pictureOf(decode(bytes, { checkCrc: true }));
  } catch {
    return fail("file", `${name} cannot be decoded: it is damaged or cut short`, null);
  }
}

/** Width and height, from the first bytes of a file; null: it is cut short. */
export function pngSize(head: Uint8Array): readonly [width: number, height: number] | null {
  if (head.length < 24) return null;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  return [view.getUint32(16), view.getUint32(20)];
}

/** One or three channels; values outside 0..1 are clamped. */
export function writePng({ channels, height, width, data }: Image): Uint8Array {
  const plane = height * width;
  const out = new Uint8Array(plane * channels);
  for (let c = 0; c < channels; c++)
    for (let p = 0; p < plane; p++) out[p * channels + c] = Math.round(Math.min(1, Math.max(0, data[c * plane + p]!)) * 255);
  return encode({ width, height, data: out, channels, depth: 8 });
}

/** Every kind of PNG as four numbers a pixel. */
function pictureOf(png: DecodedPng): Picture {
  const { width, height } = png;
  const rgba = new Float32Array(width * height * 4);
  if (png.palette) fillFromPalette(png.palette, unpack(png), rgba);
  else fillFromChannels(png, unpack(png), rgba);
  return { width, height, rgba };
}
function fillFromPalette(palette: readonly (readonly number[])[], indices: ArrayLike<number>, rgba: Float32Array): void {
  const colours = Float32Array.from({ length: 4 * palette.length }, (_, i) => (palette[i >> 2]![i & 3] ?? 255) / 255);
  for (let p = 0; 4 * p < rgba.length; p++) {
    const at = 4 * indices[p]!;
    if (at >= colours.length) throw new RangeError("no such colour in the palette");
    for (let c = 0; c < 4; c++) rgba[4 * p + c] = colours[at + c]!;
  }
}
/** Grey or RGB, with alpha or without; a single colour may stand for what is clear. */
function fillFromChannels({ channels, depth, transparency }: DecodedPng, values: ArrayLike<number>, rgba: Float32Array): void {
  const largest = 2 ** depth - 1;
  const [green, blue] = channels >= 3 ? [1, 2] : [0, 0];
  const alpha = channels === 2 || channels === 4 ? channels - 1 : null;
  const clear = transparency?.length ? transparency : null;
  for (let p = 0, from = 0; 4 * p < rgba.length; p++, from += channels) {
    rgba[4 * p] = values[from]! / largest;
    rgba[4 * p + 1] = values[from + green]! / largest;
    rgba[4 * p + 2] = values[from + blue]! / largest;
    rgba[4 * p + 3] = alpha === null ? 1 : values[from + alpha]! / largest;
    if (clear?.every((v, c) => v === values[from + c])) rgba[4 * p + 3] = 0;
  }
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
