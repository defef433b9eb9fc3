/** Buffers of a program on a device: one for each region. */
import type { Field, Program, Region } from "../../ir/program.ts";
import { regions } from "../../ir/program.ts";
import { sizeOf } from "../../ir/type.ts";
import { fail } from "../errors.ts";
import { storedBytes } from "../tensor.ts";

// The numbers of the specification: Node has no such globals.
export const usage = { mapRead: 0x1, copySrc: 0x4, copyDst: 0x8, storage: 0x80, queryResolve: 0x200 } as const;

export type Buffers = Readonly<Record<Region, GPUBuffer>>;
export function makeBuffers(program: Program, device: GPUDevice): Buffers {
  const make = (region: Region): GPUBuffer => {
    const size = storedBytes(program.sizes[region]);
    if (size > device.limits.maxBufferSize)
      fail("memory", `${program.name} needs ${size} bytes of ${region}, the device allows ${device.limits.maxBufferSize}`);
    return device.createBuffer({ label: region, size, usage: usage.storage | usage.copySrc | usage.copyDst });
  };
  return Object.fromEntries(regions.map((r) => [r, make(r)])) as Record<Region, GPUBuffer>;
}

/** Bytes of a field on the device: u8 and bool take a 32-bit word an element there. */
export const bytesOn = (field: Field): number => sizeOf(field.shape) * 4;
const isWide = (field: Field): boolean => field.dtype === "u8" || field.dtype === "bool";
export function toStored(field: Field, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return isWide(field) ? new Uint8Array(Uint32Array.from(bytes).buffer) : (bytes as Uint8Array<ArrayBuffer>);
}
/** `stored` begins on a word and is the caller's own. */
export const fromStored = (field: Field, stored: ArrayBuffer): Uint8Array<ArrayBuffer> =>
  isWide(field) ? Uint8Array.from(new Uint32Array(stored)) : new Uint8Array(stored);
