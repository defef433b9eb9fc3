/** Counter-based random numbers: a value depends on its key and position only, and is the same on every machine. */

/** 32 well-mixed bits; the constants are those of MurmurHash3's finaliser. */
function mix(bits: number): number {
  let x = bits;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
/** Odd, so that multiplying by it permutes 32-bit words: the golden ratio. */
const golden = 0x9e3779b1;

/** A key for each pair of words. */
export const hash = (a: number, b: number): number => mix(mix(a + golden) ^ mix(Math.imul(b, golden) + 0x7f4a7c15));

/** Uniform in [0, 1). */
export type Uniform = () => number;
export const uniforms = (key: number): Uniform => {
  let counter = 0;
  return () => hash(key, counter++) / 2 ** 32;
};

/** The numbers 0 to count - 1 in random order (Fisher and Yates). */
export function permutation(count: number, key: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor((hash(key, i) / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
