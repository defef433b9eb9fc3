/** Programs with relaxed multiply-add, in a process whose engine has it, beside the reference. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { deserialize, serialize } from "node:v8";
import { expect, test } from "vitest";
import { type CompileOptions, compileStages } from "../../../compiler/compile.ts";
import { printGraph } from "../../../ir/graph/print.ts";
import { type Inputs, load, type OutputValues } from "../../../runtime/index.ts";
import type { Came, Given } from "./relaxed-run.ts";

/** Node 20 has relaxed SIMD behind a flag, later ones have it always and do not know the flag. */
const flag = "--experimental-wasm-relaxed-simd";

const conv = "model M(x: f32[1, 32, 16, 14]) -> y { y = x |> conv: Conv2d(32, 3, padding=1) |> relu }";
interface Net {
  readonly text: string;
  readonly shape: readonly number[];
  readonly options?: CompileOptions;
}
const nets: Readonly<Record<string, Net>> = {
  winograd: { text: conv, shape: [1, 32, 16, 14] },
  // `exact` alone would leave relaxed SIMD out as well.
  direct: { text: conv, shape: [1, 32, 16, 14], options: { exact: true, relaxed: true } },
  product: { text: "model M(x: f32[19, 40]) -> y { y = x |> a: Linear(37) |> tanh |> b: Linear(21) }", shape: [19, 40] },
  softmax: { text: "model M(x: f32[5, 43]) -> y { y = x |> fc: Linear(70) |> softmax }", shape: [5, 43] },
};
const inputsOf = ({ shape }: Net): Inputs => ({
  x: Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(i)),
});

async function compiled(net: Net): Promise<Given & { readonly graph: string }> {
  const { program, graphs } = await compileStages(net.text, net.options);
  return { program, inputs: inputsOf(net), graph: printGraph(graphs.forward!) };
}
async function wanted(net: Net): Promise<Readonly<Record<string, OutputValues>>> {
  const { program } = await compileStages(net.text, { target: "reference" });
  return (await load(program, { seed: 4 })).run(inputsOf(net));
}

async function runInProcess(given: readonly Given[], flags: readonly string[]): Promise<readonly Came[]> {
  const folder = mkdtempSync(join(tmpdir(), "dlm-relaxed-"));
  try {
    const [from, to] = [join(folder, "given"), join(folder, "came")];
    writeFileSync(from, serialize(given));
    const script = join(import.meta.dirname, "relaxed-run.ts");
    await promisify(execFile)(process.execPath, [...flags, "--import", "tsx", script, from, to], { timeout: 50_000 });
    return deserialize(readFileSync(to)) as readonly Came[];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const programs = await Promise.all(Object.values(nets).map(compiled));
const references = await Promise.all(Object.values(nets).map(wanted));
const relaxedOf = ({ program }: Given) => (program.code.kind === "wasm" ? program.code.relaxed : null);
const hasRelaxed = WebAssembly.validate(relaxedOf(programs[0]!)!);

test("one convolution is transformed, the other is direct", () => {
  expect(programs[0]!.graph).toContain("winograd");
  expect(programs[1]!.graph).not.toContain("winograd");
});

test.each([
  ["with relaxed SIMD", hasRelaxed ? [] : [flag], "relaxed"],
  ["as the engine is", [], hasRelaxed ? "relaxed" : "plain"],
] as const)("%s programs compute what the reference does", async (_, flags, taken) => {
  const came = await runInProcess(programs, flags);
  const names = Object.keys(nets);
  expect(Object.fromEntries(came.map((c, i) => [names[i], c.taken]))).toEqual(Object.fromEntries(names.map((n) => [n, taken])));
  for (const [i, { y }] of references.entries()) {
    const off = Array.from(came[i]!.outputs.y!, (v, k) => Math.abs(v - y![k]!));
    expect(off).toHaveLength(y!.length);
    expect(Math.max(...off), names[i]).toBeLessThan(1e-4);
  }
});
