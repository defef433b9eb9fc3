/** The value in the middle; of an even count the mean of both. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("no values have a median");
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
