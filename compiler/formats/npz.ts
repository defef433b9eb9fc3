/** NumPy's `.npz`: a zip of `.npy` files, stored or deflated. */
import { strFromU8, unzipSync, zipSync } from "fflate";
import { fail } from "../../ir/diagnostic.ts";
import type { NdArray } from "./array.ts";
import { crc32 } from "./crc32.ts";
import { readNpy, writeNpy } from "./npy.ts";

/** Arrays by name, in the order of the file. */
export function readNpz(bytes: Uint8Array, name: string): ReadonlyMap<string, NdArray> {
  if (bytes[0] !== 0x50 || bytes[1] !== 0x4b) fail("file", `${name} is not an .npz file`, null, { help: "write it with numpy.savez" });
  return new Map(
    Object.entries(unzip(bytes, name)).map(([entry, data]) => [entry.replace(/\.npy$/, ""), readNpy(data, `${name}: ${entry}`)]),
  );
}

/** The same arrays give the same bytes, whenever they are written. */
export function writeNpz(arrays: ReadonlyMap<string, NdArray>): Uint8Array<ArrayBuffer> {
  const files = Object.fromEntries([...arrays].map(([name, array]) => [`${name}.npy`, writeNpy(array)]));
  return zipSync(files, { mtime: new Date(1980, 0, 1) }) as Uint8Array<ArrayBuffer>;
}

function unzip(bytes: Uint8Array, name: string): Record<string, Uint8Array> {
  const files = unpacked(bytes);
  if (!files || !agree(files, checksums(bytes))) return fail("file", `${name} cannot be unpacked: it is damaged or cut short`, null);
  return files;
}
function unpacked(bytes: Uint8Array): Record<string, Uint8Array> | null {
  try {
    return unzipSync(bytes, { filter: (file) => file.name.endsWith(".npy") });
  } catch {
    return null;
  }
}
const agree = (files: Record<string, Uint8Array>, sums: ReadonlyMap<string, number>): boolean =>
  Object.entries(files).every(([name, data]) => sums.get(name) === crc32(data));

/** CRC-32 of the files in a zip that can be unpacked, by their names, from its directory: the unpacker does not look at them. */
function checksums(bytes: Uint8Array): ReadonlyMap<string, number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (view.getUint32(end, true) !== 0x06054b50) end--;
  const sums = new Map<string, number>();
  let at = view.getUint32(end + 16, true);
  // with more than 4 GB or 65,535 files, the directory's place is in a second record
  if (end >= 20 && view.getUint32(end - 20, true) === 0x07064b50) at = view.getUint32(view.getUint32(end - 12, true) + 48, true);
  while (at + 46 <= end && view.getUint32(at, true) === 0x02014b50) {
    const [name, extra, comment] = [28, 30, 32].map((field) => view.getUint16(at + field, true)) as [number, number, number];
    const latin1 = !(view.getUint16(at + 8, true) & 0x800);
    sums.set(strFromU8(bytes.subarray(at + 46, at + 46 + name), latin1), view.getUint32(at + 16, true));
    at += 46 + name + extra + comment;
  }
  return sums;
}
