/** Programs that keep large tensors as halves: which ones, what results are worth, what is refused. */
import { describe, expect, test } from "vitest";
import { agreementOf } from "../../compiler/compare/agreement.ts";
import { type CompileOptions, compile, compileStages, type Stages } from "../../compiler/compile.ts";
import { zooFiles } from "../../compiler/prelude/text.ts";
import { referenceBackend } from "../../compiler/reference.ts";
import { fromFloat16, toFloat16 } from "../../ir/float16.ts";
import { interpret } from "../../ir/kernel/interpret.ts";
import { parseKernel } from "../../ir/kernel/parse.ts";
import { printKernel } from "../../ir/kernel/print.ts";
import { verifyKernel } from "../../ir/kernel/verify.ts";
import type { Value } from "../../ir/lowered.ts";
import type { Place } from "../../ir/plan.ts";
import type { EntryId, Program } from "../../ir/program.ts";
import { type Inputs, load } from "../../runtime/index.ts";

const half = (x: number): number => fromFloat16(toFloat16(x));
const f16 = { target: "wgsl", storage: "f16" } as const;
const stagesOf = (text: string, options: CompileOptions): Promise<Stages> => compileStages(text, { ...f16, ...options });

/* ---- kernels ---------------------------------------------------------------------------------------------------- */

test("a kernel rounds where it stores, as halves are rounded, and loads what is there", () => {
  const copy = parseKernel(`kernel copy(in x: f32[9], out y: f32[9] as f16, out z: f32[9]) {
    grid i in 9 { y[i] = x[i] }
    grid j in 9 { z[j] = y[j] * 3.0 }
  }`);
  expect(verifyKernel(copy, "logical")).toEqual([]);
  const values = [0.1, -1 / 3, 2049, 65519, 65520, -1e30, 3e-8, 2 ** -25, 6.1e-5];
  for (const model of ["double", "single"] as const) {
    const memory = { x: Float32Array.from(values), y: new Float32Array(9), z: new Float32Array(9) };
    interpret(copy, memory, model);
    expect([...memory.y]).toEqual(values.map((v) => half(Math.fround(v))));
    expect([...memory.z]).toEqual(Array.from(memory.y, (v) => Math.fround(v * 3)));
  }
});
test("every half stays what it is, and NaN", () => {
  const all = Float32Array.from({ length: 65536 }, (_, bits) => fromFloat16(bits));
  const memory = { x: all, y: new Float32Array(65536) };
  interpret(parseKernel("kernel copy(in x: f32[65536] as f16, out y: f32[65536] as f16) { grid i in 65536 { y[i] = x[i] } }"), memory);
  expect(memory.y).toEqual(all);
});
test.each([
  ["workgroup s: f32[4] as f16", "s: f32 in space workgroup stored as f16"],
  ["in s: i32[4] as f16", "s: i32 in space in stored as f16"],
])("%s is no buffer", (buffer, problem) => {
  const k = parseKernel(`kernel k(${buffer}, out y: f32[4]) { grid i in 4 { y[i] = 1.0 } }`);
  expect(printKernel(k)).toContain(buffer);
  expect(verifyKernel(k, "logical")).toContain(`k: ${problem}`);
});
test("a buffer is stored as f16 or as its type", () => {
  expect(() => parseKernel("kernel k(in s: f32[4] as f8) { }")).toThrow("`f8` is not what a buffer is stored as");
});

/* ---- which tensors ---------------------------------------------------------------------------------------------- */

/** Two convolutions between which values are large, a norm, a table, a state, and a sum over all of an image. */
const net = `model Net(x: f32[N, 8, 24, 24], ids: i32[N]) -> y, s {
  h = x |> conv1: Conv2d(24, kernel=3, padding=1, bias=false) |> norm: BatchNorm |> relu
  g = h |> conv2: Conv2d(24, kernel=3, padding=1) |> relu
  p = (g + h) |> max_pool(2) |> flatten
  y = (p |> fc: Linear(64)) + (ids |> table: Embedding(80, 64))
  s = sum(h * g, axis=(2, 3))
}
train Net {
  input t: f32[N, 64]
  loss = mean((y - t) ** 2)
  optimizer = sgd(lr=0.1)
}
`;
const valuesIn = (s: Stages, entry: EntryId): readonly Value[] => {
  const { calls } = s.lowered.entries.find((e) => e.name === entry)!;
  return [...new Set(calls.flatMap((c) => [...c.inputs, ...c.outputs]))];
};

test("large parameters, what is prepared of them, and values between kernels are halves", async () => {
  const s = await stagesOf(net, { batch: 2 });
  const { variables, sizes, code, entries } = s.program;
  expect(variables.filter((v) => v.stored).map((v) => v.name)).toEqual(["conv2.weight", "fc.weight", "table.weight"]);
  expect(valuesIn(s, "forward").flatMap((v) => (v.stored ? [v.name] : []))).toContain("fc.weight'relayout");
  const between = valuesIn(s, "forward").filter((v) => v.home.kind === "arena");
  expect(between.length).toBeGreaterThan(2);
  expect(between.filter((v) => !v.stored).map((v) => v.name)).toEqual([]);
  expect(entries.flatMap((e) => [...e.inputs, ...e.outputs]).filter((f) => f.stored)).toEqual([]);
  const single = await stagesOf(net, { batch: 2, storage: "f32" });
  expect(single.program.variables.some((v) => v.stored)).toBe(false);
  expect(sizes.arena).toBeLessThan(0.6 * single.program.sizes.arena);
  expect(sizes.parameters).toBeLessThan(0.6 * single.program.sizes.parameters);
  expect(s.program.stats.work!.forward!.bytes).toBeLessThan(0.7 * single.program.stats.work!.forward!.bytes);
  expect([code, single.program.code].map((c) => c.kind === "wgsl" && c.features)).toEqual([["shader-f16"], undefined]);
});
test("sums and statistics of large tensors are not", async () => {
  const text = `model M(x: f32[64, 64, 400]) -> y {
    h = softplus(x)
    m = mean(h, axis=2, keepdims=true)
    y = sin(h) * m + cos(sum(m, axis=0))
  }`;
  const s = await stagesOf(text, {});
  const between = valuesIn(s, "forward").filter((v) => v.home.kind === "arena");
  const isMean = (v: Value) => v.type.shape.at(-1) === 1;
  expect([between.some(isMean), between.some((v) => !isMean(v))]).toEqual([true, true]);
  expect(between.filter((v) => (v.stored === undefined) !== isMean(v)).map((v) => v.name)).toEqual([]);
});
test("one kernel for each way in which its operands are stored; its text is read back, the plan shows them", async () => {
  const s = await stagesOf(net, { batch: 2 });
  const texts = s.lowered.kernels.map(printKernel);
  expect(texts.filter((t) => t.includes(" as f16")).length).toBeGreaterThan(4);
  expect(texts.map((t) => printKernel(parseKernel(t)))).toEqual(texts);
  expect(new Set(s.lowered.kernels.map((k) => k.name)).size).toBe(texts.length);
  const calls = s.lowered.entries.flatMap((e) => e.calls);
  for (const c of calls) {
    const bound = s.lowered.kernels.find((k) => k.name === c.kernel)!.buffers.slice(0, c.inputs.length + c.outputs.length);
    expect(bound.map((b) => b.stored)).toEqual([...c.inputs, ...c.outputs].map((v) => v.stored));
  }
});
test("tensors in parts are in half as many", async () => {
  const table = "model M(ids: i32[3]) -> y { y = ids |> table: Embedding(4096, 64) }";
  const limits = { maxStorageBufferBindingSize: 2 ** 18, maxBufferSize: 2 ** 19 };
  const notes: string[] = [];
  const programs = await Promise.all(
    (["f32", "f16"] as const).map((storage) => compile(table, { target: "wgsl", storage, limits, onNote: (text) => notes.push(text) })),
  );
  expect(notes).toEqual([
    expect.stringContaining("table.weight, f32[4096,64] of 1048576 bytes, is in 4 parts"),
    expect.stringContaining("table.weight, f32[4096,64] as f16 of 524288 bytes, is in 2 parts"),
  ]);
  expect(programs.map((p) => p.sizes.parameters)).toEqual([2 ** 20, 2 ** 19]);
});
test("convolutions are transformed in few points only", async () => {
  const wide = "model M(x: f32[1, 64, 56, 56]) -> y { y = x |> Conv2d(64, kernel=3, padding=1) }";
  const options = async (storage: "f32" | "f16"): Promise<readonly string[]> => {
    const found: string[] = [];
    await compile(wide, { target: "wgsl", storage, onQuestion: (q) => void (q.kind === "winograd" && found.push(...q.options)) });
    return found.toSorted();
  };
  expect(await options("f32")).toEqual(["direct", "products of 2x2", "products of 4x4"]);
  expect(await options("f16")).toEqual(["direct", "products of 2x2"]);
});

/* ---- results ---------------------------------------------------------------------------------------------------- */

/** The kernels of a program for WebGPU, interpreted. */
function interpreted({ program, lowered }: Stages): Program {
  const signature = (entry: EntryId) => program.entries.find((e) => e.name === entry)!;
  const prepared = new Map<string, number>();
  const placeOf = ({ name, home }: Value, entry: EntryId): Place => {
    if (home.kind === "input") return signature(entry).inputs.find((f) => f.name === home.name)!;
    if (home.kind === "constant") return program.constants!.find((c) => c.name === home.name)!;
    if (home.kind === "output") return signature(entry).outputs.find((f) => home.name === `${entry}.${f.name}`)!;
    if (home.kind === "variable" && home.variable !== "prepared") return program.variables.find((v) => v.name === home.name)!;
    if (!prepared.has(name)) prepared.set(name, prepared.size);
    return { region: "prepared", offset: prepared.get(name)! };
  };
  return { ...program, target: "reference", code: { kind: "host", start: () => referenceBackend(lowered, placeOf) } };
}
async function outputs(program: Program): Promise<Readonly<Record<string, ArrayLike<number>>>> {
  const net = await load(program, { seed: 2 });
  const { inputs } = program.entries.find((e) => e.name === "forward")!;
  const values = inputs.map(({ name, dtype, shape }) => {
    const n = shape.reduce((a, b) => a * b, 1);
    const waves = Float32Array.from({ length: n }, (_, i) => Math.sin(i * 12.9898));
    return [name, dtype === "i32" ? Int32Array.from(waves, (v) => Math.floor(20 + 20 * v)) : waves];
  });
  const found = await net.run(Object.fromEntries(values) as Inputs);
  net.dispose();
  return found;
}
describe("results are those of single precision, to what halves can tell", () => {
  const gpt = { vocab: "128", context: "64", width: "64", depth: "2", heads: "2" };
  test.each<[string, string, CompileOptions]>([
    ["images", net, { batch: 1 }],
    ["LeNet", zooFiles["lenet.dlm"]!, { file: "std/lenet.dlm", model: "LeNet5", batch: 2 }],
    ["GPT", zooFiles["gpt.dlm"]!, { file: "std/gpt.dlm", model: "GPT", batch: 1, dims: { T: 64 }, set: gpt }],
  ])("%s", { timeout: 60_000 }, async (_title, text, options) => {
    const expected = await outputs(await compile(text, { ...options, exact: true }));
    const found = await outputs(interpreted(await stagesOf(text, options)));
    for (const [name, values] of Object.entries(expected)) {
      const { error, elements } = agreementOf(found[name]!, values, { tolerance: 1 });
      expect(elements).toBe(values.length);
      expect(error, name).toBeLessThan(6e-3);
      expect(error, name).toBeGreaterThan(1e-5);
    }
  });
});

/* ---- what is refused -------------------------------------------------------------------------------------------- */

test.each<[string, CompileOptions, RegExp]>([
  ["another word", { target: "wgsl", storage: "half" as "f16" }, /`storage` is "half", expected "f32" or "f16"/],
  [
    "no target",
    { storage: "f16" },
    /`storage: "f16"` \(--storage f16\) is for the target wgsl, here the target is wasm\n {2}help: compile to wgsl/,
  ],
  ["the reference", { target: "reference", storage: "f16" }, /here the target is reference/],
  ["training", { ...f16, train: true }, /is for programs that do not train: .*\n {2}help: train with f32, and compile without `train`/],
])("%s", async (_title, options, message) => {
  await expect(compile(net, { batch: 2, ...options })).rejects.toThrow(message);
});
test("f32 says what is so anyway, for every program", async () => {
  const text = "model M(x: f32[2, 8]) -> y { y = x |> Linear(4) }";
  for (const target of ["wasm", "wgsl"] as const)
    expect(await compile(text, { target, storage: "f32" })).toEqual(await compile(text, { target }));
});
