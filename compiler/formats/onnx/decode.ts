/** Bytes to the messages of the schema. */
import { type Lists, type Message, type MessageName, type Scalars, schema } from "./schema.ts";
import {
  type Cursor,
  cursor,
  type Origin,
  type Place,
  readLength,
  readTag,
  readVarint,
  refuse,
  skip,
  take,
  wireNames,
  wireTypes,
} from "./wire.ts";

type Kind = keyof Scalars | MessageName;
interface Field {
  readonly name: string;
  readonly kind: Kind;
  readonly repeated: boolean;
}
/** Messages in messages, which a graph in a node of a graph needs three of. */
const deepest = 64;
/** Messages and texts of one file. Tiny ones take far more memory than bytes of the file. */
const mostParts = 5_000_000;

/** Everything a message may contain, and what it says when it contains nothing. */
interface Table {
  readonly fields: ReadonlyMap<number, Field>;
  readonly empty: Readonly<Record<string, unknown>>;
}
const noList: readonly never[] = Object.freeze([]);
const empties = {
  int: new BigInt64Array(),
  uint: new BigUint64Array(),
  float: new Float32Array(),
  double: new Float64Array(),
} as const;
const isNumeric = (kind: Kind): kind is keyof typeof empties => Object.hasOwn(empties, kind);
const isMessage = (kind: Kind): kind is MessageName => Object.hasOwn(schema, kind);

type Entry = readonly [number, Kind | readonly [Kind]];
function tableOf(message: MessageName): Table {
  const fields = Object.entries<Entry>(schema[message]).map(([name, [number, kind]]) => {
    const repeated = typeof kind !== "string";
    return { number, field: { name, kind: repeated ? kind[0] : kind, repeated } };
  });
  const nothing = ({ kind, repeated }: Field) => (repeated ? (isNumeric(kind) ? empties[kind] : noList) : undefined);
  return {
    fields: new Map(fields.map(({ number, field }) => [number, field])),
    empty: Object.fromEntries(fields.map(({ field }) => [field.name, nothing(field)])),
  };
}
const tables = Object.fromEntries((Object.keys(schema) as MessageName[]).map((m) => [m, tableOf(m)])) as Readonly<
  Record<MessageName, Table>
>;

interface Parts {
  count: number;
}

/** Reads a file that is one message. Texts are copies, bytes are views of the file. */
export const decode = <M extends MessageName>(message: M, bytes: Uint8Array, origin: Origin): Message<M> =>
  readMessage(message, cursor(bytes, 0, bytes.length, origin, null), 1, { count: 0 }) as Message<M>;

function readMessage(message: MessageName, c: Cursor, depth: number, parts: Parts): Readonly<Record<string, unknown>> {
  const { fields, empty } = tables[message];
  const record = { ...empty };
  const lists = new Map<string, Growable>();
  while (c.at < c.end) {
    const { number, wire } = readTag(c);
    const field = fields.get(number);
    if (!field) skip(c, wire);
    else if (!field.repeated) record[field.name] = readSingle(field, record[field.name], c, wire, depth, parts);
    else if (isNumeric(field.kind)) readNumbers(field, field.kind, c, wire, lists);
    else {
      if (record[field.name] === noList) record[field.name] = [];
      const list = record[field.name] as unknown[];
      list.push(readPart(field, list.length, c, wire, depth, parts));
    }
  }
  for (const [name, list] of lists) record[name] = trimmed(list);
  return record;
}

function readSingle(field: Field, before: unknown, c: Cursor, wire: number, depth: number, parts: Parts): unknown {
  if (!isNumeric(field.kind)) {
    if (before !== undefined && isMessage(field.kind)) refuse(c, "it is there twice", field.name);
    return readPart(field, null, c, wire, depth, parts);
  }
  const list = growable(field.kind, 1);
  readOne(field, list, c, wire);
  return list.array[0];
}

/** A value with a length of its own: text, bytes or a message. */
function readPart(field: Field, index: number | null, c: Cursor, wire: number, depth: number, parts: Parts): unknown {
  if (wire !== wireTypes.length)
    refuse(c, `expected a text or message, found ${wireNames[wire] ?? `wire type ${wire}`}`, field.name, index);
  if (++parts.count > mostParts) refuse(c, `it has more than ${mostParts} parts`, field.name, index);
  const place: Place = { parent: c.place, field: field.name, index };
  const inner = cursor(c.bytes, c.at, c.end, c.origin, place);
  const length = readLength(inner);
  c.at = inner.at + length;
  if (isMessage(field.kind)) {
    if (depth >= deepest) refuse(inner, `messages are nested more than ${deepest} deep`);
    return readMessage(field.kind, cursor(c.bytes, inner.at, c.at, c.origin, place), depth + 1, parts);
  }
  const bytes = take(inner, length);
  if (field.kind === "bytes") return bytes;
  if (field.kind === "prose") return anything.decode(bytes);
  try {
    return text.decode(bytes);
  } catch {
    return refuse(inner, "it is not text in UTF-8");
  }
}
const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const anything = new TextDecoder("utf-8", { ignoreBOM: true });

/* ---- numbers ---- */

/** Numbers that come one by one or in pieces. */
interface Growable {
  array: BigInt64Array | BigUint64Array | Float32Array | Float64Array;
  bytes: Uint8Array;
  words: Uint32Array;
  length: number;
}
type Numeric = keyof typeof empties;
const makers: { readonly [K in Numeric]: (buffer: ArrayBuffer) => Lists[K] } = {
  int: (buffer) => new BigInt64Array(buffer),
  uint: (buffer) => new BigUint64Array(buffer),
  float: (buffer) => new Float32Array(buffer),
  double: (buffer) => new Float64Array(buffer),
};
const wireOf: Readonly<Record<Numeric, number>> = {
  int: wireTypes.varint,
  uint: wireTypes.varint,
  float: wireTypes.four,
  double: wireTypes.eight,
};
function growable(kind: Numeric, capacity: number): Growable {
  const array = makers[kind](new ArrayBuffer(capacity * empties[kind].BYTES_PER_ELEMENT));
  return { array, bytes: new Uint8Array(array.buffer), words: new Uint32Array(array.buffer), length: 0 };
}
function reserve(kind: Numeric, list: Growable, more: number): void {
  if (list.length + more <= list.array.length) return;
  const { array, bytes, words } = growable(kind, Math.max(list.length + more, 2 * list.length));
  bytes.set(list.bytes);
  list.array = array;
  list.bytes = bytes;
  list.words = words;
}
const trimmed = ({ array, length }: Growable) => (length === array.length ? array : array.slice(0, length));

function readNumbers(field: Field, kind: Numeric, c: Cursor, wire: number, lists: Map<string, Growable>): void {
  const list = lists.get(field.name) ?? growable(kind, 0);
  lists.set(field.name, list);
  if (wire === wireTypes.length) readPacked(field, kind, list, c);
  else {
    reserve(kind, list, 1);
    readOne(field, list, c, wire);
  }
}

function readOne({ name, kind }: Field, list: Growable, c: Cursor, wire: number): void {
  const expected = wireOf[kind as Numeric];
  if (wire !== expected) refuse(c, `expected ${wireNames[expected]}, found ${wireNames[wire] ?? `wire type ${wire}`}`, name);
  if (wire === wireTypes.varint) pushVarint(list, c);
  else {
    const bytes = take(c, list.array.BYTES_PER_ELEMENT);
    list.bytes.set(bytes, list.length++ * bytes.length);
  }
}

function readPacked({ name }: Field, kind: Numeric, list: Growable, c: Cursor): void {
  const length = readLength(c);
  const width = list.array.BYTES_PER_ELEMENT;
  if (wireOf[kind] === wireTypes.varint) {
    const inner = cursor(c.bytes, c.at, c.at + length, c.origin, { parent: c.place, field: name, index: null });
    reserve(kind, list, countVarints(c.bytes, c.at, inner.end));
    while (inner.at < inner.end) pushVarint(list, inner);
    c.at = inner.end;
  } else {
    if (length % width !== 0) refuse(c, `${length} bytes are not a multiple of ${width}`, name);
    reserve(kind, list, length / width);
    list.bytes.set(take(c, length), list.length * width);
    list.length += length / width;
  }
}
/** Each ends with the only byte below 128. */
function countVarints(bytes: Uint8Array, from: number, end: number): number {
  let count = 0;
  for (let i = from; i < end; i++) if (bytes[i]! < 128) count++;
  return count;
}

/** Into room that is there. */
function pushVarint(list: Growable, c: Cursor): void {
  readVarint(c);
  list.words[2 * list.length] = c.low;
  list.words[2 * list.length + 1] = c.high;
  list.length++;
}
