/** The safetensors format: what is written reads back, and what breaks the specification is refused by name. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { DlmError, parseSafetensors, writeSafetensors } from "../../runtime/index.ts";
import { bytesOf, numbersOf } from "../../runtime/safetensors.ts";
import { floatEntry } from "./entries.ts";
import { failure } from "./fixtures.ts";

const file = (header: string | object, data: ArrayLike<number> = []): Uint8Array => {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const out = new Uint8Array(8 + text.length + data.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  out.set(data, 8 + text.length);
  return out;
};
const info = (dtype: string, shape: readonly unknown[], begin: number, end: number) => ({ dtype, shape, data_offsets: [begin, end] });

test("a file made by hand reads as the specification says", () => {
  const header = {
    __metadata__: { format: "pt" },
    b: info("F32", [2], 3, 11),
    a: info("U8", [3], 0, 3),
    none: info("F32", [0, 5], 11, 11),
  };
  const bytes = file(`${JSON.stringify(header)}   `, [1, 2, 3, 0, 0, 128, 63, 0, 0, 0, 192]);
  const { entries, metadata } = parseSafetensors(bytes);
  expect(metadata).toEqual({ format: "pt" });
  expect(entries.map((e) => [e.name, e.dtype, e.shape, Array.from(numbersOf(e))])).toEqual([
    ["a", "U8", [3], [1, 2, 3]],
    ["b", "F32", [2], [1, -2]],
    ["none", "F32", [0, 5], []],
  ]);
  expect(parseSafetensors(bytes.slice().buffer).entries).toEqual(entries);
});

test("every element type is read", () => {
  const read = (dtype: string, array: ArrayBufferView) => {
    const bytes = bytesOf(array);
    const { entries } = parseSafetensors(file({ t: info(dtype, [(array as Uint8Array).length], 0, bytes.length) }, bytes));
    return Array.from(numbersOf(entries[0]!));
  };
  expect(read("F64", Float64Array.of(0.1, -1e300))).toEqual([0.1, -1e300]);
  expect(read("F32", Float32Array.of(0.5, Number.NaN))).toEqual([0.5, Number.NaN]);
  expect(read("F16", Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff, 0xfc00))).toEqual([1, -2, 2 ** -24, 65504, -Infinity]);
  expect(read("BF16", Uint16Array.of(0x3f80, 0xc000, 0x0001))).toEqual([1, -2, 2 ** -133]);
  expect(read("I64", BigInt64Array.of(-3n, 2n ** 40n))).toEqual([-3, 2 ** 40]);
  expect(read("U64", BigUint64Array.of(3n, 2n ** 63n))).toEqual([3, 2 ** 63]);
  expect(read("I32", Int32Array.of(-3, 2 ** 31 - 1))).toEqual([-3, 2 ** 31 - 1]);
  expect(read("U32", Uint32Array.of(2 ** 32 - 1))).toEqual([2 ** 32 - 1]);
  expect(read("I16", Int16Array.of(-32768))).toEqual([-32768]);
  expect(read("U16", Uint16Array.of(65535))).toEqual([65535]);
  expect(read("I8", Int8Array.of(-128))).toEqual([-128]);
  expect(read("U8", Uint8Array.of(255))).toEqual([255]);
  expect(read("BOOL", Uint8Array.of(1, 0))).toEqual([1, 0]);
});

test("tensors may lie in any order of the header and at odd addresses; further properties are ignored", () => {
  const header = {
    c: { ...info("F32", [1], 5, 9), scale: 2 },
    a: info("U8", [1], 0, 1),
    b: info("F32", [1], 1, 5),
  };
  const padded = `${JSON.stringify(header)}${" ".repeat(3)}`;
  const bytes = file(padded, [7, 0, 0, 128, 63, 0, 0, 0, 64]);
  const read = (source: Uint8Array) => parseSafetensors(source).entries.map((e) => [e.name, ...numbersOf(e)]);
  expect(read(bytes)).toEqual([
    ["a", 7],
    ["b", 1],
    ["c", 2],
  ]);
  const shifted = new Uint8Array(bytes.length + 1);
  shifted.set(bytes, 1);
  expect(read(shifted.subarray(1))).toEqual(read(bytes));
});

test("writing is deterministic, in the order given, with the data at a multiple of 8", () => {
  const entries = [
    floatEntry("b", [2], Float32Array.of(1, 2)),
    floatEntry("10", [], Float32Array.of(3)),
    floatEntry("9", [1, 1], Float32Array.of(4)),
  ];
  const bytes = writeSafetensors(entries, { format: "pt" });
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  expect(length % 8).toBe(0);
  expect(header.trimEnd()).toBe(
    '{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"10":{"dtype":"F32","shape":[],"data_offsets":[8,12]},"9":{"dtype":"F32","shape":[1,1],"data_offsets":[12,16]}}',
  );
  expect(parseSafetensors(bytes)).toEqual({ entries, metadata: { format: "pt" } });
  expect(parseSafetensors(writeSafetensors([]))).toEqual({ entries: [], metadata: {} });
});

test("any names, shapes and bytes come back", () => {
  const entry = fc.record({
    name: fc.string({ unit: "binary" }).filter((s) => s !== "__metadata__"),
    values: fc.array(fc.float({ noNaN: true })),
  });
  fc.assert(
    fc.property(fc.uniqueArray(entry, { selector: (e) => e.name }), fc.dictionary(fc.string(), fc.string()), (items, metadata) => {
      const entries = items.map(({ name, values }) => floatEntry(name, [values.length], Float32Array.from(values)));
      const back = parseSafetensors(writeSafetensors(entries, metadata));
      expect(new Map(back.entries.map((e) => [e.name, Array.from(numbersOf(e))]))).toEqual(
        new Map(entries.map((e) => [e.name, Array.from(numbersOf(e))])),
      );
      expect(back.metadata).toEqual(metadata);
    }),
    { numRuns: 100 },
  );
});

test("what cannot be written is refused", async () => {
  const twice = [floatEntry("a", [1], new Float32Array(1)), floatEntry("a", [1], new Float32Array(1))];
  expect((await failure(() => writeSafetensors(twice))).message).toBe('two tensors cannot both be called "a"');
  expect((await failure(() => writeSafetensors([floatEntry("a", [2], new Float32Array(1))]))).message).toBe('"a" F32[2] has 4 bytes');
});

const refusals: readonly (readonly [what: string, bytes: Uint8Array, message: string])[] = [
  ["an empty file", new Uint8Array(0), "0 bytes are too few"],
  ["a short file", new Uint8Array(7), "7 bytes are too few"],
  ["a header above 100 MB", Uint8Array.of(1, 225, 245, 5, 0, 0, 0, 0, 0x7b), "more than 100000000"],
  ["a header of 2^63 bytes", Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 128, 0x7b), "more than 100000000"],
  ["a header beyond the end", Uint8Array.of(10, 0, 0, 0, 0, 0, 0, 0, 0x7b), "is it truncated?"],
  ["no header", file(""), "does not start with {"],
  ["a space before the header", file(" {}"), "does not start with {"],
  ["a byte order mark", file("\ufeff{}"), "does not start with {"],
  ["broken JSON", file("{"), "JSON"],
  ["broken UTF-8", file('{"\u00e4":1}').map((b) => (b === 0xc3 ? 0xff : b)), "not a safetensors file"],
  ["a list", file("[]"), "does not start with {"],
  ["a tensor that is a number", file('{"a":1}'), "is not an object"],
  ["a tensor that is null", file('{"a":null}'), "is not an object"],
  ["no element type", file({ a: { shape: [], data_offsets: [0, 0] } }), "element type undefined"],
  ["an unknown element type", file({ a: info("F8_E4M3", [1], 0, 1) }, [0]), 'element type "F8_E4M3", known are F64'],
  ["an element type from the prototype", file({ a: info("toString", [1], 0, 1) }, [0]), "element type"],
  ["a negative extent", file({ a: info("F32", [-1], 0, 4) }, [0, 0, 0, 0]), "the shape of"],
  ["a fractional extent", file({ a: info("F32", [0.5], 0, 2) }, [0, 0]), "the shape of"],
  ["a shape that is a text", file({ a: { dtype: "F32", shape: "1", data_offsets: [0, 4] } }, [0, 0, 0, 0]), "the shape of"],
  ["extents that overflow", file({ a: info("F32", [2 ** 40, 2 ** 40], 0, 4) }, [0, 0, 0, 0]), "expected"],
  ["three offsets", file({ a: { dtype: "U8", shape: [1], data_offsets: [0, 1, 1] } }, [0]), "not two whole numbers"],
  ["a reversed range", file({ a: info("U8", [1], 1, 0) }, [0]), '"a" U8[1] has bytes 1 to 0, expected 1'],
  ["a wrong size", file({ a: info("F32", [2], 0, 4) }, [0, 0, 0, 0]), '"a" F32[2] has bytes 0 to 4, expected 8'],
  [
    "a gap before the first",
    file({ a: info("U8", [1], 1, 2) }, [0, 0]),
    "starts at byte 1, expected 0: tensors follow each other without gap or overlap",
  ],
  ["a gap between two", file({ a: info("U8", [1], 0, 1), b: info("U8", [1], 2, 3) }, [0, 0, 0]), "starts at byte 2, expected 1"],
  ["an overlap", file({ a: info("U8", [2], 0, 2), b: info("U8", [2], 1, 3) }, [0, 0, 0]), "starts at byte 1, expected 2"],
  ["two tensors at one place", file({ a: info("U8", [1], 0, 1), b: info("U8", [1], 0, 1) }, [0]), "starts at byte 0, expected 1"],
  ["missing data", file({ a: info("U8", [2], 0, 2) }, [0]), "the tensors take 2 bytes, the file has 1 (is it truncated?)"],
  ["data that belongs to nothing", file({ a: info("U8", [1], 0, 1) }, [0, 0]), "the tensors take 1 bytes, the file has 2"],
  [
    "a tensor twice, of which only the last is seen",
    file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', [0, 0]),
    "starts at byte 1, expected 0",
  ],
  ["an element type that is a list", file({ a: { dtype: ["U8"], shape: [1], data_offsets: [0, 1] } }, [0]), 'element type ["U8"]'],
  ["an element type that is an object", file({ a: { dtype: { toString: 1 }, shape: [1], data_offsets: [0, 1] } }, [0]), "element type"],
  ["metadata that are no texts", file({ __metadata__: { a: 1 } }), "__metadata__"],
  ["metadata that are a text", file({ __metadata__: "a" }), "__metadata__"],
  ["metadata that are null", file({ __metadata__: null }), "__metadata__"],
];
test.each(refusals)("refuses %s", async (_, bytes, message) => {
  const e = await failure(() => parseSafetensors(bytes));
  expect(e).toMatchObject({ name: "DlmError", code: "safetensors" });
  expect(e.message).toContain(message);
});

test("names may be those of properties", () => {
  const text =
    '{"__metadata__":{"a":"{\\"b\\":1}"},"dtype":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"__proto__":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}';
  expect(parseSafetensors(file(text)).entries.map((e) => e.name)).toEqual(["dtype", "__proto__"]);
});

test("deep nesting is refused without a crash", async () => {
  expect(await failure(() => parseSafetensors(file(`{"a":${"[".repeat(100_000)}`)))).toBeInstanceOf(DlmError);
  expect(await failure(() => parseSafetensors(file(`{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`)))).toBeInstanceOf(DlmError);
});

test("a mutated file either reads or is refused with a DlmError", () => {
  const good = writeSafetensors(
    [floatEntry("conv.weight", [2, 3], new Float32Array(6)), floatEntry("b", [], new Float32Array(1), "BF16")],
    { k: "v" },
  );
  const edit = fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }));
  const parsable = (bytes: Uint8Array): void => {
    try {
      for (const e of parseSafetensors(bytes).entries) numbersOf(e);
    } catch (e) {
      if (!(e instanceof DlmError)) throw e;
    }
  };
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), fc.nat(good.length), (edits, cut) => {
      const bytes = good.slice();
      for (const [at, value] of edits) bytes[at] = value;
      parsable(bytes);
      parsable(bytes.subarray(0, cut));
    }),
    { numRuns: 3000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), parsable), { numRuns: 500 });
});

test("a view into a larger buffer gives its own bytes only", () => {
  const file = writeSafetensors([floatEntry("w", [2], Float32Array.of(1.5, -2), "F16")]);
  const pool = Buffer.alloc(4096, 0xff);
  pool.set(file, 1000);
  const [entry] = parseSafetensors(pool.subarray(1000, 1000 + file.length)).entries;
  expect(numbersOf(entry!)).toEqual(Float32Array.of(1.5, -2));
});
