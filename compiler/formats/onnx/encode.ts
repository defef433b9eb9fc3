/** Messages of the schema to bytes: fields by ascending number, so equal messages are equal bytes. */
import { fail } from "../../../ir/diagnostic.ts";
import { type Draft, type MessageName, schema } from "./schema.ts";
import { tag, varint, wireTypes } from "./wire.ts";

/** Bytes that are yet to be put together. */
interface Piece {
  readonly size: number;
  readonly parts: readonly (Uint8Array | Piece)[];
}
/** Protocol Buffers counts bytes in 31 bits. */
const largest = 2 ** 31 - 1;

export function encode<M extends MessageName>(message: M, draft: Draft<M>): Uint8Array<ArrayBuffer> {
  const piece = messagePiece(message, draft as Readonly<Record<string, unknown>>);
  if (piece.size > largest)
    fail("onnx", `the model takes ${piece.size} bytes, but an ONNX file holds at most ${largest}`, null, {
      help: "write the weights of a model this large to a file of their own, as safetensors",
    });
  const out = new Uint8Array(piece.size);
  copy(piece, out, 0);
  return out;
}

function copy(piece: Piece, out: Uint8Array, from: number): void {
  let at = from;
  for (const part of piece.parts) {
    if (part instanceof Uint8Array) out.set(part, at);
    else copy(part, out, at);
    at += sizeOf(part);
  }
}
const sizeOf = (part: Uint8Array | Piece): number => (part instanceof Uint8Array ? part.length : part.size);
const join = (parts: readonly (Uint8Array | Piece)[]): Piece => ({ size: parts.reduce((n, p) => n + sizeOf(p), 0), parts });

/** Name, number and kind of every field by ascending number; a kind in brackets is repeated. */
type Fields = readonly (readonly [string, readonly [number, string | readonly [string]]])[];
const fieldsOf: ReadonlyMap<MessageName, Fields> = new Map(
  (Object.keys(schema) as MessageName[]).map((m) => [m, Object.entries<Fields[number][1]>(schema[m]).sort(([, a], [, b]) => a[0] - b[0])]),
);

function messagePiece(message: MessageName, draft: Readonly<Record<string, unknown>>): Piece {
  const parts: Piece[] = [];
  for (const [name, [number, kind]] of fieldsOf.get(message)!) {
    const value = draft[name];
    if (value === undefined) continue;
    if (typeof kind === "string") parts.push(fieldPiece(number, kind, value));
    else for (const v of value as Iterable<unknown>) parts.push(fieldPiece(number, kind[0], v));
  }
  return join(parts);
}

/** Lists are written element by element, as the schema of ONNX asks for all that are written here. */
function fieldPiece(number: number, kind: string, value: unknown): Piece {
  switch (kind) {
    case "int":
    case "uint":
      return join([tag(number, wireTypes.varint), varint(value as bigint)]);
    case "float":
      return join([tag(number, wireTypes.four), bytesOf(Float32Array.of(value as number))]);
    case "double":
      return join([tag(number, wireTypes.eight), bytesOf(Float64Array.of(value as number))]);
    case "text":
    case "prose":
      return delimited(number, utf8.encode(value as string));
    case "bytes":
      return delimited(number, value as Uint8Array);
    default:
      return delimited(number, messagePiece(kind as MessageName, value as Readonly<Record<string, unknown>>));
  }
}
const utf8 = new TextEncoder();
const delimited = (number: number, content: Uint8Array | Piece): Piece =>
  join([tag(number, wireTypes.length), varint(sizeOf(content)), content]);
const bytesOf = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
