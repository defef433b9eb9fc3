/** Best approximations in the sense of the largest weighted error, by the exchange algorithm of Remez. */

export interface Problem {
  /** What a combination of `basis` shall come near to, on [from, to]. */
  readonly target: (x: number) => number;
  readonly basis: readonly ((x: number) => number)[];
  /** The error counts this many times; 1 / f for a relative error of f. */
  readonly weight: (x: number) => number;
  readonly from: number;
  readonly to: number;
}
export interface Solution {
  readonly coefficients: readonly number[];
  /** Largest weighted error, before coefficients are rounded. */
  readonly error: number;
}

const gridSize = 4000;

export function remez(p: Problem): Solution {
  const n = p.basis.length;
  const xs = Array.from({ length: gridSize + 1 }, (_, i) => p.from + ((p.to - p.from) * (1 - Math.cos((Math.PI * i) / gridSize))) / 2);
  let points = Array.from({ length: n + 1 }, (_, i) => xs[Math.round((i * gridSize) / n)]!);
  let best: Solution = { coefficients: [], error: Number.POSITIVE_INFINITY };
  for (let round = 0; round < 30; round++) {
    const coefficients = equalRipple(p, points);
    const errors = xs.map((x) => p.weight(x) * (evaluate(p, coefficients, x) - p.target(x)));
    const error = Math.max(...errors.map(Math.abs));
    if (error < best.error) best = { coefficients, error };
    const next = alternation(xs, errors, n + 1);
    if (!next) break;
    points = next;
  }
  return best;
}
const evaluate = (p: Problem, coefficients: readonly number[], x: number): number =>
  p.basis.reduce((sum, f, j) => sum + coefficients[j]! * f(x), 0);

/** Coefficients whose weighted errors at the points are E, -E, E, ... */
function equalRipple(p: Problem, points: readonly number[]): number[] {
  const rows = points.map((x, i) => [...p.basis.map((f) => f(x)), (i % 2 ? -1 : 1) / p.weight(x), p.target(x)]);
  return solve(rows).slice(0, -1);
}
/** The `count` largest extrema of alternating sign; null when there are fewer. */
function alternation(xs: readonly number[], errors: readonly number[], count: number): number[] | null {
  const extrema: { at: number; size: number }[] = [];
  errors.forEach((e, at) => {
    const last = extrema.at(-1);
    if (e === 0) return;
    if (!last || Math.sign(errors[last.at]!) !== Math.sign(e)) extrema.push({ at, size: Math.abs(e) });
    else if (Math.abs(e) > last.size) extrema[extrema.length - 1] = { at, size: Math.abs(e) };
  });
  while (extrema.length > count) {
    if (extrema[0]!.size < extrema.at(-1)!.size) extrema.shift();
    else extrema.pop();
  }
  return extrema.length === count ? extrema.map((e) => xs[e.at]!) : null;
}
/** Gaussian elimination with pivoting; each row ends with its right-hand side. */
function solve(rows: number[][]): number[] {
  const n = rows.length;
  for (let c = 0; c < n; c++) {
    const pivot = rows.reduce((best, row, r) => (r >= c && Math.abs(row[c]!) > Math.abs(rows[best]![c]!) ? r : best), c);
    [rows[c], rows[pivot]] = [rows[pivot]!, rows[c]!];
    for (const row of rows.slice(c + 1)) {
      const factor = row[c]! / rows[c]![c]!;
      for (let j = c; j <= n; j++) row[j]! -= factor * rows[c]![j]!;
    }
  }
  const x = new Array<number>(n).fill(0);
  for (let r = n - 1; r >= 0; r--) {
    const known = x.reduce((sum, v, j) => (j > r ? sum + v * rows[r]![j]! : sum), 0);
    x[r] = (rows[r]![n]! - known) / rows[r]![r]!;
  }
  return x;
}
