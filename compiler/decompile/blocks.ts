/**
 * Repeated blocks with branches: what lies between two places where one value is alive, seen more than once, and what stands
 * beside it nearly always.
 *
 *     R relu R relu R relu pool       R: conv bn relu conv bn, added to what came in
 *
 * gives the block `R relu`: relu follows each R. Two blocks that only occur together, as attention and the perceptron of a
 * transformer, become one.
 */
import { byKey, describe, type Found, formOf, listsOf } from "./forms.ts";
import { labellingOf, labelsIn } from "./label-text.ts";
import { looseToken, type Node, ownsWeights, strictToken, type Value } from "./program.ts";
import { chainOf, hasOneExit, isCuttable, type Outside, type Scope, type Segment } from "./segments.ts";

/** A part of a chain: a block that occurs several times, or something else. */
interface Part extends Segment {
  readonly scope: Scope;
  /** Equal for equal forms. */
  readonly token: string;
  /** Of a block: the tokens of those it was made of, and where the first of them began; else null. */
  readonly block: { readonly seeds: readonly string[]; readonly start: number } | null;
}
type Chain = readonly Part[];
export interface Search {
  readonly outside: Outside;
  /** Blocks that are labelled differently are different blocks; those of modules share a beginning with nothing else. */
  readonly labels: "modules" | "alike" | "any";
}

/** The outermost blocks. */
export function findBlocks(nodes: readonly Node[], leaving: Iterable<Value>, search: Search): readonly Found[] {
  const scopes = listsOf(nodes, leaving);
  const counts = new Map<string, number>();
  for (const scope of scopes) {
    for (const key of nestedKeys(scope, whole(scope), search, 0)) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  for (;;) {
    let chains: readonly Chain[] = scopes.flatMap((scope) => chainsWithBlocks(scope, whole(scope), search, counts, 0));
    for (let grown = grow(chains, search); grown; grown = grow(chains, search)) chains = grown;
    const kinds = byKey(
      chains.flat().filter((p) => p.block),
      (p) => p.token,
    );
    const found = [...kinds.values()].flatMap((all) => accepted(all, search) ?? []);
    if (found.length > 0 || kinds.size === 0) return found;
    // None is worth it: what is inside of them may be.
    for (const seed of [...kinds.values()].flatMap(([p]) => p!.block!.seeds)) counts.delete(seed);
  }
}
const whole = (scope: Scope): Segment => ({ start: 0, end: scope.nodes.length });
const nodesOf = ({ scope, start, end }: Pick<Part, "scope" | "start" | "end">): readonly Node[] => scope.nodes.slice(start, end);
function keyOf(nodes: readonly Node[], { labels }: Search): string {
  const { key } = describe(nodes, looseToken);
  return labels === "any" ? key : `${key}\n${labellingOf(nodes).endings}`;
}

function accepted(all: readonly Part[], { labels }: Search): Found | null {
  const places = trimmed(all).filter((p) => p.end - p.start < p.scope.nodes.length && hasOneExit(p.scope, p));
  if (!isWorthIt(places) || (labels === "modules" && !places.every(isModule))) return null;
  const { endings } = labellingOf(nodesOf(places[0]!));
  return formOf(places, { tokenOf: looseToken, labels: labels === "any" ? null : endings, everywhere: false });
}
/** Without functions that were joined at the beginning: they belong to what stands before it. */
function trimmed(all: readonly Part[]): readonly Part[] {
  const most = Math.min(...all.map((p) => p.block!.start - p.start));
  const { scope, start } = all[0]!;
  let count = 0;
  while (count < most && !ownsWeights(scope.nodes[start + count]!)) count++;
  return all.map((p) => ({ ...p, start: p.start + count }));
}
/** A declaration must be shorter than what it replaces. Declarations of variables come for nothing. */
function isWorthIt(places: readonly Part[]): boolean {
  if (places.length < (places.some((p) => p.scope.form === null) ? 2 : 3)) return false;
  const nodes = nodesOf(places[0]!);
  const calls = nodes.filter((n) => n.kind !== "variable").length;
  return calls >= (nodes.some(ownsWeights) ? 3 : 5) && places.length * (calls - 1.5) - calls - 1 > 0;
}
/** What stands beside it does not share the beginning of its labels. */
function isModule({ scope: { nodes }, start, end }: Part): boolean {
  const { prefix } = labellingOf(nodes.slice(start, end));
  const beside = [labelsIn(nodes.slice(Math.max(0, start - near), start)).at(-1), labelsIn(nodes.slice(end, end + near))[0]];
  return prefix === "" || !beside.some((l) => l?.startsWith(`${prefix}.`));
}
const near = 8;

function* nestedKeys(scope: Scope, range: Segment, search: Search, depth: number): Generator<string> {
  for (const s of chainOf(scope, range, search.outside, depth)) {
    if (s.end - s.start < 2) continue;
    yield keyOf(nodesOf({ scope, ...s }), search);
    if (isCuttable(s, range, depth)) yield* nestedKeys(scope, s, search, depth + 1);
  }
}

function chainsWithBlocks(scope: Scope, range: Segment, search: Search, counts: ReadonlyMap<string, number>, depth: number): Chain[] {
  const inner: Chain[] = [];
  const parts = chainOf(scope, range, search.outside, depth).map((s): Part => {
    const token = keyOf(nodesOf({ scope, ...s }), search);
    if (s.end - s.start === 1) return { ...s, scope, token, block: null };
    if ((counts.get(token) ?? 0) > 1) return { ...s, scope, token, block: { seeds: [token], start: s.start } };
    if (isCuttable(s, range, depth)) inner.push(...chainsWithBlocks(scope, s, search, counts, depth + 1));
    return { ...s, scope, token: `once ${depth} ${s.start}`, block: null };
  });
  return [parts, ...inner].filter((chain) => chain.some((p) => p.block));
}

/** Joins one kind of block with what stands beside it; null: there is nothing more to join. */
function grow(chains: readonly Chain[], search: Search): readonly Chain[] | null {
  const sites = byKey(
    chains.flatMap((chain) => chain.flatMap((part, at): Site[] => (part.block ? [{ chain, at, part }] : []))),
    (s) => s.part.token,
  );
  for (const behind of [true, false]) {
    for (const [token, all] of sites) {
      const unions = all.map((s) => unionAt(s, behind, search)).filter((u) => u !== null);
      const blocks = unions.filter((u) => u.neighbour.block);
      if (blocks.length > 0 && !(behind && blocks.length === all.length && onlyBehind(blocks[0]!.neighbour.token, token, sites))) continue;
      const chosen = most(unions, all.length, (u) => u.strict) ?? most(unions, all.length, (u) => u.loose);
      if (chosen) return joined(chains, new Map(chosen.map((u) => [u.first, u])));
    }
  }
  return null;
}
interface Site {
  readonly chain: Chain;
  readonly at: number;
  readonly part: Part;
}
/** A block and what stands beside it. */
interface Union {
  readonly first: Part;
  readonly second: Part;
  readonly neighbour: Part;
  /** What both are, with and without the sizes of the neighbour's kernels. */
  readonly strict: string;
  readonly loose: string;
}
function unionAt({ chain, at, part }: Site, behind: boolean, search: Search): Union | null {
  const neighbour = chain[at + (behind ? 1 : -1)];
  if (!neighbour || neighbour.token === part.token || neighbour.token.startsWith("once")) return null;
  const [first, second] = behind ? [part, neighbour] : [neighbour, part];
  const loose = keyOf(part.scope.nodes.slice(first.start, second.end), search);
  return { first, second, neighbour, strict: `${loose}\n${nodesOf(neighbour).map(strictToken).join(" ")}`, loose };
}
const nearly = 0.8;
/** Those that are alike, if that is nearly all; null: it is not. */
function most(unions: readonly Union[], sites: number, keyOf: (u: Union) => string): readonly Union[] | null {
  const [alike] = [...byKey(unions, keyOf).values()].sort((a, b) => b.length - a.length);
  return alike && alike.length > 1 && alike.length >= nearly * sites ? alike : null;
}
/** Nearly wherever this block stands, it stands behind another one that is always followed by it. */
function onlyBehind(token: string, first: string, sites: ReadonlyMap<string, readonly Site[]>): boolean {
  const leads = (t: string) => t !== token && (sites.get(t)?.every((s) => s.chain[s.at + 1]?.token === token) ?? false);
  const all = sites.get(token)!;
  const led = all.filter((s) => leads(s.chain[s.at - 1]?.token ?? ""));
  return leads(first) && led.length >= nearly * all.length;
}
function joined(chains: readonly Chain[], unions: ReadonlyMap<Part, Union>): readonly Chain[] {
  return chains.map((chain) => {
    const out: Part[] = [];
    for (let i = 0; i < chain.length; i++) {
      const union = unions.get(chain[i]!);
      if (!union) {
        out.push(chain[i]!);
        continue;
      }
      const { first, second, loose } = union;
      const seeds = [first, second].flatMap((p) => p.block?.seeds ?? []);
      const { start } = (first.block ?? second.block)!;
      out.push({ scope: first.scope, start: first.start, end: second.end, token: loose, block: { seeds, start } });
      i++;
    }
    return out;
  });
}
