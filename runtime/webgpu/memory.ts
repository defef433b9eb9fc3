/** Buffers of a program on a device: one for each region, or one for each of its pages. */
import type { Field, Program, Region } from "../../ir/program.ts";
import { regions } from "../../ir/program.ts";
import { bytesStored, sizeOf } from "../../ir/type.ts";
import { fail } from "../errors.ts";
import { storedBytes } from "../field.ts";
import type { WgslCode } from "./code.ts";
import { fromHalves, largestHalf, largestOf, toHalves } from "./halves.ts";

// The numbers of the specification: Node has no such globals.
export const usage = { mapRead: 0x1, copySrc: 0x4, copyDst: 0x8, storage: 0x80, queryResolve: 0x200 } as const;

/** Bytes of a region from `start` to before `end`. */
interface Page {
  readonly start: number;
  readonly end: number;
  readonly buffer: GPUBuffer;
}
export type Buffers = Readonly<Record<Region, readonly Page[]>>;
export function makeBuffers(program: Program, { pages }: WgslCode, device: GPUDevice): Buffers {
  const make = (region: Region, start: number, end: number): Page => {
    const size = end - start;
    if (size > device.limits.maxBufferSize)
      fail("memory", `${program.name} needs ${size} bytes of ${region}, the device allows ${device.limits.maxBufferSize}`);
    return { start, end, buffer: device.createBuffer({ label: region, size, usage: usage.storage | usage.copySrc | usage.copyDst }) };
  };
  const all = (region: Region): readonly Page[] => {
    const starts = pages?.[region] ?? [0];
    return starts.map((start, i) => make(region, start, starts[i + 1] ?? storedBytes(program.sizes[region])));
  };
  return Object.fromEntries(regions.map((r) => [r, all(r)])) as Record<Region, readonly Page[]>;
}
export const allBuffers = (buffers: Buffers): readonly GPUBuffer[] => Object.values(buffers).flatMap((list) => list.map((p) => p.buffer));

export const pageAt = (buffers: Buffers, region: Region, offset: number): Page => buffers[region].findLast((p) => p.start <= offset)!;

/** Memory of one page: `bytes` of a buffer from `offset` on, which are those of the tensor from `at` on. */
export interface Span {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly at: number;
  readonly bytes: number;
}
/** Where a field is, page by page. */
export const fieldSpans = (buffers: Buffers, field: Field): readonly Span[] =>
  buffers[field.region].flatMap(({ start, end, buffer }) => {
    const [from, to] = [Math.max(start, field.offset), Math.min(end, field.offset + bytesOn(field))];
    return from < to ? [{ buffer, offset: from - start, at: from - field.offset, bytes: to - from }] : [];
  });

/** What goes to the device or back takes as much memory again on the way: more than this goes in parts. */
export const mostAtOnce = 64 * 2 ** 20;

/** Bytes of a field on the device, whole words: u8 and bool take a 32-bit word an element there. */
export const bytesOn = ({ shape, stored }: Field): number => Math.ceil((sizeOf(shape) * (stored ? bytesStored[stored] : 4)) / 4) * 4;
const isWide = (field: Field): boolean => field.dtype === "u8" || field.dtype === "bool";
export function toStored(field: Field, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (field.stored) {
    const { buffer, byteOffset, length } = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
    const halves = new Uint16Array(bytesOn(field) / 2);
    const tooLarge = toHalves(new Uint32Array(buffer, byteOffset, length / 4), halves);
    if (tooLarge > 0) failTooLarge(field, tooLarge, largestOf(new Float32Array(buffer, byteOffset, length / 4)));
    return new Uint8Array(halves.buffer);
  }
  return isWide(field) ? new Uint8Array(Uint32Array.from(bytes).buffer) : (bytes as Uint8Array<ArrayBuffer>);
}
function failTooLarge(field: Field, count: number, largest: number): never {
  const which = count === 1 ? `a value of ${field.name} (${largest}) is` : `${count} values of ${field.name} (the largest ${largest}) are`;
  const limit = `storage "f16" holds values up to ${largestHalf}`;
  return fail("weights", `${which} too large for a half: ${limit}; compile it with storage "f32" (option storage, of dlm --storage)`);
}
/** `stored` begins on a word and is the caller's own. */
export function fromStored(field: Field, stored: ArrayBuffer): Uint8Array<ArrayBuffer> {
  if (field.stored) {
    const singles = new Float32Array(sizeOf(field.shape));
    fromHalves(new Uint16Array(stored, 0, singles.length), singles);
    return new Uint8Array(singles.buffer);
  }
  return isWide(field) ? Uint8Array.from(new Uint32Array(stored)) : new Uint8Array(stored);
}
