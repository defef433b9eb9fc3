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

export const writeNpz = (arrays: ReadonlyMap<string, NdArray>): Uint8Array<ArrayBuffer> =>
  zipSync(Object.fromEntries([...arrays].map(([name, array]) => [`${name}.npy`, writeNpy(array)]))) as Uint8Array<ArrayBuffer>;

function unzip(bytes: Uint8Array, name: string): Record<string, Uint8Array> {
  try {
    return unzipSync(bytes, { filter: (file) => file.name.endsWith(".npy") });
  } catch {
    return fail("file", `${name} cannot be unpacked: it is damaged or cut short`, null);
  }
}
