/**
 * Runs of equal groups, one behind the other, as loops:
 *
 *     x = x |> h.0: Block(12); x = x |> h.1: Block(12)      for i in range(2) { x = x |> h.{i}: Block(12) }
 *
 * What is repeated may be several groups: layer2.0: A, layer2.1: B, layer3.0: A, layer3.1: B.
 */
import { type Item, itemOf, type LoopItem, termOf, valuesOf, type Written } from "./items.ts";
import { printTerm } from "./print-term.ts";
import type { Group, Value } from "./program.ts";

const longestPeriod = 4;

/** `index`: what loops count with. */
export function withLoops(items: readonly Written[], leaving: readonly Value[], index: string): readonly Item[] {
  const uses = new Map<Value, number>();
  for (const v of [...items.flatMap((i) => i.node.operands), ...leaving]) uses.set(v, (uses.get(v) ?? 0) + 1);
  const out: Item[] = [];
  for (let i = 0; i < items.length; ) {
    const run = longestRun(items, i, uses);
    out.push(run ? loopOf(run, index) : itemOf(items[i]!));
    i += run ? run.rounds.length * run.rounds[0]!.length : 1;
  }
  return out;
}

interface Run {
  /** The items of each round. */
  readonly rounds: readonly (readonly Written[])[];
}
function longestRun(items: readonly Written[], start: number, uses: ReadonlyMap<Value, number>): Run | null {
  for (let period = 1; period <= longestPeriod; period++) {
    const rounds = [items.slice(start, start + period)];
    for (;;) {
      const at = start + rounds.length * period;
      const next = items.slice(at, at + period);
      if (next.length < period || !chained(items.slice(at - period, at + period), uses)) break;
      if (!rounds[0]!.every((w, k) => isAlike(w, next[k]!))) break;
      if (!rounds[0]!.every((_, k) => counting([...rounds, next].map((r) => r[k]!.label)) !== null)) break;
      rounds.push(next);
    }
    if (rounds.length > 1 && (period === 1 || !cuts(rounds, items[start + rounds.length * period]))) return { rounds };
  }
  return null;
}
const formIn = (w: Written | undefined): number | null => (w?.node.kind === "group" ? w.node.form : null);
/** A run of one form inside of a round, or one that goes on behind the last: each has a loop of its own. */
const cuts = (rounds: readonly (readonly Written[])[], next: Written | undefined): boolean =>
  rounds[0]!.some((w, k, all) => k > 0 && formIn(w) === formIn(all[k - 1])) || formIn(rounds.at(-1)!.at(-1)) === formIn(next);
/** Groups, each of which takes nothing but what comes from the one before and what stands outside. */
function chained(items: readonly Written[], uses: ReadonlyMap<Value, number>): boolean {
  const own = new Set(items.flatMap((w) => w.node.results));
  return items.every(({ node }, k) => {
    if (node.kind !== "group" || node.operands.slice(1).some((v) => own.has(v))) return false;
    const before = items[k - 1]?.node.results[0];
    return before === undefined || (node.operands[0] === before && uses.get(before) === 1);
  });
}
function isAlike(a: Written, b: Written): boolean {
  const [form, other] = [a.node, b.node].map((n) => (n.kind === "group" ? n.form : null));
  const rest = a.node.operands.slice(1);
  const same = rest.length === b.node.operands.length - 1 && rest.every((v, i) => v === b.node.operands[i + 1]);
  return form === other && same && textOf(a) === textOf(b);
}
const textOf = ({ constants }: Written): string => constants.map((c) => (c ? printTerm(c) : "")).join();

function loopOf({ rounds }: Run, index: string): LoopItem {
  const [first] = rounds as [readonly Written[]];
  const labels = first.map((_, k) => counting(rounds.map((r) => r[k]!.label))!);
  const from = Math.max(...labels.map((l) => l.from));
  const body = first.map((w, k) => ({ ...w, label: labels[k]!.text(from, index) }));
  return {
    kind: "loop",
    source: first[0]!.node.operands[0]!,
    operands: first.flatMap((w) => w.node.operands.slice(1)),
    results: (rounds.at(-1)!.at(-1)!.node as Group).results,
    build: (source) => body.map((w) => termOf(w, [source, ...valuesOf(w.node.operands.slice(1))])),
    header: `${index} in ${rangeOf(from, rounds.length)}`,
  };
}
export const rangeOf = (from: number, count: number): string => `range(${from > 1 ? `${from}, ${from + count}` : count})`;

interface Counting {
  readonly from: number;
  /** The label with the loop's index in it, for a loop that begins at a number. */
  readonly text: (from: number, index: string) => string | null;
}
/** Labels that differ in one number, which counts up in equal steps; null: they do not. Functions have none. */
export function counting(labels: readonly (string | null)[]): Counting | null {
  const [first] = labels;
  if (first === undefined || first === null) return { from: 0, text: () => null };
  const parts = labels.map((l) => l!.split(/(\d+)/));
  const at = parts[0]!.findIndex((p, k) => p !== parts[1]?.[k]);
  if (at < 0 || at % 2 === 0) return null;
  const from = Number(parts[0]![at]);
  const step = Number(parts[1]![at]) - from;
  const expected = (n: number, k: number) => (k === at ? String(from + step * n) : parts[0]![k]);
  if (step < 1 || (step > 1 && from > step)) return null;
  if (!parts.every((p, n) => p.length === parts[0]!.length && p.every((t, k) => t === expected(n, k)))) return null;
  const [before, after] = [parts[0]!.slice(0, at).join(""), parts[0]!.slice(at + 1).join("")];
  return {
    from: step === 1 ? from : 0,
    text: (start, index) => {
      const offset = from - step * (start > 1 ? start : 0);
      const counted = step === 1 ? index : `${step} * ${index}`;
      return `${before}{${counted}${offset === 0 ? "" : offset > 0 ? ` + ${offset}` : ` - ${-offset}`}}${after}`;
    },
  };
}
