import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { digitSize, drawDigit } from "../../../compiler/formats/digits.ts";
import { permutation, uniforms } from "../../../compiler/formats/random.ts";

const examples = (key: number, count: number) => Array.from({ length: count }, (_, i) => drawDigit(key, i));
const digest = (digits: readonly { image: Uint8Array }[]) => {
  const hash = createHash("sha256");
  for (const d of digits) hash.update(d.image);
  return hash.digest("hex").slice(0, 16);
};

describe("digits", () => {
  test("are the same on every machine", () => {
    const first = examples(1, 32);
    expect(first.map((d) => d.label).join("")).toMatchInlineSnapshot(`"07868814511354615424241322021144"`);
    expect(digest(first)).toMatchInlineSnapshot(`"d974fcdfa5da1863"`);
  });
  test("do not depend on the order of asking", () => {
    expect(drawDigit(1, 7)).toEqual(examples(1, 8)[7]);
  });
  test("streams have no image in common", () => {
    const train = new Set(examples(1, 200).map((d) => digest([d])));
    expect(train.size).toBe(200);
    expect(examples(2, 200).filter((d) => train.has(digest([d])))).toEqual([]);
  });
  test("every label is about as frequent", () => {
    const counts = new Array<number>(10).fill(0);
    for (const { label } of examples(1, 1000)) counts[label]!++;
    expect(Math.min(...counts)).toBeGreaterThan(70);
    expect(Math.max(...counts)).toBeLessThan(130);
  });
  test("are ink on paper, off the border", () => {
    for (const { image } of examples(3, 100)) {
      const bright = [...image].filter((v) => v > 128).length;
      expect(bright).toBeGreaterThan(10);
      expect(bright).toBeLessThan(300);
      expect([...image.subarray(0, digitSize)].filter((v) => v > 128).length).toBeLessThan(12);
    }
  });
});

describe("random numbers", () => {
  test("fill [0, 1) evenly", () => {
    const random = uniforms(5);
    const draws = Array.from({ length: 4000 }, random);
    expect(draws.reduce((a, b) => a + b) / draws.length).toBeCloseTo(0.5, 1);
    expect(Math.max(...draws)).toBeLessThan(1);
    expect(Math.min(...draws)).toBeGreaterThanOrEqual(0);
    for (let q = 0; q < 8; q++) expect(Math.abs(draws.filter((v) => Math.floor(v * 8) === q).length - 500)).toBeLessThan(90);
  });
  test("permute", () => {
    const order = permutation(1000, 3);
    expect([...order].sort((a, b) => a - b)).toEqual([...Array(1000).keys()]);
    expect(order).toEqual(permutation(1000, 3));
    expect(order).not.toEqual(permutation(1000, 4));
    expect([...order].filter((v, i) => v === i).length).toBeLessThan(8);
    expect([...permutation(5, 0)]).toMatchInlineSnapshot(`
      [
        4,
        0,
        1,
        2,
        3,
      ]
    `);
  });
});
