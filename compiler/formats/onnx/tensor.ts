/** Elements of ONNX tensors as typed arrays. */
import { fail } from "../../../ir/diagnostic.ts";
import { fromBfloat16, fromFloat16 } from "../../../ir/float16.ts";
import type { DType } from "../../../ir/type.ts";
import type { TensorData } from "../array.ts";
import { bytesOf, countOf, type OnnxElementType } from "./element-type.ts";
import { numberOf } from "./integer.ts";
import { quoted } from "./label.ts";
import type { OnnxTensor } from "./model.ts";

/**
 * So many bytes of a file beside the model. `location` is relative and has no step up; a reader of real files must also refuse
 * links that lead out of the folder. Fails with a diagnostic where it cannot give all of them.
 */
export type ReadExternal = (location: string, offset: number, length: number) => Uint8Array;

/** float16 and bfloat16 as singles, everything else as it is; bool as bytes. */
export type OnnxElements =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>;

type Reader = (buffer: ArrayBuffer) => OnnxElements;
/** Types that can be computed with: how their elements are read, and the type of the language that is nearest. */
const readers: Readonly<Partial<Record<OnnxElementType, { readonly dtype: DType; readonly read: Reader }>>> = {
  float: { dtype: "f32", read: (b) => new Float32Array(b) },
  double: { dtype: "f32", read: (b) => new Float64Array(b) },
  float16: { dtype: "f32", read: (b) => widened(new Uint16Array(b), fromFloat16) },
  bfloat16: { dtype: "f32", read: (b) => widened(new Uint16Array(b), fromBfloat16) },
  int8: { dtype: "i32", read: (b) => new Int8Array(b) },
  int16: { dtype: "i32", read: (b) => new Int16Array(b) },
  int32: { dtype: "i32", read: (b) => new Int32Array(b) },
  int64: { dtype: "i32", read: (b) => new BigInt64Array(b) },
  uint8: { dtype: "u8", read: (b) => new Uint8Array(b) },
  uint16: { dtype: "i32", read: (b) => new Uint16Array(b) },
  uint32: { dtype: "i32", read: (b) => new Uint32Array(b) },
  uint64: { dtype: "i32", read: (b) => new BigUint64Array(b) },
  bool: { dtype: "bool", read: (b) => new Uint8Array(b) },
};

function widened(bits: Uint16Array, single: (bits: number) => number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = single(bits[i]!);
  return out;
}

/** The nearest type of the language, or null where it has none, as for strings and complex numbers. */
export const dtypeOf = (type: OnnxElementType): DType | null => readers[type]?.dtype ?? null;

/** A copy of the elements. `where` words the tensor for messages; `external` is null where no other files can be read. */
export function elementsOf(tensor: OnnxTensor, where: string, external: ReadExternal | null): OnnxElements {
  const reader = readers[tensor.dtype];
  if (!reader)
    return fail("onnx", `${where} has ${tensor.dtype} elements, supported are ${Object.keys(readers).join(", ")}`, null, {
      help: "export the model in float32",
    });
  return reader.read(new Uint8Array(rawBytes(tensor, where, external)).buffer);
}

function rawBytes({ data, dtype, dims }: OnnxTensor, where: string, external: ReadExternal | null): Uint8Array {
  if (data.kind === "bytes") return data.bytes;
  if (data.kind === "strings") return fail("onnx", `${where} has strings, expected numbers`, null);
  if (!external)
    return fail("onnx", `${where} has its elements in the file ${quoted(data.location)}, which cannot be read here`, null, {
      help: "save the model with its weights in one file",
    });
  const length = bytesOf(dtype, countOf(dims));
  const bytes = external(data.location, data.offset, length);
  if (bytes.length !== length)
    fail("onnx", `${where} takes ${length} bytes at ${data.offset} of ${quoted(data.location)}, but ${bytes.length} are there`, null);
  return bytes;
}

/**
 * The elements in a type of the language, of the same kind: floating-point numbers rounded to singles, whole numbers where they
 * fit, bools.
 */
export function convertedElements(tensor: OnnxTensor, dtype: DType, where: string, external: ReadExternal | null): TensorData {
  const elements = elementsOf(tensor, where, external);
  const nearest = dtypeOf(tensor.dtype)!;
  if (kindOf[nearest] !== kindOf[dtype]) fail("onnx", `${where} has ${tensor.dtype} elements, expected ${dtype}`, null);
  switch (dtype) {
    case "f32":
      return elements instanceof Float32Array ? elements : new Float32Array(elements as Float64Array);
    case "i32":
      return elements instanceof Int32Array ? elements : new Int32Array(inRange(elements, dtype, where));
    case "u8":
      return elements instanceof Uint8Array ? elements : new Uint8Array(inRange(elements, dtype, where));
    case "bool":
      return new Uint8Array(inRange(elements, dtype, where));
  }
}
const kindOf: Readonly<Record<DType, "float" | "integer" | "bool">> = { f32: "float", i32: "integer", u8: "integer", bool: "bool" };
const ranges = { i32: [-(2 ** 31), 2 ** 31 - 1], u8: [0, 255], bool: [0, 1] } as const;

function inRange(elements: OnnxElements, dtype: keyof typeof ranges, where: string): Float64Array {
  const [min, max] = ranges[dtype];
  const out = new Float64Array(elements.length);
  for (let i = 0; i < elements.length; i++) {
    const value = Number(elements[i]!);
    if (value < min || value > max) fail("onnx", `${where}: element ${i} is ${elements[i]}, but ${dtype} takes ${min} to ${max}`, null);
    out[i] = value;
  }
  return out;
}

/** Whole numbers such as extents and axes, exactly; the ends of 64 bits are `unbounded` of `integer.ts`. */
export function integersOf(tensor: OnnxTensor, where: string, external: ReadExternal | null): number[] {
  const elements = elementsOf(tensor, where, external);
  if (tensor.dtype === "bool" || elements instanceof Float32Array || elements instanceof Float64Array)
    return fail("onnx", `${where} has ${tensor.dtype} elements, expected whole numbers`, null);
  if (!(elements instanceof BigInt64Array || elements instanceof BigUint64Array)) return [...elements];
  return Array.from(elements, (v, i) => numberOf(v) ?? fail("onnx", `${where}: element ${i} is ${v}, which is too large`, null));
}
