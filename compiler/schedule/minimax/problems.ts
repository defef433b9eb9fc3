/** What the polynomials in `coefficients.ts` approximate. Coefficients are in order of rising powers. */
import { erf } from "../../../ir/kernel/arithmetic.ts";
import type { Problem } from "./remez.ts";

/** x^first, x^(first + step), ... */
const powers = (first: number, step: number, count: number) =>
  Array.from({ length: count }, (_, j) => (x: number) => x ** (first + j * step));
const log1pRatio = (s: number) => 2 * Math.atanh(s);
const logErfc = (x: number) => -Math.log(1 - erf(x));

export const problems = {
  /** e^r = 1 + r + r^2 q(r), |r| <= ln 2 / 2. */
  exp: {
    target: (r) => Math.expm1(r) - r,
    basis: powers(2, 1, 5),
    weight: (r) => Math.exp(-r),
    from: -0.34665,
    to: 0.34665,
  },
  /** 2 atanh s = 2s + s^3 q(s^2), s = f / (2 + f), for log(1 + f) with 1 + f between 1/sqrt 2 and sqrt 2. */
  log: {
    target: (s) => log1pRatio(s) - 2 * s,
    basis: powers(3, 2, 3),
    weight: (s) => 1 / log1pRatio(s),
    from: 1e-3,
    to: 0.1716,
  },
  /** sin r = r + r^3 q(r^2), |r| <= pi / 4. */
  sin: { target: (r) => Math.sin(r) - r, basis: powers(3, 2, 3), weight: (r) => 1 / Math.sin(r), from: 1e-3, to: 0.7855 },
  /** cos r = 1 - r^2/2 + r^4 q(r^2), |r| <= pi / 4. */
  cos: { target: (r) => Math.cos(r) - 1 + r * r * 0.5, basis: powers(4, 2, 3), weight: (r) => 1 / Math.cos(r), from: 1e-3, to: 0.7855 },
  /** tanh x = x + x^3 q(x^2), |x| <= 0.625. */
  tanh: { target: (x) => Math.tanh(x) - x, basis: powers(3, 2, 5), weight: (x) => 1 / Math.tanh(x), from: 1e-3, to: 0.625 },
  /** erf x = x q(x^2), |x| <= 1. */
  erf: { target: erf, basis: powers(1, 2, 7), weight: (x) => 1 / erf(x), from: 1e-3, to: 1 },
  /** 1 - erf x = e^-q(x), 1 <= x <= 4; the error is that of erf x. */
  erfc: { target: logErfc, basis: powers(0, 1, 7), weight: (x) => 1 - erf(x), from: 1, to: 4 },
} as const satisfies Readonly<Record<string, Problem>>;
