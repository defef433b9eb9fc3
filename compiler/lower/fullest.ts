/** How much memory a list of groups needs at once, before any offsets are assigned. */
import type { Node } from "../../ir/graph/graph.ts";
import { elementsIn } from "../../ir/layout.ts";

/** What a kernel writes and reads. */
export interface Touched {
  readonly values: readonly Node[];
}
export interface Fullest {
  /** Position of the kernel during which most is alive. */
  readonly at: number;
  readonly elements: number;
  readonly alive: readonly Node[];
}
/** `memoryOf`: the value in whose memory another is; null where that is not the arena. */
export function fullest(kernels: readonly Touched[], memoryOf: (n: Node) => Node | null): Fullest {
  const { lives, elements } = aliveIn(kernels, memoryOf);
  const at = elements.reduce((most, n, i) => (n > elements[most]! ? i : most), 0);
  const alive = [...lives].flatMap(([n, { first, last }]) => (first <= at && at <= last ? [n] : []));
  return { at, elements: elements[at] ?? 0, alive };
}
export const sizeInMemory = ({ type }: Node): number => elementsIn(type.shape, type.layout);

function aliveIn(kernels: readonly Touched[], memoryOf: (n: Node) => Node | null) {
  const lives = new Map<Node, { first: number; last: number }>();
  kernels.forEach(({ values }, i) => {
    for (const value of values) {
      const n = memoryOf(value);
      const known = n && lives.get(n);
      if (known) known.last = i;
      else if (n) lives.set(n, { first: i, last: i });
    }
  });
  const change: number[] = Array(kernels.length + 1).fill(0);
  for (const [n, { first, last }] of lives) {
    change[first]! += sizeInMemory(n);
    change[last + 1]! -= sizeInMemory(n);
  }
  let sum = 0;
  const elements = change.slice(0, kernels.length).map((c) => {
    sum += c;
    return sum;
  });
  return { lives, elements };
}
