/**
 * Offsets for tensors of known size and lifetime in one arena, greedy by size (Pisarchyk & Lee, arXiv 2001.03288): the
 * largest first, each at the lowest offset where it overlaps nobody that is alive with it.
 */
import { inPage } from "../../ir/parts.ts";

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

/** Other orders that are tried, and pairs of tensors that are looked at meanwhile. */
const mostTries = 1000;
const mostSteps = 1e7;
/** Tensors of less than one in so many of all bytes are small: first many, then few of them. */
const shares = [100, 300, 1000];
/** What is so near to the bound is not looked into further. */
const enough = 1.001;

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

/** The best of several orders; stops at the first that meets the bound. Nobody lies across a multiple of `page`. */
export function assignOffsets(lifetimes: readonly Lifetime[], page = Number.POSITIVE_INFINITY): Assignment {
  const bound = lowerBound(lifetimes);
  const orders = [bySize, byArea, byBreadth, byLength].map((key) => orderBy(lifetimes, key));
  let best: Assignment | null = null;
  let bestOrder = orders[0]!;
  for (const order of orders) {
    const found = place(lifetimes, order, page);
    if (best && found.bytes >= best.bytes) continue;
    best = found;
    bestOrder = order;
    if (best.bytes === bound) return best;
  }
  for (const share of shares) best = improve(lifetimes, bestOrder, best!, bound, share, page);
  return best!;
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
function place(lifetimes: readonly Lifetime[], order: readonly number[], page: number): Assignment {
  const offsets = lifetimes.map(() => 0);
  const placed: number[] = [];
  let bytes = 0;
  for (const i of order) {
    const { first, last, bytes: size } = lifetimes[i]!;
    let at = 0;
    for (const j of placed) {
      const other = lifetimes[j]!;
      if (offsets[j]! >= at + size) break;
      if (other.first <= last && first <= other.last) at = inPage(Math.max(at, offsets[j]! + other.bytes), size, page);
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

/**
 * Tries other orders a bounded number of times, from a fixed seed: a tensor at the top, or one that lives with it, comes earlier.
 * Small tensors, which find a place anywhere, come last.
 */
function improve(
  lifetimes: readonly Lifetime[],
  start: readonly number[],
  found: Assignment,
  bound: number,
  share: number,
  page: number,
): Assignment {
  const small = start.filter((i) => lifetimes[i]!.bytes * share < bound);
  let order = start.filter((i) => lifetimes[i]!.bytes * share >= bound);
  const tries = Math.min(mostTries, Math.floor(mostSteps / Math.max(1, order.length ** 2)));
  const random = numbers(1);
  let best = found;
  let now = place(lifetimes, order, page);
  let least = best.bytes;
  for (let t = 0; t < tries && order.length > 0 && best.bytes > enough * bound; t++) {
    const next = [...order];
    const at = next.indexOf(inTheWay(lifetimes, order, now, random));
    next.splice(random(at + 1), 0, ...next.splice(at, 1));
    const other = place(lifetimes, next, page);
    if (other.bytes > now.bytes) continue;
    order = next;
    now = other;
    if (now.bytes >= least) continue;
    least = now.bytes;
    const whole = place(lifetimes, [...order, ...small], page);
    if (whole.bytes < best.bytes) best = whole;
  }
  return best;
}
/** A tensor that ends at the top, or one that is alive with it. */
function inTheWay(
  lifetimes: readonly Lifetime[],
  order: readonly number[],
  { offsets, bytes }: Assignment,
  random: (below: number) => number,
): number {
  const one = (list: readonly number[]) => list[random(list.length)]!;
  const top = one(order.filter((i) => offsets[i]! + lifetimes[i]!.bytes === bytes));
  const { first, last } = lifetimes[top]!;
  return random(2) === 0 ? top : one(order.filter((i) => lifetimes[i]!.first <= last && first <= lifetimes[i]!.last));
}
/** Whole numbers that look random, always the same. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 8) % below;
  };
}
