import { describe, expect, test } from "vitest";
import { elementTypes, type OnnxElementType } from "../../../../compiler/formats/onnx/element-type.ts";
import { encode } from "../../../../compiler/formats/onnx/encode.ts";
import type { OnnxTensor } from "../../../../compiler/formats/onnx/model.ts";
import { readTensorFile } from "../../../../compiler/formats/onnx/read.ts";
import type { Draft } from "../../../../compiler/formats/onnx/schema.ts";
import { convertedElements, elementsOf, integersOf } from "../../../../compiler/formats/onnx/tensor.ts";
import type { DType } from "../../../../ir/type.ts";
import { bytesOf, longs } from "./build.ts";

const read = (dtype: OnnxElementType, dims: readonly (number | bigint)[], data: Draft<"tensor">): OnnxTensor =>
  readTensorFile(
    encode("tensor", { dims: BigInt64Array.from(dims, BigInt), data_type: BigInt(elementTypes[dtype].code), name: "t", ...data }),
    "t.pb",
  );
const ints = (...values: readonly bigint[]) => BigInt64Array.from(values);
const raw = (view: ArrayBufferView): Draft<"tensor"> => ({ raw_data: bytesOf(view) });

/** Elements, the field that holds them besides raw_data, and how they are in raw_data. */
const cases: readonly (readonly [OnnxElementType, ArrayLike<number | bigint>, Draft<"tensor">, ArrayBufferView])[] = [
  ["float", Float32Array.of(0.1, -0), { float_data: Float32Array.of(0.1, -0) }, Float32Array.of(0.1, -0)],
  ["double", Float64Array.of(0.1, 1e300), { double_data: Float64Array.of(0.1, 1e300) }, Float64Array.of(0.1, 1e300)],
  ["float16", Float32Array.of(1, -65504, 2 ** -24), { int32_data: ints(0x3c00n, 0xfbffn, 1n) }, Uint16Array.of(0x3c00, 0xfbff, 1)],
  ["bfloat16", Float32Array.of(1, -2), { int32_data: ints(0x3f80n, 0xc000n) }, Uint16Array.of(0x3f80, 0xc000)],
  ["int8", Int8Array.of(-128, 127), { int32_data: ints(-128n, 127n) }, Int8Array.of(-128, 127)],
  ["uint8", Uint8Array.of(0, 255), { int32_data: ints(0n, 255n) }, Uint8Array.of(0, 255)],
  ["int16", Int16Array.of(-32768, 32767), { int32_data: ints(-32768n, 32767n) }, Int16Array.of(-32768, 32767)],
  ["uint16", Uint16Array.of(0, 65535), { int32_data: ints(0n, 65535n) }, Uint16Array.of(0, 65535)],
  [
    "int32",
    Int32Array.of(-(2 ** 31), 2 ** 31 - 1),
    { int32_data: ints(-(2n ** 31n), 2n ** 31n - 1n) },
    Int32Array.of(-(2 ** 31), 2 ** 31 - 1),
  ],
  ["uint32", Uint32Array.of(0, 2 ** 32 - 1), { uint64_data: BigUint64Array.of(0n, 2n ** 32n - 1n) }, Uint32Array.of(0, 2 ** 32 - 1)],
  ["int64", ints(-(2n ** 63n), 2n ** 53n + 1n), { int64_data: ints(-(2n ** 63n), 2n ** 53n + 1n) }, ints(-(2n ** 63n), 2n ** 53n + 1n)],
  ["uint64", BigUint64Array.of(2n ** 64n - 1n), { uint64_data: BigUint64Array.of(2n ** 64n - 1n) }, BigUint64Array.of(2n ** 64n - 1n)],
  ["bool", Uint8Array.of(1, 0), { int32_data: ints(1n, 0n) }, Uint8Array.of(1, 0)],
];
describe.each(cases)("%s", (dtype, values, typed, bytes) => {
  test("in a field of its own and as bytes", () => {
    expect(elementsOf(read(dtype, [values.length], typed), "t", null)).toEqual(values);
    expect(read(dtype, [values.length], raw(bytes))).toEqual(read(dtype, [values.length], typed));
  });
  test("of bytes that do not fit the extents is refused", () => {
    expect(() => read(dtype, [values.length + 1], raw(bytes))).toThrow(
      `error[onnx]: t.pb: tensor "t" has ${bytes.byteLength} bytes of elements, but ${dtype}[${values.length + 1}] takes`,
    );
    expect(() => read(dtype, [values.length + 1], typed)).toThrow(`but ${dtype}[${values.length + 1}] takes`);
    expect(() => read(dtype, [2, 2], {})).toThrow(`t.pb: tensor "t" has 0 bytes of elements, but ${dtype}[2,2] takes`);
  });
});

test("extents of 0 and none", () => {
  expect(read("float", [0, 3], {})).toEqual({ name: "t", dtype: "float", dims: [0, 3], data: { kind: "bytes", bytes: new Uint8Array() } });
  expect(elementsOf(read("float", [], raw(Float32Array.of(7))), "t", null)).toEqual(Float32Array.of(7));
});

test("types that are kept, but not computed with", () => {
  const packed = read("int4", [3], { int32_data: ints(0x21n, 0x03n) });
  expect(packed.data).toEqual({ kind: "bytes", bytes: Uint8Array.of(0x21, 0x03) });
  expect(read("complex64", [1], { float_data: Float32Array.of(1, 2) }).data).toEqual({
    kind: "bytes",
    bytes: bytesOf(Float32Array.of(1, 2)),
  });
  expect(read("string", [1], { string_data: [Uint8Array.of(65)] }).data).toEqual({ kind: "strings", strings: [Uint8Array.of(65)] });
  for (const t of [packed, read("float8e5m2", [1], raw(Uint8Array.of(1))), read("complex128", [0], {}), read("string", [0], {})])
    expect(() => elementsOf(t, "m.onnx: the weight", null)).toThrow(
      `error[onnx]: m.onnx: the weight has ${t.dtype} elements, supported are float, double,`,
    );
});

const external = (...entries: readonly (readonly [string, string])[]): Draft<"tensor"> => ({
  data_location: 1n,
  external_data: entries.map(([key, value]) => ({ key, value })),
});
const wrong: readonly (readonly [string, () => OnnxTensor, string])[] = [
  ["a negative extent", () => read("float", [2, -1], {}), "has the extents [2,-1], expected numbers from 0 to 2^53"],
  ["an extent of 2^62", () => read("float", [2n ** 62n], {}), "has the extents [4611686018427387904], expected numbers from 0 to 2^53"],
  ["too many elements", () => read("uint8", [2 ** 40, 2 ** 40], {}), "has the extents [1099511627776,1099511627776], which are"],
  ["no type", () => read("float", [1], { data_type: 0n }), "does not say what type its elements have"],
  ["a type that is none", () => read("float", [1], { data_type: 27n }), "has the element type 27, which ONNX does not define"],
  ["a negative type", () => read("float", [1], { data_type: -1n }), "has the element type -1, which"],
  ["a piece", () => read("float", [0], { segment: { begin: 0n } }), "is a piece of a tensor in several pieces"],
  [
    "elements in two fields",
    () => read("float", [1], { raw_data: new Uint8Array(4), float_data: Float32Array.of(1) }),
    "has elements in raw_data and float_data, expected one of them",
  ],
  [
    "elements in another field",
    () => read("float", [1], { int64_data: ints(1n) }),
    "holds float and has elements in int64_data, expected raw_data or float_data",
  ],
  ["strings as bytes", () => read("string", [1], raw(Uint8Array.of(1))), "holds strings in raw_data, expected string_data"],
  ["too few strings", () => read("string", [2], { string_data: [new Uint8Array()] }), "has 1 strings, but [2] takes 2"],
  ["an int8 of 200", () => read("int8", [2], { int32_data: ints(0n, 200n) }), ": element 1 is 200, but int8 takes -128 to 127"],
  ["an int32 of 2^40", () => read("int32", [1], { int32_data: ints(2n ** 40n) }), ": element 0 is 1099511627776, but int32 takes"],
  ["a negative float16", () => read("float16", [1], { int32_data: ints(-1n) }), ": element 0 is -1, but float16 takes 0 to 65535"],
  ["a bool of 2", () => read("bool", [1], { int32_data: ints(2n) }), ": element 0 is 2, but bool takes 0 to 1"],
  [
    "a uint32 of 2^32",
    () => read("uint32", [1], { uint64_data: BigUint64Array.of(2n ** 32n) }),
    ": element 0 is 4294967296, but uint32 takes",
  ],
  ["another file without a name", () => read("float", [1], external()), "has its elements in another file, but does not say in which"],
  ["a negative offset", () => read("float", [1], external(["location", "w"], ["offset", "-4"])), 'has the offset "-4" in another file'],
  [
    "a wrong length",
    () => read("float", [1], external(["location", "w"], ["length", "8"])),
    'has 8 bytes of elements in "w", but 4 are needed',
  ],
  ...["/etc/passwd", "../w", "a/../../w", "C:w", "..\\w", "a//w", "", "w\0", "."].map(
    (location) =>
      [
        `the file ${JSON.stringify(location)}`,
        () => read("float", [1], external(["location", location])),
        `has its elements in ${JSON.stringify(location)}, which is not a path inside the model's folder`,
      ] as const,
  ),
];
test.each(wrong)("%s is refused", (_, make, message) => {
  expect(make).toThrow(`error[onnx]: t.pb: tensor "t"${message.startsWith(":") ? "" : " "}${message}`);
});

describe("elements beside the model", () => {
  const beside = read("float", [2], external(["location", "./sub/w.bin"], ["offset", "8"], ["length", "8"], ["checksum", "00"]));
  test("come from where the tensor says", () => {
    expect(beside.data).toEqual({ kind: "external", location: "sub/w.bin", offset: 8 });
    const asked: unknown[] = [];
    const elements = elementsOf(beside, "t", (...place) => {
      asked.push(place);
      return bytesOf(Float32Array.of(1, 2));
    });
    expect(elements).toEqual(Float32Array.of(1, 2));
    expect(asked).toEqual([["sub/w.bin", 8, 8]]);
  });
  test("that are not there are refused", () => {
    expect(() => elementsOf(beside, "t", () => new Uint8Array(5))).toThrow(
      'error[onnx]: t takes 8 bytes at 8 of "sub/w.bin", but 5 are there',
    );
    expect(() => elementsOf(beside, "t", null)).toThrow(
      'error[onnx]: t has its elements in the file "sub/w.bin", which cannot be read here',
    );
  });
});

describe("conversion", () => {
  const of = (dtype: OnnxElementType, view: ArrayBufferView, to: DType) =>
    convertedElements(
      { name: "", dtype, dims: [view.byteLength / (elementTypes[dtype].bits / 8)], data: { kind: "bytes", bytes: bytesOf(view) } },
      to,
      "w",
      null,
    );
  test("rounds to singles", () => {
    expect(of("double", Float64Array.of(0.1, 1e300, 2 ** -150), "f32")).toEqual(Float32Array.of(0.1, Infinity, 0));
    expect(of("float16", Uint16Array.of(0x7c00), "f32")).toEqual(Float32Array.of(Infinity));
  });
  test("keeps whole numbers that fit", () => {
    expect(of("int64", ints(-5n, 2n ** 31n - 1n), "i32")).toEqual(Int32Array.of(-5, 2 ** 31 - 1));
    expect(of("uint8", Uint8Array.of(200), "i32")).toEqual(Int32Array.of(200));
    expect(of("uint8", Uint8Array.of(200), "u8")).toEqual(Uint8Array.of(200));
    expect(of("int8", Int8Array.of(100), "u8")).toEqual(Uint8Array.of(100));
    expect(of("bool", Uint8Array.of(1), "bool")).toEqual(Uint8Array.of(1));
  });
  test.each([
    ["int64", ints(0n, 2n ** 31n), "i32", "w: element 1 is 2147483648, but i32 takes -2147483648 to 2147483647"],
    ["uint32", Uint32Array.of(2 ** 31), "i32", "w: element 0 is 2147483648, but i32 takes"],
    ["int8", Int8Array.of(-1), "u8", "w: element 0 is -1, but u8 takes 0 to 255"],
    ["bool", Uint8Array.of(2), "bool", "w: element 0 is 2, but bool takes 0 to 1"],
    ["int64", ints(0n), "f32", "w has int64 elements, expected f32"],
    ["float", Float32Array.of(0), "i32", "w has float elements, expected i32"],
    ["bool", Uint8Array.of(0), "u8", "w has bool elements, expected u8"],
  ] as const)("of %s %s to %s is refused", (dtype, view, to, message) => {
    expect(() => of(dtype, view, to)).toThrow(`error[onnx]: ${message}`);
  });
  test("extents and axes are exact, the ends of 64 bits are no numbers", () => {
    const most = Number.MAX_SAFE_INTEGER;
    expect(integersOf(longs("", [-1n, 2n ** 53n - 2n, 2n ** 63n - 1n, -(2n ** 63n)]), "axes", null)).toEqual([-1, most - 1, most, -most]);
    expect(integersOf(read("int32", [1], { int32_data: ints(-3n) }), "axes", null)).toEqual([-3]);
    expect(() => integersOf(longs("", [2n ** 53n]), "axes", null)).toThrow(
      "error[onnx]: axes: element 0 is 9007199254740992, which is too large",
    );
    expect(() => integersOf(read("bool", [0], {}), "axes", null)).toThrow("error[onnx]: axes has bool elements, expected whole numbers");
  });
});
