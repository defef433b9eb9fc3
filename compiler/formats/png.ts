/** PNG in and out. */
import { convertIndexedToRgb, type DecodedPng, decode, encode, hasPngSignature } from "fast-png";
import { fail } from "../../ir/diagnostic.ts";
import type { Image, Picture } from "./image.ts";

export const isPng = (bytes: Uint8Array): boolean => hasPngSignature(bytes);

/** `name` is the file's, for messages. */
export function readPng(bytes: Uint8Array, name: string): Picture {
  if (!isPng(bytes)) fail("file", `${name} is not a PNG file`, null);
  try {
    return pictureOf(decode(bytes));
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
