/**
 * Threefry-2x32 with 20 rounds: two random words from a key and a counter of two words each. Salmon, Moraes, Dror, Shaw:
 * Parallel Random Numbers: As Easy as 1, 2, 3 (SC 2011). The same words as Random123 and JAX.
 */
import * as k from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";

export type Words = readonly [Expr, Expr];

const rotations: readonly (readonly number[])[] = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
];
const parity = 0x1bd11bda;

/** u32 expressions. Words are shared by identity: whoever prints them as a tree must first name what occurs twice. */
export function threefry2x32(key: Words, counter: Words): Words {
  const keys = [key[0], key[1], k.xor(k.xor(key[0], key[1]), k.u32(parity))];
  let a = k.add(counter[0], keys[0]!);
  let b = k.add(counter[1], keys[1]!);
  for (let block = 1; block <= 5; block++) {
    for (const bits of rotations[(block - 1) % 2]!) {
      a = k.add(a, b);
      b = k.xor(rotateLeft(b, bits), a);
    }
    a = k.add(a, keys[block % 3]!);
    b = k.add(b, k.add(keys[(block + 1) % 3]!, k.u32(block)));
  }
  return [a, b];
}
const rotateLeft = (x: Expr, bits: number): Expr => k.or(k.shl(x, bits), k.shr(x, 32 - bits));
