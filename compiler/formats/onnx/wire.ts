/**
 * The wire format of Protocol Buffers: a message is fields, each a tag (number and wire type) and a value.
 * https://protobuf.dev/programming-guides/encoding/
 */
import { fail } from "../../../ir/diagnostic.ts";

/** Where in a file a message is: `graph`, then `node` 3 of it, then `name` of that. */
export interface Place {
  readonly parent: Place | null;
  readonly field: string;
  /** Among the values of a repeated field. */
  readonly index: number | null;
}
export interface Origin {
  readonly file: string;
  /** What the file should be, for messages. */
  readonly expected: string;
}

/** Reads the bytes from `at` to `end`, all of which are there. */
export interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;
  /** The variable-length integer read last, in two unsigned words. */
  low: number;
  high: number;
  readonly origin: Origin;
  readonly place: Place | null;
}
export const cursor = (bytes: Uint8Array, from: number, end: number, origin: Origin, place: Place | null): Cursor => ({
  bytes,
  at: from,
  end,
  low: 0,
  high: 0,
  origin,
  place,
});

export const wireTypes = { varint: 0, eight: 1, length: 2, startGroup: 3, endGroup: 4, four: 5 } as const;
export const wireNames = ["a number", "8 bytes", "a text or message", "a group", "the end of a group", "4 bytes"];

export function refuse(c: Cursor, what: string, field: string | null = null, index: number | null = null): never {
  const path = pathOf(field === null ? c.place : { parent: c.place, field, index });
  return fail("onnx", `${c.origin.file} is not a readable ${c.origin.expected}: ${path ? `${path}: ` : ""}${what} (byte ${c.at})`, null);
}
function pathOf(place: Place | null): string {
  const steps: string[] = [];
  for (let p = place; p; p = p.parent) steps.push(p.index === null ? p.field : `${p.field}[${p.index}]`);
  return steps.reverse().join(".");
}

/** A base-128 integer of up to 64 bits, into `low` and `high`. */
export function readVarint(c: Cursor): void {
  c.low = c.at < c.end ? c.bytes[c.at]! : 128;
  c.high = 0;
  if (c.low < 128) c.at++;
  else readLongVarint(c);
}
function readLongVarint(c: Cursor): void {
  c.low = 0;
  for (let shift = 0; ; shift += 7) {
    if (c.at >= c.end) refuse(c, "it ends inside a number (is the file cut short?)");
    if (shift > 63) refuse(c, "a number takes more than 10 bytes");
    const byte = c.bytes[c.at++]!;
    const bits = byte & 127;
    if (shift < 28) c.low |= bits << shift;
    else if (shift === 28) {
      c.low |= bits << 28;
      c.high = bits >>> 4;
    } else c.high |= bits << (shift - 32);
    if (byte < 128) break;
  }
  c.low >>>= 0;
  c.high >>>= 0;
}

/** What a field begins with: its number times 8, and the wire type. */
export function readTag(c: Cursor): number {
  readVarint(c);
  if (c.high !== 0 || c.low < 8) refuse(c, `field ${c.high * 2 ** 29 + (c.low >>> 3)} cannot be`);
  return c.low;
}

/** A length that the remaining bytes have. */
export function readLength(c: Cursor, field: string | null = null, index: number | null = null): number {
  readVarint(c);
  const length = c.high * 2 ** 32 + c.low;
  if (length > c.end - c.at) refuse(c, `${length} bytes are announced, ${c.end - c.at} are left (is the file cut short?)`, field, index);
  return length;
}

/** The next bytes, as a view. */
export function take(c: Cursor, count: number): Uint8Array {
  if (count > c.end - c.at) refuse(c, `${count} bytes are expected, ${c.end - c.at} are left (is the file cut short?)`);
  c.at += count;
  return c.bytes.subarray(c.at - count, c.at);
}

export function skip(c: Cursor, wire: number): void {
  if (wire === wireTypes.varint) readVarint(c);
  else if (wire === wireTypes.eight) take(c, 8);
  else if (wire === wireTypes.four) take(c, 4);
  else if (wire === wireTypes.length) take(c, readLength(c));
  else
    refuse(c, wire === wireTypes.startGroup || wire === wireTypes.endGroup ? "groups are not part of ONNX" : `wire type ${wire} cannot be`);
}

/** Whole numbers: from 0 to 2^53, or of 64 bits, negative ones in two's complement. */
export function varint(value: number | bigint): Uint8Array {
  if (value >= 0 && value < 128) return Uint8Array.of(Number(value));
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
export const tag = (number: number, wire: number): Uint8Array => varint(number * 8 + wire);
