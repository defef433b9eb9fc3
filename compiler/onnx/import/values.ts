/** Values of an ONNX graph while it is imported: numbers that are known, and tensors that the program computes. */
import { fail } from "../../../ir/diagnostic.ts";
import type { Node } from "../../../ir/graph/graph.ts";
import { type DType, type Shape, sizeOf } from "../../../ir/type.ts";
import type { OnnxElementType } from "../../formats/onnx/element-type.ts";
import { unbounded } from "../../formats/onnx/integer.ts";

/** Row-major. Integers are whole numbers and may lie outside of i32; `unbounded` and its negative stand for the ends of 64 bits. */
export type Numbers = ArrayLike<number>;

export interface Known {
  readonly kind: "known";
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: Numbers;
  /** Of the initializer that it is, or was before its elements were rearranged; null: it was computed. */
  readonly name: string | null;
  /** Training may have made it what it is: floats of the file, or made of such, that are no constants. */
  readonly trained: boolean;
  /** In the file, where it comes from there as it is. */
  readonly element?: OnnxElementType;
}
export interface Live {
  readonly kind: "live";
  readonly dtype: DType;
  readonly shape: Shape;
  /** Of the value in the sketch. */
  readonly name: string;
  readonly node: Node;
}
export type Operand = Known | Live;

export const known = (dtype: DType, shape: Shape, data: Numbers, name: string | null = null, trained = name !== null): Known => ({
  kind: "known",
  dtype,
  shape,
  data,
  name,
  trained: dtype === "f32" && trained,
});
export const knownInts = (values: readonly number[], shape: Shape = [values.length]): Known => known("i32", shape, values);

/** What an operator does with this model cannot be said in the language; the message says what it is. */
export class Unsupported extends Error {}
export const unsupported = (reason: string): never => {
  throw new Unsupported(reason);
};

const largest = 2 ** 31 - 1;
/** An integer as i32 holds it: the ends of 64 bits become its own; others must fit. */
export function narrowed(value: number, what: string): number {
  if (value === unbounded) return largest;
  if (value === -unbounded) return -largest - 1;
  if (value >= -largest - 1 && value <= largest) return value;
  return fail("onnx", `${what} holds ${value}, which i32 cannot hold`, null);
}

type Cells = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;
/** Elements as they lie in a file of weights. */
export function cellsOf(value: Known): Cells {
  const { data, dtype } = value;
  if (dtype === "f32") return isFloats(data) ? data : Float32Array.from(data);
  if (dtype !== "i32") return Uint8Array.from(data);
  return Int32Array.from(data, (v) => narrowed(v, value.name === null ? "a constant" : `\`${value.name}\``));
}
const isFloats = (data: Numbers): data is Float32Array<ArrayBuffer> => data instanceof Float32Array;

/** Whether all elements are the same. */
export function isUniform({ data }: Known): boolean {
  for (let i = 1; i < data.length; i++) if (!Object.is(data[i], data[0])) return false;
  return data.length > 0;
}
export const everyElement = ({ data }: Known, test: (v: number) => boolean): boolean => {
  for (let i = 0; i < data.length; i++) if (!test(data[i]!)) return false;
  return true;
};

/* ---- rearranged elements; the name stays where all of them do ---------------------------------------------------- */

export const reshapedKnown = (x: Known, shape: Shape): Known => ({ ...x, shape });

/** Elements of `x` at `position(i)`, for each element i of the result. */
function picked(x: Known, shape: Shape, position: (i: number) => number, name: string | null): Known {
  const size = sizeOf(shape);
  const data = isFloats(x.data) ? new Float32Array(size) : new Float64Array(size);
  for (let i = 0; i < size; i++) data[i] = x.data[position(i)]!;
  return known(x.dtype, shape, data, name, x.trained);
}
export function permutedKnown(x: Known, axes: readonly number[]): Known {
  const strides = stridesOf(x.shape);
  const shape = axes.map((a) => x.shape[a]!);
  return picked(
    x,
    shape,
    walker(
      shape,
      axes.map((a) => strides[a]!),
    ),
    x.name,
  );
}
/** NumPy's broadcast_to; `x` has as many axes or fewer. */
export function broadcastKnown(x: Known, shape: Shape): Known {
  const own = [...shape.slice(x.shape.length).map(() => 1), ...x.shape];
  const strides = stridesOf(own);
  return picked(
    x,
    shape,
    walker(
      shape,
      own.map((d, a) => (d === 1 ? 0 : strides[a]!)),
    ),
    x.name,
  );
}
/** `x[begin]`, `x[begin + step]`, ... along one axis. */
export function pickedAlong(x: Known, axis: number, places: readonly number[]): Known {
  const inner = sizeOf(x.shape.slice(axis + 1));
  const extent = x.shape[axis]!;
  const n = places.length;
  const shape = x.shape.map((d, a) => (a === axis ? n : d));
  const position = (i: number) => {
    const row = Math.floor(i / inner);
    return (Math.floor(row / n) * extent + places[row % n]!) * inner + (i % inner);
  };
  return picked(x, shape, position, null);
}
export function concatKnown(xs: readonly Known[], axis: number): Known {
  const first = xs[0]!;
  const shape = first.shape.map((d, a) => (a === axis ? xs.reduce((n, x) => n + x.shape[a]!, 0) : d));
  const inner = (x: Known) => sizeOf(x.shape.slice(axis));
  const outer = sizeOf(first.shape.slice(0, axis));
  const data: number[] = [];
  for (let o = 0; o < outer; o++) for (const x of xs) for (let i = 0; i < inner(x); i++) data.push(x.data[o * inner(x) + i]!);
  const trained = xs.some((x) => x.trained);
  return known(first.dtype, shape, data, null, trained);
}
export const mappedKnown = (x: Known, f: (v: number) => number): Known =>
  known(x.dtype, x.shape, Float32Array.from(x.data, f), x.name, x.trained);

export function stridesOf(shape: Shape): number[] {
  const strides = shape.map(() => 1);
  for (let a = shape.length - 2; a >= 0; a--) strides[a] = strides[a + 1]! * shape[a + 1]!;
  return strides;
}
/** The position of element i of `shape` in memory of these strides; i counts up from 0. */
function walker(shape: Shape, strides: readonly number[]): (i: number) => number {
  const index = shape.map(() => 0);
  let at = 0;
  return (i) => {
    if (i === 0) return 0;
    for (let a = shape.length - 1; a >= 0; a--) {
      at += strides[a]!;
      if (++index[a]! < shape[a]!) break;
      at -= strides[a]! * shape[a]!;
      index[a] = 0;
    }
    return at;
  };
}
