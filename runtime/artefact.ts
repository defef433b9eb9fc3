/**
 * Artefacts: a program as files. `net.json` is the program with `code` replaced by the names of binary files, beside it
 * are the modules (WebAssembly) or the shaders and dispatches (WGSL).
 */
import {
  type Code,
  type Dims,
  type Dispatch,
  type EntryId,
  entryNames,
  entryOf,
  type Field,
  type Program,
  type Region,
  regions,
  type Signature,
  type Stats,
  type Variable,
  type Work,
} from "../ir/program.ts";
import { bytesStored, dtypes, sizeOf } from "../ir/type.ts";
import { fail, messageOf } from "./errors.ts";
import { elementBytes } from "./field.ts";
import { bad, flag, list, number, oneOf, orNull, positive, type Reader, record, recordOf, text, whole } from "./reader.ts";

const current = 1;

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
      const { kind, ...rest } = code;
      const file = `${stem}.wgsl.json`;
      return { ...manifest({ kind, file }), [file]: `${JSON.stringify(rest, null, 1)}\n` };
    }
    case "host":
      return fail("artefact", `${program.name} runs on the reference target, which has no artefact: compile it to wasm or wgsl`);
  }
}

/** Reads an artefact: the parsed `net.json`, and `files` to get the others. Everything in it is checked. */
export async function programFromArtefact(manifest: unknown, files: (name: string) => Promise<Uint8Array>): Promise<Program> {
  const { format, version } = record({ format: any, version: any })(manifest, "the manifest");
  if (format !== "dlm") bad(`its format is ${JSON.stringify(format)}, expected "dlm"`);
  if (version !== current) {
    const newer = typeof version === "number" && version > current ? ", made by a newer dlm" : "";
    bad(`its version is ${JSON.stringify(version)}${newer}; this runtime reads version ${current}`);
  }
  const { code: reference, ...head } = readHead(manifest, "net");
  if (reference.kind !== head.target) bad(`its code is ${reference.kind}, its target ${head.target}`);
  const { sizes } = head;
  const fields: readonly Field[] = [
    ...head.variables,
    ...(head.constants ?? []),
    ...head.entries.flatMap((e) => [...e.inputs, ...e.outputs]),
  ];
  for (const f of fields) checkInside(f, head.target, sizes);
  return { format: "dlm", version: current, ...head, code: await readCode(reference, sizes, files) };
}

const any: Reader<unknown> = (x) => x;
const byRegion: Reader<Readonly<Record<Region, number>>> = record(
  Object.fromEntries(regions.map((r) => [r, whole])) as Record<Region, Reader<number>>,
);

const fieldProperties = { name: text, dtype: oneOf(dtypes), shape: list(positive), region: oneOf(regions), offset: whole };
const fieldOptions = { stored: oneOf(["f16"]), range: record({ min: number, max: number }), doc: text };
const readField: Reader<Field> = record(fieldProperties, fieldOptions);
const readVariable: Reader<Variable> = record(
  { ...fieldProperties, kind: oneOf(["param", "state", "slot", "counter"]), saved: flag, frozen: flag },
  { ...fieldOptions, average: text },
);
const readEntryId: Reader<EntryId> = (x, place) => {
  oneOf(entryNames)(entryOf(text(x, place) as EntryId), place);
  return x as EntryId;
};
const readSignature: Reader<Signature> = record({ name: readEntryId, inputs: list(readField), outputs: list(readField) });
const readStats: Reader<Stats> = record(
  {
    parameters: number,
    flops: number,
    arenaBytes: number,
    lowerBoundBytes: number,
    codeBytes: number,
  },
  {
    work: recordOf(readEntryId, record({ flops: number, bytes: number, calls: number }) satisfies Reader<Work>) as Reader<
      Readonly<Record<string, Work>>
    >,
  },
);

/** `code` in the manifest: numbers, and names of files. */
type Reference = ReturnType<typeof readWasm> | ReturnType<typeof readWgsl>;
const readWasm = record({ kind: oneOf(["wasm"]), module: text, relaxed: orNull(text), bases: byRegion, bytes: whole, limitsOffset: whole });
const readWgsl = record({ kind: oneOf(["wgsl"]), file: text });
const readReference: Reader<Reference> = (x, place) =>
  record({ kind: oneOf(["wasm", "wgsl"]) })(x, place).kind === "wasm" ? readWasm(x, place) : readWgsl(x, place);

const readHead = record(
  {
    name: text,
    doc: orNull(text),
    target: oneOf(["wasm", "wgsl"]),
    entries: list(readSignature),
    variables: list(readVariable),
    sizes: byRegion,
    code: readReference,
    stats: readStats,
  },
  {
    bindings: list(recordOf(text, positive) as Reader<Dims>),
    constants: list(
      record({ name: text, dtype: oneOf(dtypes), shape: list(positive), region: oneOf(regions), offset: whole, data: list(number) }),
    ),
  },
);

const readWorkgroups: Reader<Dispatch["workgroups"]> = (x, place) => {
  const counts = list(whole)(x, place);
  return counts.length === 3 ? (counts as [number, number, number]) : bad(`${place} has ${counts.length} numbers, expected 3`);
};
const readDispatch: Reader<Dispatch> = record({
  shader: whole,
  bindings: list(record({ region: oneOf(regions), offset: whole, bytes: positive })),
  workgroups: readWorkgroups,
});
const readShaders = record(
  {
    shaders: list(record({ name: text, code: text }, { subgroups: record({ least: whole, most: whole, code: text }) })),
    entries: recordOf(readEntryId, list(readDispatch)) as Reader<Readonly<Record<string, readonly Dispatch[]>>>,
    limits: recordOf(text, whole) as Reader<Readonly<Record<string, number>>>,
  },
  {
    pages: record({}, Object.fromEntries(regions.map((r) => [r, list(whole)])) as Record<Region, Reader<readonly number[]>>),
    features: list(text),
    optionalFeatures: list(text),

    calls: recordOf(readEntryId, list(whole)) as Reader<Readonly<Record<string, readonly number[]>>>,
  },
);

async function readCode(reference: Reference, sizes: Program["sizes"], files: (name: string) => Promise<Uint8Array>): Promise<Code> {
  // A copy where the bytes are shared: modules are compiled from memory of their own.
  const file = async (name: string): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(await files(name));
  switch (reference.kind) {
    case "wasm": {
      const { module, relaxed, bases, bytes } = reference;
      for (const r of regions) if (bases[r] + sizes[r] > bytes) bad(`the region ${r} does not end before byte ${bytes}`);
      return { ...reference, module: await file(module), relaxed: relaxed === null ? null : await file(relaxed) };
    }
    case "wgsl": {
      const shaders = readShaders(parseJson(await file(reference.file)), reference.file);
      return (await import("./webgpu/artefact.ts")).checkedCode({ kind: "wgsl", ...shaders }, sizes);
    }
  }
}

function checkInside({ name, dtype, shape, region, offset, stored }: Field, target: "wasm" | "wgsl", sizes: Program["sizes"]): void {
  if (stored && (target !== "wgsl" || dtype !== "f32")) bad(`${name} cannot be stored as ${stored}`);
  const width = stored ? bytesStored[stored] : target === "wgsl" ? 4 : elementBytes[dtype];
  if (offset % width || offset + sizeOf(shape) * width > sizes[region]) bad(`${name} is not inside the region ${region}`);
}

function parseJson(file: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(file));
  } catch (e) {
    return bad(`not JSON: ${messageOf(e)}`);
  }
}
