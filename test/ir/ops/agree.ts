/** Whether two lists of numbers agree. */

export const rms = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! ** 2;
  return Math.sqrt(sum / Math.max(1, values.length));
};

/**
 * max|a - b| <= e * max(rms(b), 1e-3 * g), and NaN and infinities at the same places; g is the largest rms of the gradients
 * that belong together, 0 for other values. Null, or what disagrees.
 */
export function disagreement(a: ArrayLike<number>, b: ArrayLike<number>, e: number, g = 0): string | null {
  if (a.length !== b.length) return `${a.length} values instead of ${b.length}`;
  const finite = Array.from(b).filter(Number.isFinite);
  const limit = e * Math.max(rms(finite), 1e-3 * g);
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]!, b[i]!];
    if (Object.is(x, y) || x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    if (!(Math.abs(x - y) <= limit)) return `element ${i}: ${x} instead of ${y} (limit ${limit})`;
  }
  return null;
}
