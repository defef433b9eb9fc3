import { encode } from "fast-png";
import { describe, expect, test } from "vitest";
import { readPng, writePng } from "../../../compiler/formats/png.ts";

const grey = encode({ width: 2, height: 1, channels: 1, data: Uint8Array.of(0, 51) });
const rgb = encode({ width: 1, height: 1, channels: 3, data: Uint8Array.of(255, 0, 51) });
const rgba = encode({ width: 1, height: 1, channels: 4, data: Uint8Array.of(255, 255, 255, 51) });
const values = (bytes: Uint8Array, channels: number) => [...readPng(bytes, channels, "a.png").data].map((v) => Number(v.toFixed(4)));

describe("png", () => {
  test("values and planes", () => {
    expect(values(grey, 1)).toEqual([0, 0.2]);
    expect(values(grey, 3)).toEqual([0, 0.2, 0, 0.2, 0, 0.2]);
    expect(values(rgb, 3)).toEqual([1, 0, 0.2]);
    expect(readPng(grey, 3, "a.png")).toMatchObject({ channels: 3, height: 1, width: 2 });
  });
  test("colour to grey keeps its brightness", () => {
    expect(values(rgb, 1)).toEqual([0.3218]);
  });
  test("alpha is kept, or laid over black", () => {
    expect(values(rgba, 4)).toEqual([1, 1, 1, 0.2]);
    expect(values(rgba, 3)).toEqual([0.2, 0.2, 0.2]);
    expect(values(rgba, 2)).toEqual([1, 0.2]);
    expect(values(rgb, 4)).toEqual([1, 0, 0.2, 1]);
  });
  test("16 bits", () => {
    expect(values(encode({ width: 1, height: 1, channels: 1, depth: 16, data: Uint16Array.of(13107) }), 1)).toEqual([0.2]);
  });
  test("1 bit a pixel: rows start at a byte", () => {
    // width 9, so two bytes a row; one is 255
    const data = Uint8Array.of(0b10000000, 0b10000000, 0b01111111, 0);
    const bytes = encode({ width: 9, height: 2, channels: 1, depth: 1, data });
    expect(values(bytes, 1)).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0]);
  });
  test("what is written is read back", () => {
    const image = { channels: 3, height: 2, width: 1, data: Float32Array.of(0, 1, 0.2, 0.4, 0.6, 0.8) };
    expect(values(writePng(image), 3)).toEqual([0, 1, 0.2, 0.4, 0.6, 0.8]);
  });
  test("refusals", () => {
    expect(() => readPng(Uint8Array.of(1, 2, 3), 1, "a.png")).toThrow("error[file]: a.png is not a PNG file");
    expect(() => readPng(grey.subarray(0, 30), 1, "a.png")).toThrow("error[file]: a.png cannot be decoded");
    expect(() => readPng(grey, 7, "a.png")).toThrow("error[data]: a.png: a PNG has 1 to 4 channels, the input has 7");
  });
});
