/** Values at the borders of a program: what callers give and get, as the bytes of a field. */
import type { Field, Signature } from "../ir/program.ts";
import { sizeOf } from "../ir/type.ts";
import { fail } from "./errors.ts";
import { Source, typeOf } from "./field.ts";
import type { AnyGpuBinding, AnyGpuBuffer, Picture } from "./gpu-types.ts";

/**
 * Elements in row-major order; a single number for a tensor of one element. Bools are 0 and 1, or true and false.
 * Or a picture of the size of an input f32[C,H,W] or f32[1,C,H,W] of 1 to 4 channels: grey, grey and alpha, RGB, RGB and alpha,
 * from 0 to 1, as `dlm run` takes PNG files; for f32[N,C,H,W] a list of N. On WebGPU also a GPUBuffer of the same device with the usage
 * COPY_SRC, see `LoadOptions.gpuDevice`: 4 bytes an element, also u8 and bool, which the device copies; nobody looks at its values. It
 * has the length of the input; of a larger one, a `GpuBinding` says which part. Its size may be left out where the input has one length.
 */
export type InputValues =
  | number
  | boolean
  | readonly (number | boolean)[]
  | NumberArray
  | Picture
  | readonly Picture[]
  | AnyGpuBuffer
  | AnyGpuBinding;
export type NumberArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array;
export type Inputs = Readonly<Record<string, InputValues>>;

/** f32 gives Float32Array, i32 Int32Array, u8 and bool Uint8Array. */
export type OutputValues = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

/**
 * Of the entries that bindings of dimensions made, the one that takes inputs of these lengths, and the raw bytes of its
 * inputs: names, element counts, types and ranges are checked. NaN passes through. Sources stay what they are.
 */
export function encodeInputs<E extends Pick<Signature, "inputs">>(
  entries: readonly E[],
  inputs: Readonly<Record<string, InputValues | Source>>,
): readonly [E, readonly (readonly [Field, Uint8Array | Source])[]] {
  const [first, second] = entries as [E, E?];
  const fields = first.inputs;
  if (typeof inputs !== "object" || inputs === null || Array.isArray(inputs) || ArrayBuffer.isView(inputs))
    fail("input", `the inputs are ${describe(inputs)}, expected an object with a value for each input`);
  const known = () => entries.map((e) => e.inputs.map((f) => `${f.name}: ${typeOf(f)}`).join(", ") || "none").join(", or ");
  const unknown = Object.keys(inputs).filter((name) => !fields.some((f) => f.name === name));
  if (unknown.length) fail("input", `unknown input ${unknown.join(", ")}; the inputs are ${known()}`);
  const missing = fields.filter((f) => !Object.hasOwn(inputs, f.name) || inputs[f.name] === undefined);
  if (missing.length) fail("input", `missing input ${missing.map((f) => f.name).join(", ")}; the inputs are ${known()}`);
  const count = (f: Field): number => {
    const given = inputs[f.name]!;
    return (given instanceof Source ? given : numbersOf(f, given)).length;
  };
  const fitting = entries.find((e) => e.inputs.every((f) => count(f) === sizeOf(f.shape)));
  if (!fitting && second) fail("input", `${fields.map((f) => `${f.name} has ${count(f)} elements`).join(", ")}; the inputs are ${known()}`);
  const entry = fitting ?? first;
  return [entry, entry.inputs.map((f) => [f, encodeInput(f, inputs[f.name]!)])];
}
function encodeInput(field: Field, given: InputValues | Source): Uint8Array | Source {
  if (!(given instanceof Source)) return encode(field, given);
  if (given.length !== sizeOf(field.shape)) wrongLength(field, given);
  return given;
}

/** Values as the raw bytes of a field; complains about what does not fit. */
export function encode(field: Field, given: InputValues): Uint8Array {
  const values = numbersOf(field, given);
  if (values.length !== sizeOf(field.shape)) wrongLength(field, values);
  const array = field.dtype === "f32" ? floats(field, values) : integers(field, values);
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

const wrongLength = (field: Field, { length }: { readonly length: number }): never =>
  fail("input", `${field.name} has ${length} elements, expected ${sizeOf(field.shape)} for ${typeOf(field)}`);

function numbersOf(field: Field, given: InputValues): Numbers {
  const values = typeof given === "number" || typeof given === "boolean" ? [given] : given;
  if (isNumbers(values)) return values;
  return fail("input", `${field.name} is ${describe(values)}, expected a flat array of numbers for ${typeOf(field)}`);
}

function floats(field: Field, values: Numbers): Float32Array {
  if (values instanceof Float32Array) return values;
  const wrong = Array.isArray(values) ? values.findIndex((v) => typeof v !== "number") : -1;
  if (wrong >= 0) refuse(field, wrong, values[wrong], "a number");
  return Float32Array.from(values as ArrayLike<number>);
}

function integers(field: Field, values: Numbers): Int32Array | Uint8Array {
  const [low, high] = limits[field.dtype as "i32" | "u8" | "bool"];
  const min = Math.max(low, field.range?.min ?? low);
  const max = Math.min(high, field.range?.max ?? high);
  const out = field.dtype === "i32" ? new Int32Array(values.length) : new Uint8Array(values.length);
  for (let i = 0; i < out.length; i++) {
    const v = values[i];
    const x = field.dtype === "bool" && typeof v === "boolean" ? Number(v) : v;
    if (typeof x !== "number" || !Number.isInteger(x))
      return refuse(field, i, v, field.dtype === "bool" ? "true, false, 0 or 1" : "an integer");
    if (x < min || x > max) return refuse(field, i, x, `${min}..${max}`);
    out[i] = x;
  }
  return out;
}

function refuse(field: Field, position: number, value: unknown, expected: string): never {
  const index = field.shape.map((d, axis) => Math.floor(position / sizeOf(field.shape.slice(axis + 1))) % d);
  return fail("input", `${field.name}${index.length ? `[${index.join(",")}]` : ""} is ${describe(value)}, expected ${expected}`);
}

/** Elements of a field from its raw bytes. */
export function decode(field: Field, bytes: Uint8Array<ArrayBuffer>): OutputValues {
  if (bytes.byteOffset % 4 !== 0) return decode(field, bytes.slice());
  switch (field.dtype) {
    case "f32":
      return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    case "i32":
      return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    case "u8":
    case "bool":
      return bytes;
  }
}

type Numbers = readonly (number | boolean)[] | NumberArray;
const limits = { i32: [-(2 ** 31), 2 ** 31 - 1], u8: [0, 255], bool: [0, 1] } as const;
export const isNumbers = (x: unknown): x is Numbers =>
  (Array.isArray(x) && typeof x[0] !== "object") ||
  (ArrayBuffer.isView(x) && !(x instanceof DataView || x instanceof BigInt64Array || x instanceof BigUint64Array));
const describe = (x: unknown): string =>
  typeof x === "object" && x !== null ? (x.constructor?.name ?? "an object") : typeof x === "string" ? JSON.stringify(x) : String(x);
