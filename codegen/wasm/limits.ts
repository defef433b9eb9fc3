/** Finds the memory import of a module: its limits are what a loader changes to share the memory. */
import { invariant } from "../../ir/diagnostic.ts";

const importSection = 2;
const memoryImport = 2;
/** Kinds of imports whose descriptor is one unsigned number. */
const functionImport = 0;

/** Position in the file of the flags byte of the imported memory: 1 (has a maximum) or 3 (shared as well). */
export function findMemoryLimits(module: Uint8Array): number {
  const read = { at: 8 };
  while (read.at < module.length) {
    const id = module[read.at++]!;
    const size = unsigned(module, read);
    if (id === importSection) return inImports(module, read);
    read.at += size;
  }
  invariant(false, "the module imports nothing");
}
function inImports(module: Uint8Array, read: { at: number }): number {
  for (let count = unsigned(module, read); count > 0; count--) {
    for (const _name of ["module", "field"]) {
      const length = unsigned(module, read);
      read.at += length;
    }
    const kind = module[read.at++]!;
    if (kind === memoryImport) {
      invariant(module[read.at] === 1, `the limits of the memory have flags ${module[read.at]}`);
      return read.at;
    }
    invariant(kind === functionImport, `an import of kind ${kind} stands before the memory`);
    unsigned(module, read);
  }
  invariant(false, "the module imports no memory");
}
/** LEB128. */
function unsigned(bytes: Uint8Array, read: { at: number }): number {
  for (let value = 0, scale = 1; ; scale *= 128) {
    const byte = bytes[read.at++]!;
    value += (byte & 127) * scale;
    if (byte < 128) return value;
  }
}
