/**
 * Repeated blocks with branches: what lies between two places where one value is alive, seen more than once, and what always
 * stands beside it.
 *
 *     R relu R relu R relu pool       R: conv bn relu conv bn, added to what came in
 *
 * gives the block `R relu`: relu follows each R. Two blocks that only occur together, as attention and the perceptron of a
 * transformer, become one.
 */
import { byKey, describe, type Form, formAt, listsOf } from "./forms.ts";
import { looseToken, type Node, type Value } from "./program.ts";
import { chainOf, deepest, type Scope, type Segment } from "./segments.ts";

/** A part of a chain: a block that occurs several times, or something else. */
interface Part extends Segment {
  readonly scope: Scope;
  /** Equal for equal forms. */
  readonly token: string;
  readonly block: boolean;
}

/** Forms of the outermost blocks. */
export function findBlocks(nodes: readonly Node[], leaving: Iterable<Value>, ambient: ReadonlySet<Value>): readonly Omit<Form, "id">[] {
  const scopes = listsOf(nodes, leaving);
  const counts = new Map<string, number>();
  for (const scope of scopes) {
    for (const key of nestedKeys(scope, whole(scope), ambient, 0)) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  let chains: readonly Chain[] = scopes.flatMap((scope) => chainsWithBlocks(scope, whole(scope), ambient, counts, 0));
  for (let grown = grow(chains); grown; grown = grow(chains)) chains = grown;
  const blocks = byKey(
    chains.flat().filter((p) => p.block),
    (p) => p.token,
  );
  return [...blocks.values()].filter(isWorthIt).map(([first]) => formAt(first.scope, first, looseToken, null));
}
const whole = (scope: Scope): Segment => ({ start: 0, end: scope.nodes.length });
const keyOf = ({ nodes }: Scope, { start, end }: Segment): string => describe(nodes.slice(start, end), looseToken).key;

/** A declaration must be shorter than what it replaces. Declarations of variables come for nothing. */
function isWorthIt(occurrences: readonly Part[]): occurrences is [Part, ...Part[]] {
  const [{ scope, start, end }] = occurrences as [Part];
  const calls = scope.nodes.slice(start, end).filter((n) => n.kind !== "variable").length;
  return calls >= 3 && end - start < scope.nodes.length && occurrences.length * (calls - 1.5) - calls - 1 > 0;
}

function* nestedKeys(scope: Scope, range: Segment, ambient: ReadonlySet<Value>, depth: number): Generator<string> {
  for (const s of chainOf(scope, range, ambient)) {
    if (s.end - s.start < 2 || (s.start === range.start && s.end === range.end)) continue;
    yield keyOf(scope, s);
    if (depth < deepest) yield* nestedKeys(scope, s, ambient, depth + 1);
  }
}

type Chain = readonly Part[];
function chainsWithBlocks(
  scope: Scope,
  range: Segment,
  ambient: ReadonlySet<Value>,
  counts: ReadonlyMap<string, number>,
  depth: number,
): Chain[] {
  const inner: Chain[] = [];
  const parts = chainOf(scope, range, ambient).map((s): Part => {
    if (s.end - s.start === 1) return { ...s, scope, token: keyOf(scope, s), block: false };
    const token = keyOf(scope, s);
    if ((counts.get(token) ?? 0) > 1) return { ...s, scope, token, block: true };
    const same = s.start === range.start && s.end === range.end;
    if (depth < deepest && !same) inner.push(...chainsWithBlocks(scope, s, ambient, counts, depth + 1));
    return { ...s, scope, token: `once ${depth} ${s.start}`, block: false };
  });
  return [parts, ...inner].filter((chain) => chain.some((p) => p.block));
}

/** Joins one kind of block with what stands beside it; null: there is nothing more to join. */
function grow(chains: readonly Chain[]): readonly Chain[] | null {
  const behind = neighbours(chains, 1);
  const before = neighbours(chains, -1);
  for (const [block, next] of behind) {
    if (next !== null && next.token !== block && (!next.block || isAlwaysBehind(next.token, chains, behind))) {
      const joined = join(chains, (a, b) => a.block && a.token === block && b.token === next.token);
      if (joined) return joined;
    }
  }
  for (const [block, previous] of before) {
    if (previous !== null && !previous.block) {
      const joined = join(chains, (a, b) => a.token === previous.token && b.block && b.token === block);
      if (joined) return joined;
    }
  }
  return null;
}
type Neighbours = ReadonlyMap<string, Part | null>;
/** For each kind of block the part that stands beside all that occur; null: there are several kinds, or sometimes none. */
function neighbours(chains: readonly Chain[], step: 1 | -1): Neighbours {
  const out = new Map<string, Part | null>();
  for (const chain of chains) {
    chain.forEach((p, i) => {
      if (!p.block) return;
      const beside = chain[i + step] ?? null;
      const known = out.get(p.token);
      out.set(p.token, known === undefined || known?.token === beside?.token ? beside : null);
    });
  }
  return out;
}
/** Wherever this block occurs, it stands behind another one that is always followed by it. */
function isAlwaysBehind(token: string, chains: readonly Chain[], behind: Neighbours): boolean {
  return chains.every((chain) =>
    chain.every((p, i) => {
      const previous = chain[i - 1];
      return p.token !== token || (previous?.block && previous.token !== token && behind.get(previous.token)?.token === token);
    }),
  );
}
/** null: what would be joined is not of one form everywhere. */
function join(chains: readonly Chain[], fits: (a: Part, b: Part) => boolean): readonly Chain[] | null {
  const keys = new Set<string>();
  const joined = chains.map((chain) => {
    const out: Part[] = [];
    for (let i = 0; i < chain.length; i++) {
      const [a, b] = [chain[i]!, chain[i + 1]];
      if (!b || !fits(a, b)) {
        out.push(a);
        continue;
      }
      const token = keyOf(a.scope, { start: a.start, end: b.end });
      keys.add(token);
      out.push({ scope: a.scope, start: a.start, end: b.end, token, block: true });
      i++;
    }
    return out;
  });
  return keys.size === 1 ? joined : null;
}
