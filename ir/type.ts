/** Types of tensors: element type, logical shape, physical layout. */
import { type Layout, printLayout } from "./layout.ts";

/** Element types of the language. `u8` and `bool` take a byte in WebAssembly memory and a 32-bit word in WGSL. */
export type DType = "f32" | "i32" | "u8" | "bool";
export const dtypes: readonly DType[] = ["f32", "i32", "u8", "bool"];

/** Extents of the logical axes, outermost first; every extent is a positive integer. `[]` is a scalar. */
export type Shape = readonly number[];

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
  /** Where elements live in memory; null is row-major without padding. Operations never look at it. */
  readonly layout: Layout | null;
}

/** How elements are kept in memory where that is less than what they are: an f32 as a half, rounded to the nearest, ties to even. */
export type Stored = "f16";
/** What large tensors of a program are in the memory of a GPU: what they are, or halves where that is less. */
export type Storage = "f32" | Stored;
export const storages: readonly Storage[] = ["f32", "f16"];
/** Bytes of an element. */
export const bytesStored: Readonly<Record<Stored, number>> = { f16: 2 };

export const tensor = (dtype: DType, shape: Shape, layout: Layout | null = null): TensorType => ({ dtype, shape, layout });
export const f32 = (...shape: number[]): TensorType => tensor("f32", shape);
export const i32 = (...shape: number[]): TensorType => tensor("i32", shape);

/** Number of elements. */
export const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((d, i) => d === b[i]);
/** Equal element type and shape; layouts may differ. */
export const sameType = (a: TensorType, b: TensorType): boolean => a.dtype === b.dtype && sameShape(a.shape, b.shape);

/** `f32[1,3,224,224]`; with a layout `f32[1,3,8,8]{0 2 3 1}`. */
export const printType = (t: TensorType): string => `${t.dtype}[${t.shape.join(",")}]${t.layout ? `{${printLayout(t.layout)}}` : ""}`;

/** NumPy broadcasting: the common shape, or null where an axis disagrees. */
export function broadcastShapes(a: Shape, b: Shape): Shape | null {
  const rank = Math.max(a.length, b.length);
  const out: number[] = [];
  for (let i = 0; i < rank; i++) {
    const p = a[a.length - rank + i] ?? 1;
    const q = b[b.length - rank + i] ?? 1;
    if (p !== q && p !== 1 && q !== 1) return null;
    out.push(p === 1 ? q : p);
  }
  return out;
}
