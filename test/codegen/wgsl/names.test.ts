/** Dispatches that a kernel is split into keep apart from kernels whose names are made in the same way. */
import { expect, test } from "vitest";
import { compile } from "../../../compiler/compile.ts";
import { load } from "../../../runtime/index.ts";
import { adapter } from "../../gpu.ts";

const decoder = `
model Decoder(x: f32[1, 8, 6, 6]) -> y {
  y = x |> a: ConvTranspose2d(8, kernel=2, stride=2, bias=false) |> b: ConvTranspose2d(16, kernel=3, padding=1, bias=false)
}`;
const x = Float32Array.from({ length: 288 }, (_, i) => Math.sin(i));
const gpu = await adapter();

test.skipIf(!gpu)("two transposed convolutions, the first in four dispatches", async () => {
  const results: Float32Array[] = [];
  for (const target of ["wasm", "wgsl"] as const) {
    const program = await compile(decoder, { target });
    if (program.code.kind === "wgsl") {
      const names = program.code.shaders.map((s) => s.name);
      expect(new Set(names).size).toBe(names.length);
    }
    const net = await load(program, { missing: "init", ...(target === "wgsl" && gpu ? { gpu } : {}) });
    results.push((await net.run({ x })).y as Float32Array);
    await net.dispose();
  }
  const [wasm, wgsl] = results as [Float32Array, Float32Array];
  expect(Math.max(...wasm.map((v, i) => Math.abs(v - wgsl[i]!)))).toBeLessThan(1e-5);
});
