/**
 * What operations on one lane mean. Values are JavaScript numbers; bool is 0 or 1. Integers wrap, except in `exact`.
 * double: f32 without rounding, the ideal meaning. single: every f32 operation rounds once (`fma` twice).
 * exact: as double, with i32 as whole numbers without bounds: NaN where a double would lose digits, infinities stay such.
 */
import { invariant } from "../diagnostic.ts";
import { floorDiv, floorMod } from "./build.ts";
import type { BinaryOp, ScalarType, UnaryOp } from "./kernel.ts";

export type Model = "double" | "single" | "exact";
export type TypedMemory = Float64Array | Float32Array | Int32Array | Uint32Array | Uint8Array;

/** What a running invocation owns: its variables, and the memory of the kernel's buffers. */
export interface Frame {
  readonly slots: Float64Array;
  readonly memory: readonly TypedMemory[];
  /** null: there are no subgroups. */
  readonly subgroup: Subgroup | null;
}
export interface Subgroup {
  readonly size: number;
  readonly bits: number;
  /** NaN outside of a workgroup. */
  readonly lane: number;
  /** What each lane gives in an exchange. */
  readonly given: Float64Array;
}
export type Thunk = (f: Frame) => number;
type Unary = (a: Thunk) => Thunk;
type Binary = (a: Thunk, b: Thunk) => Thunk;

/* ---- functions on numbers -------------------------------------------------------------------------------------- */

/** To the nearest integer, halves to even. */
export function roundEven(x: number): number {
  const magnitude = Math.abs(x);
  if (!(magnitude < 2 ** 52)) return x;
  const whole = magnitude + 2 ** 52 - 2 ** 52;
  return x < 0 || Object.is(x, -0) ? -whole : whole;
}
/** Remainder with the sign of the divisor; 0 for a divisor of 0. */
function floatMod(a: number, b: number): number {
  if (b === 0) return 0;
  const r = a % b;
  return r !== 0 && r < 0 !== b < 0 ? r + b : r;
}
/** The error function in double precision: a series below 3, a continued fraction above. */
export function erf(x: number): number {
  const z = Math.abs(x);
  if (!(z < 6)) return Math.sign(x);
  let value: number;
  if (z < 3) {
    let term = z;
    let sum = z;
    for (let n = 1; term > sum * 1e-17; n++) {
      term *= (2 * z * z) / (2 * n + 1);
      sum += term;
    }
    value = (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum;
  } else {
    let tail = 0;
    for (let n = 60; n > 0; n--) tail = n / 2 / (z + tail);
    value = 1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + tail);
  }
  return x < 0 ? -value : value;
}
const clampInt = (x: number, lo: number, hi: number): number => (Number.isNaN(x) ? 0 : Math.max(lo, Math.min(hi, Math.trunc(x))) + 0);

/* ---- tables ---------------------------------------------------------------------------------------------------- */

const apply =
  (g: (x: number) => number): Unary =>
  (a) =>
  (f) =>
    g(a(f));
const comparisons = {
  lt: (a, b) => (f) => (a(f) < b(f) ? 1 : 0),
  le: (a, b) => (f) => (a(f) <= b(f) ? 1 : 0),
  eq: (a, b) => (f) => (a(f) === b(f) ? 1 : 0),
  ne: (a, b) => (f) => (a(f) !== b(f) ? 1 : 0),
} satisfies Partial<Record<BinaryOp, Binary>>;
const extremes = {
  min: (a, b) => (f) => {
    const x = a(f);
    const y = b(f);
    return y < x ? y : x;
  },
  max: (a, b) => (f) => {
    const x = a(f);
    const y = b(f);
    return x < y ? y : x;
  },
} satisfies Partial<Record<BinaryOp, Binary>>;

const unaryTables: Record<ScalarType, Partial<Record<UnaryOp, Unary>>> = {
  f32: {
    neg: (a) => (f) => -a(f),
    abs: apply(Math.abs),
    sign: apply(Math.sign),
    sqrt: apply(Math.sqrt),
    exp: apply(Math.exp),
    log: apply(Math.log),
    sin: apply(Math.sin),
    cos: apply(Math.cos),
    tanh: apply(Math.tanh),
    erf: apply(erf),
    floor: apply(Math.floor),
    ceil: apply(Math.ceil),
    round: apply(roundEven),
  },
  i32: { neg: (a) => (f) => -a(f) | 0, abs: (a) => (f) => Math.abs(a(f)) | 0, sign: apply(Math.sign) },
  u32: {},
  bool: { not: (a) => (f) => 1 - a(f) },
};
const binaryTables: Record<ScalarType, Partial<Record<BinaryOp, Binary>>> = {
  f32: {
    add: (a, b) => (f) => a(f) + b(f),
    sub: (a, b) => (f) => a(f) - b(f),
    mul: (a, b) => (f) => a(f) * b(f),
    div: (a, b) => (f) => a(f) / b(f),
    mod: (a, b) => (f) => floatMod(a(f), b(f)),
    pow: (a, b) => (f) => a(f) ** b(f),
    ...extremes,
    ...comparisons,
  },
  i32: {
    add: (a, b) => (f) => (a(f) + b(f)) | 0,
    sub: (a, b) => (f) => (a(f) - b(f)) | 0,
    mul: (a, b) => (f) => Math.imul(a(f), b(f)),
    div: (a, b) => (f) => floorDiv(a(f), b(f)) | 0,
    mod: (a, b) => (f) => floorMod(a(f), b(f)) | 0,
    and: (a, b) => (f) => a(f) & b(f),
    or: (a, b) => (f) => a(f) | b(f),
    xor: (a, b) => (f) => a(f) ^ b(f),
    ...extremes,
    ...comparisons,
  },
  u32: {
    add: (a, b) => (f) => (a(f) + b(f)) >>> 0,
    sub: (a, b) => (f) => (a(f) - b(f)) >>> 0,
    mul: (a, b) => (f) => Math.imul(a(f), b(f)) >>> 0,
    and: (a, b) => (f) => (a(f) & b(f)) >>> 0,
    or: (a, b) => (f) => (a(f) | b(f)) >>> 0,
    xor: (a, b) => (f) => (a(f) ^ b(f)) >>> 0,
    shl: (a, b) => (f) => (a(f) << b(f)) >>> 0,
    shr: (a, b) => (f) => a(f) >>> b(f),
    ...comparisons,
  },
  bool: {
    and: (a, b) => (f) => a(f) & b(f),
    or: (a, b) => (f) => a(f) | b(f),
    xor: (a, b) => (f) => a(f) ^ b(f),
    ...comparisons,
  },
};
/** A whole number, as far as a double tells it from its neighbours. */
const whole = (x: number): number => (Math.abs(x) > Number.MAX_SAFE_INTEGER && Number.isFinite(x) ? Number.NaN : x + 0);
const exactUnary: Partial<Record<UnaryOp, Unary>> = { neg: apply((x) => -x + 0), abs: apply(Math.abs), sign: apply(Math.sign) };
const exactBinary: Partial<Record<BinaryOp, Binary>> = {
  ...binaryTables.i32,
  add: (a, b) => (f) => whole(a(f) + b(f)),
  sub: (a, b) => (f) => whole(a(f) - b(f)),
  mul: (a, b) => (f) => whole(a(f) * b(f)),
  div: (a, b) => (f) => whole(floorDiv(a(f), b(f))),
  mod: (a, b) => (f) => whole(floorMod(a(f), b(f))),
};
const isComparison = (op: BinaryOp): boolean => op in comparisons;

/** Whether the contract gives the operation a meaning on operands of this type. */
export const hasUnary = (op: UnaryOp, type: ScalarType): boolean => unaryTables[type][op] !== undefined;
export const hasBinary = (op: BinaryOp, type: ScalarType): boolean => binaryTables[type][op] !== undefined;

/** `a` rounded to f32 where the model rounds. */
export const rounded = (a: Thunk, type: ScalarType, model: Model): Thunk => {
  if (type !== "f32" || model !== "single") return a;
  return (f) => Math.fround(a(f));
};
export function unaryThunk(op: UnaryOp, type: ScalarType, model: Model, a: Thunk): Thunk {
  const make = (model === "exact" && type === "i32" ? exactUnary : unaryTables[type])[op];
  invariant(make, `${op} of ${type}`);
  return rounded(make(a), type, model);
}
/** `type`: that of the operands. */
export function binaryThunk(op: BinaryOp, type: ScalarType, model: Model, a: Thunk, b: Thunk): Thunk {
  const make = (model === "exact" && type === "i32" ? exactBinary : binaryTables[type])[op];
  invariant(make, `${op} of ${type}`);
  return isComparison(op) ? make(a, b) : rounded(make(a, b), type, model);
}
export function fmaThunk(model: Model, a: Thunk, b: Thunk, c: Thunk): Thunk {
  if (model !== "single") return (f) => a(f) * b(f) + c(f);
  return (f) => Math.fround(Math.fround(a(f) * b(f)) + c(f));
}
export function castThunk(from: ScalarType, to: ScalarType, model: Model, a: Thunk): Thunk {
  if (to === "bool") return (f) => (a(f) === 0 ? 0 : 1);
  if (to === "f32") return rounded(a, "f32", model);
  if (model === "exact" && to === "i32")
    return from === "f32" ? (f) => clampInt(a(f), Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY) : a;
  if (from === "f32") return to === "i32" ? (f) => clampInt(a(f), -(2 ** 31), 2 ** 31 - 1) : (f) => clampInt(a(f), 0, 2 ** 32 - 1);
  return to === "i32" ? (f) => a(f) | 0 : (f) => a(f) >>> 0;
}

const word = new DataView(new ArrayBuffer(4));
export function bitcastThunk(from: ScalarType, to: "f32" | "i32" | "u32", a: Thunk): Thunk {
  const write = from === "f32" ? word.setFloat32 : word.setUint32;
  const read = to === "f32" ? word.getFloat32 : to === "i32" ? word.getInt32 : word.getUint32;
  return (f) => {
    write.call(word, 0, a(f));
    return read.call(word, 0);
  };
}
