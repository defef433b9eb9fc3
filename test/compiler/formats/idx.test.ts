import { gzipSync } from "fflate";
import { expect, test } from "vitest";
import { readIdx } from "../../../compiler/formats/idx.ts";

const bytes = Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255);

test("bytes, plain and packed", () => {
  const expected = { type: "u1", shape: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 255) };
  expect(readIdx(bytes, "a")).toEqual(expected);
  expect(readIdx(gzipSync(bytes), "a.gz")).toEqual(expected);
});
test("every element type, big-endian", () => {
  const read = (type: number, ...elements: number[]) => readIdx(Uint8Array.of(0, 0, type, 1, 0, 0, 0, 1, ...elements), "a").data[0];
  expect(read(0x09, 0xff)).toBe(-1);
  expect(read(0x0b, 0xff, 0xfe)).toBe(-2);
  expect(read(0x0c, 0, 1, 0, 0)).toBe(65536);
  expect(read(0x0d, 0xbf, 0x80, 0, 0)).toBe(-1);
  expect(read(0x0e, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0)).toBe(0.5);
});
test("refusals", () => {
  expect(() => readIdx(Uint8Array.of(1, 2, 3, 4), "a")).toThrow("error[file]: a is not an IDX file");
  expect(() => readIdx(new Uint8Array(0), "a")).toThrow("error[file]: a is not an IDX file");
  expect(() => readIdx(bytes.subarray(0, 17), "a")).toThrow("error[file]: a holds 5 bytes of elements, but its shape 2x3 needs 6");
  expect(() => readIdx(gzipSync(bytes).subarray(0, 20), "a.gz")).toThrow("error[file]: a.gz cannot be unpacked");
});
