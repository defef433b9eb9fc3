/** What kernels are run on, and how far results may be apart. */
import { bufferElements } from "../../../ir/kernel/address.ts";
import type { Kernel } from "../../../ir/kernel/kernel.ts";
import { noise } from "../lower/run.ts";

export const inputsOf = (k: Kernel) =>
  Object.fromEntries(k.buffers.filter((b) => b.space === "in" || b.space === "inout").map((b, i) => [b.name, noise(bufferElements(b), i)]));
/** The largest difference; infinite where a NaN is. */
export const furthest = (actual: ArrayLike<number>, expected: ArrayLike<number>): number =>
  Math.max(...Array.from(expected, (v, i) => (Number.isNaN(actual[i]! - v) ? Number.POSITIVE_INFINITY : Math.abs(actual[i]! - v))));
