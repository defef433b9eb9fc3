/** NumPy's `.npz`: a zip of `.npy` files, stored or deflated. */
import { unzipSync, zipSync } from "fflate";
import { fail } from "../../ir/diagnostic.ts";
import type { NdArray } from "./array.ts";
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
  try {
    return unzipSync(bytes, { filter: (file) => file.name.endsWith(".npy") });
  } catch {
    return fail("file", `${name} cannot be unpacked: it is damaged or cut short`, null);
  }
}
