/**
 * Offsets for tensors of known size and lifetime in one arena, greedy by size (Pisarchyk & Lee, arXiv 2001.03288): the
 * largest first, each at the lowest offset where it overlaps nobody that is alive with it.
 */

/** Bytes needed from call `first` to call `last`, inclusive. */
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
export const lowerBound = (lifetimes: readonly Lifetime[]): number => bytesAlive(lifetimes).reduce((most, n) => Math.max(most, n), 0);

/** Bytes alive during each call. */
function bytesAlive(lifetimes: readonly Lifetime[]): number[] {
  const change: number[] = Array(lifetimes.reduce((n, l) => Math.max(n, l.last + 2), 0)).fill(0);
  for (const l of lifetimes) {
    change[l.first]! += l.bytes;
    change[l.last + 1]! -= l.bytes;
  }
  let alive = 0;
  return change.map((c) => {
    alive += c;
    return alive;
  });
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
type Key = (l: Lifetime, aliveAt: (call: number) => number) => number;
const bySize: Key = (l) => l.bytes;
const byArea: Key = (l) => l.bytes * (l.last - l.first + 1);
const byLength: Key = (l) => (l.last - l.first) * 1e12 + l.bytes;
/** Tensors alive at the fullest calls come first. */
const byBreadth: Key = (l, aliveAt) => Math.max(aliveAt(l.first), aliveAt(l.last)) * 1e3 + l.bytes / 1e6;

function orderBy(lifetimes: readonly Lifetime[], key: Key): number[] {
  const alive = bytesAlive(lifetimes);
  const keys = lifetimes.map((l) => key(l, (call) => alive[call]!));
  return lifetimes.map((_, i) => i).sort((a, b) => keys[b]! - keys[a]! || a - b);
}

/** Every tensor in turn at the lowest offset that is free while it lives; `placed` is kept in order of offsets. */
function place(lifetimes: readonly Lifetime[], order: readonly number[]): Assignment {
  const offsets = lifetimes.map(() => 0);
  const placed: number[] = [];
  let bytes = 0;
  for (const i of order) {
    const { first, last, bytes: size } = lifetimes[i]!;
    let at = 0;
    for (const j of placed) {
      const other = lifetimes[j]!;
      if (offsets[j]! >= at + size) break;
      if (other.first <= last && first <= other.last) at = Math.max(at, offsets[j]! + other.bytes);
    }
    offsets[i] = at;
    placed.splice(firstBehind(placed, offsets, at), 0, i);
    bytes = Math.max(bytes, at + size);
  }
  return { offsets, bytes };
}
/** Position of the first placed tensor whose offset is above `at`. */
function firstBehind(placed: readonly number[], offsets: readonly number[], at: number): number {
  let low = 0;
  for (let high = placed.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (offsets[placed[middle]!]! > at) high = middle;
    else low = middle + 1;
  }
  return low;
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
