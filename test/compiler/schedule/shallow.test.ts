/** Expressions that nest deeper than compilers of shaders go. */
import { describe, expect, test } from "vitest";
import { type CompileOptions, compile } from "../../../compiler/compile.ts";
import { shallow } from "../../../compiler/schedule/shallow.ts";
import type { Expr } from "../../../ir/kernel/kernel.ts";
import { parseKernel } from "../../../ir/kernel/parse.ts";
import { printKernel } from "../../../ir/kernel/print.ts";
import { partsOf, visitExprs } from "../../../ir/kernel/rewrite.ts";
import { requireSound } from "../../../ir/kernel/verify.ts";
import { type Inputs, load } from "../../../runtime/index.ts";
import { nullDevice, validate } from "../../codegen/gpu.ts";
import { adapter } from "../../gpu.ts";

const device = await nullDevice();
const gpu = await adapter();

const rounds = (n: number, line: string) => Array.from({ length: n }, () => `  ${line}\n`).join("");
const slices = Array.from({ length: 130 }, (_, i) => `x[:, ${i}]`).join(" + ");
const models = {
  chain: `model M(x: f32[4, 140]) -> y {\n  y = x\n${rounds(130, "y = abs(y * 0.5 - 1)")}}`,
  polynomial: `model M(x: f32[4, 140]) -> y {\n  y = x\n${rounds(120, "y = y * x + 0.25")}}`,
  slices: `model M(x: f32[4, 140]) -> y { y = ${slices} }`,
  "behind a sum": `model M(x: f32[4, 140]) -> y {\n  y = sum(x, axis=1)\n${rounds(90, "y = abs(y * 0.5 - 1)")}}`,
};
const inputs: Inputs = { x: Float32Array.from({ length: 4 * 140 }, (_, i) => Math.sin(i)) };

const depthOf = (e: Expr): number => partsOf(e).reduce((most, x) => Math.max(most, 1 + depthOf(x)), 0);

describe.each(Object.entries(models))("%s", (_, source) => {
  const run = async (options: CompileOptions) => {
    const net = await load(await compile(source, options), gpu && options.target === "wgsl" ? { gpu } : {});
    const { y } = await net.run(inputs);
    await net.dispose();
    return Array.from(y!);
  };
  test("shaders are valid", async () => {
    const { code } = await compile(source, { target: "wgsl" });
    expect(code.kind === "wgsl" && (await validate(device, code))).toEqual([]);
  });
  test.skipIf(!gpu)("they compute what the reference does (skipped without an adapter)", async () => {
    const want = await run({ target: "reference" });
    (await run({ target: "wgsl" })).forEach((v, i) => {
      expect(Math.abs(v - want[i]!)).toBeLessThan(1e-5 * Math.max(1, Math.abs(want[i]!)));
    });
  });
});

test("parts have names in front of the statement, of its own level; what is not deep is left alone", () => {
  const nest = (n: number) => `${"abs(".repeat(n)}x[i]${")".repeat(n)}`;
  const kernel = (value: string) =>
    parseKernel(`kernel k(in x: f32[8], out y: f32[8]) {\n  grid i in 8 {\n    if i < 4 {\n      y[i] = ${value}\n    }\n  }\n}`);
  const flat = kernel(nest(30));
  expect(shallow(flat)).toBe(flat);
  const deep = shallow(kernel(nest(70)));
  requireSound(deep);
  expect(printKernel(deep).match(/ {6}var part/g)?.length).toBe(2);
  visitExprs(deep.body, (e) => void expect(depthOf(e)).toBeLessThanOrEqual(32));
});
