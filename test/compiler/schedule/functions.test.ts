/** Accuracy of expanded functions against double precision, and what they do at the ends. */
import { expect, test } from "vitest";
import { legalize } from "../../../compiler/schedule/legalize.ts";
import { coefficients } from "../../../compiler/schedule/minimax/coefficients.ts";
import { problems } from "../../../compiler/schedule/minimax/problems.ts";
import { remez } from "../../../compiler/schedule/minimax/remez.ts";
import { erf } from "../../../ir/kernel/arithmetic.ts";
import * as k from "../../../ir/kernel/build.ts";
import { interpret } from "../../../ir/kernel/interpret.ts";
import { type Expr, type Kernel, lanesOf } from "../../../ir/kernel/kernel.ts";
import { visitExprs } from "../../../ir/kernel/rewrite.ts";
import { verifyKernel } from "../../../ir/kernel/verify.ts";

const applied = (f: (x: Expr) => Expr, n: number): Kernel => {
  const x = k.buffer("x", "in", [n]);
  const y = k.buffer("y", "out", [n]);
  return { name: "f", buffers: [x, y], body: [k.serial("i", n, (i) => [k.store(y, [i], f(k.load(x, i)))])] };
};
function run(kernel: Kernel, x: Float32Array): Float32Array {
  const y = new Float32Array(x.length);
  interpret(kernel, { x, y }, "single");
  return y;
}
const evaluate = (f: (x: Expr) => Expr, x: readonly number[] | Float32Array) =>
  run(legalize({ target: "wasm" })(applied(f, x.length)), Float32Array.from(x));

const points = 6000;
const ulp = (y: number) => 2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(y) || 1e-45))) - 23);

/** Largest error in ulp or absolute. */
function worst(f: (x: Expr) => Expr, exact: (x: number) => number, from: number, to: number, unit: (y: number) => number): number {
  const x = Float32Array.from({ length: points }, (_, i) => from + ((to - from) * i) / (points - 1));
  const y = evaluate(f, x);
  return x.reduce((most, v, i) => Math.max(most, Math.abs(y[i]! - exact(v)) / unit(exact(v))), 0);
}
const absolute = () => 1;
test.each<readonly [string, (x: Expr) => Expr, (x: number) => number, number, number, (y: number) => number, number]>([
  ["exp", k.exp, Math.exp, -86.9, 88.72, ulp, 1.3],
  ["exp near 0", k.exp, Math.exp, -0.4, 0.4, ulp, 1.3],
  ["log", k.log, Math.log, 1e-3, 50, ulp, 1],
  ["log near 1", k.log, Math.log, 0.9, 1.1, ulp, 1],
  ["log of subnormal numbers", k.log, Math.log, 1e-40, 1e-37, ulp, 1],
  ["sin", k.sin, Math.sin, -12000, 12000, absolute, 1e-7],
  ["cos", k.cos, Math.cos, -12000, 12000, absolute, 1e-7],
  ["sin, far", k.sin, Math.sin, 9e4, 1e5, absolute, 2e-6],
  ["tanh", k.tanh, Math.tanh, -10, 10, ulp, 2],
  ["tanh near 0", k.tanh, Math.tanh, -0.7, 0.7, ulp, 2],
  ["erf", k.erf, erf, -5, 5, absolute, 2e-7],
  ["erf near 0", k.erf, erf, -0.9, 0.9, ulp, 3],
  ["x^2.5", (x) => k.pow(x, k.f32(2.5)), (x) => x ** 2.5, 0.1, 60, (y) => y * (1 + Math.abs(Math.log(y))), 1e-7],
  ["x^3", (x) => k.pow(x, k.f32(3)), (x) => x ** 3, -5, 5, ulp, 2],
  ["x^-2", (x) => k.pow(x, k.f32(-2)), (x) => x ** -2, 0.5, 5, ulp, 2],
  ["0.999^x", (x) => k.pow(k.f32(0.999), x), (x) => Math.fround(0.999) ** x, 0, 5000, (y) => y * (1 + Math.abs(Math.log(y))), 1.2e-7],
  ["x mod 1.25", (x) => k.mod(x, k.f32(1.25)), (x) => x - Math.floor(x / 1.25) * 1.25, -20, 20, absolute, 2e-7],
])("%s", (_, f, exact, from, to, unit, limit) => {
  expect(worst(f, exact, from, to, unit)).toBeLessThan(limit);
});

const inf = Number.POSITIVE_INFINITY;
const nan = Number.NaN;
test.each<readonly [string, (x: Expr) => Expr, readonly number[], readonly number[]]>([
  ["exp", k.exp, [nan, inf, -inf, 0, 88.8, 1000, -87.1, -1e30], [nan, inf, 0, 1, inf, inf, 0, 0]],
  ["log", k.log, [nan, inf, -inf, 0, -0, 1, -1], [nan, inf, nan, -inf, -inf, 0, nan]],
  ["sin", k.sin, [nan, inf, -inf, 0], [nan, nan, nan, 0]],
  ["cos", k.cos, [nan, inf, 0], [nan, nan, 1]],
  ["tanh", k.tanh, [nan, inf, -inf, 0, 1e-30, 50], [nan, 1, -1, 0, Math.fround(1e-30), 1]],
  ["erf", k.erf, [nan, inf, -inf, 0], [nan, 1, -1, 0]],
  ["sign", k.sign, [nan, inf, -2, 0, -0], [nan, 1, -1, 0, -0]],
  ["x^1.5", (x) => k.pow(x, k.f32(1.5)), [0, -2, inf, nan], [0, nan, inf, nan]],
  ["2^x", (x) => k.pow(k.f32(2), x), [0, 10, -inf, inf], [1, 1024, 0, inf]],
  ["(-2)^x", (x) => k.pow(k.f32(-2), x), [0, 0.5], [1, nan]],
  ["0^x", (x) => k.pow(k.f32(0), x), [0, 2, -1], [1, 0, inf]],
  ["x mod 0", (x) => k.mod(x, k.f32(0)), [1, -1, 0], [0, 0, 0]],
  ["x mod -2", (x) => k.mod(x, k.f32(-2)), [3, -3, 4], [-1, -1, 0]],
])("%s at the ends", (_, f, x, expected) => {
  const y = evaluate(f, x);
  expected.forEach((e, i) => {
    if (Number.isFinite(e) && e !== 0) expect(y[i]! / e).toBeCloseTo(1, 6);
    else expect(y[i]! + 0).toBe(e + 0);
  });
});
test("the sign of an odd power", () => {
  expect(Math.sign(evaluate((x) => k.pow(x, k.select(k.lt(x, k.f32(0)), k.f32(3), k.f32(2))), [-2])[0]!)).toBe(-1);
  expect(evaluate((x) => k.sign(k.cast("f32", k.sign(k.cast("i32", x)))), [-5, 0, 7])).toEqual(Float32Array.of(-1, 0, 1));
});

const functions: readonly (readonly [string, (x: Expr) => Expr])[] = [
  ["exp", k.exp],
  ["log", k.log],
  ["sin", k.sin],
  ["cos", k.cos],
  ["tanh", k.tanh],
  ["erf", k.erf],
  ["sign", k.sign],
  ["pow", (x) => k.pow(k.abs(x), lanesOf(x) === 4 ? k.splat(k.f32(1.7)) : k.f32(1.7))],
];
test.each(functions)("%s: four lanes have the bits of one", (_, f) => {
  const special = [nan, inf, -inf, 0, -0, 1e30, -87.2, 89];
  const x = Float32Array.from({ length: 200 }, (_, i) => special[i] ?? (i - 100) * 0.37);
  const [input, output] = [k.buffer("x", "in", [200]), k.buffer("y", "out", [200])];
  const wide: Expr = { kind: "load", lanes: 4, buffer: input, base: null, index: [k.at(k.axis("i"), 4)] };
  const vectors: Kernel = {
    name: "v",
    buffers: [input, output],
    body: [k.serial("i", 50, (i) => [k.store(output, [k.at(i, 4)], f(wide))])],
  };
  const four = legalize({ target: "wasm" })(vectors);
  expect(verifyKernel(four, "logical")).toEqual([]);
  expect(run(four, x)).toEqual(evaluate(f, x));
});
test("only what the target has is left", () => {
  for (const target of ["wasm", "wgsl"] as const) {
    const left = new Set<string>();
    for (const [, f] of functions) visitExprs(legalize({ target })(applied(f, 4)).body, (e) => void (e.kind === "unary" && left.add(e.op)));
    const allowed = ["neg", "abs", "floor", "round", ...(target === "wgsl" ? ["exp"] : [])];
    expect([...left].filter((op) => !allowed.includes(op))).toEqual([]);
  }
});
test("coefficients are those of the generator", () => {
  const limits: Record<keyof typeof problems, number> = { exp: 4e-9, log: 1e-9, sin: 5e-9, cos: 1e-9, tanh: 5e-9, erf: 2e-9, erfc: 2e-9 };
  for (const name of Object.keys(problems) as (keyof typeof problems)[]) {
    const made = remez(problems[name]);
    expect(made.error).toBeLessThan(limits[name]);
    made.coefficients.forEach((c, i) => void expect(coefficients[name][i]! / c).toBeCloseTo(1, 6));
  }
});
