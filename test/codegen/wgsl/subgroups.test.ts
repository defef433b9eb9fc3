/** Folds that join states within subgroups: in the interpreter for all sizes, and on a software adapter, whose subgroups are of four. */
import { describe, expect, test } from "vitest";
import { emitWasm } from "../../../codegen/wasm/emit.ts";
import { emitWgsl } from "../../../codegen/wgsl/emit.ts";
import { withoutSubgroups, withSubgroups } from "../../../codegen/wgsl/subgroups.ts";
import { type CompileOptions, compile } from "../../../compiler/compile.ts";
import { scheduleGpu } from "../../../compiler/schedule/gpu.ts";
import { wgslKernelPasses } from "../../../compiler/schedule/passes.ts";
import { parseGraph } from "../../../ir/graph/parse.ts";
import { bufferElements } from "../../../ir/kernel/address.ts";
import { interpret } from "../../../ir/kernel/interpret.ts";
import { elementType, type Kernel } from "../../../ir/kernel/kernel.ts";
import { parseKernel } from "../../../ir/kernel/parse.ts";
import { verifyKernel } from "../../../ir/kernel/verify.ts";
import { load, type Net, type Program } from "../../../runtime/index.ts";
import { lowerGraph, noise } from "../../compiler/lower/run.ts";
import { onGpu, spying } from "../../runtime/webgpu-fixtures.ts";
import { nullDevice, validate } from "../gpu.ts";
import { planOf } from "../support.ts";

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

const fold = (op: string, n: number, type = "f32") => `graph g(%x: ${type}[3,${n}]) {
    %0 = ${op}(%x) {axes=[1]} : ${type}[3]
    return y = %0
  }`;
const place = (n: number) => `graph g(%x: f32[3,${n}]) {
    %0 = floor(%x) : f32[3,${n}]
    %1 = argmin(%0) {axis=1} : i32[3]
    return y = %1
  }`;
const inParts = `graph g(%x: f32[1,70001]) {
    %0 = reduce_sum(%x) {axes=[1]} : f32[1]
    return y = %0
  }`;
const softmax = (n: number) => `graph g(%x: f32[5,${n}]) {
    %0 = softmax(%x) {axis=1} : f32[5,${n}]
    return y = %0
  }`;
interface Meeting {
  readonly text: string;
  /** Invocations of a workgroup. */
  readonly share: number;
  /** Sizes of subgroups for which the kernel has another way. */
  readonly sizes: readonly number[];
}
const upTo128 = [8, 16, 32, 64, 128];
const kernels: Record<string, Meeting> = {
  "64 sums": { text: fold("reduce_sum", 300), share: 64, sizes: [4, 8, 16, 32, 64] },
  "128 sums": { text: fold("reduce_sum", 600), share: 128, sizes: upTo128 },
  "256 sums": { text: fold("reduce_sum", 1100), share: 256, sizes: upTo128 },
  "a sum in parts": { text: inParts, share: 256, sizes: upTo128 },
  products: { text: fold("reduce_prod", 1100), share: 256, sizes: upTo128 },
  "the largest, or NaN": { text: fold("reduce_max", 1100), share: 256, sizes: upTo128 },
  "whether all are true": { text: fold("reduce_min", 1100, "bool"), share: 256, sizes: upTo128 },
  "places of the smallest": { text: place(1100), share: 256, sizes: upTo128 },
  "two folds of rows": { text: softmax(1100), share: 256, sizes: upTo128 },
};
const scheduled = (text: string): readonly Kernel[] =>
  lowerGraph(parseGraph(text), { schedule: scheduleGpu, layouts: true }).kernels.filter((k) => withSubgroups(k) !== null);
const lowered = (k: Kernel): Kernel => wgslKernelPasses.reduce((x, p) => p.run(x), k);

/** Two of each three rows have no NaN. */
function inputOf(b: Kernel["buffers"][number]): Float64Array {
  const values = Float64Array.from(noise(bufferElements(b), 1), (v, i) => (i === 700 ? Number.NaN : v));
  if (elementType(b) === "bool") return values.map((_, i) => Number(i % 700 !== 699));
  // Near 1, so that products stay in range.
  return values.map((v) => 1 + v / 16);
}
function outputOf(k: Kernel, subgroup: number | null): Float64Array {
  const memory = Object.fromEntries(
    k.buffers.map((b) => [b.name, b.space === "in" ? inputOf(b) : new Float64Array(bufferElements(b)).fill(Number.NaN)]),
  );
  interpret(k, memory, "single", subgroup);
  return memory[k.buffers.find((b) => b.space === "out")!.name]!;
}
const invalid = await nullDevice();

describe.each(Object.entries(kernels))("%s", (_, { text, share, sizes }) => {
  const [k, more] = scheduled(text);
  const final = lowered(k!);

  test("has another way where a workgroup's subgroups are full, and few enough", async () => {
    expect(more).toBeUndefined();
    expect(withSubgroups(final)?.sizes).toEqual({ least: sizes[0], most: sizes.at(-1) });
    expect(verifyKernel(k!, "logical", { wgsl: true })).toEqual([]);
    expect(verifyKernel(final, "flat", { wgsl: true })).toEqual([]);
    const code = emitWgsl(planOf("wgsl", [final]).plan);
    expect(code.optionalFeatures).toEqual(["subgroups"]);
    expect(code.features).toBeUndefined();
    expect(await validate(invalid, code)).toEqual([]);
    for (const { code: plain, subgroups } of code.shaders.filter((s) => s.subgroups)) {
      expect(plain).toContain(`@workgroup_size(${share}, 1, 1)`);
      expect(plain).not.toContain("subgroup");
      expect(2 * count(subgroups!.code, "workgroupBarrier()")).toBe(count(plain, "workgroupBarrier()"));
    }
  });
  test("comes to the same for every size, whichever invocations are a subgroup", () => {
    const plain = outputOf(final, null);
    for (const size of sizes) {
      const got = outputOf(final, size);
      const [ways, other] = [outputOf(withSubgroups(final)!.kernel, size), outputOf(withoutSubgroups(final), size)];
      expect(got).toEqual(ways);
      expect(other).toEqual(plain);
      plain.forEach((want, i) => {
        if (Number.isNaN(want)) expect(got[i], `subgroups of ${size}`).toBeNaN();
        else expect(Math.abs(got[i]! - want) / Math.max(1, Math.abs(want)), `subgroups of ${size}`).toBeLessThan(1e-5);
      });
    }
  });
  test("takes the one way for all where sizes do not fit", () => {
    const plain = outputOf(final, null);
    for (const size of [4, 8, 16, 32, 64, 128].filter((s) => !sizes.includes(s))) expect(outputOf(final, size)).toEqual(plain);
  });
});
const count = (text: string, part: string): number => text.split(part).length - 1;

test("several folds in a workgroup, and short ones, have one way", () => {
  expect(scheduled(fold("reduce_sum", 100))).toEqual([]);
  const columns = "graph g(%x: f32[900,20]) { %0 = reduce_sum(%x) {axes=[0]} : f32[20] return y = %0 }";
  expect(scheduled(columns)).toEqual([]);
});

test("WebAssembly refuses subgroups", async () => {
  const k = (body: string) => parseKernel(`kernel k(out y: i32[4]) { ${body} }`);
  const emit = (body: string) => emitWasm(planOf("wasm", [k(body)]).plan, { relaxed: false });
  await expect(emit("y[0] = subgroup.size()")).rejects.toThrow("k: WebAssembly has no subgroups");
  await expect(emit("exchange a: i32 = 1 by 0")).rejects.toThrow("k: WebAssembly has no subgroups");
  await expect(emit("serial i in 4 while i < 3 { y[i] = i }")).rejects.toThrow("k: loops of WebAssembly have no while");
  await expect(emit("if subgroups(4, 8) { y[0] = 1 }")).rejects.toThrow("k: it is open whether there are subgroups");
});

/* ---- programs ---------------------------------------------------------------------------------------------------- */

const rows = `model Rows(x: f32[3, 300]) -> total, product, top, bottom, place, some, soft, normal {
  total = sum(x, axis=1)
  product = prod(1.0 + x / 16.0, axis=1)
  top = max(x, axis=1)
  bottom = min(x, axis=1)
  place = argmax(floor(2.0 * x), axis=1)
  some = max(x > 0.99, axis=1)
  soft = softmax(x)
  normal = x |> norm: LayerNorm
}`;
/** Statistics of an image of one channel and of rows, a softmax of rows, and what their gradients need. */
const net = `model Net(image: f32[2, 1, 12, 12]) -> logits {
  logits = image |> bn1: BatchNorm |> relu |> flatten |> fc: Linear(320) |> norm: LayerNorm |> gelu
}
train Net {
  input label: i32[2]
  loss = cross_entropy(logits, label)
  optimizer = sgd(lr=1.0)
}`;
type Values = Readonly<Record<string, ArrayLike<number>>>;

const x = Float32Array.from({ length: 900 }, (_, i) => (i === 333 ? Number.NaN : Math.sin(i * 12.9898) * 1.5));
const image = Float32Array.from({ length: 288 }, (_, i) => Math.sin(i * 78.233));
const uses: Record<string, { readonly source: string; readonly train: boolean; readonly values: (n: Net) => Promise<Values> }> = {
  "folds of rows, with a NaN": { source: rows, train: false, values: (n) => n.run({ x }) },
  "a training step, with its gradients": {
    source: net,
    train: true,
    values: async (n) => {
      const { loss } = await n.step({ image, label: [3, 250] });
      const parameters = (await n.parameters()).map(({ name, values }): [string, ArrayLike<number>] => [name, values]);
      return { loss: [loss], ...Object.fromEntries(parameters) };
    },
  },
};
/** What comes out, and the texts that the device was given. */
async function ran(program: Program, values: (n: Net) => Promise<Values>) {
  const { source, texts } = spying();
  const loaded = await load(program, program.target === "wgsl" ? { gpu: source } : {});
  const made = await values(loaded);
  await loaded.dispose();
  return { made, texts };
}
const inGroups = (texts: readonly string[]) => texts.filter((t) => t.includes("enable subgroups;")).length;

describe.each(Object.entries(uses))("%s", (_, { source, train, values }) => {
  const on = (options: CompileOptions) => compile(source, { train, ...options });
  onGpu("agree with the reference in both ways, and repeat bit for bit (skipped without an adapter)", async () => {
    const wanted = (await ran(await on({ target: "reference" }), values)).made;
    const program = await on({ target: "wgsl" });
    const [first, again] = [await ran(program, values), await ran(program, values)];
    const plain = await ran(await on({ target: "wgsl", reproducible: true }), values);
    expect(inGroups(first.texts)).toBeGreaterThan(5);
    expect(inGroups(plain.texts)).toBe(0);
    expect(again.made).toEqual(first.made);
    for (const [name, want] of Object.entries(wanted)) {
      expectClose(first.made[name]!, want, `${name} with subgroups`);
      expectClose(plain.made[name]!, want, name);
    }
  });
});
function expectClose(got: ArrayLike<number>, want: ArrayLike<number>, what: string): void {
  expect(got.length, what).toBe(want.length);
  const off = Array.from(want, (w, i) =>
    Number.isNaN(w) ? Number(!Number.isNaN(got[i]!)) : Math.abs(got[i]! - w) / Math.max(1, Math.abs(w)),
  );
  expect(Math.max(...off.map((d) => (Number.isNaN(d) ? 1 : d))), what).toBeLessThan(1e-4);
}

test("programs that shall give the same bits everywhere have one text", async () => {
  const { code } = await compile(rows, { target: "wgsl", reproducible: true });
  expect(JSON.stringify(code)).not.toContain("subgroup");
});
