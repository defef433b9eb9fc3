/**
 * Dense connections: each layer takes everything before it, side by side.
 *
 *     a = x |> l1: Dense; b = concat([x, a], axis=1) |> l2: Dense; c = concat([x, a, b], axis=1) |> l3: Dense
 *
 * becomes a list that grows in a loop; what joins all of them in the end takes the list.
 *
 *     maps = [x, x |> l1: Dense]
 *     for i in range(2, 4) { maps += [concat(maps, axis=1) |> l{i}: Dense] }
 */
import { type Item, type StepItem, termOf, type Written } from "./items.ts";
import { counting, rangeOf, withLoops } from "./loops.ts";
import { printTerm } from "./print-term.ts";
import type { Value } from "./program.ts";
import { binary, list, type Term, value } from "./sketch.ts";

/** Loops found, and where lists grow. */
export function itemsOf(items: readonly Written[], leaving: readonly Value[], index = "i"): readonly Item[] {
  const uses = new Map<Value, number>();
  for (const v of [...items.flatMap((i) => i.node.operands), ...leaving]) uses.set(v, (uses.get(v) ?? 0) + 1);
  const out: Item[] = [];
  let from = 0;
  let lists = 0;
  for (let i = 0; i < items.length; i++) {
    const length = denseAt(items, i, uses);
    if (length === 0) continue;
    out.push(...withLoops(items.slice(from, i), [...leaving, ...items.slice(i).flatMap((w) => w.node.operands)], index));
    out.push(...grown(items.slice(i, i + length), firstList - 2 * lists++, index));
    from = i + length;
    i = from - 1;
  }
  return [...out, ...withLoops(items.slice(from), leaving, index)];
}
/** Values for lists have numbers of their own. */
const firstList = -1_000_000;
const fewest = 3;

/** How many items from here on are layers, joins of all before them, and the last join; 0: they are not. */
function denseAt(items: readonly Written[], start: number, uses: ReadonlyMap<Value, number>): number {
  const layers: Written[] = [];
  const [first] = items[start]!.node.operands;
  const values: Value[] = first === undefined ? [] : [first];
  let at = start;
  for (;;) {
    const layer = items[at];
    const input = layers.length === 0 ? first : items[at - 1]?.node.results[0];
    if (layer?.node.kind !== "group" || layer.node.operands.length !== 1 || layer.node.operands[0] !== input) break;
    if (layers.length > 0 && !isNext(layers, layer)) break;
    layers.push(layer);
    values.push(layer.node.results[0]!);
    at++;
    if (!joins(items[at], values)) break;
    if (items[at + 1]?.node.operands[0] !== items[at]!.node.results[0]) break;
    if (uses.get(items[at]!.node.results[0]!) !== 1) break;
    at++;
  }
  const last = items[start + 2 * layers.length - 1];
  if (layers.length < fewest || !last || !joins(last, values)) return 0;
  const own = (v: Value, k: number) => uses.get(v) === layers.length - k;
  return values.slice(1).every(own) ? 2 * layers.length : 0;
}
function isNext(layers: readonly Written[], next: Written): boolean {
  const [{ node, constants }] = layers as [Written];
  const text = (list: Written["constants"]) => list.map((c) => (c ? printTerm(c) : "")).join();
  if (node.kind !== "group" || next.node.kind !== "group" || node.form !== next.node.form) return false;
  return text(constants) === text(next.constants) && counting([...layers, next].map((l) => l.label)) !== null;
}
function joins(w: Written | undefined, values: readonly Value[]): boolean {
  if (w?.node.kind !== "leaf" || w.node.template.callee !== "concat") return false;
  const { operands } = w.node;
  return operands.length === values.length && values.every((v, i) => v === operands[i]);
}

function grown(items: readonly Written[], id: Value, index: string): readonly Item[] {
  const layers = items.filter((_, i) => i % 2 === 0);
  const [first, join, second] = items as [Written, Written, Written];
  const [source] = first.node.operands as [Value];
  const end = items.at(-1)!;
  const labels = counting(layers.slice(1).map((l) => l.label)) ?? { from: 0, text: () => second.label };
  const all = [id, id - 1] as const;
  const joined = (w: Written, x: Term): Term => {
    const term = termOf(
      w,
      w.node.operands.map((v) => value(String(v))),
    );
    return term.kind === "call" ? { ...term, args: [x, ...term.args.slice(1)] } : term;
  };
  const start: StepItem = {
    kind: "step",
    operands: [source, source],
    results: [all[0]],
    build: ([x, y]) => list([x!, termOf(first, [y!])]),
    role: null,
    piped: false,
    listed: false,
  };
  const once = { ...second, label: labels.text(labels.from, index) };
  const loop: Item = {
    kind: "loop",
    source: all[0],
    operands: [],
    results: [all[1]],
    build: (maps) => [binary("+", maps, list([termOf(once, [joined(join, maps)])]))],
    header: `${index} in ${rangeOf(labels.from, layers.length - 1)}`,
  };
  const done: StepItem = {
    kind: "step",
    operands: [all[1]],
    results: end.node.results,
    build: ([maps]) => joined(end, maps!),
    role: "function",
    piped: false,
    listed: false,
  };
  return [start, loop, done];
}
