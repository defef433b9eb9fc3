/** Random numbers from counters: a number depends on the seed, the place in the program and the step, on nothing else. */
import type { Node } from "../graph/graph.ts";
import * as k from "../kernel/build.ts";
import { int, ints, op } from "../op.ts";
import { type TensorType, tensor } from "../type.ts";
import { mul, sub } from "./binary.ts";
import { scalar } from "./broadcasting.ts";
import { expectDType, expectRank, expectShape } from "./expect.ts";
import { stored } from "./leaf.ts";
import { linear } from "./reshape.ts";
import { threefry2x32 } from "./threefry.ts";
import { cos, log, sqrt } from "./unary.ts";

function expectCounter(name: string, operand: string, t: TensorType): void {
  expectDType(name, operand, t, ["i32"]);
  expectRank(name, operand, t, 0, "a scalar");
}

/**
 * f32 of `shape` in [0, 1), multiples of 2^-24: the upper 24 bits of output word `word` of threefry under the key (seed, key) at
 * the counter (row-major position of the element, counter).
 */
export const randomNumber = op({
  name: "random_number",
  inputs: ["seed", "key", "counter"],
  attrs: { word: int(0), shape: ints() },
  kind: "creation",
}).rules({
  infer: (operands, { shape }) => {
    for (const [name, t] of Object.entries(operands)) expectCounter("random_number", name, t);
    return tensor("f32", expectShape("random_number", shape));
  },
  lower:
    ({ seed, key, counter }, { word, shape }) =>
    (...i) => {
      const position = k.bitcast("u32", linear(i, shape));
      const words = threefry2x32([k.bitcast("u32", seed()), k.bitcast("u32", key())], [position, k.bitcast("u32", counter())]);
      return k.mul(k.cast("f32", k.shr(words[word === 0 ? 0 : 1], 8)), k.f32(2 ** -24));
    },
});

/** The same with the key, which says where in the program it is, as an attribute. */
export const randomUniform = op({
  name: "random_uniform",
  inputs: ["seed", "counter"],
  attrs: { key: int(), word: int(0), shape: ints() },
  kind: "composite",
}).rules({
  infer: ({ seed, counter }, { shape }) => {
    expectCounter("random_uniform", "seed", seed);
    expectCounter("random_uniform", "counter", counter);
    return tensor("f32", expectShape("random_uniform", shape));
  },
  decompose: ({ seed, counter }, { key, word, shape }) =>
    randomNumber({ seed, key: stored({}, { data: [key | 0], dtype: "i32", shape: [] }), counter }, { word, shape }),
});

/** f32 of `shape`, standard normal, by Box and Muller from the two words of one counter: sqrt(-2 log(1 - u0)) cos(2 pi u1). */
export const randomNormal = op({
  name: "random_normal",
  inputs: ["seed", "counter"],
  attrs: { key: int(), shape: ints() },
  kind: "composite",
}).rules({
  infer: ({ seed, counter }, { shape }) => {
    expectCounter("random_normal", "seed", seed);
    expectCounter("random_normal", "counter", counter);
    return tensor("f32", expectShape("random_normal", shape));
  },
  decompose: ({ seed, counter }, { key, shape }) => {
    const uniform = (word: number): Node => randomUniform({ seed, counter }, { key, word, shape });
    const radius = sqrt({ x: mul({ a: scalar(-2), b: log({ x: sub({ a: scalar(1), b: uniform(0) }) }) }) });
    return mul({ a: radius, b: cos({ x: mul({ a: scalar(2 * Math.PI), b: uniform(1) }) }) });
  },
});
