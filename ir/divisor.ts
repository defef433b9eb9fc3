/** The largest divisor of n up to `most`, at least 1. */
export function largestDivisor(n: number, most: number): number {
  for (let d = Math.min(n, Math.floor(most)); d > 1; d--) if (n % d === 0) return d;
  return 1;
}
