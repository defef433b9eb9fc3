/** TensorProto to tensors: whichever field holds the elements, they become little-endian bytes. */
import { fail } from "../../../ir/diagnostic.ts";
import { bytesOf, countOf, elementTypeOf, elementTypes, type OnnxElementType } from "./element-type.ts";
import { quoted } from "./label.ts";
import type { OnnxData, OnnxSparseTensor, OnnxTensor } from "./model.ts";
import type { Message } from "./schema.ts";

type Proto = Message<"tensor">;
type DataField = "float_data" | "int32_data" | "string_data" | "int64_data" | "raw_data" | "double_data" | "uint64_data";

/** `where` words the place for messages, without the name of the tensor. */
export function readTensor(proto: Proto, where: string): OnnxTensor {
  const name = proto.name ?? "";
  const at = name === "" ? where : `${where} ${quoted(name)}`;
  const dtype = elementType(proto.data_type ?? 0n, at) ?? fail("onnx", `${at} does not say what type its elements have`, null);
  const dims = readDims(proto.dims, at);
  const count = checkedCount(dims, at);
  if (proto.segment) fail("onnx", `${at} is a piece of a tensor in several pieces, which is not supported`, null);
  const data = proto.data_location === 1n ? externalData(proto, dtype, count, at) : inlineData(proto, dtype, dims, count, at);
  return { name, dtype, dims, data };
}

/** The type of this number; null for 0, which says nothing. */
export function elementType(code: bigint, where: string): OnnxElementType | null {
  if (code === 0n) return null;
  return elementTypeOf(Number(code)) ?? fail("onnx", `${where} has the element type ${code}, which ONNX does not define`, null);
}

export function readSparseTensor(proto: Message<"sparse">, where: string): OnnxSparseTensor {
  if (!proto.values || !proto.indices)
    return fail("onnx", `${where} is a sparse tensor without ${proto.values ? "indices" : "values"}`, null);
  const values = readTensor(proto.values, where);
  const indices = readTensor(proto.indices, `${where}, indices`);
  const dims = readDims(proto.dims, where);
  checkedCount(dims, where);
  const [count] = values.dims;
  if (values.dims.length !== 1)
    fail("onnx", `${where} is a sparse tensor with values of extents [${values.dims}], expected one axis`, null);
  const fits = indices.dims[0] === count && (indices.dims.length === 1 || (indices.dims.length === 2 && indices.dims[1] === dims.length));
  if (indices.dtype !== "int64" || !fits)
    fail(
      "onnx",
      `${where} is a sparse tensor with indices ${indices.dtype}[${indices.dims}], expected int64[${count}] or int64[${count},${dims.length}]`,
      null,
    );
  return { values, indices, dims };
}

function readDims(dims: BigInt64Array, where: string): number[] {
  return Array.from(dims, (d) => {
    if (d < 0n || d > BigInt(Number.MAX_SAFE_INTEGER))
      fail("onnx", `${where} has the extents [${dims}], expected numbers from 0 to 2^53`, null);
    return Number(d);
  });
}
function checkedCount(dims: readonly number[], where: string): number {
  const count = countOf(dims);
  if (bytesOf("complex128", count) > Number.MAX_SAFE_INTEGER)
    fail("onnx", `${where} has the extents [${dims}], which are ${count} elements`, null);
  return count;
}

/* ---- elements in the file ---- */

const dataFields: readonly DataField[] = [
  "raw_data",
  "float_data",
  "int32_data",
  "int64_data",
  "double_data",
  "uint64_data",
  "string_data",
];

function inlineData(proto: Proto, dtype: OnnxElementType, dims: readonly number[], count: number, where: string): OnnxData {
  const used = dataFields.filter((f) => (proto[f]?.length ?? 0) > 0);
  const [field] = used;
  if (used.length > 1) fail("onnx", `${where} has elements in ${used.join(" and ")}, expected one of them`, null);
  if (field !== undefined && field !== "raw_data" && field !== typedField(dtype))
    fail("onnx", `${where} holds ${dtype} and has elements in ${field}, expected raw_data or ${typedField(dtype)}`, null);
  if (dtype === "string") return stringData(proto, dims, count, where);
  const bytes = field === undefined ? new Uint8Array() : bytesIn(proto, field, dtype, where);
  const expected = bytesOf(dtype, count);
  if (bytes.length !== expected)
    fail("onnx", `${where} has ${bytes.length} bytes of elements, but ${dtype}[${dims}] takes ${expected}`, null);
  return { kind: "bytes", bytes };
}

function stringData(proto: Proto, dims: readonly number[], count: number, where: string): OnnxData {
  if (proto.raw_data?.length) fail("onnx", `${where} holds strings in raw_data, expected string_data`, null);
  if (proto.string_data.length !== count)
    fail("onnx", `${where} has ${proto.string_data.length} strings, but [${dims}] takes ${count}`, null);
  return { kind: "strings", strings: proto.string_data };
}

function typedField(dtype: OnnxElementType): DataField {
  switch (dtype) {
    case "float":
    case "complex64":
      return "float_data";
    case "double":
    case "complex128":
      return "double_data";
    case "int64":
      return "int64_data";
    case "uint32":
    case "uint64":
      return "uint64_data";
    case "string":
      return "string_data";
    default:
      return "int32_data";
  }
}

function bytesIn(proto: Proto, field: DataField, dtype: OnnxElementType, where: string): Uint8Array {
  if (field === "raw_data") return proto.raw_data!;
  const list = proto[field] as BigInt64Array | BigUint64Array | Float32Array | Float64Array;
  if (dtype === "uint32" || field === "int32_data") return narrowed(list as BigInt64Array | BigUint64Array, dtype, where);
  return new Uint8Array(list.buffer, list.byteOffset, list.byteLength);
}

/** 64-bit integers, each checked, in the width of a type. Types that are not integers are kept as their bits. */
function narrowed(list: BigInt64Array | BigUint64Array, dtype: OnnxElementType, where: string): Uint8Array {
  const width = Math.max(1, elementTypes[dtype].bits / 8);
  const [min, max] = rangeOf(dtype, width);
  const words = new Int32Array(list.buffer, list.byteOffset, 2 * list.length);
  const out = new Uint8Array(width * list.length);
  const view = new DataView(out.buffer);
  for (let i = 0; i < list.length; i++) {
    const value = words[2 * i + 1]! * 2 ** 32 + (words[2 * i]! >>> 0);
    if (value < min || value > max) fail("onnx", `${where}: element ${i} is ${list[i]}, but ${dtype} takes ${min} to ${max}`, null);
    if (width === 1) view.setUint8(i, value);
    else if (width === 2) view.setUint16(2 * i, value, true);
    else view.setUint32(4 * i, value, true);
  }
  return out;
}
function rangeOf(dtype: OnnxElementType, width: number): readonly [number, number] {
  const values = 2 ** (8 * width);
  if (dtype === "bool") return [0, 1];
  return dtype === "int8" || dtype === "int16" || dtype === "int32" ? [-values / 2, values / 2 - 1] : [0, values - 1];
}

/* ---- elements beside the file ---- */

function externalData(proto: Proto, dtype: OnnxElementType, count: number, where: string): OnnxData {
  if (dtype === "string") fail("onnx", `${where} holds strings in another file, which ONNX does not allow`, null);
  const entries = new Map(proto.external_data.map(({ key, value }) => [key ?? "", value ?? ""]));
  const location = entries.get("location") ?? fail("onnx", `${where} has its elements in another file, but does not say in which`, null);
  const offset = wholeNumber(entries.get("offset"), "offset", where) ?? 0;
  const length = wholeNumber(entries.get("length"), "length", where);
  const expected = bytesOf(dtype, count);
  if (length !== null && length !== expected)
    fail("onnx", `${where} has ${length} bytes of elements in ${quoted(location)}, but ${expected} are needed`, null);
  return { kind: "external", location: insideFolder(location, where), offset };
}

function wholeNumber(text: string | undefined, key: string, where: string): number | null {
  if (text === undefined || text === "") return null;
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number))
    fail("onnx", `${where} has the ${key} ${quoted(text)} in another file, expected a whole number`, null);
  return number;
}

/** A path that stays in the model's folder, on any system: no root, no drive, no step up, no backslash. */
function insideFolder(location: string, where: string): string {
  const steps = location.split("/").filter((step) => step !== ".");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they have no place in a file name
  if (steps.some((step) => step === "" || step === "..") || /[\\:\u0000-\u001f]/.test(location) || steps.length === 0)
    fail("onnx", `${where} has its elements in ${quoted(location)}, which is not a path inside the model's folder`, null, {
      help: "keep the files of weights beside the model",
    });
  return steps.join("/");
}
