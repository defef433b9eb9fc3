/** 64-bit integers of a file as numbers. */

/**
 * Stands for the ends of 64 bits. ONNX means "as far as it goes" by the largest (an open end of Slice) and by the smallest
 * and its neighbour (an open end of a backward Slice), so those are not mistaken for numbers that are too large.
 */
export const unbounded = Number.MAX_SAFE_INTEGER;
const largest = 2n ** 63n - 1n;

/** The number, or null where it is no end of 64 bits and a double would not hold it. */
export function numberOf(value: bigint): number | null {
  if (value === largest) return unbounded;
  if (value <= -largest) return -unbounded;
  const number = Number(value);
  return Math.abs(number) < unbounded ? number : null;
}

export const int64Of = (value: number): bigint => {
  if (value === unbounded) return largest;
  return value === -unbounded ? -largest - 1n : BigInt(value);
};
