/** The interpreter against plain JavaScript, and what it refuses. */
import { expect, test } from "vitest";
import { erf, roundEven } from "../../../ir/kernel/arithmetic.ts";
import * as k from "../../../ir/kernel/build.ts";
import { interpret } from "../../../ir/kernel/interpret.ts";
import type { Expr, Kernel, Stmt } from "../../../ir/kernel/kernel.ts";
import { parseKernel } from "../../../ir/kernel/parse.ts";
import { layout } from "../../../ir/layout.ts";

const kernel = (buffers: Kernel["buffers"], body: readonly Stmt[]): Kernel => ({ name: "t", buffers, body });

/** The value of a constant expression. */
function value(e: Expr, model: "double" | "single" = "double"): number {
  const y = k.buffer("y", "out", [1]);
  const out = new Float64Array(1);
  interpret(kernel([y], [k.store(y, [k.i32(0)], e)]), { y: out }, model);
  return out[0]!;
}
const i = (n: number) => k.i32(n);
const f = (x: number) => k.f32(x);
const u = (x: number) => k.u32(x);

test.each([
  ["floor division", k.binary("div", i(-7), i(2)), -4],
  ["floor remainder", k.binary("mod", i(-7), i(3)), 2],
  ["remainder takes the sign of the divisor", k.binary("mod", i(7), i(-3)), -2],
  ["division by zero", k.binary("div", i(5), i(0)), 0],
  ["remainder by zero", k.binary("mod", i(5), i(0)), 0],
  ["float remainder", k.mod(f(-7.5), f(2)), 0.5],
  ["float remainder by zero", k.mod(f(3), f(0)), 0],
  ["wrapping addition", k.binary("add", i(2 ** 31 - 1), i(1)), -(2 ** 31)],
  ["wrapping product", k.binary("mul", i(65537), i(65537)), 131073],
  ["lowest by minus one", k.binary("div", i(-(2 ** 31)), i(-1)), -(2 ** 31)],
  ["unsigned difference", k.sub(u(1), u(2)), 2 ** 32 - 1],
  ["shifts", k.shr(k.shl(u(0xffffffff), 4), 8), 0xffffff],
  ["xor", k.xor(u(0xf0f0f0f0), u(0xffffffff)), 0x0f0f0f0f],
  ["max keeps a NaN on the left", k.max(f(Number.NaN), f(1)), Number.NaN],
  ["max drops a NaN on the right", k.max(f(1), f(Number.NaN)), 1],
  ["min keeps a NaN on the left", k.min(f(Number.NaN), f(1)), Number.NaN],
  ["half to even", k.round(f(2.5)), 2],
  ["half to even below zero", k.round(f(-1.5)), -2],
  ["saturating cast", k.cast("i32", f(3e9)), 2 ** 31 - 1],
  ["saturating cast below", k.cast("u32", f(-3)), 0],
  ["cast of NaN", k.cast("i32", f(Number.NaN)), 0],
  ["truncating cast", k.cast("i32", f(-1.9)), -1],
  ["cast to bool", k.cast("i32", k.cast("bool", f(0.5))), 1],
  ["cast of a negative", k.cast("u32", i(-1)), 2 ** 32 - 1],
  ["bits of one", k.bitcast("i32", f(1)), 0x3f800000],
  ["bits back", k.bitcast("f32", i(0x40490fdb)), Math.fround(Math.PI)],
  ["lane of a sum", k.lane(k.add(k.splat(f(1)), k.splat(f(2))), 3), 3],
  ["numbers of lanes", k.lane(k.mul(k.lanes, k.splat(i(5))), 3), 15],
  ["low halves in turn", k.lane(k.zip("low", k.lanes, k.mul(k.lanes, k.splat(i(5)))), 3), 5],
  ["high halves in turn", k.lane(k.zip("high", k.lanes, k.mul(k.lanes, k.splat(i(5)))), 2), 3],
  ["lane of four scalars", k.lane(k.pack(f(1), f(2), f(3), f(4)), 2), 3],
  ["reduce", k.reduce("add", k.splat(f(1.5))), 6],
  ["conditions", k.cast("i32", k.and(k.lt(i(1), i(2)), k.not(k.eq(i(1), i(2))))), 1],
] as const)("%s", (_, e, expected) => {
  expect(value(e)).toBe(expected);
  expect(value(e, "single")).toBe(expected);
});

test("single rounds after every operation, double does not", () => {
  const e = k.sub(k.add(f(1), f(2 ** -25)), f(1));
  expect(value(e)).toBe(2 ** -25);
  expect(value(e, "single")).toBe(0);
  const third = k.div(f(1), f(3));
  expect(value(third, "single")).toBe(Math.fround(1 / 3));
  expect(value(k.fma(third, f(3), f(-1)))).toBe(0);
});
test("the error function", () => {
  const known = [
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2.5, 0.9995930479825551],
    [3.5, 0.9999992569016276],
    [-1, -0.8427007929497149],
  ] as const;
  for (const [x, y] of known) expect(erf(x)).toBeCloseTo(y, 14);
  expect([erf(9), erf(Number.NEGATIVE_INFINITY), erf(Number.NaN), erf(0)]).toEqual([1, -1, Number.NaN, 0]);
});
test("rounding to even keeps signed zeros", () => {
  expect([0.5, 1.5, -0.5, -0.2, 0.2, 3.49, -2.5, Number.POSITIVE_INFINITY].map(roundEven)).toEqual([
    0,
    2,
    -0,
    -0,
    0,
    3,
    -2,
    Number.POSITIVE_INFINITY,
  ]);
  expect(roundEven(Number.NaN)).toBeNaN();
});
test("a convolution through layouts and a halo", () => {
  const x = k.buffer("x", "in", [2, 5, 5], layout("1+1,1 2+1,1 0"));
  const w = k.buffer("w", "in", [4, 2, 3, 3], layout("0/2 2 3 1 0%2"));
  const y = k.buffer("y", "out", [4, 5, 5]);
  const { add, axis, i32, load } = k;
  const [o, r, c] = [axis("o"), axis("r"), axis("c")];
  const tap = k.fma(
    load(x, axis("n"), add(r, k.sub(axis("p"), i32(1))), add(c, k.sub(axis("q"), i32(1)))),
    load(w, o, axis("n"), axis("p"), axis("q")),
    k.local("s"),
  );
  const nest = (names: readonly (readonly [string, number])[], body: readonly Stmt[]): readonly Stmt[] =>
    names.reduceRight<readonly Stmt[]>((inner, [name, extent]) => [k.serial(name, extent, () => inner)], body);
  const inner = nest(
    [
      ["n", 2],
      ["p", 3],
      ["q", 3],
    ],
    [k.set("s", tap)],
  );
  const conv = kernel(
    [x, w, y],
    nest(
      [
        ["o", 4],
        ["r", 5],
        ["c", 5],
      ],
      [k.declare("s", k.f32(0)), ...inner, k.store(y, [o, r, c], k.local("s"))],
    ),
  );
  const data = { x: new Float32Array(98), w: new Float32Array(72), y: new Float32Array(100) };
  for (let a = 0; a < 5; a++)
    for (let b = 0; b < 5; b++) for (let n = 0; n < 2; n++) data.x[((a + 1) * 7 + b + 1) * 2 + n] = a * 3 + b - n * 7;
  data.w.forEach((_, at) => {
    data.w[at] = (at % 5) - 2;
  });
  interpret(conv, data);
  for (let a = 0; a < 4; a++)
    for (let b = 0; b < 25; b++) {
      let sum = 0;
      for (let n = 0; n < 2; n++)
        for (let p = 0; p < 9; p++) {
          const [row, column] = [Math.floor(b / 5) + Math.floor(p / 3) - 1, (b % 5) + (p % 3) - 1];
          const image = row < 0 || column < 0 || row > 4 || column > 4 ? 0 : row * 3 + column - n * 7;
          sum += image * data.w[(((a >> 1) * 9 + p) * 2 + n) * 2 + (a & 1)]!;
        }
      expect(data.y[a * 25 + b]).toBe(sum);
    }
});
test("invocations meet at barriers", () => {
  const y = k.buffer("y", "out", [4, 4]);
  const shared = k.buffer("shared", "workgroup", [4]);
  const [g, t] = [k.axis("g"), k.axis("t")];
  const body = (wait: readonly Stmt[]) => [
    k.grid("g", 4, () => [
      k.thread("t", 4, () => [
        k.store(shared, [t], k.cast("f32", k.at(g, 10, t))),
        ...wait,
        k.store(y, [g, t], k.load(shared, k.sub(k.i32(3), t))),
      ]),
    ]),
  ];
  const out = new Float32Array(16);
  interpret(kernel([y, shared], body([k.barrier])), { y: out });
  expect([...out.slice(0, 5)]).toEqual([3, 2, 1, 0, 13]);
  interpret(kernel([y, shared], body([])), { y: out });
  expect(out[0]).toBeNaN();
  const first = k.when(k.lt(k.axis("g"), k.i32(1)), [k.store(shared, [t], k.cast("f32", t))]);
  const rest = k.grid("g", 2, () => [k.thread("t", 4, () => [first, k.barrier, k.store(y, [g, t], k.load(shared, t))])]);
  interpret(kernel([y, shared], [rest]), { y: out });
  expect([...out.slice(0, 5)]).toEqual([0, 1, 2, 3, Number.NaN]);
  const half = body([k.within(t, 2, [k.barrier])]);
  expect(() => interpret(kernel([y, shared], half), { y: out })).toThrow("2 of 4 invocations miss a barrier");
});
test("scratch and variables start undefined", () => {
  const y = k.buffer("y", "out", [2]);
  const s = k.buffer("s", "scratch", [2]);
  const acc = k.buffer("acc", "register", [2]);
  const undefinedVariable: Stmt = { kind: "var", name: "v", type: "f32", lanes: 1, init: null };
  const out = new Float32Array(2).fill(1);
  for (const e of [k.load(s, k.i32(1)), k.local("v"), k.load(acc, k.i32(1))]) {
    interpret(kernel([y, s], [undefinedVariable, k.array(acc), k.store(y, [k.i32(0)], e)]), { y: out });
    expect(out[0]).toBeNaN();
  }
});
test("an access outside names kernel, buffer and index", () => {
  const x = k.buffer("x", "in", [4]);
  const y = k.buffer("y", "out", [4]);
  const copy = k.serial("i", 4, (i) => [k.store(y, [i], k.load(x, k.add(i, k.i32(1))))]);
  expect(() => interpret(kernel([x, y], [copy]), { x: new Float32Array(4), y: new Float32Array(4) })).toThrow("kernel t: x[4] of 4");
  const high = k.serial("i", 5, (i) => [k.store(y, [i], k.f32(0))]);
  expect(() => interpret(kernel([y], [high]), { y: new Float32Array(4) })).toThrow("kernel t: y[4] of 4");
  expect(() => interpret(kernel([y], [high]), {})).toThrow("y needs 4 elements");
});
test("bytes: a load of u8 is an i32, a store keeps the low byte", () => {
  const x = k.buffer("x", "in", [2], null, "u8");
  const y = k.buffer("y", "out", [2], null, "u8");
  const m = k.buffer("m", "out", [2], null, "bool");
  const body = k.serial("i", 2, (i) => [k.store(y, [i], k.mul(k.load(x, i), k.i32(2))), k.store(m, [i], k.lt(k.load(x, i), k.i32(100)))]);
  const data = { x: Uint8Array.of(200, 5), y: new Uint8Array(2), m: new Uint8Array(2) };
  interpret(kernel([x, y, m], [body]), data);
  expect([...data.y, ...data.m]).toEqual([144, 10, 0, 1]);
});
test("an exchange is with the lane that differs in a bit, in subgroups that are no neighbours", () => {
  const t = k.axis("t");
  const y = k.buffer("y", "out", [3, 8], null, "i32");
  const put = (row: number, e: Expr) => k.store(y, [i(row), t], e);
  const inGroups = k.when(k.subgroups(4, 8), [
    k.exchange("other", t, i(1)),
    put(0, k.local("other", "i32")),
    put(1, k.subgroup("lane")),
    put(2, k.add(k.mul(k.subgroup("size"), i(10)), k.subgroup("bits"))),
  ]);
  const without = k.when(k.not(k.subgroups(4, 8)), [put(0, i(-1))]);
  const out = new Int32Array(24);
  const run = (subgroup: number | null): number[] => {
    interpret(kernel([y], [k.thread("t", 8, () => [inGroups, without])]), { y: out.fill(0) }, "double", subgroup);
    return [...out];
  };
  expect(run(4)).toEqual([4, 5, 6, 7, 0, 1, 2, 3, 0, 0, 1, 1, 2, 2, 3, 3, ...Array(8).fill(42)]);
  expect(run(8).slice(0, 8)).toEqual([2, 3, 0, 1, 6, 7, 4, 5]);
  for (const other of [null, 16]) expect(run(other).slice(0, 9)).toEqual([...Array(8).fill(-1), 0]);
});
test("a loop ends where its while does not hold", () => {
  const loop = "serial n in 8 while n * 2 < 5 { y[n] = 1.0";
  for (const body of [`${loop} }`, `thread t in 1 { ${loop} barrier } }`]) {
    const out = new Float64Array(8);
    interpret(parseKernel(`kernel t(out y: f32[8]) { ${body} }`), { y: out });
    expect([...out]).toEqual([1, 1, 1, 0, 0, 0, 0, 0]);
  }
});
