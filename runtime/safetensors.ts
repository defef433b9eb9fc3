/** The safetensors format: 8 bytes header length, a JSON header, the bytes of all tensors without gap or overlap. */
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "../ir/float16.ts";
import type { DType, Shape } from "../ir/type.ts";
import { fail, messageOf } from "./errors.ts";

export type FileType = "F64" | "F32" | "F16" | "BF16" | "I64" | "I32" | "I16" | "I8" | "U8" | "BOOL";

/** One tensor of a file, row-major, little-endian; `data` is a view of the file. */
export interface Entry {
  readonly name: string;
  readonly dtype: FileType;
  readonly shape: Shape;
  readonly data: Uint8Array;
}
export interface Tensors {
  /** In the order of their bytes. */
  readonly entries: readonly Entry[];
  readonly metadata: Readonly<Record<string, string>>;
}

const headerLimit = 100_000_000;

/** Reads a file strictly by the specification; whatever is wrong with it is a DlmError "safetensors". */
export function parseSafetensors(source: Uint8Array | ArrayBuffer): Tensors {
  // A plain array, whatever comes in: `slice` of Node's Buffer is a view of other memory.
  const file = source instanceof Uint8Array ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength) : new Uint8Array(source);
  const length = headerLength(file);
  const header = parseHeader(file.subarray(8, 8 + length));
  const body = file.subarray(8 + length);
  const metadata = readMetadata(header.get("__metadata__"));
  header.delete("__metadata__");
  const places = [...header].map(([name, info]) => readInfo(name, info)).sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const p of places) {
    if (p.begin !== at)
      bad(
        `"${p.name}" starts at byte ${p.begin}, expected ${at}: tensors must follow each other without ${p.begin > at ? "gaps" : "overlap"}`,
      );
    at = p.end;
  }
  if (at !== body.length) bad(`the tensors take ${at} bytes, the file has ${body.length}${body.length < at ? " (is it truncated?)" : ""}`);
  return {
    entries: places.map(({ name, dtype, shape, begin, end }) => ({ name, dtype, shape, data: body.subarray(begin, end) })),
    metadata,
  };
}

function headerLength(file: Uint8Array): number {
  if (file.length < 8) bad(`${file.length} bytes are too few for a header`);
  const length = Number(new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true));
  if (length > headerLimit || length > file.length - 8) refuseOther(file);
  if (length > headerLimit) bad(`a header of ${length} bytes is above the limit of ${headerLimit}`);
  if (length > file.length - 8) bad(`the header should have ${length} bytes, the file has ${file.length - 8} (is it truncated?)`);
  return length;
}

/** Weight files of other kinds, told by their first bytes. Only asked when the file is no safetensors file. */
function refuseOther(file: Uint8Array): void {
  const starts = (...bytes: number[]) => bytes.every((b, i) => file[i] === b);
  const head = new TextDecoder("latin1").decode(file.subarray(0, 200));
  const convert = "save it with safetensors.torch.save_file";
  if (starts(0x50, 0x4b, 3, 4) && head.includes(".npy"))
    fail("safetensors", "this is an .npz file; save it with safetensors.numpy.save_file");
  if (starts(0x50, 0x4b, 3, 4) || (starts(0x80) && file[1]! >= 2 && file[1]! <= 5))
    fail("safetensors", `this is a PyTorch file; ${convert}`);
  if (starts(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59)) fail("safetensors", "this is an .npy file; save it with safetensors.numpy.save_file");
  if (starts(0x89, 0x48, 0x44, 0x46)) fail("safetensors", "this is an HDF5 file; save its arrays with safetensors.numpy.save_file");
}

function parseHeader(bytes: Uint8Array): Map<string, unknown> {
  if (bytes[0] !== 0x7b) bad("the header does not start with {");
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    refuseDuplicates(text);
    return new Map(Object.entries(value as object));
  } catch (e) {
    return bad(messageOf(e));
  }
}

/** `JSON.parse` keeps the last of equal keys; this names the first repeated one. The text is known to be valid JSON. */
function refuseDuplicates(text: string): void {
  const open: Set<string>[] = [];
  let last = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "{") open.push(new Set());
    else if (c === "}") open.pop();
    else if (c === '"') {
      const start = i++;
      while (text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
      last = text.slice(start, i + 1);
    } else if (c === ":") {
      const key = JSON.parse(last) as string;
      const keys = open.at(-1)!;
      if (keys.has(key)) throw new Error(`the header has the key ${last} twice`);
      keys.add(key);
    }
  }
}

function readMetadata(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (!isObject(value) || Object.values(value).some((v) => typeof v !== "string")) bad("__metadata__ is not a map of strings to strings");
  return value as Record<string, string>;
}

interface Place {
  readonly name: string;
  readonly dtype: FileType;
  readonly shape: Shape;
  readonly begin: number;
  readonly end: number;
}
function readInfo(name: string, info: unknown): Place {
  if (!isObject(info)) return bad(`the entry of "${name}" is not an object`);
  const { dtype, shape, data_offsets: offsets, ...rest } = info;
  if (Object.keys(rest).length) bad(`"${name}" has the unknown property "${Object.keys(rest)[0]}"`);
  if (typeof dtype !== "string" || !isFileType(dtype))
    return bad(`"${name}" has the element type ${JSON.stringify(dtype)}, known are ${fileTypes.join(", ")}`);
  if (!isWholeList(shape)) return bad(`the shape of "${name}" is not a list of whole numbers`);
  if (!isWholeList(offsets) || offsets.length !== 2) return bad(`the data_offsets of "${name}" are not two whole numbers`);
  const [begin, end] = offsets as [number, number];
  const bytes = shape.reduce((n, d) => n * d, width[dtype]);
  if (!Number.isSafeInteger(bytes) || end - begin !== bytes)
    bad(`"${name}" ${dtype}[${shape.join(",")}] has bytes ${begin} to ${end}, expected ${bytes} bytes`);
  return { name, dtype, shape, begin, end };
}

const width: Readonly<Record<FileType, number>> = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1 };
const fileTypes = Object.keys(width) as FileType[];
const isFileType = (x: string): x is FileType => Object.hasOwn(width, x);
const isObject = (x: unknown): x is Record<string, unknown> => typeof x === "object" && x !== null && !Array.isArray(x);
const isWholeList = (x: unknown): x is number[] => Array.isArray(x) && x.every((n) => Number.isSafeInteger(n) && n >= 0);
const bad = (message: string): never => fail("safetensors", `not a safetensors file: ${message}`);

/** Elements of a tensor as the program stores them (f32, i32: 4 bytes each; u8, bool: one), converted where types differ. */
export function bytesAs(dtype: DType, entry: Entry): Uint8Array {
  if (entry.dtype === exact[dtype]) return entry.data;
  const numbers = elements[entry.dtype](entry.data.slice().buffer);
  if (dtype === "f32") return bytesOf(Float32Array.from(numbers));
  if (isFloat(entry.dtype)) fail("weights", `"${entry.name}" has ${entry.dtype} elements, the program wants ${dtype}`);
  const [min, max] = bounds[dtype];
  const wrong = numbers.find((x) => x < min || x > max);
  if (wrong !== undefined) fail("weights", `"${entry.name}" has the value ${wrong}, the program wants ${dtype}, ${min} to ${max}`);
  return bytesOf(dtype === "i32" ? Int32Array.from(numbers) : Uint8Array.from(numbers));
}

/** Elements of any tensor as numbers. */
export const numbersOf = (entry: Entry): readonly number[] => Array.from(elements[entry.dtype](entry.data.slice().buffer));

export const bytesOf = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** File types whose bytes are the program's already; bools are read element by element, a file may hold other bytes than 0 and 1. */
const exact: Readonly<Record<DType, FileType | null>> = { f32: "F32", i32: "I32", u8: "U8", bool: null };
const bounds = { i32: [-(2 ** 31), 2 ** 31 - 1], u8: [0, 255], bool: [0, 1] } as const;
const isFloat = (t: FileType): boolean => t === "F64" || t === "F32" || t === "F16" || t === "BF16";

type Numbers = Float64Array | Float32Array | Int32Array | Int16Array | Int8Array | Uint8Array;
const elements: Readonly<Record<FileType, (data: ArrayBuffer) => Numbers>> = {
  F64: (data) => new Float64Array(data),
  F32: (data) => new Float32Array(data),
  F16: (data) => Float32Array.from(new Uint16Array(data), fromFloat16),
  BF16: (data) => Float32Array.from(new Uint16Array(data), fromBfloat16),
  I64: (data) => Float64Array.from(new BigInt64Array(data), Number),
  I32: (data) => new Int32Array(data),
  I16: (data) => new Int16Array(data),
  I8: (data) => new Int8Array(data),
  U8: (data) => new Uint8Array(data),
  BOOL: (data) => new Uint8Array(data),
};

/** An f32 tensor in one of the floating-point types that weights are exchanged in. */
export function floatEntry(name: string, shape: Shape, values: Float32Array, dtype: "F32" | "F16" | "BF16" = "F32"): Entry {
  const data = dtype === "F32" ? values : Uint16Array.from(values, dtype === "F16" ? toFloat16 : toBfloat16);
  return { name, dtype, shape, data: bytesOf(data) };
}

/** Writes a file: the entries in the order given, the header padded with spaces so that the data begins at a multiple of 8. */
export function writeSafetensors(entries: readonly Entry[], metadata: Readonly<Record<string, string>> = {}): Uint8Array<ArrayBuffer> {
  const header = new TextEncoder().encode(headerOf(entries, metadata));
  const length = Math.ceil(header.length / 8) * 8;
  if (length > headerLimit) fail("safetensors", `a header of ${length} bytes is above the format's limit of ${headerLimit}`);
  const file = new Uint8Array(8 + length + entries.reduce((n, e) => n + e.data.length, 0));
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true);
  file.fill(0x20, 8, 8 + length).set(header, 8);
  let at = 8 + length;
  for (const { data } of entries) {
    file.set(data, at);
    at += data.length;
  }
  return file;
}

/** Text by hand: an object would move names like "0" to the front. */
function headerOf(entries: readonly Entry[], metadata: Readonly<Record<string, string>>): string {
  const names = new Set(["__metadata__"]);
  const parts = Object.keys(metadata).length ? [`"__metadata__":${JSON.stringify(metadata)}`] : [];
  let begin = 0;
  for (const { name, dtype, shape, data } of entries) {
    if (names.has(name)) fail("safetensors", `two tensors cannot both be called "${name}"`);
    names.add(name);
    const end = begin + data.length;
    if (data.length !== shape.reduce((n, d) => n * d, width[dtype]))
      fail("safetensors", `"${name}" ${dtype}[${shape.join(",")}] has ${data.length} bytes`);
    parts.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
    begin = end;
  }
  return `{${parts.join(",")}}`;
}
