/** Normal forms of index arithmetic keep the value and find the strides. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { flattenIndex, strideOf } from "../../../ir/kernel/address.ts";
import { add, at, axis, binary, buffer, clamp, div, i32, load, max, mod, mul, select, sub } from "../../../ir/kernel/build.ts";
import type { Expr } from "../../../ir/kernel/kernel.ts";
import { bounds, isMultiple, keyOf, linear, simplifyIndex } from "../../../ir/kernel/linear.ts";
import { forEachElement, layout } from "../../../ir/layout.ts";

const ranges = new Map([
  ["i", 5],
  ["j", 8],
  ["k", 3],
]);
const [i, j, k] = ["i", "j", "k"].map(axis) as [Expr, Expr, Expr];

/** The meaning of index arithmetic, independent of the code under test. */
function value(e: Expr, env: Readonly<Record<string, number>>): number {
  if (e.kind === "const") return e.value;
  if (e.kind === "var") return env[e.name]!;
  if (e.kind === "select") return value(e.cond, env) ? value(e.a, env) : value(e.b, env);
  if (e.kind === "unary" && e.op === "neg") return -value(e.a, env);
  if (e.kind !== "binary") throw new Error(e.kind);
  const [a, b] = [value(e.a, env), value(e.b, env)];
  const quotient = b === 0 ? 0 : Math.floor(a / b);
  switch (e.op) {
    case "add":
      return a + b;
    case "sub":
      return a - b;
    case "mul":
      return a * b;
    case "div":
      return quotient;
    case "mod":
      return b === 0 ? 0 : a - b * quotient;
    case "min":
      return Math.min(a, b);
    case "max":
      return Math.max(a, b);
    case "lt":
      return Number(a < b);
    default:
      throw new Error(e.op);
  }
}
const constants = fc.integer({ min: -12, max: 24 }).map(i32);
const { tree } = fc.letrec<{ tree: Expr; leaf: Expr; axis: Expr }>((tie) => ({
  axis: fc.constantFrom(i, j, k),
  leaf: fc.oneof(tie("axis"), constants),
  tree: fc.oneof(
    { maxDepth: 5 },
    tie("leaf"),
    fc.tuple(fc.constantFrom("add", "sub", "min", "max"), tie("tree"), tie("tree")).map(([op, a, b]) => binary(op as "add", a, b)),
    fc.tuple(fc.constantFrom("mul", "div", "mod"), tie("tree"), constants).map(([op, a, b]) => binary(op as "mul", a, b)),
    fc
      .tuple(fc.constantFrom("div", "mod"), tie("tree"), fc.constantFrom(2, 3, 4, 6, 8, 12, 24).map(i32))
      .map(([op, a, b]) => binary(op as "div", a, b)),
    fc.tuple(tie("tree"), tie("tree")).map(([a, b]) => select(binary("lt", a, b), a, b)),
    fc.tuple(fc.constantFrom("mul", "div", "mod"), tie("tree"), tie("tree")).map(([op, a, b]) => binary(op as "mul", a, b)),
  ),
}));
const everyPoint = function* () {
  for (let x = 0; x < 5; x++) for (let y = 0; y < 8; y++) for (let z = 0; z < 3; z++) yield { i: x, j: y, k: z };
};

test("a normal form has the value of the expression, within its bounds", () => {
  fc.assert(
    fc.property(tree, (e) => {
      const normal = linear(e, ranges);
      const simple = simplifyIndex(e, ranges);
      const [lo, hi] = bounds(normal, ranges);
      for (const env of everyPoint()) {
        const v = value(e, env);
        if (Math.abs(v) > 2 ** 31) return;
        if (value(simple, env) !== v || v < lo || v > hi)
          throw new Error(`${keyOf(e)} = ${v} became ${keyOf(simple)} in ${lo}..${hi} at ${JSON.stringify(env)}`);
      }
    }),
    { numRuns: 1500 },
  );
});
test("normal forms are stable", () => {
  fc.assert(
    fc.property(tree, (e) => {
      const once = simplifyIndex(e, ranges);
      expect(keyOf(simplifyIndex(once, ranges))).toBe(keyOf(once));
    }),
    { numRuns: 500 },
  );
});

const cases: readonly (readonly [string, Expr, string])[] = [
  ["fused loop over contiguous axes", add(at(div(j, i32(3)), 3), mod(j, i32(3))), "j"],
  ["lanes of a blocked layout", div(at(i, 4, k), i32(8)), "div(i,2)"],
  ["lane inside a block", mod(at(i, 4, k), i32(8)), "add(mul(mod(i,2),4),k)"],
  ["nested divisions", div(div(at(i, 7), i32(2)), i32(3)), "div(mul(i,7),6)"],
  ["remainder of a remainder", mod(mod(at(j, 5), i32(12)), i32(4)), "mod(mul(j,5),4)"],
  ["clamp that never binds", clamp(j, 8), "j"],
  ["clamp that binds below", max(sub(j, i32(1)), i32(0)), "max(0,sub(j,1))"],
  ["negative numerator, known quotient", div(sub(j, i32(8)), i32(8)), "-1"],
  ["factors of unknown atoms", mul(i, j), "mul(i,j)"],
  ["reshape and back", at(div(at(i, 8, j), i32(10)), 10, mod(at(i, 8, j), i32(10))), "add(mul(i,8),j)"],
];
test.each(cases)("%s", (_, e, expected) => {
  expect(keyOf(simplifyIndex(e, ranges))).toBe(expected);
});
test("anything of type i32 may be an atom", () => {
  const ids = buffer("ids", "in", [8], null, "i32");
  const row = load(ids, j);
  expect(keyOf(simplifyIndex(sub(add(at(row, 4, i), at(row, 2)), at(row, 6)), ranges))).toBe("i");
  expect(bounds(linear(at(clamp(row, 10), 4, 3), ranges), ranges)).toEqual([3, 39]);
});
test("strides", () => {
  const x = buffer("x", "in", [5, 8, 3], layout("0/4 1+1,1 2 0%4"));
  expect(strideOf(flattenIndex(x, [at(i, 4, k), j, i32(0)]), "k", ranges)).toBe(1);
  expect(strideOf(flattenIndex(x, [i32(0), j, k]), "j", ranges)).toBe(12);
  expect(strideOf(flattenIndex(x, [j, i32(0), k]), "j", ranges)).toBeNaN();
  expect(strideOf(flattenIndex(x, [i, i32(0), k]), "j", ranges)).toBe(0);
  expect(isMultiple(linear(flattenIndex(x, [at(i, 4), j, k]), ranges), 4)).toBe(true);
});
test("the offset of an index is that of the numeric layout", () => {
  const shape = [5, 8, 3];
  for (const text of ["0 1 2", "2 1 0", "0/4 1+1,1 2 0%4", "1/2 0 2 1%2", "0 2+0,1 1/4+2,3 1%4", "0 2+1,2 1@11", "0@6 1 2"]) {
    const b = buffer("x", "in", shape, layout(text));
    const offset = simplifyIndex(flattenIndex(b, [i, j, k]), ranges);
    forEachElement(shape, b.layout, (n, physical) => {
      expect(value(offset, { i: Math.floor(n / 24), j: Math.floor(n / 3) % 8, k: n % 3 })).toBe(physical);
    });
  }
});
test("indices simplify in reasonable time", () => {
  let e: Expr = at(i, 8, j);
  for (let n = 0; n < 8; n++) e = mod(div(add(e, mod(mul(e, i32(3)), i32(7))), i32(2)), i32(96));
  expect(value(simplifyIndex(e, ranges), { i: 3, j: 5 })).toBe(value(e, { i: 3, j: 5 }));
});
