/** No kernel for WebGPU binds more buffers than every device can. */
import { expect, test } from "vitest";
import { compile, compileStages } from "../../../compiler/compile.ts";
import { beyond, profiles } from "../../../ir/limits.ts";
import { load } from "../../../runtime/index.ts";
import { adapter } from "../../gpu.ts";

const names = Array.from({ length: 20 }, (_, i) => `x${i}`);
const inputs = names.map((n) => `${n}: f32[3, 4]`).join(", ");
const source = `model M(${inputs}) -> sum, all {
  sum = ${names.map((n) => `tanh(${n})`).join(" + ")}
  all = concat([${names.join(", ")}], axis=1)
}`;
/** All that is elementwise is read once, behind the sum. */
const behind = `model M(${inputs}, w: f32[4, 4]) -> y {
  y = x0 @ w
${names
  .slice(0, 14)
  .map((n) => `  y = tanh(y * ${n})`)
  .join("\n")}
}`;
const gpu = await adapter();

test("chains and tensors of many parts are several kernels", async () => {
  const { lowered, program } = await compileStages(source, { target: "wgsl" });
  const bound = lowered.kernels.map((k) => k.buffers.filter((b) => b.space === "in" || b.space === "out").length);
  expect(Math.max(...bound)).toBe(8);
  expect(program.code.kind === "wgsl" && beyond(program.code.limits, profiles.default)).toEqual({});
  expect((await compileStages(source)).lowered.kernels.length).toBe(2);
});
test("so are chains behind a sum", async () => {
  const { lowered } = await compileStages(behind, { target: "wgsl" });
  const bound = lowered.kernels.map((k) => k.buffers.filter((b) => b.space === "in" || b.space === "out").length);
  expect(bound).toEqual([8, 8, 4]);
  expect((await compileStages(behind)).lowered.kernels.length).toBe(1);
});
test.skipIf(!gpu)("they compute what one would (skipped without an adapter)", async () => {
  const values = Object.fromEntries(names.map((n, i) => [n, Float32Array.from({ length: 12 }, (_, j) => Math.sin(7 * i + j))]));
  const [net, reference] = [await load(await compile(source, { target: "wgsl" }), { gpu: gpu! }), await load(await compile(source))];
  const [got, want] = [await net.run(values), await reference.run(values)];
  for (const name of ["sum", "all"])
    Array.from(want[name]!).forEach((v, i) => void expect(Math.abs(got[name]![i]! - v)).toBeLessThan(1e-5));
  await net.dispose();
  await reference.dispose();
});
