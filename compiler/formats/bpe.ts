/**
 * Byte-pair encoding (Sennrich et al. 2016; on bytes as in GPT-2): the commonest pair of neighbouring tokens becomes a token
 * of its own, again and again. Pairs stay within a piece: a word with the space before it, a number, punctuation, space.
 */

/** The tokens 0 to 255 are the bytes. */
export const byteTokens = 256;
/** Two tokens that became one; the merge at place i makes the token 256 + i. */
export type Merge = readonly [number, number];

/** Long runs are cut: work on a piece grows with the square of its length. */
const piece = /'(?:[sdmt]|ll|ve|re)| ?\p{L}{1,64}| ?\p{N}{1,64}| ?[^\s\p{L}\p{N}]{1,64}|\s{1,64}(?!\S)|\s{1,64}/gu;
const bytesOf = (text: string): number[] => Array.from(new TextEncoder().encode(text));
/** Pairs as numbers: tokens are below 2 ** 26. */
const keyOf = (a: number, b: number): number => a * 2 ** 26 + b;
const pairOf = (key: number): Merge => [Math.floor(key / 2 ** 26), key % 2 ** 26];

/** Until there are `size` tokens, or no pair occurs twice; among equally common pairs the smaller tokens go first. */
export function learnMerges(text: string, size: number): readonly Merge[] {
  const words = countedPieces(text);
  const pairs = countPairs(words);
  const queue = maxHeap();
  for (const [key, { count }] of pairs) queue.push({ count, key });
  const merges: Merge[] = [];
  while (byteTokens + merges.length < size) {
    const key = commonest(queue, pairs);
    if (key === null) break;
    mergeEverywhere(key, byteTokens + merges.length, words, pairs, queue);
    merges.push(pairOf(key));
  }
  return merges;
}

interface Word {
  tokens: number[];
  readonly count: number;
}
/** How often a pair occurs, and in which words at least once (words where it no longer does may be among them). */
interface Occurrence {
  count: number;
  readonly words: Set<number>;
}

function countedPieces(text: string): Word[] {
  const counts = new Map<string, number>();
  for (const [word] of text.matchAll(piece)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return Array.from(counts, ([word, count]) => ({ tokens: bytesOf(word), count }));
}

function countPairs(words: readonly Word[]): Map<number, Occurrence> {
  const pairs = new Map<number, Occurrence>();
  words.forEach(({ tokens, count }, w) => {
    for (let i = 0; i + 1 < tokens.length; i++) {
      const found = occurrence(pairs, keyOf(tokens[i]!, tokens[i + 1]!));
      found.count += count;
      found.words.add(w);
    }
  });
  return pairs;
}
function occurrence(pairs: Map<number, Occurrence>, key: number): Occurrence {
  const known = pairs.get(key);
  if (known) return known;
  const made = { count: 0, words: new Set<number>() };
  pairs.set(key, made);
  return made;
}

/** The queue may hold counts that have fallen since; these go back with what they are now. */
function commonest(queue: Heap, pairs: ReadonlyMap<number, Occurrence>): number | null {
  for (let top = queue.pop(); top; top = queue.pop()) {
    const count = pairs.get(top.key)?.count ?? 0;
    if (count === top.count) return count >= 2 ? top.key : null;
    if (count > 0 && count < top.count) queue.push({ count, key: top.key });
  }
  return null;
}

function mergeEverywhere(key: number, made: number, words: readonly Word[], pairs: Map<number, Occurrence>, queue: Heap): void {
  const changes = new Map<number, number>();
  const change = (tokens: readonly number[], by: number) => {
    for (let i = 0; i + 1 < tokens.length; i++) {
      const pair = keyOf(tokens[i]!, tokens[i + 1]!);
      changes.set(pair, (changes.get(pair) ?? 0) + by);
    }
  };
  for (const w of pairs.get(key)!.words) {
    const word = words[w]!;
    const merged = mergePair(word.tokens, pairOf(key), made);
    if (merged.length === word.tokens.length) continue;
    change(word.tokens, -word.count);
    change(merged, word.count);
    word.tokens = merged;
    for (let i = 0; i + 1 < merged.length; i++)
      if (merged[i] === made || merged[i + 1] === made) occurrence(pairs, keyOf(merged[i]!, merged[i + 1]!)).words.add(w);
  }
  for (const [pair, by] of changes) {
    const found = occurrence(pairs, pair);
    found.count += by;
    if (by > 0) queue.push({ count: found.count, key: pair });
  }
  pairs.delete(key);
}

function mergePair(tokens: readonly number[], [a, b]: Merge, made: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const found = tokens[i] === a && tokens[i + 1] === b;
    out.push(found ? made : tokens[i]!);
    if (found) i++;
  }
  return out;
}

/** The tokens of a text: in each piece, merges in the order in which they were learnt. */
export function encodeBytePairs(text: string, merges: readonly Merge[]): Int32Array<ArrayBuffer> {
  const made = new Map(merges.map(([a, b], i) => [keyOf(a, b), byteTokens + i]));
  const known = new Map<string, readonly number[]>();
  const out: number[] = [];
  for (const [word] of text.matchAll(piece)) {
    const tokens = known.get(word) ?? encodePiece(bytesOf(word), made);
    known.set(word, tokens);
    for (const token of tokens) out.push(token);
  }
  return Int32Array.from(out);
}

function encodePiece(bytes: readonly number[], made: ReadonlyMap<number, number>): readonly number[] {
  let tokens = bytes;
  for (;;) {
    const first = tokens.reduce((best, t, i) => Math.min(best, made.get(keyOf(t, tokens[i + 1] ?? -1)) ?? Infinity), Infinity);
    if (first === Infinity) return tokens;
    const at = tokens.findIndex((t, i) => made.get(keyOf(t, tokens[i + 1] ?? -1)) === first);
    tokens = mergePair(tokens, [tokens[at]!, tokens[at + 1]!], first);
  }
}

/* ---- a queue by count ---- */

interface Candidate {
  readonly count: number;
  readonly key: number;
}
interface Heap {
  readonly push: (c: Candidate) => void;
  readonly pop: () => Candidate | undefined;
}
const before = (a: Candidate, b: Candidate): boolean => a.count > b.count || (a.count === b.count && a.key < b.key);

/** The commonest candidate on top. */
function maxHeap(): Heap {
  const items: Candidate[] = [];
  const swap = (i: number, j: number) => {
    [items[i], items[j]] = [items[j]!, items[i]!];
  };
  const push = (c: Candidate) => {
    items.push(c);
    for (let i = items.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!before(items[i]!, items[parent]!)) break;
      swap(i, parent);
      i = parent;
    }
  };
  const pop = (): Candidate | undefined => {
    const top = items[0];
    const last = items.pop();
    if (top === undefined || items.length === 0) return top;
    items[0] = last!;
    for (let i = 0; ; ) {
      const [left, right] = [2 * i + 1, 2 * i + 2];
      let first = i;
      if (left < items.length && before(items[left]!, items[first]!)) first = left;
      if (right < items.length && before(items[right]!, items[first]!)) first = right;
      if (first === i) return top;
      swap(i, first);
      i = first;
    }
  };
  return { push, pop };
}
