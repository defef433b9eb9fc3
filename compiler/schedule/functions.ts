/**
 * Functions that a target lacks, in arithmetic that all have. Steps are products and sums, never `fma`, so one lane and
 * four give the same bits on every machine. Errors below are the largest over single-precision arguments, in units of the
 * last place (ulp) unless said otherwise; tests measure them.
 */

import * as k from "../../ir/kernel/build.ts";
import { bitcast, cast, f32, i32, splat, u32 } from "../../ir/kernel/build.ts";
import { type Expr, lanesOf, typeOf } from "../../ir/kernel/kernel.ts";
import { coefficients } from "./minimax/coefficients.ts";

/** Puts a value into a variable and gives the variable. */
export type Let = (name: string, value: Expr) => Expr;
/** How `exp` is said inside other functions. */
export type Exp = (x: Expr, bind: Let) => Expr;

const like = (e: Expr, constant: Expr): Expr => (lanesOf(e) === 4 ? splat(constant) : constant);
const num = (e: Expr, value: number): Expr => like(e, f32(value));
const bits = (e: Expr, value: number): Expr => like(e, u32(value));
const add = (a: Expr, b: Expr): Expr => k.binary("add", a, b);
const sub = (a: Expr, b: Expr): Expr => k.binary("sub", a, b);
const mul = (a: Expr, b: Expr): Expr => k.binary("mul", a, b);
const scaled = (a: Expr, by: number): Expr => mul(a, num(a, by));
const shift = (op: "shl" | "shr", a: Expr, by: number): Expr => k.binary(op, a, bits(a, by));
const select = k.select;

/** c0 + c1 x + c2 x^2 + ... by Horner's rule. */
const polynomial = (x: Expr, c: readonly number[]): Expr =>
  c.slice(0, -1).reduceRight((sum, v) => add(mul(sum, x), num(x, v)), num(x, c.at(-1)!));

const log2e = Math.LOG2E;
/** ln 2 in two parts; products of the first with integers below 2^15 are exact. */
const ln2 = [355 / 512, Math.LN2 - 355 / 512] as const;
/** Adding it leaves the nearest integer in the low bits of the mantissa. */
const magic = 1.5 * 2 ** 23;

/**
 * e^x = 2^n e^r, r = x - n ln 2. Error 1.3. Above 88.7228 infinity; below -86.99 (e^x < 1.7e-38) 0; NaN stays.
 */
export function exp(arg: Expr, bind: Let): Expr {
  const x = bind("exp_x", k.binary("min", k.binary("max", arg, num(arg, -87.33)), num(arg, 88.8)));
  const t = bind("exp_t", add(scaled(x, log2e), num(x, magic + 126)));
  const n = bind("exp_n", sub(t, num(x, magic + 126)));
  const r = bind("exp_r", sub(sub(x, scaled(n, ln2[0])), scaled(n, ln2[1])));
  const e = bind("exp_e", add(add(mul(mul(r, r), polynomial(r, coefficients.exp)), r), num(x, 1)));
  // 2^(n - 1) and twice e^r: n = 128 is in reach, n = -126 gives 0.
  const power = bitcast("f32", shift("shl", bitcast("u32", t), 23));
  return mul(add(e, e), power);
}

const sqrtHalfBits = 0x3f3504f3;
const oneBits = 0x3f800000;
/** log x = e ln 2 + log m, m between 1/sqrt 2 and sqrt 2. Error 1. log 0 is -infinity; below 0 and for NaN it is NaN. */
export function log(arg: Expr, bind: Let): Expr {
  const x = bind("log_x", arg);
  const isTiny = k.lt(x, num(x, 2 ** -126));
  const whole = bind("log_whole", bitcast("u32", select(isTiny, scaled(x, 2 ** 23), x)));
  const word = bind("log_word", add(whole, bits(x, oneBits - sqrtHalfBits)));
  const exponent = cast("f32", cast("i32", shift("shr", word, 23)));
  const e = bind("log_e", sub(exponent, select(isTiny, num(x, 127 + 23), num(x, 127))));
  const m = bitcast("f32", add(k.binary("and", word, bits(x, 0x007fffff)), bits(x, sqrtHalfBits)));
  const f = bind("log_f", sub(m, num(x, 1)));
  const s = bind("log_s", k.binary("div", f, add(f, num(x, 2))));
  const z = bind("log_z", mul(s, s));
  const half = bind("log_half", scaled(mul(f, f), 0.5));
  // log(1 + f) = f - f^2/2 + s (f^2/2 + z q(z)), which loses nothing where f is small.
  const rest = add(mul(s, add(half, mul(z, polynomial(z, coefficients.log)))), scaled(e, ln2[1]));
  const value = bind("log_y", add(scaled(e, ln2[0]), sub(f, sub(half, rest))));
  const finite = select(k.lt(x, num(x, Number.POSITIVE_INFINITY)), value, x);
  return select(k.lt(num(x, 0), x), finite, select(k.eq(x, num(x, 0)), num(x, Number.NEGATIVE_INFINITY), num(x, Number.NaN)));
}

/** pi / 2 in three parts; products of the first with integers below 2^16 and of the second below 2^13 are exact. */
const halfPi = splitHalfPi();
function splitHalfPi(): readonly [number, number, number] {
  const first = 201 / 128;
  const second = Math.round((Math.PI / 2 - first) * 2 ** 22) / 2 ** 22;
  return [first, second, Math.PI / 2 - first - second];
}
/**
 * sin and cos from r = x - n pi/2, |r| <= pi/4. Absolute error 1e-7 for |x| <= 12000, 2e-6 for |x| <= 1e5; beyond, the
 * result stays in [-1, 1] but the error grows (0.05 at 1e6). Infinity gives NaN.
 */
function sinOrCos(arg: Expr, quarter: 0 | 1, bind: Let): Expr {
  const x = bind("trig_x", arg);
  // Not by adding and subtracting a large number, as in `exp`: WGSL may reassociate sums.
  const n = bind("trig_n", k.round(scaled(x, 2 / Math.PI)));
  const near = sub(sub(sub(x, scaled(n, halfPi[0])), scaled(n, halfPi[1])), scaled(n, halfPi[2]));
  const r = bind("trig_r", k.binary("min", k.binary("max", near, num(x, -0.8)), num(x, 0.8)));
  const z = bind("trig_z", mul(r, r));
  const turn = bind("trig_turn", add(bitcast("u32", cast("i32", n)), bits(x, quarter)));
  const s = add(mul(mul(r, z), polynomial(z, coefficients.sin)), r);
  const c = add(sub(mul(mul(z, z), polynomial(z, coefficients.cos)), scaled(z, 0.5)), num(x, 1));
  const isOdd = k.ne(k.binary("and", turn, bits(x, 1)), bits(x, 0));
  const flip = shift("shl", k.binary("and", turn, bits(x, 2)), 30);
  return bitcast("f32", k.binary("xor", bitcast("u32", select(isOdd, c, s)), flip));
}
export const sin = (x: Expr, bind: Let): Expr => sinOrCos(x, 0, bind);
export const cos = (x: Expr, bind: Let): Expr => sinOrCos(x, 1, bind);

const withSign = (x: Expr, magnitude: Expr): Expr => select(k.lt(x, num(x, 0)), k.neg(magnitude), magnitude);

/** An odd polynomial below 0.625, above 1 - 2 / (e^2|x| + 1). Error 2. */
export function tanh(arg: Expr, bind: Let, expOf: Exp): Expr {
  const x = bind("tanh_x", arg);
  const z = bind("tanh_z", mul(x, x));
  const size = bind("tanh_size", k.abs(x));
  const e = expOf(bind("tanh_double", add(size, size)), bind);
  const large = bind("tanh_large", sub(num(x, 1), k.binary("div", num(x, 2), add(e, num(x, 1)))));
  const small = add(mul(mul(x, z), polynomial(z, coefficients.tanh)), x);
  return select(k.lt(size, num(x, 0.625)), small, withSign(x, large));
}
/** An odd polynomial below 1, above 1 - e^-q(|x|). Error 3. */
export function erf(arg: Expr, bind: Let, expOf: Exp): Expr {
  const x = bind("erf_x", arg);
  const z = bind("erf_z", mul(x, x));
  const size = bind("erf_size", k.binary("min", k.abs(x), num(x, 4)));
  const e = expOf(bind("erf_q", k.neg(polynomial(size, coefficients.erfc))), bind);
  const large = bind("erf_large", sub(num(x, 1), e));
  return select(k.lt(size, num(x, 1)), mul(x, polynomial(z, coefficients.erf)), withSign(x, large));
}

/** -1, 0 or 1; zeros and NaN stay. */
export function sign(arg: Expr, bind: Let): Expr {
  const x = bind("sign_x", arg);
  const constant = (value: number) => like(x, typeOf(x) === "i32" ? i32(value) : f32(value));
  return select(k.lt(constant(0), x), constant(1), select(k.lt(x, constant(0)), constant(-1), x));
}
/** a - floor(a / b) * b, moved into the divisor's range where the quotient was rounded over it; 0 for a divisor of 0. */
export function mod(left: Expr, right: Expr, bind: Let): Expr {
  const a = bind("mod_a", left);
  const b = bind("mod_b", right);
  const r = bind("mod_r", sub(a, mul(k.floor(k.binary("div", a, b)), b)));
  const isOver = k.lt(mul(r, b), num(a, 0));
  return select(k.eq(b, num(b, 0)), num(b, 0), select(isOver, add(r, b), r));
}

/** x^n by repeated squaring, n a positive integer. */
function integerPower(x: Expr, n: number, bind: Let): Expr {
  if (n === 1) return x;
  const half = bind("pow_square", integerPower(x, Math.floor(n / 2), bind));
  return n % 2 === 0 ? mul(half, half) : mul(mul(half, half), x);
}
const constantOf = (e: Expr): number | null => (e.kind === "const" ? e.value : e.kind === "splat" ? constantOf(e.a) : null);
/**
 * x^y = e^(y log |x|) with the sign of x where y is odd; NaN where x < 0 and y is no integer. Relative error
 * 1e-7 * (1 + |y log x|); constant exponents 0, 0.5, and integers up to 16 are products and roots.
 */
export function pow(base: Expr, exponent: Expr, bind: Let, expOf: Exp): Expr {
  const c = constantOf(exponent);
  if (c === 0) return num(base, 1);
  const x = bind("pow_x", base);
  if (c !== null && Number.isInteger(c) && Math.abs(c) <= 16) {
    const power = integerPower(x, Math.abs(c), bind);
    return c > 0 ? power : k.binary("div", num(x, 1), power);
  }
  if (c === 0.5) return k.sqrt(x);
  const y = bind("pow_y", exponent);
  const size = bind("pow_size", expOf(bind("pow_log", mul(y, log(k.abs(x), bind))), bind));
  const halfY = scaled(y, 0.5);
  const isInteger = k.eq(k.floor(y), y);
  const isOdd = k.binary("and", isInteger, k.ne(k.floor(halfY), halfY));
  const negative = select(isInteger, select(isOdd, k.neg(size), size), num(x, Number.NaN));
  const value = select(k.lt(x, num(x, 0)), negative, size);
  return select(k.eq(y, num(y, 0)), num(x, 1), value);
}
