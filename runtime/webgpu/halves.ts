/** Whole tensors of singles as halves and back, by their bits; `ir/float16.ts` says what they are, number by number. */

export const largestHalf = 65504;

/** To the nearest, ties to even; what is too large becomes infinite: how many finite ones. `halves` may be longer. */
export function toHalves(singles: Uint32Array, halves: Uint16Array): number {
  let tooLarge = 0;
  for (let i = 0; i < singles.length; i++) {
    const half = halfOf(singles[i]!);
    if ((half & 0x7fff) === 0x7c00 && isFiniteSingle(singles[i]!)) tooLarge++;
    halves[i] = half;
  }
  return tooLarge;
}
const isFiniteSingle = (bits: number): boolean => (bits & 0x7f800000) !== 0x7f800000;
/** Of the finite ones, that which is farthest from 0; 0 where there is none. */
export function largestOf(singles: Float32Array): number {
  let largest = 0;
  for (const x of singles) if (Number.isFinite(x) && Math.abs(x) > Math.abs(largest)) largest = x;
  return largest;
}
function halfOf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x477ff000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  // Exponents of halves begin 112 later; below 2^-14 they count in units of 2^-24, half of which is rounded to nothing.
  if (magnitude >= 0x38800000) return sign | shifted(magnitude - 0x38000000, 13);
  if (magnitude <= 0x33000000) return sign;
  return sign | shifted((magnitude & 0x7fffff) | 0x800000, 126 - (magnitude >>> 23));
}
/** Rounded, ties to even. */
const shifted = (x: number, by: number): number => (x + (1 << (by - 1)) - 1 + ((x >>> by) & 1)) >>> by;

export function fromHalves(halves: Uint16Array, singles: Float32Array<ArrayBuffer>): void {
  const words = new Uint32Array(singles.buffer, singles.byteOffset, singles.length);
  for (let i = 0; i < halves.length; i++) {
    const magnitude = halves[i]! & 0x7fff;
    const sign = (halves[i]! & 0x8000) << 16;
    if (magnitude < 0x0400) singles[i] = (sign ? -magnitude : magnitude) * 2 ** -24;
    else words[i] = sign | ((magnitude << 13) + (magnitude < 0x7c00 ? 0x38000000 : 0x70000000));
  }
}
