/** Values of inputs: what is accepted, and what the refusal says. */
import { expect, test } from "vitest";
import type { Field } from "../../ir/program.ts";
import { decode, encodeInputs, type InputValues } from "../../runtime/tensor.ts";
import { failure, field, label, mask, x } from "./fixtures.ts";

const encode = (f: Field, value: unknown) =>
  decode(f, (encodeInputs([{ inputs: [f] }], { [f.name]: value as InputValues })[1][0]![1] as Uint8Array<ArrayBuffer>).slice());
const message = async (f: Field, value: unknown): Promise<string> => (await failure(() => encode(f, value))).message;

test("numbers of any array become the field's element type", () => {
  for (const array of [[1, 2, 3, 4], Float32Array.of(1, 2, 3, 4), Float64Array.of(1, 2, 3, 4), Uint8Array.of(1, 2, 3, 4)])
    expect(encode(x, array)).toEqual(Float32Array.of(1, 2, 3, 4));
  expect(encode(label, [3, 9])).toEqual(Int32Array.of(3, 9));
  expect(encode(label, Uint8Array.of(3, 9))).toEqual(Int32Array.of(3, 9));
  expect(encode(mask, [true, false, 1])).toEqual(Uint8Array.of(1, 0, 1));
  expect(encode(field("t", "io", 0), 0.5)).toEqual(Float32Array.of(0.5));
  expect(encode(field("t", "io", 0, [1, 1], { dtype: "i32" }), -3)).toEqual(Int32Array.of(-3));
});

test("a Float32Array is used as it is, wherever it lies in its buffer", () => {
  const whole = Float32Array.of(9, 1, 2, 3, 4, 9);
  const [, [[, bytes]]] = encodeInputs([{ inputs: [x] }], { x: whole.subarray(1, 5) }) as [unknown, [[Field, Uint8Array]]];
  expect(bytes.buffer).toBe(whole.buffer);
  expect(encode(x, whole.subarray(1, 5))).toEqual(Float32Array.of(1, 2, 3, 4));
});

test("NaN and infinities pass through", () => {
  expect(encode(x, [Number.NaN, Number.POSITIVE_INFINITY, -0, 1])).toEqual(Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, -0, 1));
});

test("unknown and missing names come with the known ones", async () => {
  const known = "the inputs are x: f32[4], label: i32[2]";
  expect((await failure(() => encodeInputs([{ inputs: [x, label] }], { x: [], lable: [] }))).message).toBe(`unknown input lable; ${known}`);
  expect((await failure(() => encodeInputs([{ inputs: [x, label] }], { x: [] }))).message).toBe(`missing input label; ${known}`);
  expect((await failure(() => encodeInputs([{ inputs: [] }], { x: [] }))).message).toBe("unknown input x; the inputs are none");
  expect(
    (await failure(() => encodeInputs([{ inputs: [x, label] }], Object.create({ x: [1, 2, 3, 4], label: [0, 0] })))).message,
  ).toContain("missing input x, label");
});

test("counts, kinds and ranges are checked", async () => {
  expect(await message(x, [1, 2, 3])).toBe("x has 3 elements, expected 4 for f32[4]");
  expect(await message(x, "1234")).toBe('x is "1234", expected a flat array of numbers for f32[4]');
  expect(await message(x, BigInt64Array.of(1n, 2n, 3n, 4n))).toBe("x is BigInt64Array, expected a flat array of numbers for f32[4]");
  expect(await message(x, [1, 2, [3], 4])).toBe("x[2] is Array, expected a number");
  expect(await message(x, [1, 2, undefined, 4])).toBe("x[2] is undefined, expected a number");
  expect(await message(x, [1, 2, true, 4])).toBe("x[2] is true, expected a number");
  expect(await message(label, [0, 12])).toBe("label[1] is 12, expected 0..9");
  expect(await message(label, [-1, 0])).toBe("label[0] is -1, expected 0..9");
  expect(await message(label, [0, 1.5])).toBe("label[1] is 1.5, expected an integer");
  expect(await message(label, Float32Array.of(0, Number.NaN))).toBe("label[1] is NaN, expected an integer");
  expect(await message(mask, [0, 1, 2])).toBe("mask[2] is 2, expected 0..1");
  expect(await message(mask, [0, 1, 0.5])).toBe("mask[2] is 0.5, expected true, false, 0 or 1");
  expect(await message(field("ids", "io", 0, [2, 3], { dtype: "u8" }), [0, 0, 0, 0, 0, 256])).toBe("ids[1,2] is 256, expected 0..255");
  expect(await message(field("n", "io", 0, [], { dtype: "i32" }), 2 ** 31)).toBe("n is 2147483648, expected -2147483648..2147483647");
});
