/** Weights, images and labels made of integer hashes: the same, bit for bit, as in test/golden/torch_examples.py. */
import { sizeOf } from "../../ir/type.ts";

export type Shape = readonly number[];

/** One word of 32 bits per element: FNV-1a of the name, the index mixed in, finished as in MurmurHash3. */
export function hashes(name: string, count: number): Uint32Array {
  const start = new TextEncoder().encode(name).reduce((h, byte) => Math.imul(h ^ byte, 0x01000193), 0x811c9dc5);
  const words = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    let h = Math.imul(i, 0x9e3779b9) ^ start;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    words[i] = h ^ (h >>> 16);
  }
  return words;
}

/** Evenly in center - radius .. center + radius. */
function spread(name: string, shape: Shape, center: number, radius: number): Float32Array<ArrayBuffer> {
  const words = hashes(name, sizeOf(shape));
  const values = new Float32Array(words.length);
  for (let i = 0; i < values.length; i++) values[i] = center + (words[i]! / 2 ** 31 - 1) * radius;
  return values;
}

/** A parameter or state. Weights have the variance of He's initialisation. */
export function initial(name: string, shape: Shape): Float32Array<ArrayBuffer> {
  if (name.endsWith("running_var")) return spread(name, shape, 1, 0.5);
  if (name.endsWith("running_mean") || name.endsWith("bias")) return spread(name, shape, 0, 0.25);
  if (shape.length === 1) return spread(name, shape, 1, 0.5);
  return spread(name, shape, 0, Math.sqrt(6 / sizeOf(shape.slice(1))));
}

/** Inputs of the examples: `k` numbers the batch. */
export const batch = (k: number, size: number): { readonly image: Float32Array; readonly label: Int32Array } => ({
  image: spread(`image.${k}`, [size, 1, 28, 28], 0.5, 0.5),
  label: Int32Array.from(hashes(`label.${k}`, size), (h) => h % 10),
});
