import { encode } from "fast-png";
import { describe, expect, test } from "vitest";
import { crc32 } from "../../../compiler/formats/crc32.ts";
import { imageOf, resize } from "../../../compiler/formats/image.ts";
import { pngSize, readPng, writePng } from "../../../compiler/formats/png.ts";

const grey = encode({ width: 2, height: 1, channels: 1, data: Uint8Array.of(0, 51) });
const rgb = encode({ width: 1, height: 1, channels: 3, data: Uint8Array.of(255, 0, 51) });
const rgba = encode({ width: 1, height: 1, channels: 4, data: Uint8Array.of(255, 255, 255, 51) });
const read = (bytes: Uint8Array, channels: number) => imageOf(readPng(bytes, "a.png"), channels, "a.png");
const values = (bytes: Uint8Array, channels: number) => [...read(bytes, channels).data].map((v) => Number(v.toFixed(4)));

describe("png", () => {
  test("values and planes", () => {
    expect(values(grey, 1)).toEqual([0, 0.2]);
    expect(values(grey, 3)).toEqual([0, 0.2, 0, 0.2, 0, 0.2]);
    expect(values(rgb, 3)).toEqual([1, 0, 0.2]);
    expect(read(grey, 3)).toMatchObject({ channels: 3, height: 1, width: 2 });
  });
  test("colour to grey keeps its brightness", () => {
    expect(values(rgb, 1)).toEqual([0.3218]);
  });
  test("alpha is kept, or dropped", () => {
    expect(values(rgba, 4)).toEqual([1, 1, 1, 0.2]);
    expect(values(rgba, 3)).toEqual([1, 1, 1]);
    expect(values(rgba, 2)).toEqual([1, 0.2]);
    expect(values(rgba, 1)).toEqual([1]);
    expect(values(rgb, 4)).toEqual([1, 0, 0.2, 1]);
  });
  test("the size is in the first bytes", () => {
    expect(pngSize(grey.subarray(0, 24))).toEqual([2, 1]);
    expect(pngSize(grey.subarray(0, 20))).toBe(null);
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
  test("palettes, with alpha and without", () => {
    const palette = [
      [255, 0, 51],
      [0, 51, 255],
    ];
    const indexed = (colours: number[][]) =>
      encode({ width: 3, height: 1, depth: 1, channels: 1, palette: colours, data: Uint8Array.of(0b01000000) });
    expect(values(indexed(palette), 3)).toEqual([1, 0, 1, 0, 0.2, 0, 0.2, 1, 0.2]);
    expect(values(indexed(palette.map((c, i) => [...c, i === 0 ? 51 : 255])), 2).slice(3)).toEqual([0.2, 1, 0.2]);
  });
  test("one colour may be clear", () => {
    const two = encode({ width: 2, height: 1, channels: 1, data: Uint8Array.of(51, 102) });
    const body = Uint8Array.of(...new TextEncoder().encode("tRNS"), 0, 51);
    const chunk = new Uint8Array(14);
    new DataView(chunk.buffer).setUint32(0, 2);
    chunk.set(body, 4);
    new DataView(chunk.buffer).setUint32(10, crc32(body));
    // behind the signature and the header of the picture
    const bytes = Uint8Array.of(...two.subarray(0, 33), ...chunk, ...two.subarray(33));
    expect(values(bytes, 2)).toEqual([0.2, 0.4, 0, 1]);
  });
  test("what is written is read back", () => {
    const image = { channels: 3, height: 2, width: 1, data: Float32Array.of(0, 1, 0.2, 0.4, 0.6, 0.8) };
    expect(values(writePng(image), 3)).toEqual([0, 1, 0.2, 0.4, 0.6, 0.8]);
  });
  test("resizing keeps a flat picture flat, a ramp a ramp, and its own size as it is", () => {
    const image = { channels: 2, height: 2, width: 4, data: Float32Array.of(1, 2, 3, 4, 1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 5, 5) };
    expect(resize(image, 2, 4)).toEqual(image);
    const { data, ...size } = resize(image, 3, 2);
    expect(size).toEqual({ channels: 2, height: 3, width: 2 });
    expect([...data].map((v) => Number(v.toFixed(4)))).toEqual([1.7143, 3.2857, 1.7143, 3.2857, 1.7143, 3.2857, 5, 5, 5, 5, 5, 5]);
    const grown = resize({ channels: 1, height: 1, width: 2, data: Float32Array.of(0, 1) }, 2, 4).data;
    expect([...grown]).toEqual([0, 0.25, 0.75, 1, 0, 0.25, 0.75, 1]);
  });
  test("refusals", () => {
    expect(() => readPng(Uint8Array.of(1, 2, 3), "a.png")).toThrow("error[file]: a.png is not a PNG file");
    expect(() => readPng(grey.subarray(0, 30), "a.png")).toThrow("error[file]: a.png cannot be decoded: it is damaged or cut short");
    const flipped = grey.slice();
    flipped[45] = flipped[45]! ^ 1;
    expect(() => readPng(flipped, "a.png")).toThrow("error[file]: a.png cannot be decoded: it is damaged or cut short");
    const large = grey.slice();
    new DataView(large.buffer).setUint32(16, 40000);
    new DataView(large.buffer).setUint32(20, 40000);
    expect(() => readPng(large, "a.png")).toThrow("error[file]: a.png cannot be decoded: it is too large");
    expect(() => read(grey, 7)).toThrow("error[data]: a.png: a picture has 1 to 4 channels, the input has 7");
  });
});
