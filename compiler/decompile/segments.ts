/**
 * Lists of nodes cut where a single value is alive.
 *
 *     conv, bn, relu, conv, bn, add, relu, pool        where add takes the last value and that of the first relu
 *
 * is the chain `conv | bn | relu | conv bn add | relu | pool`: whatever lies between two cuts has one way in and one way
 * out. A segment of several nodes is cut again inside, where the value that came in does not count.
 */
import type { Node, Value } from "./program.ts";

/** A list of nodes with what is known about the uses of its values. */
export interface Scope {
  /** The form that has these nodes; null: the program. */
  readonly form: number | null;
  readonly nodes: readonly Node[];
  /** Where a value is used last: an index, Infinity if it leaves the list. */
  readonly lastUse: ReadonlyMap<Value, number>;
}
export interface Outside {
  /** Values that are at hand everywhere. */
  readonly ambient: ReadonlySet<Value>;
  /** Inputs of the program that are not: what comes in is used up soon. */
  readonly entering: readonly Value[];
}
/** Nodes `start` to `end`, which it does not include. */
export interface Segment {
  readonly start: number;
  readonly end: number;
}

export function newScope(form: number | null, nodes: readonly Node[], leaving: Iterable<Value>): Scope {
  const lastUse = new Map<Value, number>();
  nodes.forEach((n, i) => {
    for (const v of n.operands) lastUse.set(v, i);
  });
  for (const v of leaving) lastUse.set(v, Number.POSITIVE_INFINITY);
  return { form, nodes, lastUse };
}

/** The chain of segments of a range; `depth` says inside of how many others it is. Values that are at hand everywhere do not count. */
export function chainOf(
  { form, nodes, lastUse }: Scope,
  { start, end }: Segment,
  { ambient, entering }: Outside,
  depth: number,
): readonly Segment[] {
  const out: Segment[] = [];
  const ends = new Map<number, number>(); // how many of the values made here are used last by a node
  let alive = 0;
  let from = start;
  for (const v of form === null && depth === 0 ? entering : []) {
    const last = lastUse.get(v);
    if (last !== undefined) ends.set(last, (ends.get(last) ?? 0) + 1);
    alive++;
  }
  for (let i = start; i < end; i++) {
    alive -= ends.get(i) ?? 0;
    for (const v of nodes[i]!.results) {
      const last = lastUse.get(v);
      if (last === undefined || ambient.has(v)) continue;
      // What the first node gives beside its first result, for the last one, holds the segment together: positions of a pooling.
      if (depth > 0 && i === start && v !== nodes[i]!.results[0] && last === end - 1) continue;
      alive++;
      ends.set(last, (ends.get(last) ?? 0) + 1);
    }
    if (alive > 1 && i + 1 < end) continue;
    out.push({ start: from, end: i + 1 });
    from = i + 1;
  }
  return out;
}

/** Only the last node's value is used behind the segment. */
export function hasOneExit({ nodes, lastUse }: Scope, { start, end }: Segment): boolean {
  for (let i = start; i < end - 1; i++) if (nodes[i]!.results.some((v) => (lastUse.get(v) ?? 0) >= end)) return false;
  return nodes[end - 1]!.results.length === 1;
}
/** A segment that can be cut further. */
export const isCuttable = (s: Segment, range: Segment, depth: number): boolean =>
  depth < deepest && s.end - s.start > 1 && (depth === 0 || s.start !== range.start || s.end !== range.end);
/** How deeply segments are cut: what is nested further is taken as it is. */
const deepest = 48;
