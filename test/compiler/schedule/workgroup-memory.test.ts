/** Devices with little memory for workgroups get smaller tiles or none, and the same results. */
import { expect, test } from "vitest";
import { compile } from "../../../compiler/compile.ts";
import type { Program } from "../../../ir/program.ts";
import { load } from "../../../runtime/index.ts";
import { adapter } from "../../gpu.ts";

const gpu = await adapter();
const models = {
  conv: "model M(x: f32[1, 16, 16, 16]) -> y { y = x |> c: Conv2d(16, 3, padding=1) }",
  linear: "model M(x: f32[16, 256]) -> y { y = x |> fc: Linear(64) }",
  index: "model M(x: f32[2, 4096]) -> y { y = argmax(x, axis=1) }",
  softmax: "model M(x: f32[64, 200]) -> y { y = softmax(x) }",
  columns: "model M(x: f32[4096, 3]) -> y { y = sum(x, axis=0) }",
};
const cases = Object.entries(models).flatMap(([name, source]) => [4096, 2048, 64, 4].map((bytes) => [name, bytes, source] as const));
async function outputs(program: Program): Promise<ArrayLike<number>> {
  const [input] = program.entries.find((e) => e.name === "forward")!.inputs;
  const count = input!.shape.reduce((n, d) => n * d, 1);
  const net = await load(program, { missing: "init", ...(program.target === "wgsl" ? { gpu: gpu! } : {}) });
  const { y } = await net.run({ x: Float32Array.from({ length: count }, (_, i) => Math.sin(i * i)) });
  await net.dispose();
  return y!;
}
const wanted = new Map<string, Promise<ArrayLike<number>>>();

test.each(cases)("%s with %i bytes", async (_, bytes, source) => {
  const program = await compile(source, { target: "wgsl", limits: { maxComputeWorkgroupStorageSize: bytes } });
  expect(program.target).toBe("wgsl");
  if (!gpu) return;
  if (!wanted.has(source)) wanted.set(source, compile(source, { target: "wasm" }).then(outputs));
  const expected = await wanted.get(source)!;
  const found = await outputs(program);
  expect(found.length).toBe(expected.length);
  const largest = Array.from(found, (v, i) => Math.abs(v - expected[i]!)).reduce((a, b) => Math.max(a, b), 0);
  expect(largest).toBeLessThan(1e-3);
});
