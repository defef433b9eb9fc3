/**
 * Offsets for tensors of known size and lifetime in one arena, greedy by size (Pisarchyk & Lee, arXiv 2001.03288): the
 * largest first, each at the lowest offset where it overlaps nobody that is alive with it.
 */

/** Bytes needed from call `first` to call `last`, inclusive. `after`: may start at the place of that one (in-place). */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}
export interface Assignment {
  readonly offsets: readonly number[];
  readonly bytes: number;
}

/** Most bytes alive during one call: no assignment can do with less. */
export function lowerBound(lifetimes: readonly Lifetime[]): number {
  const change = new Map<number, number>();
  for (const l of lifetimes) {
    change.set(l.first, (change.get(l.first) ?? 0) + l.bytes);
    change.set(l.last + 1, (change.get(l.last + 1) ?? 0) - l.bytes);
  }
  let alive = 0;
  let most = 0;
  for (const at of [...change.keys()].sort((a, b) => a - b)) {
    alive += change.get(at)!;
    most = Math.max(most, alive);
  }
  return most;
}

/** The best of several orders; stops at the first that meets the bound. */
export function assignOffsets(lifetimes: readonly Lifetime[]): Assignment {
  const bound = lowerBound(lifetimes);
  const orders = [bySize, byArea, byBreadth, byLength].map((key) => orderBy(lifetimes, key));
  let best: Assignment | null = null;
  for (const order of orders) {
    const found = place(lifetimes, order);
    if (!best || found.bytes < best.bytes) best = found;
    if (best.bytes === bound) return best;
  }
  return improve(lifetimes, orders[0]!, best!, bound);
}
type Key = (l: Lifetime, all: readonly Lifetime[]) => number;
const bySize: Key = (l) => l.bytes;
const byArea: Key = (l) => l.bytes * (l.last - l.first + 1);
const byLength: Key = (l) => (l.last - l.first) * 1e12 + l.bytes;
/** Tensors alive at the fullest call come first. */
const byBreadth: Key = (l, all) => {
  const alive = (at: number) => all.reduce((n, x) => n + (x.first <= at && at <= x.last ? x.bytes : 0), 0);
  return Math.max(alive(l.first), alive(l.last)) * 1e3 + l.bytes / 1e6;
};
function orderBy(lifetimes: readonly Lifetime[], key: Key): number[] {
  const keys = lifetimes.map((l) => key(l, lifetimes));
  return lifetimes.map((_, i) => i).sort((a, b) => keys[b]! - keys[a]! || a - b);
}

function place(lifetimes: readonly Lifetime[], order: readonly number[]): Assignment {
  const offsets = lifetimes.map(() => 0);
  const placed: number[] = [];
  let bytes = 0;
  for (const i of order) {
    const { first, last, bytes: size } = lifetimes[i]!;
    const busy = placed.filter((j) => lifetimes[j]!.first <= last && first <= lifetimes[j]!.last).sort((a, b) => offsets[a]! - offsets[b]!);
    let at = 0;
    for (const j of busy) {
      if (offsets[j]! >= at + size) break;
      at = Math.max(at, offsets[j]! + lifetimes[j]!.bytes);
    }
    offsets[i] = at;
    placed.push(i);
    bytes = Math.max(bytes, at + size);
  }
  return { offsets, bytes };
}

/** Tries swapping neighbours of the order a bounded number of times, from a fixed seed. */
function improve(lifetimes: readonly Lifetime[], start: readonly number[], found: Assignment, bound: number): Assignment {
  const tries = Math.min(300, Math.floor(2e6 / Math.max(1, lifetimes.length ** 2)));
  let order = [...start];
  let best = found;
  let seed = 1;
  const random = (n: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed % n;
  };
  for (let t = 0; t < tries && best.bytes > bound; t++) {
    const next = [...order];
    const a = random(next.length);
    const b = random(next.length);
    [next[a], next[b]] = [next[b]!, next[a]!];
    const now = place(lifetimes, next);
    if (now.bytes <= best.bytes) {
      order = next;
      best = now;
    }
  }
  return best;
}
