/** Element types of ONNX tensors: TensorProto.DataType of the specification, in lower case. */

interface ElementTypeInfo {
  /** The number that stands for the type in files. */
  readonly code: number;
  /** Bits an element takes; 0 for strings, which have no fixed width. */
  readonly bits: number;
}
export const elementTypes = {
  float: { code: 1, bits: 32 },
  uint8: { code: 2, bits: 8 },
  int8: { code: 3, bits: 8 },
  uint16: { code: 4, bits: 16 },
  int16: { code: 5, bits: 16 },
  int32: { code: 6, bits: 32 },
  int64: { code: 7, bits: 64 },
  string: { code: 8, bits: 0 },
  bool: { code: 9, bits: 8 },
  float16: { code: 10, bits: 16 },
  double: { code: 11, bits: 64 },
  uint32: { code: 12, bits: 32 },
  uint64: { code: 13, bits: 64 },
  complex64: { code: 14, bits: 64 },
  complex128: { code: 15, bits: 128 },
  bfloat16: { code: 16, bits: 16 },
  float8e4m3fn: { code: 17, bits: 8 },
  float8e4m3fnuz: { code: 18, bits: 8 },
  float8e5m2: { code: 19, bits: 8 },
  float8e5m2fnuz: { code: 20, bits: 8 },
  uint4: { code: 21, bits: 4 },
  int4: { code: 22, bits: 4 },
  float4e2m1: { code: 23, bits: 4 },
  float8e8m0: { code: 24, bits: 8 },
  uint2: { code: 25, bits: 2 },
  int2: { code: 26, bits: 2 },
} as const satisfies Readonly<Record<string, ElementTypeInfo>>;

export type OnnxElementType = keyof typeof elementTypes;

const byCode: ReadonlyMap<number, OnnxElementType> = new Map(
  (Object.keys(elementTypes) as OnnxElementType[]).map((type) => [elementTypes[type].code, type]),
);
/** The type of a number in a file, or null where it stands for none. */
export const elementTypeOf = (code: number): OnnxElementType | null => byCode.get(code) ?? null;

/** Bytes that so many elements take, packed. */
export const bytesOf = (type: OnnxElementType, count: number): number => Math.ceil((count * elementTypes[type].bits) / 8);

/** Elements of a tensor of these extents. */
export const countOf = (dims: readonly number[]): number => (dims.includes(0) ? 0 : dims.reduce((n, d) => n * d, 1));
