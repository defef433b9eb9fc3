import { describe, expect, test } from "vitest";
import type { Node } from "../../../ir/graph/graph.ts";
import * as k from "../../../ir/kernel/build.ts";
import { ops } from "../../../ir/ops/index.ts";
import { threefry2x32 } from "../../../ir/ops/threefry.ts";
import { f32, i32 } from "../../../ir/type.ts";
import { checkOp, complaint, value } from "./check-op.ts";
import { evaluate } from "./evaluate.ts";
import { compileTape } from "./tape.ts";

type Pair = readonly [number, number];
/** Threefry on numbers. */
function words(key: Pair, counter: Pair): Pair {
  const ks = [key[0], key[1], key[0] ^ key[1] ^ 0x1bd11bda];
  let [a, b] = [(counter[0] + ks[0]!) >>> 0, (counter[1] + ks[1]!) >>> 0];
  for (let round = 0; round < 20; round++) {
    const bits = [13, 15, 26, 6, 17, 29, 16, 24][round % 8]!;
    a = (a + b) >>> 0;
    b = (((b << bits) | (b >>> (32 - bits))) ^ a) >>> 0;
    if (round % 4 !== 3) continue;
    const block = (round + 1) / 4;
    a = (a + ks[block % 3]!) >>> 0;
    b = (b + ks[(block + 1) % 3]! + block) >>> 0;
  }
  return [a, b];
}

describe("threefry", () => {
  const run = (key: Pair, counter: Pair): string[] =>
    threefry2x32([k.u32(key[0]), k.u32(key[1])], [k.u32(counter[0]), k.u32(counter[1])]).map((word) =>
      compileTape(word, [], () => {
        throw new Error("no memory");
      })
        .run([])
        .toString(16)
        .padStart(8, "0"),
    );
  // Known answers of Random123.
  const known: readonly (readonly [Pair, Pair, readonly string[]])[] = [
    [
      [0, 0],
      [0, 0],
      ["6b200159", "99ba4efe"],
    ],
    [
      [0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      ["1cb996fc", "bb002be7"],
    ],
    [
      [0x13198a2e, 0x03707344],
      [0x243f6a88, 0x85a308d3],
      ["c4923a9c", "483df7a0"],
    ],
  ];
  test.each(known)("key %j, counter %j", (key, counter, expected) => {
    expect(run(key, counter)).toEqual(expected);
    expect(words(key, counter).map((w) => w.toString(16).padStart(8, "0"))).toEqual(expected);
  });
});

const place = 0x9e3779b9;
checkOp(ops.randomNumber, {
  samples: [0, 1].map((word) => ({
    inputs: [i32(), i32(), i32()],
    attrs: { word, shape: [2, 3] },
    shape: [2, 3],
    values: (n) => [[-1, place | 0, 7][n]!],
  })),
  reference: ([seed, key, counter], { word }) =>
    Array.from(
      { length: 6 },
      (_, at) => (words([seed!.data[0]! >>> 0, key!.data[0]! >>> 0], [at, counter!.data[0]!])[word === 0 ? 0 : 1] >>> 8) / 2 ** 24,
    ),
});
checkOp(ops.randomUniform, {
  samples: [0, 1].map((word) => ({
    inputs: [i32(), i32()],
    attrs: { key: place, word, shape: [2, 3] },
    shape: [2, 3],
    values: (n) => [n ? 7 : -1],
  })),
  reference: ([seed, counter], { word }) =>
    Array.from(
      { length: 6 },
      (_, at) => (words([seed!.data[0]! >>> 0, place], [at, counter!.data[0]!])[word === 0 ? 0 : 1] >>> 8) / 2 ** 24,
    ),
});
checkOp(ops.randomNormal, {
  samples: [{ inputs: [i32(), i32()], attrs: { key: -5, shape: [7] }, shape: [7], values: (n) => [n ? 3 : 2] }],
  reference: () =>
    Array.from({ length: 7 }, (_, at) => {
      const [u, v] = words([2, -5 >>> 0], [at, 3]).map((w) => (w >>> 8) / 2 ** 24) as [number, number];
      return Math.sqrt(-2 * Math.log(1 - u)) * Math.cos(2 * Math.PI * v);
    }),
});

describe("distribution", () => {
  const sample = (make: (seed: Node, counter: Node) => Node): number[] => {
    const int = (value: number) => ops.full({}, { value, dtype: "i32", shape: [] });
    return [...evaluate([make(int(1), int(2))], () => [])[0]!];
  };
  test("uniforms fill [0, 1) evenly", () => {
    const x = sample((seed, counter) => ops.randomUniform({ seed, counter }, { key: 3, shape: [4000] }));
    const counts = Array.from({ length: 10 }, (_, b) => x.filter((v) => Math.floor(v * 10) === b).length);
    for (const count of counts) expect(Math.abs(count - 400)).toBeLessThan(90);
  });
  test("normals have mean 0 and variance 1", () => {
    const x = sample((seed, counter) => ops.randomNormal({ seed, counter }, { key: 3, shape: [4000] }));
    const mean = x.reduce((a, b) => a + b) / x.length;
    expect(Math.abs(mean)).toBeLessThan(0.05);
    expect(Math.abs(x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length - 1)).toBeLessThan(0.1);
  });
});

test("complaints", () => {
  expect(complaint(() => ops.randomUniform({ seed: value(f32()), counter: value(i32()) }, { key: 0, shape: [2] }))).toMatchInlineSnapshot(`
    "error[shape]: random_uniform expects seed of type i32, got f32[]
      help: convert it: cast(seed, i32)"
  `);
  expect(complaint(() => ops.randomNormal({ seed: value(i32(2)), counter: value(i32()) }, { key: 0, shape: [2] }))).toMatchInlineSnapshot(
    `"error[shape]: random_normal expects seed with 0 dimensions (a scalar), got i32[2]"`,
  );
});
