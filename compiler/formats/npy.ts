/**
 * NumPy's `.npy`: magic, version, a Python dictionary as text, raw elements.
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
import { fail } from "../../ir/diagnostic.ts";
import { fromFloat16 } from "../../ir/float16.ts";
import { type Shape, sizeOf } from "../../ir/type.ts";
import type { ElementData, ElementType, NdArray } from "./array.ts";

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** Elements as files may have them: their width, and the values in this machine's order as one of our types. */
interface Stored {
  readonly type: ElementType;
  readonly bytes: number;
  readonly read: (buffer: ArrayBuffer) => ElementData;
}
/** By NumPy's letters and bytes. What we have no type for is widened without loss. */
const stored: Readonly<Record<string, Stored>> = {
  f2: { type: "f4", bytes: 2, read: (b) => Float32Array.from(new Uint16Array(b), fromFloat16) },
  f4: { type: "f4", bytes: 4, read: (b) => new Float32Array(b) },
  f8: { type: "f8", bytes: 8, read: (b) => new Float64Array(b) },
  i1: { type: "i4", bytes: 1, read: (b) => Int32Array.from(new Int8Array(b)) },
  i2: { type: "i4", bytes: 2, read: (b) => Int32Array.from(new Int16Array(b)) },
  i4: { type: "i4", bytes: 4, read: (b) => new Int32Array(b) },
  i8: { type: "i8", bytes: 8, read: (b) => new BigInt64Array(b) },
  u1: { type: "u1", bytes: 1, read: (b) => new Uint8Array(b) },
  u2: { type: "i4", bytes: 2, read: (b) => Int32Array.from(new Uint16Array(b)) },
  u4: { type: "i8", bytes: 4, read: (b) => BigInt64Array.from(new Uint32Array(b) as unknown as ArrayLike<number>, BigInt) },
  b1: { type: "b1", bytes: 1, read: (b) => new Uint8Array(b) },
};
const spelled: Record<ElementType, string> = { f4: "<f4", f8: "<f8", i4: "<i4", i8: "<i8", u1: "|u1", b1: "|b1" };
/** Text before the elements is padded to a multiple of this. */
const alignment = 64;

export const isNpy = (bytes: Uint8Array): boolean => magic.every((b, i) => bytes[i] === b);

/** Versions 1 to 3, either byte order; Fortran order is turned into C order. `name` is the file's, for messages. */
export function readNpy(bytes: Uint8Array, name: string): NdArray {
  if (!isNpy(bytes)) refuse(name, "is not an .npy file", "write it with numpy.save");
  const { text, end } = header(bytes, name);
  const { letters, type, bytes: width, read, swapped } = elementType(text, name);
  const shape = shapeOf(text, name);
  const expected = sizeOf(shape) * width;
  if (bytes.length - end !== expected)
    refuse(name, `holds ${bytes.length - end} bytes of elements, but (${shape.join(", ")}) of ${letters} needs ${expected}`);
  const { buffer } = Uint8Array.from(bytes.subarray(end));
  if (swapped) for (let at = 0; at < expected; at += width) new Uint8Array(buffer, at, width).reverse();
  const data = read(buffer);
  return { type, shape, data: /'fortran_order':\s*True/.test(text) && shape.length > 1 ? rowMajor(data, shape) : data };
}

/** Elements whose first axis moves fastest, in the order of the last axis moving fastest. */
function rowMajor<T extends ElementData>(data: T, shape: Shape): T {
  const out = data.slice() as T;
  const index = shape.map(() => 0);
  const strides = shape.map((_, axis) => sizeOf(shape.slice(0, axis)));
  for (let i = 0, from = 0; i < out.length; i++) {
    out[i] = data[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

export function writeNpy({ type, shape, data }: NdArray): Uint8Array<ArrayBuffer> {
  const tuple = `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
  const dictionary = `{'descr': '${spelled[type]}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const length = Math.ceil((10 + dictionary.length + 1) / alignment) * alignment;
  const out = new Uint8Array(length + data.byteLength);
  out.set([...magic, 1, 0, (length - 10) & 255, (length - 10) >> 8]);
  out.set(new TextEncoder().encode(`${dictionary.padEnd(length - 11)}\n`), 10);
  out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), length);
  return out;
}

function header(bytes: Uint8Array, name: string): { text: string; end: number } {
  const version = bytes[6] ?? 0;
  if (version < 1 || version > 3) refuse(name, `has .npy version ${version}, known are 1 to 3`);
  const start = version === 1 ? 10 : 12;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.length < start ? Infinity : version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (start + length > bytes.length) refuse(name, "ends inside its header");
  return { text: new TextDecoder().decode(bytes.subarray(start, start + length)), end: start + length };
}

function elementType(text: string, name: string): Stored & { readonly letters: string; readonly swapped: boolean } {
  const descriptor = /'descr':\s*'([^']*)'/.exec(text)?.[1];
  if (descriptor === undefined) return refuse(name, "has records or an unreadable header", "save one plain array of numbers");
  const [, order, letters] = /^([<>|])(\w+)$/.exec(descriptor) ?? [];
  if (letters === undefined || !Object.hasOwn(stored, letters))
    return refuse(name, `holds elements of type '${descriptor}', known are ${Object.keys(stored).join(" ")}`, 'array.astype("f4") or "i4"');
  return { ...stored[letters]!, letters, swapped: order === ">" };
}

function shapeOf(text: string, name: string): number[] {
  const tuple = /'shape':\s*\(([\d,\s]*)\)/.exec(text)?.[1];
  if (tuple === undefined) return refuse(name, "has a header without a readable shape");
  return tuple
    .split(",")
    .filter((part) => part.trim() !== "")
    .map(Number);
}

const refuse = (name: string, what: string, help?: string): never => fail("file", `${name} ${what}`, null, help ? { help } : {});
