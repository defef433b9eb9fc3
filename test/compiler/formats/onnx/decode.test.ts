import { describe, expect, test } from "vitest";
import { decode } from "../../../../compiler/formats/onnx/decode.ts";
import { encode } from "../../../../compiler/formats/onnx/encode.ts";
import { tag, varint, wireTypes } from "../../../../compiler/formats/onnx/wire.ts";

const origin = { file: "m.onnx", expected: "ONNX model" };
const bytes = (...parts: readonly (number | Uint8Array)[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((p) => (typeof p === "number" ? [p] : [...p])));
const field = (number: number, ...content: readonly (number | Uint8Array)[]): Uint8Array => {
  const inner = bytes(...content);
  return bytes(tag(number, wireTypes.length), varint(inner.length), inner);
};
const model = (...parts: readonly (number | Uint8Array)[]) => decode("model", bytes(...parts), origin);
const tensor = (...parts: readonly (number | Uint8Array)[]) => decode("tensor", bytes(...parts), origin);

describe("numbers", () => {
  test.each([0n, 1n, 127n, 128n, 300n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 35n, 2n ** 56n + 5n, 2n ** 63n - 1n, -1n, -(2n ** 63n)])(
    "%i is read back",
    (value) => {
      expect(decode("opset", encode("opset", { version: value }), origin).version).toBe(value);
    },
  );
  test("as the specification writes them", () => {
    expect([...varint(150)]).toEqual([0x96, 1]);
    expect([...varint(-2n)]).toEqual([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
  });
  test("one by one, packed, and both", () => {
    const dims = tensor(0x08, 5, field(1, 1, 0x96, 1), 0x08, 7, field(1)).dims;
    expect(dims).toEqual(BigInt64Array.of(5n, 1n, 150n, 7n));
    const float = [0, 0, 0x80, 0x3f];
    expect(tensor(0x25, ...float, field(4, ...float, ...float)).float_data).toEqual(Float32Array.of(1, 1, 1));
    expect(tensor(0x51, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, field(10)).double_data).toEqual(Float64Array.of(1));
    expect(tensor(field(11, varint(-1n))).uint64_data).toEqual(BigUint64Array.of(2n ** 64n - 1n));
  });
});

test("unknown fields are skipped, the last of equal ones counts", () => {
  const unknown = bytes(0xf8, 1, 5, field(33, 1, 2, 3), tag(34, wireTypes.four), 1, 2, 3, 4, tag(35, wireTypes.eight), new Uint8Array(8));
  expect(model(unknown, 0x08, 3, 0x08, 4).ir_version).toBe(4n);
});

test.each([
  ["a number", [0x08, 0x80], "", "it ends inside a number (is the file cut short?) (byte 2)"],
  ["a number of 11 bytes", [0x08, ...Array(10).fill(0x80), 1], "", "a number takes more than 10 bytes"],
  ["a text that is too short", [0x12, 5, 65], "producer_name: ", "5 bytes are announced, 1 are left (is the file cut short?)"],
  ["2 GB", [0x12, 0xff, 0xff, 0xff, 0xff, 7, 65], "producer_name: ", "2147483647 bytes are announced, 1 are left"],
  ["2^64 bytes", [0x12, ...Array(9).fill(0xff), 1, 65], "producer_name: ", "18446744073709552000 bytes are announced, 1 are left"],
  ["a message longer than the one around it", [0x3a, 3, 0x0a, 9, 1, 1, 1, 1], "graph.node[0]: ", "9 bytes are announced, 1 are left"],
  ["a text that is not UTF-8", [0x12, 2, 0xc3, 0x28], "producer_name: ", "it is not text in UTF-8"],
  ["a number in place of a text", [0x10, 1], "producer_name: ", "expected a text or message, found a number"],
  ["a text in place of a number", [0x0a, 1, 65], "ir_version: ", "expected a number, found a text or message"],
  ["floats of 3 bytes", [0x3a, 7, 0x2a, 5, 0x22, 3, 0, 0, 0], "graph.initializer[0].float_data: ", "3 bytes are not a multiple of 4"],
  ["a group", [0x9b, 2], "", "groups are not part of ONNX"],
  ["a wire type that is none", [0x9e, 2], "", "wire type 6 cannot be"],
  ["field 0", [0x00], "", "field 0 cannot be"],
  ["a field of 33 bits", [0x88, 0x80, 0x80, 0x80, 0x10], "", "field 536870913 cannot be"],
  ["8 bytes that are not there", [0x99, 2, 1, 2], "", "8 bytes are expected, 2 are left"],
  ["two graphs", [0x3a, 0, 0x3a, 0], "graph: ", "it is there twice"],
] as readonly (readonly [string, number[], string, string])[])("%s is refused", (_, content, place, message) => {
  expect(() => model(...content)).toThrow(`error[onnx]: m.onnx is not a readable ONNX model: ${place}${message}`);
});

test("graphs in graphs without end are refused", () => {
  let inner = new Uint8Array();
  for (let i = 0; i < 300; i++) inner = field([6, 5, 1][i % 3]!, inner) as Uint8Array<ArrayBuffer>;
  expect(() => model(field(7, inner))).toThrow("messages are nested more than 64 deep");
});

test("more parts than any model has are refused", () => {
  const empty = new Uint8Array(10_000_002).fill(0x0a);
  for (let i = 1; i < empty.length; i += 2) empty[i] = 0;
  expect(() => decode("opset", empty, origin)).toThrow("domain: the file has more than 5000000 parts");
});

test("bytes are a view of the file", () => {
  const file = field(9, 1, 2, 3);
  expect(decode("tensor", file, origin).raw_data!.buffer).toBe(file.buffer);
});
