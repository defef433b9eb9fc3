/**
 * Finds the first operation whose value is wrong, from a wrong output backwards. To look at a value is to compile it as a further
 * output, which changes what is fused; so only some values are looked at in a round, spread over what is still suspect, and
 * whatever lies before a value that agrees is no suspect any more.
 *
 * An error may be gone once a value is looked at, because it is made where operations are computed together. Fewer values are then
 * looked at, one in the end; a value that cannot be looked at stays part of what is reported.
 */
import { type Graph, type Node, topological } from "../../ir/graph/graph.ts";
import { type Agreement, agrees } from "./agreement.ts";
import { watchable } from "./watch.ts";

/** Compiles with the values of these numbers as outputs, runs, and compares. */
export type Observe = (numbers: readonly number[]) => Promise<ReadonlyMap<number, Agreement>>;

export interface Located {
  readonly node: Node;
  readonly number: number;
  /** The last look at it. */
  readonly agreement: Agreement;
  /** Operations before it, wrong only together with it. */
  readonly together: readonly Node[];
  /** The values found right on the way, by number. */
  readonly right: ReadonlyMap<number, Agreement>;
}

const widest = 24;
const mostRounds = 40;

/** `number`: a value that differs, with what is known of it. */
export async function locate(graph: Graph, number: number, agreement: Agreement, observe: Observe): Promise<Located> {
  const order = topological(graph);
  const search = suspectsIn(graph);
  const right = new Map<number, Agreement>();
  const hidden = new Set<number>();
  let [wrong, known, width] = [number, agreement, widest];
  for (let round = 0; round < mostRounds; round++) {
    const suspects = search(wrong, right).filter((n) => !hidden.has(n));
    if (suspects.length === 0) break;
    const chosen = spread(suspects, width);
    const seen = await observe([...chosen, wrong]);
    const first = chosen.find((n) => !agrees(seen.get(n)!));
    const isGone = first === undefined && agrees(seen.get(wrong)!);
    if (isGone && chosen.length === 1) hidden.add(chosen[0]!);
    if (isGone) {
      width = Math.max(1, Math.floor(chosen.length / 4));
      continue;
    }
    for (const n of chosen) if (agrees(seen.get(n)!)) right.set(n, seen.get(n)!);
    known = seen.get(first ?? wrong)!;
    wrong = first ?? wrong;
  }
  const together = search(wrong, right).map((n) => order[n]!);
  return { node: order[wrong]!, number: wrong, agreement: known, together, right };
}

/** What a value depends on without passing a right one, in topological order. */
function suspectsIn(graph: Graph): (number: number, right: ReadonlyMap<number, unknown>) => readonly number[] {
  const order = topological(graph);
  const numbers = new Map(order.map((n, i) => [n, i]));
  const candidates = new Set(watchable(graph));
  return (number, right) => {
    const found = new Set<number>([number]);
    for (const at of found)
      for (const x of order[at]!.inputs) {
        const n = numbers.get(x)!;
        if (!right.has(n)) found.add(n);
      }
    found.delete(number);
    return [...found].filter((n) => candidates.has(n)).sort((a, b) => a - b);
  };
}

/** So many of a list, evenly, with the last. */
function spread(list: readonly number[], width: number): readonly number[] {
  if (list.length <= width) return list;
  return Array.from({ length: width }, (_, i) => list[Math.ceil(((i + 1) * list.length) / width) - 1]!);
}
