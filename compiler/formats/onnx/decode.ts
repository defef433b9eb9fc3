/** Bytes to the messages of the schema. */
import { type Lists, type Message, type MessageName, type Scalars, schema } from "./schema.ts";
import { type Cursor, cursor, type Origin, readLength, readTag, readVarint, refuse, skip, take, wireNames, wireTypes } from "./wire.ts";

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
  let lists: Map<string, Growable> | null = null;
  while (c.at < c.end) {
    const tag = readTag(c);
    const wire = tag & 7;
    const field = fields.get(tag >>> 3);
    if (!field) skip(c, wire);
    else if (!field.repeated) record[field.name] = readSingle(field, record[field.name], c, wire, depth, parts);
    else if (isNumeric(field.kind)) {
      lists ??= new Map();
      readNumbers(field.name, field.kind, c, wire, lists);
    } else {
      if (record[field.name] === noList) record[field.name] = [];
      const list = record[field.name] as unknown[];
      list.push(readPart(field, list.length, c, wire, depth, parts));
    }
  }
  for (const [name, list] of lists ?? []) record[name] = trimmed(list);
  return record;
}

function readSingle(field: Field, before: unknown, c: Cursor, wire: number, depth: number, parts: Parts): unknown {
  if (!isNumeric(field.kind)) {
    if (before !== undefined && isMessage(field.kind)) refuse(c, "it is there twice", field.name);
    return readPart(field, null, c, wire, depth, parts);
  }
  const list = growable(field.kind, 1);
  readOne(field.name, list, c, wire);
  return list.array[0];
}

/** A value with a length of its own: text, bytes or a message. */
function readPart(field: Field, index: number | null, c: Cursor, wire: number, depth: number, parts: Parts): unknown {
  const { name, kind } = field;
  if (wire !== wireTypes.length) refuse(c, `expected a text or message, found ${wireNames[wire] ?? `wire type ${wire}`}`, name, index);
  if (++parts.count > mostParts) refuse(c, `the file has more than ${mostParts} parts`, name, index);
  const length = readLength(c, name, index);
  if (isMessage(kind)) {
    if (depth >= deepest) refuse(c, `messages are nested more than ${deepest} deep`, name, index);
    c.at += length;
    return readMessage(kind, cursor(c.bytes, c.at - length, c.at, c.origin, { parent: c.place, field: name, index }), depth + 1, parts);
  }
  const bytes = take(c, length);
  if (kind === "bytes") return bytes;
  if (kind === "prose") return anything.decode(bytes);
  try {
    return text.decode(bytes);
  } catch {
    return refuse(c, "it is not text in UTF-8", name, index);
  }
}
const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const anything = new TextDecoder("utf-8", { ignoreBOM: true });

/* ---- numbers ---- */

/** Numbers that come one by one or in pieces. */
interface Growable {
  readonly kind: Numeric;
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
  return { kind, array, bytes: new Uint8Array(array.buffer), words: new Uint32Array(array.buffer), length: 0 };
}
/** A number of 64 bits may take one byte of the file. */
function reserve(list: Growable, more: number, c: Cursor, name: string): void {
  if (list.length + more <= list.array.length) return;
  try {
    const { array, bytes, words } = growable(list.kind, Math.max(list.length + more, 2 * list.length));
    bytes.set(list.bytes);
    list.array = array;
    list.bytes = bytes;
    list.words = words;
  } catch (error) {
    if (error instanceof RangeError) refuse(c, `${list.length + more} numbers are more than memory holds`, name);
    throw error;
  }
}
const trimmed = ({ array, length }: Growable) => (length === array.length ? array : array.slice(0, length));

function readNumbers(name: string, kind: Numeric, c: Cursor, wire: number, lists: Map<string, Growable>): void {
  const list = lists.get(name) ?? growable(kind, 0);
  lists.set(name, list);
  if (wire === wireTypes.length) readPacked(name, list, c);
  else {
    reserve(list, 1, c, name);
    readOne(name, list, c, wire);
  }
}

function readOne(name: string, list: Growable, c: Cursor, wire: number): void {
  const expected = wireOf[list.kind];
  if (wire !== expected) refuse(c, `expected ${wireNames[expected]}, found ${wireNames[wire] ?? `wire type ${wire}`}`, name);
  if (wire === wireTypes.varint) pushVarint(list, c);
  else {
    const bytes = take(c, list.array.BYTES_PER_ELEMENT);
    list.bytes.set(bytes, list.length++ * bytes.length);
  }
}

function readPacked(name: string, list: Growable, c: Cursor): void {
  const length = readLength(c, name);
  const width = list.array.BYTES_PER_ELEMENT;
  if (wireOf[list.kind] === wireTypes.varint) {
    const inner = cursor(c.bytes, c.at, c.at + length, c.origin, { parent: c.place, field: name, index: null });
    reserve(list, countVarints(c.bytes, c.at, inner.end), c, name);
    while (inner.at < inner.end) pushVarint(list, inner);
    c.at = inner.end;
  } else {
    if (length % width !== 0) refuse(c, `${length} bytes are not a multiple of ${width}`, name);
    reserve(list, length / width, c, name);
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
