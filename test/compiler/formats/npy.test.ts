import { describe, expect, test } from "vitest";
import { type ElementData, type NdArray, tensorOf } from "../../../compiler/formats/array.ts";
import { readNpy, writeNpy } from "../../../compiler/formats/npy.ts";
import { readNpz, writeNpz } from "../../../compiler/formats/npz.ts";

const arrays: Record<string, NdArray> = {
  f4: { type: "f4", shape: [2, 3], data: Float32Array.of(1, -0, 0.1, Number.NaN, Infinity, 1e-40) },
  f8: { type: "f8", shape: [2], data: Float64Array.of(0.1, -1e300) },
  i4: { type: "i4", shape: [1, 1, 3], data: Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1) },
  i8: { type: "i8", shape: [2], data: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n) },
  u1: { type: "u1", shape: [3], data: Uint8Array.of(0, 128, 255) },
  b1: { type: "b1", shape: [2], data: Uint8Array.of(0, 1) },
  scalar: { type: "f4", shape: [], data: Float32Array.of(7) },
};
/** A file with this dictionary, as NumPy writes it. */
const file = (dictionary: string, elements: readonly number[], version = 1): Uint8Array => {
  const text = new TextEncoder().encode(`${dictionary}\n`);
  const length = version === 1 ? [text.length & 255, text.length >> 8] : [text.length & 255, text.length >> 8, 0, 0];
  return Uint8Array.from([0x93, ...new TextEncoder().encode("NUMPY"), version, 0, ...length, ...text, ...elements]);
};
const header = (descr: string, shape: string, order = "False") => `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`;

describe("npy", () => {
  test.each(Object.entries(arrays))("%s is read back", (_, array) => {
    expect(readNpy(writeNpy(array), "a.npy")).toEqual(array);
  });
  test("the bytes are NumPy's", () => {
    const bytes = writeNpy({ type: "f4", shape: [1, 2], data: Float32Array.of(1, 2) });
    const text = new TextDecoder("latin1").decode(bytes.subarray(0, 128));
    expect(text).toBe(`${`\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }`.padEnd(127)}\n`);
    expect([...bytes.subarray(128)]).toEqual([0, 0, 128, 63, 0, 0, 0, 64]);
  });
  test.each([2, 3])("version %i has a longer header length", (version) => {
    expect(readNpy(file(header("'|u1'", "(2,)"), [5, 6], version), "a.npy")).toEqual({ type: "u1", shape: [2], data: Uint8Array.of(5, 6) });
  });
  test("Fortran order is turned into C order", () => {
    const fortran = (shape: string, bytes: number[]) => readNpy(file(header("'|u1'", shape, "True"), bytes), "a.npy");
    expect(fortran("(2, 3)", [0, 3, 1, 4, 2, 5])).toEqual({ type: "u1", shape: [2, 3], data: Uint8Array.of(0, 1, 2, 3, 4, 5) });
    // element (i, j, k) of extents (2, 3, 2) lies at i + 2 j + 6 k
    const data = Array.from({ length: 12 }, (_, at) => 6 * (at % 2) + 2 * (Math.floor(at / 2) % 3) + Math.floor(at / 6));
    expect([...fortran("(2, 3, 2)", data).data]).toEqual(Array.from({ length: 12 }, (_, i) => i));
    expect(fortran("(0, 3)", []).data.length).toBe(0);
  });
  test.each([
    ["halves", "<f2", [0x00, 0x3c, 0x01, 0x00], { type: "f4", shape: [2], data: Float32Array.of(1, 2 ** -24) }],
    ["big-endian halves", ">f2", [0x3c, 0x00, 0xc0, 0x00], { type: "f4", shape: [2], data: Float32Array.of(1, -2) }],
    ["big-endian singles", ">f4", [0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0], { type: "f4", shape: [2], data: Float32Array.of(1, -2) }],
    ["big-endian long integers", ">i8", [0, 0, 0, 0, 0, 0, 1, 2], { type: "i8", shape: [1], data: BigInt64Array.of(258n) }],
    ["bytes with a sign", "|i1", [255, 1], { type: "i4", shape: [2], data: Int32Array.of(-1, 1) }],
    ["short integers", "<u2", [255, 255, 1, 0], { type: "i4", shape: [2], data: Int32Array.of(65535, 1) }],
    ["unsigned integers", "<u4", [255, 255, 255, 255], { type: "i8", shape: [1], data: BigInt64Array.of(2n ** 32n - 1n) }],
  ])("%s become a type that holds them", (_, type, bytes, array) => {
    expect(readNpy(file(header(`'${type}'`, `(${array.shape[0]},)`), bytes), "a.npy")).toEqual(array);
  });
  test("one axis in Fortran order is the same", () => {
    expect(readNpy(file(header("'|u1'", "(2,)", "True"), [5, 6]), "a.npy").data).toEqual(Uint8Array.of(5, 6));
  });
  test.each([
    ["text", new TextEncoder().encode("x,y\n"), "error[file]: a.npy is not an .npy file\n  help: write it with numpy.save"],
    ["a later version", file(header("'|u1'", "(2,)"), [5, 6], 4), "error[file]: a.npy has .npy version 4, known are 1 to 3"],
    [
      "complex numbers",
      file(header("'<c8'", "(1,)"), [0, 0, 0, 0]),
      'error[file]: a.npy holds elements of type \'<c8\', known are f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 b1\n  help: array.astype("f4") or "i4"',
    ],
    ["records", file(header("[('a', '<f4')]", "(1,)"), [0, 0, 0, 0]), "has records or an unreadable header"],
    ["a short file", file(header("'<f4'", "(2,)"), [0, 0, 0, 0]), "a.npy holds 4 bytes of elements, but (2) of f4 needs 8"],
    ["a long file", file(header("'|u1'", "(1,)"), [0, 0]), "a.npy holds 2 bytes of elements, but (1) of u1 needs 1"],
    ["a cut header", writeNpy(arrays.f4!).subarray(0, 40), "a.npy ends inside its header"],
    ["a cut prefix", writeNpy(arrays.f4!).subarray(0, 9), "a.npy ends inside its header"],
    ["names that objects have", file(header("'constructor'", "(1,)"), [0]), "holds elements of type 'constructor'"],
  ])("%s is refused", (_, bytes, message) => {
    expect(() => readNpy(bytes, "a.npy")).toThrow(message);
  });
});

describe("npz", () => {
  test("arrays by name, in order", () => {
    const named = new Map(Object.entries(arrays));
    const back = readNpz(writeNpz(named), "a.npz");
    expect([...back.keys()]).toEqual([...named.keys()]);
    expect(back).toEqual(named);
  });
  test("any flipped bit of the elements is noticed", () => {
    const bytes = writeNpz(new Map([["w", arrays.f4!]]));
    const at = bytes.length - 120;
    bytes[at] = bytes[at]! ^ 1;
    expect(() => readNpz(bytes, "a.npz")).toThrow("error[file]: a.npz cannot be unpacked: it is damaged or cut short");
  });
  test("damage is refused", () => {
    expect(() => readNpz(Uint8Array.of(1, 2, 3), "a.npz")).toThrow("error[file]: a.npz is not an .npz file");
    expect(() => readNpz(writeNpz(new Map(Object.entries(arrays))).subarray(0, 300), "a.npz")).toThrow(
      "error[file]: a.npz cannot be unpacked: it is damaged or cut short",
    );
  });
});

describe("tensors", () => {
  const tensor = (type: NdArray["type"], data: ElementData) => tensorOf({ type, shape: [data.length], data }, "a.npy");
  test("take the nearest type", () => {
    expect(tensor("f8", Float64Array.of(0.1))).toEqual({ dtype: "f32", shape: [1], data: Float32Array.of(0.1) });
    expect(tensor("i8", BigInt64Array.of(-5n))).toEqual({ dtype: "i32", shape: [1], data: Int32Array.of(-5) });
    expect(tensor("b1", Uint8Array.of(1))).toEqual({ dtype: "bool", shape: [1], data: Uint8Array.of(1) });
  });
  test("refuse what does not fit", () => {
    expect(() => tensor("i8", BigInt64Array.of(1n, 2n ** 31n))).toThrow(
      "error[data]: a.npy: element 1 is 2147483648, but i32 takes a whole number of 32 bits",
    );
    expect(() => tensor("i8", BigInt64Array.of(2n ** 62n))).toThrow("a.npy: element 0 is 4611686018427387904, which is too large");
    expect(() => tensor("b1", Uint8Array.of(2))).toThrow("a.npy: element 0 is 2, but bool takes 0 or 1");
  });
});
