/** IDX, the format of MNIST: two zero bytes, element type, rank, extents, elements; big-endian; may be gzipped. */
import { gunzipSync } from "fflate";
import { fail } from "../../ir/diagnostic.ts";
import { sizeOf } from "../../ir/type.ts";
import type { ElementType, NdArray } from "./array.ts";

interface IdxType {
  readonly type: ElementType;
  readonly bytes: number;
  readonly make: (count: number) => Uint8Array | Int32Array | Float32Array | Float64Array;
  readonly get: (view: DataView, offset: number) => number;
}
const i4 = (count: number) => new Int32Array(count);
const types: ReadonlyMap<number, IdxType> = new Map([
  [0x08, { type: "u1", bytes: 1, make: (n) => new Uint8Array(n), get: (v, o) => v.getUint8(o) }],
  [0x09, { type: "i4", bytes: 1, make: i4, get: (v, o) => v.getInt8(o) }],
  [0x0b, { type: "i4", bytes: 2, make: i4, get: (v, o) => v.getInt16(o) }],
  [0x0c, { type: "i4", bytes: 4, make: i4, get: (v, o) => v.getInt32(o) }],
  [0x0d, { type: "f4", bytes: 4, make: (n) => new Float32Array(n), get: (v, o) => v.getFloat32(o) }],
  [0x0e, { type: "f8", bytes: 8, make: (n) => new Float64Array(n), get: (v, o) => v.getFloat64(o) }],
]);

export function readIdx(packed: Uint8Array, name: string): NdArray {
  const bytes = gunzip(packed, name);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = bytes[0] === 0 && bytes[1] === 0 ? types.get(bytes[2] ?? 0) : undefined;
  const rank = bytes[3] ?? 0;
  const start = 4 + 4 * rank;
  if (!kind || start > bytes.length) return fail("file", `${name} is not an IDX file`, null);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const count = sizeOf(shape);
  if (bytes.length - start !== count * kind.bytes)
    fail(
      "file",
      `${name} holds ${bytes.length - start} bytes of elements, but its shape ${shape.join("x")} needs ${count * kind.bytes}`,
      null,
    );
  const data = kind.make(count);
  for (let i = 0; i < count; i++) data[i] = kind.get(view, start + i * kind.bytes);
  return { type: kind.type, shape, data };
}

function gunzip(bytes: Uint8Array, name: string): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes);
  } catch {
    return fail("file", `${name} cannot be unpacked: it is damaged or cut short`, null);
  }
}
