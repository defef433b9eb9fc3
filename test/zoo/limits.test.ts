/**
 * Models on devices of small buffers: tensors lie in parts and regions in pages, and the numbers are those of the reference. And the
 * large models of the zoo, which no binding of an ordinary device holds: within its limits, as they are.
 */
import { expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { beyond, profiles } from "../../ir/limits.ts";
import type { Program } from "../../ir/program.ts";
import { regions } from "../../ir/program.ts";
import { artefactOf, load, programFromArtefact } from "../../runtime/index.ts";
import { nullDevice, validate } from "../codegen/gpu.ts";
import { disagreements, type Part } from "../examples/golden.ts";
import { adapter } from "../gpu.ts";
import { compileSmall, smalls } from "./smalls.ts";
import { compileZoo, type InputSpec, inputsOf, only } from "./support.ts";

const gpu = await adapter();
const invalid = await nullDevice();

function wgslOf({ code }: Program) {
  if (code.kind !== "wgsl") throw new Error(`the code is ${code.kind}`);
  return code;
}
/** Every binding and every buffer of a program, in bytes. */
function bytesOf(program: Program): { readonly bindings: number; readonly buffers: number; readonly bound: number } {
  const { entries, pages } = wgslOf(program);
  const dispatches = Object.values(entries).flat();
  const ends = regions.flatMap((r) => {
    const starts = [...(pages?.[r] ?? [0]), program.sizes[r]];
    return starts.slice(1).map((end, i) => end - starts[i]!);
  });
  return {
    bindings: Math.max(...dispatches.flatMap((d) => d.bindings.map((b) => b.bytes))),
    buffers: Math.max(...ends),
    bound: Math.max(...dispatches.map((d) => d.bindings.length)),
  };
}

/* ---- small ----------------------------------------------------------------------------------------------------- */

const train = (optimizer: string) => `train M {
  input label: i32[4]
  loss = cross_entropy(logits, label)
  optimizer = ${optimizer}
}`;
const sources = {
  dense: `model M(x: f32[4, 96]) -> logits { logits = x |> a: Linear(48) |> relu |> b: Linear(4) }
${train("sgd(lr=0.1, momentum=0.9)")}`,
  embedding: `model M(ids: i32[4, 6]) -> logits {
  logits = ids |> words: Embedding(48, 16) |> mean(axis=1) |> head: Linear(4)
}
${train("adam(lr=1e-2)")}`,
  convolutions: `model M(image: f32[4, 3, 12, 12]) -> logits {
  logits = image |> a: Conv2d(4, kernel=3, padding=1) |> relu |> max_pool(2) |> b: Conv2d(4, kernel=3) |> flatten |> c: Linear(4)
}
${train("sgd(lr=0.1)")}`,
  attention: `model M(x: f32[4, 16, 8]) -> logits {
  logits = x |> mix: MultiHeadAttention(2) |> mean(axis=1) |> head: Linear(4)
}
${train("sgd(lr=0.1)")}`,
};
const given: Readonly<Record<keyof typeof sources, InputSpec>> = {
  dense: { shape: [4, 96] },
  embedding: { shape: [4, 6], below: 48 },
  convolutions: { shape: [4, 3, 12, 12] },
  attention: { shape: [4, 16, 8] },
};

/** The loss of a step, all parameters after it, and what the trained model predicts. */
async function numbersOf(program: Program, model: keyof typeof sources): Promise<Record<string, number[]>> {
  const [input] = program.entries.find((e) => e.name === "forward")!.inputs;
  const inputs = inputsOf({ [input!.name]: given[model], label: { shape: [4], below: 4 } });
  const net = await load(program, { seed: 3, ...(gpu ? { gpu } : {}) });
  const { loss } = await net.step(inputs);
  const { logits } = await net.run(only(inputs, program, "forward"));
  const trained = (await net.parameters()).map((p) => [p.name, Array.from(p.values)]);
  await net.dispose();
  return { loss: [loss], logits: Array.from(logits!), ...Object.fromEntries(trained) };
}

test.skipIf(!gpu).each([
  ["dense", 4096],
  ["embedding", 1024],
  ["convolutions", 8192],
  ["attention", 4096],
] as const)(
  "%s in bindings of %i bytes: the numbers of the reference (skipped without an adapter)",
  async (model, bytes) => {
    const notes: string[] = [];
    const limits = { maxStorageBufferBindingSize: bytes, maxBufferSize: 2 * bytes };
    const file = { file: "small.dlm", train: true, batch: 4 };
    const program = await compile(sources[model], { ...file, target: "wgsl", limits, onNote: (text) => notes.push(text) });
    const found = bytesOf(program);
    expect(found.bindings).toBeLessThanOrEqual(bytes);
    expect(found.buffers).toBeLessThanOrEqual(2 * bytes);
    expect(found.bound).toBeLessThanOrEqual(8);
    expect(beyond(wgslOf(program).limits, profiles.default)).toEqual({});
    expect(notes.some((text) => /parts/.test(text))).toBe(true);
    const reference = await numbersOf(await compile(sources[model], { ...file, target: "reference" }), model);
    const want: Part = Object.fromEntries(Object.entries(reference).map(([name, values]) => [name, { values }]));
    expect(disagreements(model, await numbersOf(program, model), want, 1e-4)).toEqual([]);
  },
  180_000,
);

/* ---- large ----------------------------------------------------------------------------------------------------- */

test.each([
  ["vgg", "VGG16", 2],
  ["gpt", "GPT", 1],
])("%s %s and its training step keep to what every device offers", async (name, model, batch) => {
  const notes: string[] = [];
  const program = await compileZoo({ name, model, target: "wgsl", train: true, batch, onNote: (text) => notes.push(text) });
  expect(bytesOf(program).bindings).toBeLessThanOrEqual(2 ** 27);
  expect(bytesOf(program).buffers).toBeLessThanOrEqual(2 ** 28);
  expect(beyond(wgslOf(program).limits, profiles.default)).toEqual({});
  expect(notes.join("\n")).toMatch(name === "vgg" ? /classifier\.0\.weight, .* is in 4 parts/ : /wte\.weight, .* is in 2 parts/);
  expect(await validate(invalid, wgslOf(program))).toEqual([]);
});
test("a desktop has larger bindings; the program asks for as much as it needs", async () => {
  const program = await compileZoo({ name: "vgg", model: "VGG16", target: "wgsl", limits: "desktop" });
  expect(wgslOf(program).pages).toBeUndefined();
  expect(beyond(wgslOf(program).limits, profiles.default)).toEqual({
    maxStorageBufferBindingSize: 411041792,
    maxBufferSize: program.sizes.prepared,
  });
});
test("workgroups of the compatibility mode have at most 128 invocations", async () => {
  const program = await compileSmall("mlp MLP", { ...smalls["mlp MLP"]!, target: "wgsl", limits: "compat" });
  const sizes = wgslOf(program).shaders.map((s) => /@workgroup_size\((\d+), (\d+), (\d+)\)/.exec(s.code)!.slice(1).map(Number));
  expect(Math.max(...sizes.map(([x, y, z]) => x! * y! * z!))).toBe(128);
  expect(wgslOf(program).limits).toEqual({});
  const larger = wgslOf(await compileSmall("mlp MLP", { ...smalls["mlp MLP"]!, target: "wgsl" }));
  expect(larger.limits).toEqual({ maxComputeInvocationsPerWorkgroup: 256, maxComputeWorkgroupSizeX: 256 });
});
test("where too many parts would have to be bound, the tensor is named", async () => {
  const source = `model M(ids: i32[8]) -> y {
    use table = Embedding(4096, 64)
    y = table(ids)
  }`;
  const limits = { maxStorageBufferBindingSize: 2 ** 16 };
  const refused = compileZoo({ name: "table", model: "M", text: source, target: "wgsl", limits });
  await expect(refused).rejects.toThrow(
    /forward needs 18 storage buffers .*\n.*std\/table\.dlm:3:.*\n(.*\n)*.*table\.weight, f32\[4096,64\] of 1048576 bytes, is in 16 parts\n.*`limits`/,
  );
});
test.each([
  [{ maxStorageBuffersPerShaderStage: 1 }, /needs \d+ storage buffers \(kernel \w+\); maxStorageBuffersPerShaderStage is 1/],
  [
    { maxComputeInvocationsPerWorkgroup: 32 },
    /needs 64 invocations of a workgroup \(kernel \w+\); maxComputeInvocationsPerWorkgroup is 32/,
  ],
])("limits that no kernel keeps to are refused: %o", async (limits, message) => {
  const text = "model M(x: f32[4, 6], z: f32[4, 1]) -> y { y = exp(concat([x, z], axis=1)) }";
  await expect(compileZoo({ name: "small", model: "M", text, target: "wgsl", limits })).rejects.toThrow(message);
});
test("pages are in the artefact and are checked", async () => {
  const limits = { maxStorageBufferBindingSize: 16384, maxBufferSize: 32768 };
  const program = await compileSmall("mlp MLP", { ...smalls["mlp MLP"]!, target: "wgsl", limits });
  const files = artefactOf(program);
  const read = (pages: Readonly<Record<string, readonly number[]>>) => {
    const code = JSON.parse(files["net.wgsl.json"] as string);
    Object.assign(code.pages, pages);
    return programFromArtefact(JSON.parse(files["net.json"] as string), async () => new TextEncoder().encode(JSON.stringify(code)));
  };
  expect(wgslOf(await read({})).pages).toEqual(wgslOf(program).pages);
  await expect(read({ arena: [0, 100] })).rejects.toThrow("the region arena has no such pages");
  await expect(read({ arena: [256] })).rejects.toThrow("the region arena has no such pages");
  await expect(read({ parameters: [0, 256] })).rejects.toThrow("a binding lies in two pages of the region parameters");
});
