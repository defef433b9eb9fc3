/** The safetensors format: 8 bytes header length, a JSON header, the bytes of all tensors without gap or overlap. */
import { fromBfloat16, fromFloat16 } from "../ir/float16.ts";
import { type DType, type Shape, sizeOf } from "../ir/type.ts";
import { fail, messageOf } from "./errors.ts";
import type { NumberArray } from "./tensor.ts";

/** Element types that are known, by the array that holds their bits. */
const arrays = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
  I32: Int32Array,
  U32: Uint32Array,
  I16: Int16Array,
  U16: Uint16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;
export type FileType = keyof typeof arrays;

/** The type whose bytes are the program's. */
export const fileTypeOf: Readonly<Record<DType, FileType>> = { f32: "F32", i32: "I32", u8: "U8", bool: "BOOL" };

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
  const [header, body] = splitFile(source);
  const { __metadata__: metadata = {}, ...infos } = parseHeader(header);
  if (!isObject(metadata) || Object.values(metadata).some((v) => typeof v !== "string")) bad("__metadata__ does not map texts to texts");
  const places = Object.entries(infos).map(([name, info]) => readInfo(name, info));
  places.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  const entries = places.map(({ begin, end, ...entry }): Entry => {
    if (begin !== at) bad(`"${entry.name}" starts at byte ${begin}, expected ${at}: tensors follow each other without gap or overlap`);
    at = end;
    return { ...entry, data: body.subarray(begin, end) };
  });
  if (at !== body.length) bad(`the tensors take ${at} bytes, the file has ${body.length}${cut(body.length < at)}`);
  return { entries, metadata: metadata as Tensors["metadata"] };
}

/** The header's text and the bytes behind it. */
export function splitFile(source: Uint8Array | ArrayBuffer): readonly [header: Uint8Array, body: Uint8Array] {
  // A plain array, whatever comes in: `slice` of Node's Buffer is a view of other memory.
  const file = source instanceof Uint8Array ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength) : new Uint8Array(source);
  if (file.length < 8) bad(`${file.length} bytes are too few`);
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  if (length > headerLimit) bad(`its header would have ${length} bytes, more than ${headerLimit}`);
  if (length > file.length - 8) bad(`its header has ${length} bytes, the file ${file.length - 8}${cut(true)}`);
  return [file.subarray(8, 8 + length), file.subarray(8 + length)];
}
const cut = (is: boolean): string => (is ? " (is it truncated?)" : "");

function parseHeader(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes[0] !== 0x7b) bad("its header does not start with {");
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (e) {
    return bad(messageOf(e));
  }
}

function readInfo(name: string, info: unknown): Omit<Entry, "data"> & { readonly begin: number; readonly end: number } {
  if (!isObject(info)) return bad(`"${name}" is not an object`);
  const { dtype, shape, data_offsets: offsets } = info;
  if (typeof dtype !== "string" || !Object.hasOwn(arrays, dtype))
    return bad(`"${name}" has the element type ${JSON.stringify(dtype)}, known are ${Object.keys(arrays).join(", ")}`);
  if (!isWholeList(shape)) return bad(`the shape of "${name}" is not a list of whole numbers`);
  if (!isWholeList(offsets) || offsets.length !== 2) return bad(`the data_offsets of "${name}" are not two whole numbers`);
  const [begin, end] = offsets as [number, number];
  const entry = { name, dtype: dtype as FileType, shape };
  if (end - begin !== bytesOfEntry(entry))
    bad(`"${name}" ${printEntry(entry)} has bytes ${begin} to ${end}, expected ${bytesOfEntry(entry)}`);
  return { ...entry, begin, end };
}

const bytesOfEntry = ({ dtype, shape }: Pick<Entry, "dtype" | "shape">): number => sizeOf(shape) * arrays[dtype].BYTES_PER_ELEMENT;
/** `F32[2,3]`. */
export const printEntry = ({ dtype, shape }: Pick<Entry, "dtype" | "shape">): string => `${dtype}[${shape.join(",")}]`;
const isObject = (x: unknown): x is Record<string, unknown> => typeof x === "object" && x !== null && !Array.isArray(x);
const isWholeList = (x: unknown): x is number[] => Array.isArray(x) && x.every((n) => Number.isSafeInteger(n) && n >= 0);
const bad = (message: string): never => fail("safetensors", `not a safetensors file: ${message}`);

const converters: Partial<Record<FileType, (bits: never) => number>> = { F16: fromFloat16, BF16: fromBfloat16, I64: Number, U64: Number };

/** Elements as numbers; integers of 64 bits beyond 2^53 are rounded. */
export function numbersOf({ dtype, data }: Pick<Entry, "dtype" | "data">): NumberArray {
  const bits = new (arrays[dtype] as new (bytes: ArrayBufferLike) => NumberArray)(data.slice().buffer);
  const convert = converters[dtype];
  if (!convert) return bits;
  const numbers = new (convert === Number ? Float64Array : Float32Array)(bits.length);
  for (let i = 0; i < bits.length; i++) numbers[i] = convert(bits[i] as never);
  return numbers;
}

export const bytesOf = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

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
  let end = 0;
  for (const { name, dtype, shape, data } of entries) {
    if (names.has(name)) fail("safetensors", `two tensors cannot both be called "${name}"`);
    if (data.length !== bytesOfEntry({ dtype, shape }))
      fail("safetensors", `"${name}" ${printEntry({ dtype, shape })} has ${data.length} bytes`);
    names.add(name);
    const begin = end;
    end += data.length;
    parts.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
  }
  return `{${parts.join(",")}}`;
}
