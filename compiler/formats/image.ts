/** Pictures as files hold them, and as programs take them. */
import { fail } from "../../ir/diagnostic.ts";

/** A decoded file: red, green, blue and alpha of every pixel, from 0 to 1. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgba: Float32Array;
}
/** Of a picture file; a larger one is refused before it is decoded. */
export const mostPixels = 200e6;
/** f32[channels, height, width] with values from 0 to 1. */
export interface Image {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly data: Float32Array<ArrayBuffer>;
}

/**
 * Converted to `channels`: 1 (grey by ITU-R 601 weights), 3 (RGB), 2 and 4 (the same with alpha).
 * Where alpha is dropped, colours stay as the file has them, as with Pillow's `convert("RGB")`.
 */
export function imageOf({ width, height, rgba }: Picture, channels: number, name: string): Image {
  if (channels < 1 || channels > 4) fail("data", `${name}: a picture has 1 to 4 channels, the input has ${channels}`, null);
  const plane = height * width;
  const data = new Float32Array(channels * plane);
  const coloured = channels >= 3;
  for (let p = 0; p < plane; p++) {
    const [r, g, b] = [rgba[4 * p]!, rgba[4 * p + 1]!, rgba[4 * p + 2]!];
    data[p] = coloured || (r === g && g === b) ? r : 0.299 * r + 0.587 * g + 0.114 * b;
    if (coloured) data[plane + p] = g;
    if (coloured) data[2 * plane + p] = b;
    if (channels % 2 === 0) data[(channels - 1) * plane + p] = rgba[4 * p + 3]!;
  }
  return { channels, height, width, data };
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
    const weights = Float64Array.from({ length: last - first + 1 }, (_, i) => Math.max(0, 1 - Math.abs(first + i - centre) / reach));
    const sum = weights.reduce((a, b) => a + b);
    for (let r = 0; r < rows; r++)
      for (let k = 0; k < inner; k++) {
        let value = 0;
        for (let i = 0; i < weights.length; i++) value += weights[i]! * data[(r * from + first + i) * inner + k]!;
        out[(r * to + t) * inner + k] = value / sum;
      }
  }
  return out;
}
