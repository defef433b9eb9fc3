/** Artefacts: a program as files and back; what is not one is refused before anything runs. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Code, type Program, type Region, regions } from "../../ir/program.ts";
import { artefactOf, DlmError, programFromArtefact } from "../../runtime/index.ts";
import { bias, failure, gain, label, programOf, recorder, sizes, trainable } from "./fixtures.ts";

const bases = Object.fromEntries(regions.map((r, i) => [r, regions.slice(0, i).reduce((n, s) => n + sizes[s], 0)])) as Record<
  Region,
  number
>;
const wasm: Code = {
  kind: "wasm",
  module: Uint8Array.of(0, 97, 115, 109),
  relaxed: Uint8Array.of(1, 2, 3),
  bases,
  bytes: bases.scratch + sizes.scratch,
  limitsOffset: 12,
};
const wgsl: Code = {
  kind: "wgsl",
  shaders: [{ name: "k", code: "fn k() {}" }],
  entries: { forward: [{ shader: 0, bindings: [{ region: "parameters", offset: 256, bytes: 16 }], workgroups: [3, 1, 1] }] },
  limits: { maxBufferSize: 1000 },
};
type Files = Readonly<Record<string, string | Uint8Array<ArrayBuffer>>>;
const read = (files: Files, stem = "net"): Promise<Program> =>
  programFromArtefact(JSON.parse(files[`${stem}.json`] as string), async (name) => {
    const file = files[name];
    if (file === undefined) throw new Error(`no file ${name}`);
    return typeof file === "string" ? new TextEncoder().encode(file) : file;
  });

test.each([
  ["wasm", trainable(wasm), ["net.json", "net.wasm", "net.relaxed.wasm"]],
  ["wasm without relaxed SIMD", programOf({ ...wasm, relaxed: null }, { doc: "Reads digits." }), ["net.json", "net.wasm"]],
  ["wgsl", trainable(wgsl), ["net.json", "net.wgsl.json"]],
] as const)("a %s program comes back equal", async (_, program, names) => {
  const files = artefactOf(program);
  expect(Object.keys(files)).toEqual(names);
  expect(await read(files)).toEqual(program);
});

test("entries of several bindings, and the dimensions of these, come back", async () => {
  const { entries } = trainable(wasm);
  const program = trainable(wasm, { entries: [...entries, { ...entries[2]!, name: "forward_1" }], bindings: [{ N: 1 }, { N: 4, T: 2 }] });
  expect(await read(artefactOf(program))).toEqual(program);
});

test("what runs cost comes back", async () => {
  const { stats } = trainable(wasm);
  const program = trainable(wasm, { stats: { ...stats, work: { forward: { flops: 8, bytes: 64, calls: 2 } } } });
  expect(await read(artefactOf(program))).toEqual(program);
});

test("what a variable is stored as comes back, and is refused where it cannot be", async () => {
  const { variables } = programOf(wgsl);
  const stored = (code: Code) => programOf(code, { variables: variables.map((v) => (v.dtype === "f32" ? { ...v, stored: "f16" } : v)) });
  expect(await read(artefactOf(stored(wgsl)))).toEqual(stored(wgsl));
  expect((await failure(() => read(artefactOf(stored(wasm))))).message).toContain("layer.gain cannot be stored as f16");
  const integers = programOf(wgsl, { variables: [{ ...variables[0]!, dtype: "i32", stored: "f16" }] });
  expect((await failure(() => read(artefactOf(integers)))).message).toContain("layer.gain cannot be stored as f16");
});

test("the files may have another stem", async () => {
  const files = artefactOf(trainable(wasm), "lenet");
  expect(Object.keys(files)).toEqual(["lenet.json", "lenet.wasm", "lenet.relaxed.wasm"]);
  expect(await read(files, "lenet")).toEqual(trainable(wasm));
});

test("the reference target has no artefact", async () => {
  expect((await failure(() => artefactOf(programOf(recorder().code)))).message).toContain("has no artefact");
});

const manifest = JSON.parse(artefactOf(trainable(wasm))["net.json"] as string) as Record<string, unknown>;
const shaders = JSON.parse(artefactOf(trainable(wgsl))["net.wgsl.json"] as string) as Record<string, unknown>;
const variables = manifest.variables as readonly object[];
const refusals: readonly (readonly [what: string, manifest: unknown, message: string])[] = [
  ["null", null, "the manifest is null, expected an object"],
  ["another format", { ...manifest, format: "onnx" }, 'its format is "onnx", expected "dlm"'],
  ["a newer version", { ...manifest, version: 2 }, "its version is 2, made by a newer dlm; this runtime reads version 1"],
  ["no version", { ...manifest, version: undefined }, "its version is undefined; this runtime reads version 1"],
  ["an unknown target", { ...manifest, target: "cuda" }, 'net.target is "cuda", expected wasm, wgsl'],
  ["another kind of code", { ...manifest, target: "wgsl" }, "its code is wasm, its target wgsl"],
  ["a missing region", { ...manifest, sizes: { ...sizes, io: undefined } }, "sizes.io is missing, expected a whole number"],
  ["an unknown entry", { ...manifest, entries: [{ name: "backward", inputs: [], outputs: [] }] }, 'entries[0].name is "backward"'],
  ["a binding of nothing", { ...manifest, bindings: [{ N: 0 }] }, "net.bindings[0].N is 0, expected a positive whole number"],
  [
    "a variable without kind",
    { ...manifest, variables: [{ ...gain, kind: undefined }] },
    "variables[0].kind is missing, expected param, state, slot, counter",
  ],
  ["an unknown element type", { ...manifest, variables: [{ ...gain, dtype: "f16" }] }, 'variables[0].dtype is "f16"'],
  ["an extent of 0", { ...manifest, variables: [{ ...gain, shape: [0] }] }, "variables[0].shape[0] is 0, expected a positive whole number"],
  [
    "a variable beyond its region",
    { ...manifest, variables: [...variables, { ...bias, offset: 768 }] },
    "layer.bias is not inside the region parameters",
  ],
  ["a huge variable", { ...manifest, variables: [{ ...gain, shape: [2 ** 30, 2 ** 30] }] }, "layer.gain is not inside"],
  ["an offset between elements", { ...manifest, variables: [{ ...bias, offset: 2 }] }, "layer.bias is not inside"],
  ["a negative offset", { ...manifest, variables: [{ ...bias, offset: -4 }] }, "variables[0].offset is -4, expected a whole number"],
  ["regions beyond memory", { ...manifest, code: { ...(manifest.code as object), bytes: 100 } }, "does not end before byte 100"],
  [
    "statistics that are texts",
    { ...manifest, stats: { ...(manifest.stats as object), flops: "many" } },
    'stats.flops is "many", expected a number',
  ],
];
test.each(refusals)("refuses %s", async (_, changed, message) => {
  const e = await failure(() => programFromArtefact(changed, async () => new Uint8Array(4)));
  expect(e).toMatchObject({ name: "DlmError", code: "artefact" });
  expect(e.message).toContain(message);
});

const dispatch = { shader: 0, bindings: [{ region: "parameters", offset: 256, bytes: 16 }], workgroups: [3, 1, 1] };
const badShaders: readonly (readonly [what: string, file: unknown, message: string])[] = [
  ["text that is no JSON", undefined, "not JSON"],
  ["a shader that is not there", { ...shaders, entries: { forward: [{ ...dispatch, shader: 1 }] } }, "a dispatch uses shader 1 of 1"],
  ["two workgroup counts", { ...shaders, entries: { forward: [{ ...dispatch, workgroups: [1, 1] }] } }, "has 2 numbers, expected 3"],
  [
    "a binding beyond its region",
    { ...shaders, entries: { forward: [{ ...dispatch, bindings: [{ region: "io", offset: 1536, bytes: 4 }] }] } },
    "not inside the region io",
  ],
  [
    "a shader with different bindings",
    { ...shaders, entries: { forward: [dispatch], step: [{ ...dispatch, bindings: [] }] } },
    "dispatches of shader 0 bind 1 and 0 buffers",
  ],
  ["an unknown entry", { ...shaders, entries: { backward: [] } }, "a key of net.wgsl.json.entries is"],
  ["a limit that is a text", { ...shaders, limits: { maxBufferSize: "1" } }, 'limits.maxBufferSize is "1"'],
];
test.each(badShaders)("refuses a WGSL file with %s", async (_, file, message) => {
  const files = { ...artefactOf(trainable(wgsl)), "net.wgsl.json": file === undefined ? "{" : JSON.stringify(file) };
  const e = await failure(() => read(files));
  expect(e).toMatchObject({ name: "DlmError", code: "artefact" });
  expect(e.message).toContain(message);
});

test("the range and documentation of a field are kept", async () => {
  const program = await read(artefactOf(trainable(wasm)));
  const inputs = program.entries.find((e) => e.name === "step")!.inputs;
  expect(inputs.find((f) => f.name === "label")).toEqual(label);
});

test("any part of a manifest replaced by anything is read or refused with a DlmError", async () => {
  const text = JSON.stringify(manifest);
  const parts = [...text.matchAll(/(?<=[:[,])(?:-?\d+|"[^"]*"(?!:)|true|false|null)/g)];
  await fc.assert(
    fc.asyncProperty(fc.nat(parts.length - 1), fc.jsonValue(), async (i, value) => {
      const at = parts[i]!;
      const changed = text.slice(0, at.index) + JSON.stringify(value) + text.slice(at.index + at[0].length);
      try {
        await programFromArtefact(JSON.parse(changed), async () => new Uint8Array(4));
      } catch (e) {
        if (!(e instanceof DlmError)) throw e;
      }
    }),
    { numRuns: 500 },
  );
});
