/** Literal tables: short ones are code, long ones memory that the runtime fills. */
import { expect, test } from "vitest";
import { compile, compileStages } from "../../../compiler/compile.ts";
import { printType } from "../../../ir/type.ts";
import { artefactOf, load, programFromArtefact } from "../../../runtime/index.ts";
import { adapter } from "../../gpu.ts";

const source = 'model M(x: f32[1, 1, 80, 80]) -> a, b { a = upsample(x, 2, mode="bilinear"); b = adaptive_avg_pool(x, 7) }';
const x = Float32Array.from({ length: 6400 }, (_, i) => Math.fround(((i * 7919) % 1009) / 1009));
const gpu = await adapter();

test("tables of a resampled image are made once and shared by entries", async () => {
  const { lowered, program } = await compileStages(source);
  expect(lowered.constants.length).toBeGreaterThan(0);
  expect(new Set(lowered.constants.map((t) => `${printType(t.type)}${t.data.join()}`)).size).toBe(lowered.constants.length);
  expect(program.constants!.length).toBe(lowered.constants.length);
});

test("every target reads them, also from an artefact", async () => {
  const expected = await (await load(await compile(source, { target: "reference" }))).run({ x });
  const wasm = await compile(source);
  const files = artefactOf(wasm);
  const again = await programFromArtefact(JSON.parse(String(files["net.json"])), async (name) => files[name] as Uint8Array);
  const programs = [wasm, again, ...(gpu ? [await compile(source, { target: "wgsl" })] : [])];
  for (const program of programs) {
    const net = await load(program, gpu ? { gpu } : {});
    const got = await net.run({ x });
    for (const name of ["a", "b"])
      Array.from(expected[name]!).forEach((v, i) => void expect(Math.abs(got[name]![i]! - v)).toBeLessThan(1e-5));
    await net.dispose();
  }
});
