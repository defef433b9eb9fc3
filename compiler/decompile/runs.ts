/**
 * Repeated stretches of plain chains: the convolution, normalisation and activation that a network repeats.
 *
 *     conv bn relu conv bn relu pool conv bn relu conv bn relu pool conv bn relu conv bn relu
 *
 * gives `conv bn relu conv bn relu`. Which stretch it is, is a matter of what it saves: a call costs about two of its nodes.
 */
import { byKey, describe, type Found, formOf, listsOf } from "./forms.ts";
import { labellingOf, labelsIn } from "./label-text.ts";
import { looseToken, type Node, ownsWeights, strictToken, type TokenOf, type Value } from "./program.ts";
import { chainOf, hasOneExit, isCuttable, type Outside, type Scope, type Segment } from "./segments.ts";

/** Nodes of a list that stand in one line, each on its own between two cuts. */
interface Line extends Segment {
  readonly tokenOf: TokenOf;
  readonly scope: Scope;
  readonly tokens: readonly string[];
}
interface Stretch extends Segment {
  readonly line: Line;
}
interface Candidate {
  readonly places: readonly Stretch[];
  readonly length: number;
}
const longest = 40;
const longestLoose = 4;
const shortest = 3;
/** In nodes, for small and for large programs; what is less is easier to read in full. */
const leastGain = 8;
const leastShare = 1 / 80;
/** How many of the best are looked at closely. */
const tried = 40;

/** The form of the stretch that is worth most; null: none is worth it. Short ones may differ in their kernels. */
export function findRun(nodes: readonly Node[], leaving: Iterable<Value>, outside: Outside): Found | null {
  const scopes = listsOf(nodes, leaving);
  const least = Math.max(leastGain, leastShare * scopes.reduce((n, scope) => n + scope.nodes.length, 0));
  const candidates = [...candidatesOf(scopes, outside, strictToken, longest), ...candidatesOf(scopes, outside, looseToken, longestLoose)]
    .map((c) => ({ ...c, gain: gainOf(c.places.length, c.length) }))
    .filter((c) => c.gain >= least - labelBonus)
    .sort((a, b) => b.gain - a.gain);
  let best: { readonly form: Found; readonly gain: number } | null = null;
  for (const c of candidates.slice(0, tried)) {
    const found = closely(c);
    if (found && found.gain >= least && found.gain > (best?.gain ?? 0)) best = found;
  }
  return best?.form ?? null;
}
const gainOf = (places: number, length: number): number => places * (length - 2) - length - 2;
/** What it says about a stretch that its labels share a beginning that its neighbours have not. */
const labelBonus = 10;

function linesOf(scope: Scope, range: Segment, outside: Outside, tokenOf: TokenOf, depth: number): readonly Line[] {
  const out: Line[] = [];
  let from: number | null = null;
  const close = (end: number): void => {
    if (from !== null && end - from >= shortest) {
      out.push({ start: from, end, scope, tokenOf, tokens: scope.nodes.slice(from, end).map(tokenOf) });
    }
    from = null;
  };
  for (const s of chainOf(scope, range, outside, depth)) {
    if (s.end - s.start === 1) {
      from ??= s.start;
      continue;
    }
    close(s.start);
    if (isCuttable(s, range, depth)) out.push(...linesOf(scope, s, outside, tokenOf, depth + 1));
  }
  close(range.end);
  return out;
}

function candidatesOf(scopes: readonly Scope[], outside: Outside, tokenOf: TokenOf, most: number): readonly Candidate[] {
  const lines = scopes.flatMap((scope) => linesOf(scope, { start: 0, end: scope.nodes.length }, outside, tokenOf, 0));
  const ids = new Map<string, number>();
  const idOf = (text: string): number => {
    const id = ids.get(text) ?? ids.size;
    ids.set(text, id);
    return id;
  };
  let layer = lines.flatMap((line) => line.tokens.map((t, i) => ({ line, at: i, id: idOf(t) })));
  const out: Candidate[] = [];
  for (let length = 2; length <= most; length++) {
    const extended = layer.flatMap(({ line, at, id }) => {
      const next = line.tokens[at + length - 1];
      return next === undefined ? [] : [{ line, at, id: idOf(`${id}+${ids.get(next)}`) }];
    });
    const groups = [...byKey(extended, (s) => s.id).values()].filter((g) => g.length > 1);
    layer = groups.flat();
    if (length < shortest) continue;
    for (const g of groups) {
      const places = apart(g.map(({ line, at }) => ({ line, start: line.start + at, end: line.start + at + length })));
      if (places.length > 1) out.push({ places, length });
    }
    if (layer.length === 0) break;
  }
  return out;
}
/** Without those that overlap with one before. */
function apart(places: readonly Stretch[]): readonly Stretch[] {
  const ends = new Map<Scope, number>();
  return [...places]
    .sort((a, b) => a.start - b.start)
    .filter(({ line, start, end }) => {
      if (start < (ends.get(line.scope) ?? 0)) return false;
      ends.set(line.scope, end);
      return true;
    });
}

/** Of one form and labelled alike; not a part of something that is repeated. */
function closely({ places, length }: Candidate): { readonly form: Found; readonly gain: number } | null {
  const nodesOf = ({ line, start, end }: Stretch) => line.scope.nodes.slice(start, end);
  const closed = places.filter((p) => p.end - p.start < p.line.scope.nodes.length && hasOneExit(p.line.scope, p));
  const alike = byKey(closed, (p) => `${describe(nodesOf(p), p.line.tokenOf).key}\n${labellingOf(nodesOf(p)).endings}`);
  const [most] = [...alike.values()].sort((a, b) => b.length - a.length);
  if (!most || most.length < 2) return null;
  const first = most[0]!;
  if (!isWorthNaming(nodesOf(first)) || cutsRepetition(most, length)) return null;
  const labels = labellingOf(nodesOf(first)).endings;
  const gain = gainOf(most.length, length);
  // An activation belongs to what stands before it.
  const offset = ownsWeights(nodesOf(first)[0]!) ? 0 : 0.5;
  const bonus = labels === "" ? 0 : most.every(isModule) ? labelBonus : -labelBonus;
  return {
    form: formOf(
      most.map((p) => ({ ...p, scope: p.line.scope })),
      { tokenOf: first.line.tokenOf, labels, everywhere: true },
    ),
    gain: gain - offset + (gain < 0 && bonus > 0 ? 0 : bonus),
  };
}
/** Variables come for nothing; functions without weights are as good as a name for a few of them. */
function isWorthNaming(nodes: readonly Node[]): boolean {
  const calls = nodes.filter((n) => n.kind !== "variable").length;
  return calls >= (nodes.some(ownsWeights) ? shortest : 5);
}
/** Its labels share a beginning, and what stands beside it has another. */
function isModule({ line, start, end }: Stretch): boolean {
  const { nodes } = line.scope;
  const { prefix } = labellingOf(nodes.slice(start, end));
  const beside = [labelsIn(nodes.slice(Math.max(0, start - 4), start)).at(-1), labelsIn(nodes.slice(end, end + 4))[0]];
  return prefix !== "" && !beside.some((l) => l?.startsWith(`${prefix}.`));
}

/** It begins or ends in the middle of something that is repeated at that end, like the last two of three convolutions. */
function cutsRepetition(places: readonly Stretch[], length: number): boolean {
  for (let period = 1; 2 * period <= length; period++) {
    const repeats = ({ line: { tokens } }: Stretch, at: number) => {
      for (let i = at; i < at + period; i++) if (tokens[i] === undefined || tokens[i] !== tokens[i + period]) return false;
      return true;
    };
    const cut = places.some((s) => {
      const [start, end] = [s.start - s.line.start, s.end - s.line.start];
      const head = repeats(s, start) && repeats(s, start - period);
      return head || (repeats(s, end - 2 * period) && repeats(s, end - period));
    });
    if (cut) return true;
  }
  return false;
}
