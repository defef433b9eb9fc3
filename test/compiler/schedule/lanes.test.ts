/** The lane as a number: vector loops over index arithmetic give what scalar ones give, in the interpreter and in WebAssembly. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type KernelPass, wasmKernelPasses } from "../../../compiler/schedule/passes.ts";
import { canVectorize } from "../../../compiler/schedule/vectorize.ts";
import { add, axis, binary, bitcast, buffer, cast, grid, i32, load, lt, select, store, u32, vector } from "../../../ir/kernel/build.ts";
import { type Expr, type Kernel, typeOf } from "../../../ir/kernel/kernel.ts";
import { parseKernel } from "../../../ir/kernel/parse.ts";
import { printKernel } from "../../../ir/kernel/print.ts";
import { visitExprs, visitStmts } from "../../../ir/kernel/rewrite.ts";
import { interpretSingle, runWasm } from "../../codegen/support.ts";

/** The kernel after each pass; the last is what the emitter takes. */
function lowerKernel(k: Kernel, passes: readonly KernelPass[]): readonly { readonly name: string; readonly kernel: Kernel }[] {
  let kernel = k;
  return passes.map(({ name, run }) => {
    kernel = run(kernel);
    return { name, kernel };
  });
}

const [outer, inner] = [5, 8];
const constants = fc.constantFrom(-7, -4, -1, 0, 1, 2, 3, 4, 5, 8, 40, 65537, 2 ** 30, 2 ** 31 - 1, -(2 ** 31)).map(i32);
const { tree } = fc.letrec<{ leaf: Expr; tree: Expr }>((tie) => ({
  leaf: fc.oneof(fc.constantFrom(axis("i"), axis("j")), constants),
  tree: fc.oneof(
    { maxDepth: 5 },
    tie("leaf"),
    fc
      .tuple(fc.constantFrom("add", "sub", "mul", "min", "max", "div", "mod", "xor"), tie("tree"), tie("tree"))
      .map(([op, a, b]) => binary(op as "add", a, b)),
    fc.tuple(fc.constantFrom("div", "mod"), tie("tree"), constants).map(([op, a, b]) => binary(op as "div", a, b)),
    fc.tuple(tie("tree"), tie("tree")).map(([a, b]) => select(lt(a, b), b, a)),
    tie("tree").map((a) => add(a, load(ids, axis("i")))),
    tie("tree").map((a) => add(a, load(bytes, axis("j")))),
    tie("tree").map((a) => bitcast("i32", binary("shr", bitcast("u32", a), u32(3)))),
    tie("tree").map((a) => cast("i32", cast("f32", a))),
  ),
}));
const ids = buffer("ids", "in", [outer], null, "i32");
const bytes = buffer("bytes", "in", [inner], null, "u8");
const inputs = { ids: [3, -1, 2 ** 31 - 1, -(2 ** 31), 77], bytes: [0, 255, 1, 7, 128, 3, 2, 9] };

/** y[n, i, j] = values[n]. */
function kernelOf(values: readonly Expr[]): Kernel {
  const y = buffer("y", "out", [values.length, outer, inner], null, "i32");
  const body = grid("i", outer, (i) => [vector("j", inner, (j) => values.map((v, n) => store(y, [i32(n), i, j], v)))]);
  return { name: "numbers", buffers: [ids, bytes, y], body: [body] };
}

test("arithmetic on axes in four lanes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(tree, { minLength: 25, maxLength: 25 }), async (values) => {
      const kernel = kernelOf(values);
      const expected = interpretSingle(kernel, inputs);
      const stages = lowerKernel(kernel, wasmKernelPasses);
      for (const s of stages) expect(interpretSingle(s.kernel, inputs), `${s.name}\n${printKernel(s.kernel)}`).toEqual(expected);
      expect(await runWasm(stages.at(-1)!.kernel, inputs)).toEqual(expected);
    }),
    { numRuns: 12 },
  );
});

const vectorized = (body: string): Kernel =>
  lowerKernel(parseKernel(`kernel k(in x: f32[64], in b: f32[8], out y: f32[64]) { grid i in 8 { ${body} } }`), wasmKernelPasses)[0]!
    .kernel;
/** Division stays where lanes differ in their quotients only. */
test.each([
  ["a row of a multiple of four", "vector j in 4 { y[i * 4 + j] = f32((i * 4 + j) / 16) + f32((i * 4 + j) % 16) }", 0],
  ["a row of three", "vector j in 4 { y[i * 4 + j] = f32((i * 4 + j) / 3) }", 1],
])("divisions of lanes in %s", (_, body, count) => {
  let divisions = 0;
  visitExprs(vectorized(body).body, (e) => {
    divisions += Number(e.kind === "binary" && (e.op === "div" || e.op === "mod") && e.a.kind !== "var" && typeOf(e) === "i32");
  });
  expect(divisions).toBe(count);
});
test("what lanes share stays one lane", () => {
  const wide: string[] = [];
  visitStmts(vectorized("vector j in 4 { var row: i32 = (i * 4 + j) / 4 * 3 y[i * 4 + j] = b[(i * 4 + j) / 4] * f32(row) }").body, (s) => {
    if (s.kind === "var" && s.lanes === 4) wide.push(s.name);
  });
  expect(wide).toEqual([]);
});
test("an index is wide with stride 1, and legal with no other", () => {
  const x = buffer("x", "in", [64]);
  const y = buffer("y", "out", [4]);
  const legal = (index: Expr) => canVectorize([store(y, [axis("j")], load(x, index))], "j", new Map([["j", 4]]));
  expect(legal(add(axis("j"), i32(3)))).toBe(true);
  expect(legal(i32(3))).toBe(true);
  expect(legal(binary("div", axis("j"), i32(4)))).toBe(true);
  expect(legal(binary("div", axis("j"), i32(2)))).toBe(false);
  expect(legal(binary("mul", axis("j"), i32(2)))).toBe(false);
});
test("a causal mask, of rows that four does not divide", async () => {
  const place = "(q * 4 + l) / 6, (q * 4 + l) % 6";
  const masked = `grid q in 9 { vector l in 4 { y[${place}] = select((q * 4 + l) % 6 <= (q * 4 + l) / 6, x[${place}], -inf) } }`;
  const kernel = parseKernel(`kernel causal(in x: f32[6,6], out y: f32[6,6]) { ${masked} }`);
  const x = Array.from({ length: 36 }, (_, n) => n);
  const { y } = await runWasm(lowerKernel(kernel, wasmKernelPasses).at(-1)!.kernel, { x });
  expect([...y!]).toEqual(x.map((n) => (n % 6 <= Math.floor(n / 6) ? n : Number.NEGATIVE_INFINITY)));
});
