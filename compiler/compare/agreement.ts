/**
 * How far two tensors agree: the largest |a - b| relative to the rms of b, or to `floor` where that is larger (a gradient that is
 * zero but for rounding is compared with how large gradients are elsewhere).
 */
export interface Agreement {
  /** Infinite where one side alone is NaN or infinite, or where anything differs from zeros. */
  readonly error: number;
  /** Row-major, where the error is largest; of several such places the first. */
  readonly index: number;
  readonly found: number;
  readonly expected: number;
  /** What errors are relative to. */
  readonly scale: number;
  /** Elements beyond the tolerance, of those that were compared. */
  readonly beyond: number;
  readonly elements: number;
  /** Elements that were not compared. */
  readonly leftOut: number;
}
export interface Rule {
  readonly tolerance: number;
  readonly floor?: number;
  /** Which elements count; default all. */
  readonly counts?: (index: number) => boolean;
}

export function agreementOf(found: ArrayLike<number>, expected: ArrayLike<number>, rule: Rule): Agreement {
  const { tolerance, floor = 0, counts = () => true } = rule;
  const scale = Math.max(rms(expected), floor);
  let [error, index, beyond, elements] = [0, 0, 0, 0];
  for (let i = 0; i < expected.length; i++) {
    if (!counts(i)) continue;
    elements++;
    const e = relative(gap(found[i]!, expected[i]!), scale);
    if (e > tolerance) beyond++;
    if (e > error) [error, index] = [e, i];
  }
  return {
    error,
    index,
    found: found[index] ?? 0,
    expected: expected[index] ?? 0,
    scale,
    beyond,
    elements,
    leftOut: expected.length - elements,
  };
}
export const agrees = ({ beyond }: Agreement): boolean => beyond === 0;

/** Equal infinities and NaN on both sides are equal. */
function gap(a: number, b: number): number {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return 0;
  return Number.isFinite(a) && Number.isFinite(b) ? Math.abs(a - b) : Infinity;
}
const relative = (gap: number, scale: number): number => (gap === 0 ? 0 : gap / scale);

/** Of the finite elements. */
export function rms(values: ArrayLike<number>): number {
  let [sum, count] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!;
    if (!Number.isFinite(v)) continue;
    sum += v * v;
    count++;
  }
  return count === 0 ? 0 : Math.sqrt(sum / count);
}
