/** Values of an ONNX graph while it is imported: numbers that are known, and tensors that the program computes. */
import type { Node } from "../../../ir/graph/graph.ts";
import { type DType, type Shape, sizeOf } from "../../../ir/type.ts";
import { elementTypeOf, type OnnxElementType } from "../../formats/onnx/element-type.ts";
import { unbounded } from "../../formats/onnx/integer.ts";
import { dtypeOf } from "../../formats/onnx/tensor.ts";

/** Row-major. Integers are whole numbers and may lie outside of i32; `unbounded` and its negative stand for the ends of 64 bits. */
export type Numbers = ArrayLike<number>;

export interface Known {
  readonly kind: "known";
  readonly element: OnnxElementType;
  /** The language's type for `element`. */
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: Numbers;
  /** Of the initializer that it is, or was before its elements were rearranged; null: it was computed. */
  readonly name: string | null;
  /** Training may have made it what it is: floats of the file, or made of such, that are no constants. */
  readonly trained: boolean;
}
export interface Live {
  readonly kind: "live";
  readonly element: OnnxElementType;
  readonly dtype: DType;
  readonly shape: Shape;
  /** Of the value in the sketch. */
  readonly name: string;
  readonly node: Node;
}
export type Operand = Known | Live;

export function known(
  element: OnnxElementType,
  shape: Shape,
  data: Numbers,
  name: string | null = null,
  trained: boolean = name !== null,
): Known {
  const dtype = languageType(element);
  return { kind: "known", element, dtype, shape, data, name, trained: dtype === "f32" && trained };
}
export const knownInts = (values: readonly number[], shape: Shape = [values.length]): Known => known("int64", shape, values);

export const languageType = (element: OnnxElementType): DType =>
  dtypeOf(element) ?? unsupported(`${element} elements are not in the language`);
/** The element type of this number. */
export function typeNumbered(code: number): OnnxElementType {
  const type = elementTypeOf(code) ?? unsupported(`there is no element type ${code}`);
  languageType(type);
  return type;
}
/** What a tensor of the language is in ONNX where nothing else is known of it. */
export const usualElement: Readonly<Record<DType, OnnxElementType>> = { f32: "float", i32: "int64", u8: "uint8", bool: "bool" };

/**
 * What is wrong with a node.
 * `unknown`: an operator or attribute, or what it asks for, is not in the language. `misfit`: its operands do not fit. `data`: the
 * numbers of the file cannot be used.
 */
export type Trouble = "unknown" | "misfit" | "data";
/** A node cannot be translated; the message says why. */
export class Unsupported extends Error {
  readonly trouble: Trouble;
  constructor(reason: string, trouble: Trouble) {
    super(reason);
    this.trouble = trouble;
  }
}
/** What an operator does with this model cannot be said in the language; the message says what it is. */
export const unsupported = (reason: string): never => {
  throw new Unsupported(reason, "unknown");
};
/** Operands that make no sense together, in any language. */
export const misfit = (reason: string): never => {
  throw new Unsupported(reason, "misfit");
};

const largest = 2 ** 31 - 1;
/** An integer as i32 holds it: the ends of 64 bits become its own; others must fit. */
export function narrowed(value: number, what: string): number {
  if (value === unbounded) return largest;
  if (value === -unbounded) return -largest - 1;
  if (value >= -largest - 1 && value <= largest) return value;
  throw new Unsupported(`${what} holds ${value}, which i32 cannot hold`, "data");
}

/* ---- whole numbers of the file's types --------------------------------------------------------------------------- */

/** Least and largest of the types that i32 holds and that are narrower. */
const narrowRanges: Readonly<Partial<Record<OnnxElementType, readonly [number, number]>>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  uint16: [0, 2 ** 16 - 1],
};
/** Least and largest of an integer type that is narrower than i32; null: it is not. */
export const narrowRange = (element: OnnxElementType): readonly [number, number] | null => narrowRanges[element] ?? null;
const wrapped = (v: number, least: number, count: number): number => v - Math.floor((v - least) / count) * count;

/** A whole number as the type holds it: integers of up to 32 bits wrap, those of 64 bits are refused where doubles lose digits. */
export function heldInteger(v: number, element: OnnxElementType): number {
  const range = narrowRanges[element] ?? (element === "int32" ? [-(2 ** 31), largest] : element === "uint32" ? [0, 2 ** 32 - 1] : null);
  if (Math.abs(v) === Number.POSITIVE_INFINITY || Math.abs(v) === unbounded) {
    // the end of 64 bits has all lower bits set, its negative none
    return range ? wrapped(v > 0 ? -1 : 0, range[0], range[1] - range[0] + 1) : Math.sign(v) * unbounded;
  }
  if (!Number.isSafeInteger(v)) throw new Unsupported("its result is an integer of more than 53 bits", "data");
  return range ? wrapped(v, range[0], range[1] - range[0] + 1) : v;
}
/** For arithmetic, where the ends of 64 bits are farther than any number. */
export const farInteger = (v: number): number => (Math.abs(v) === unbounded ? Math.sign(v) * Number.POSITIVE_INFINITY : v);

/** A number of the type `from` as `to` holds it. */
export function convertedNumber(v: number, from: OnnxElementType, to: OnnxElementType): number {
  const dtype = languageType(to);
  if (dtype === "bool") return v === 0 ? 0 : 1;
  if (dtype === "f32") return Math.abs(v) === unbounded && languageType(from) === "i32" ? Math.sign(v) * 2 ** 63 : v;
  if (languageType(from) !== "f32") return heldInteger(v, to);
  if (Number.isNaN(v)) return 0;
  const whole = Math.trunc(v) + 0;
  const inWord = Math.max(-largest - 1, Math.min(largest, whole));
  if (to === "int32" || narrowRange(to)) return heldInteger(inWord, to);
  return heldInteger(Math.abs(whole) >= 2 ** 63 ? Math.sign(whole) * unbounded : whole, to);
}

/* ---- elements ---------------------------------------------------------------------------------------------------- */

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
  return known(x.element, shape, data, name, x.trained);
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
  return known(first.element, shape, data, null, trained);
}
export const mappedKnown = (x: Known, f: (v: number) => number): Known =>
  known(x.element, x.shape, Float32Array.from(x.data, f), x.name, x.trained);

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
