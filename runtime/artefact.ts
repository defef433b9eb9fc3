/**
 * Artefacts: a program as files. `net.json` is the program with `code` replaced by the names of binary files, beside it
 * are the modules (WebAssembly) or the shaders and dispatches (WGSL).
 */
import {
  type Code,
  type Dispatch,
  type EntryName,
  entryNames,
  type Field,
  type Program,
  type Region,
  regions,
  type Signature,
  type Stats,
  type Variable,
} from "../ir/program.ts";
import { type DType, dtypes, sizeOf } from "../ir/type.ts";
import { fail, messageOf } from "./errors.ts";
import { elementBytes } from "./tensor.ts";

const version = 1;

/** The files of a program, by name: `net.json` and what it refers to. Pure; the inverse of `programFromArtefact`. */
export function artefactOf(program: Program, stem = "net"): Readonly<Record<string, string | Uint8Array<ArrayBuffer>>> {
  const { code, ...rest } = program;
  const manifest = (references: object): Record<string, string> => ({
    [`${stem}.json`]: `${JSON.stringify({ ...rest, code: references }, null, 2)}\n`,
  });
  switch (code.kind) {
    case "wasm": {
      const { kind, bases, bytes, limitsOffset } = code;
      const [module, relaxed] = [`${stem}.wasm`, code.relaxed && `${stem}.relaxed.wasm`];
      const files = { ...manifest({ kind, module, relaxed, bases, bytes, limitsOffset }), [module]: code.module };
      return relaxed && code.relaxed ? { ...files, [relaxed]: code.relaxed } : files;
    }
    case "wgsl": {
      const { kind, shaders, entries, limits } = code;
      const file = `${stem}.wgsl.json`;
      return { ...manifest({ kind, file }), [file]: `${JSON.stringify({ shaders, entries, limits }, null, 1)}\n` };
    }
    case "host":
      return fail("artefact", `${program.name} runs on the reference target, which has no artefact: compile it to wasm or wgsl`);
  }
}

/** Reads an artefact: the parsed `net.json`, and `files` to get the others. Everything in it is checked. */
export async function programFromArtefact(manifest: unknown, files: (name: string) => Promise<Uint8Array>): Promise<Program> {
  const m = record(manifest, "the manifest");
  if (m.format !== "dlm") bad(`format is ${JSON.stringify(m.format)}, expected "dlm"`);
  if (typeof m.version === "number" && m.version > version)
    bad(`it has version ${m.version}, made by a newer dlm; this runtime reads version ${version}`);
  if (m.version !== version) bad(`version is ${JSON.stringify(m.version)}, expected ${version}`);
  const target = oneOf(m.target, ["wasm", "wgsl"] as const, "target");
  const sizes = recordOf(m.sizes, regions, whole, "sizes") as Record<Region, number>;
  const width = (dtype: DType): number => (target === "wgsl" ? 4 : elementBytes[dtype]);
  const field = (x: unknown, what: string): Field => readField(x, what, sizes, width);
  return {
    format: "dlm",
    version,
    name: text(m.name, "name"),
    doc: m.doc === null ? null : text(m.doc, "doc"),
    target,
    entries: list(m.entries, "entries", (e, what) => readSignature(e, what, field)),
    variables: list(m.variables, "variables", (v, what) => readVariable(v, what, field)),
    sizes,
    code: await readCode(record(m.code, "code"), target, sizes, files),
    stats: recordOf(m.stats, statNames, number, "stats") as unknown as Stats,
  };
}

type ReadField = (x: unknown, what: string) => Field;
const statNames: readonly (keyof Stats)[] = ["parameters", "flops", "arenaBytes", "lowerBoundBytes", "codeBytes"];

function readField(x: unknown, what: string, sizes: Readonly<Record<Region, number>>, width: (d: DType) => number): Field {
  const f = record(x, what);
  const name = text(f.name, `${what}.name`);
  const field: Field = {
    name,
    dtype: oneOf(f.dtype, dtypes, `${name}.dtype`),
    shape: list(f.shape, `${name}.shape`, positive),
    region: oneOf(f.region, regions, `${name}.region`),
    offset: whole(f.offset, `${name}.offset`),
    ...(f.range === undefined ? {} : { range: recordOf(f.range, ["min", "max"], number, `${name}.range`) as { min: number; max: number } }),
    ...(f.doc === undefined ? {} : { doc: text(f.doc, `${name}.doc`) }),
  };
  if (field.offset % width(field.dtype) || field.offset + sizeOf(field.shape) * width(field.dtype) > sizes[field.region])
    bad(`${name} is not inside the region ${field.region}`);
  return field;
}

function readVariable(x: unknown, what: string, field: ReadField): Variable {
  const v = record(x, what);
  const kind = oneOf(v.kind, ["param", "state", "slot", "counter"] as const, `${what}.kind`);
  return { ...field(x, what), kind, saved: flag(v.saved, `${what}.saved`), frozen: flag(v.frozen, `${what}.frozen`) };
}

function readSignature(x: unknown, what: string, field: ReadField): Signature {
  const e = record(x, what);
  return {
    name: oneOf(e.name, entryNames, `${what}.name`),
    inputs: list(e.inputs, `${what}.inputs`, field),
    outputs: list(e.outputs, `${what}.outputs`, field),
  };
}

async function readCode(
  code: Record<string, unknown>,
  target: "wasm" | "wgsl",
  sizes: Readonly<Record<Region, number>>,
  files: (name: string) => Promise<Uint8Array>,
): Promise<Code> {
  if (code.kind !== target) bad(`code.kind is ${JSON.stringify(code.kind)}, expected "${target}"`);
  const file = async (key: string): Promise<Uint8Array<ArrayBuffer>> => {
    const bytes = await files(text(code[key], `code.${key}`));
    return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : bytes.slice();
  };
  if (target === "wgsl") return readShaders(await file("file"), sizes);
  const bases = recordOf(code.bases, regions, whole, "code.bases") as Record<Region, number>;
  const bytes = whole(code.bytes, "code.bytes");
  for (const r of regions) if (bases[r] + sizes[r] > bytes) bad(`the region ${r} does not end before byte ${bytes}`);
  return {
    kind: "wasm",
    module: await file("module"),
    relaxed: code.relaxed === null ? null : await file("relaxed"),
    bases,
    bytes,
    limitsOffset: whole(code.limitsOffset, "code.limitsOffset"),
  };
}

function readShaders(file: Uint8Array, sizes: Readonly<Record<Region, number>>): Code {
  const w = record(parseJson(file), "the WGSL file");
  const shaders = list(w.shaders, "shaders", (s, what) => {
    const shader = record(s, what);
    return { name: text(shader.name, `${what}.name`), code: text(shader.code, `${what}.code`) };
  });
  const limits = record(w.limits, "limits");
  const entries = Object.entries(record(w.entries, "entries")).map(([name, dispatches]): [EntryName, Dispatch[]] => [
    oneOf(name, entryNames, "an entry's name"),
    list(dispatches, name, (d, what) => readDispatch(d, what, shaders.length, sizes)),
  ]);
  return { kind: "wgsl", shaders, entries: Object.fromEntries(entries), limits: recordOf(limits, Object.keys(limits), whole, "limits") };
}

function readDispatch(x: unknown, what: string, shaders: number, sizes: Readonly<Record<Region, number>>): Dispatch {
  const d = record(x, what);
  const shader = whole(d.shader, `${what}.shader`);
  if (shader >= shaders) bad(`${what} uses shader ${shader} of ${shaders}`);
  const workgroups = list(d.workgroups, `${what}.workgroups`, whole);
  if (workgroups.length !== 3) bad(`${what}.workgroups has ${workgroups.length} numbers, expected 3`);
  const bindings = list(d.bindings, `${what}.bindings`, (b, at) => {
    const binding = record(b, at);
    const region = oneOf(binding.region, regions, `${at}.region`);
    const [offset, bytes] = [whole(binding.offset, `${at}.offset`), positive(binding.bytes, `${at}.bytes`)];
    if (offset + bytes > Math.ceil(sizes[region] / 16) * 16) bad(`${at} is not inside the region ${region}`);
    return { region, offset, bytes };
  });
  return { shader, bindings, workgroups: workgroups as [number, number, number] };
}

function parseJson(file: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(file));
  } catch (e) {
    return bad(`not JSON: ${messageOf(e)}`);
  }
}

const bad = (message: string): never => fail("artefact", `not a usable artefact: ${message}`);
const wrong = (what: string, x: unknown, expected: string): never =>
  bad(`${what} is ${JSON.stringify(x) ?? "missing"}, expected ${expected}`);

const text = (x: unknown, what: string): string => (typeof x === "string" ? x : wrong(what, x, "a text"));
const flag = (x: unknown, what: string): boolean => (typeof x === "boolean" ? x : wrong(what, x, "true or false"));
const number = (x: unknown, what: string): number => (typeof x === "number" ? x : wrong(what, x, "a number"));
const whole = (x: unknown, what: string): number =>
  Number.isSafeInteger(x) && (x as number) >= 0 ? (x as number) : wrong(what, x, "a whole number");
const positive = (x: unknown, what: string): number => whole(x, what) || wrong(what, x, "a positive number");
const oneOf = <T extends string>(x: unknown, all: readonly T[], what: string): T =>
  all.find((t) => t === x) ?? wrong(what, x, all.join(", "));
const record = (x: unknown, what: string): Record<string, unknown> =>
  typeof x === "object" && x !== null && !Array.isArray(x) ? (x as Record<string, unknown>) : wrong(what, x, "an object");
const list = <T>(x: unknown, what: string, item: (x: unknown, what: string) => T): T[] =>
  Array.isArray(x) ? x.map((v, i) => item(v, `${what}[${i}]`)) : wrong(what, x, "a list");
const recordOf = <T>(x: unknown, keys: readonly string[], item: (x: unknown, what: string) => T, what: string): Record<string, T> => {
  const r = record(x, what);
  return Object.fromEntries(keys.map((k) => [k, item(r[k], `${what}.${k}`)]));
};
