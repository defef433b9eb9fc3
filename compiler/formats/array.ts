/** Arrays as files hold them, and their conversion to tensors. */
import { fail } from "../../ir/diagnostic.ts";
import { type DType, type Shape, sizeOf } from "../../ir/type.ts";

/** Element types of files, by NumPy's letters and bytes. */
export type ElementType = "f4" | "f8" | "i4" | "i8" | "u1" | "b1";
export type ElementData = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;
/** Row-major. `b1` holds 0 and 1. */
export interface NdArray {
  readonly type: ElementType;
  readonly shape: Shape;
  readonly data: ElementData;
}
/** Values of a tensor: f32, i32, and one byte an element for u8 and bool. */
export type TensorData = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;
export interface Tensor {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TensorData;
}

/** The file type that holds a tensor exactly. */
export const elementTypeOf: Record<DType, ElementType> = { f32: "f4", i32: "i4", u8: "u1", bool: "b1" };
/** The tensor type nearest to a file's. */
export const dtypeOf: Record<ElementType, DType> = { f4: "f32", f8: "f32", i4: "i32", i8: "i32", u1: "u8", b1: "bool" };

export const emptyTensorData = (dtype: DType, count: number): TensorData => {
  switch (dtype) {
    case "f32":
      return new Float32Array(count);
    case "i32":
      return new Int32Array(count);
    case "u8":
    case "bool":
      return new Uint8Array(count);
  }
};

/** What an element of this type must be; null: anything goes. */
const demands: Record<DType, { readonly holds: (v: number) => boolean; readonly words: string } | null> = {
  f32: null,
  i32: { holds: (v) => (v | 0) === v, words: "a whole number of 32 bits" },
  u8: { holds: (v) => (v & 255) === v, words: "a whole number from 0 to 255" },
  bool: { holds: (v) => v === 0 || v === 1, words: "0 or 1" },
};

/**
 * Copies `values` into `out` at `at`, as elements of `dtype`, times `factor` (f32 only).
 * `where` words the place of a value that does not fit.
 */
export function convertInto(
  values: ArrayLike<number>,
  dtype: DType,
  out: TensorData,
  at: number,
  factor: number,
  where: (index: number) => string,
): void {
  const demand = demands[dtype];
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!;
    if (demand && !demand.holds(v)) fail("data", `${where(i)} is ${v}, but ${dtype} takes ${demand.words}`, null);
    out[at + i] = demand ? v : v * factor;
  }
}

/** A file's array as a tensor of its nearest type; numbers that do not fit are refused. */
export function tensorOf(array: NdArray, name: string): Tensor {
  const dtype = dtypeOf[array.type];
  const data = emptyTensorData(dtype, sizeOf(array.shape));
  convertInto(numbers(array, name), dtype, data, 0, 1, (i) => `${name}: element ${i}`);
  return { dtype, shape: array.shape, data };
}

/** Elements as ordinary numbers; 64-bit integers beyond 2^53 are refused. */
export function numbers({ data }: NdArray, name: string): ArrayLike<number> {
  if (!(data instanceof BigInt64Array)) return data;
  return Float64Array.from(data, (v, i) => {
    if (!Number.isSafeInteger(Number(v))) fail("data", `${name}: element ${i} is ${v}, which is too large`, null);
    return Number(v);
  });
}
