/**
 * Items as statements: what is used once becomes a part of what uses it, as long as that stays readable.
 *
 *     a = conv1: Conv2d(x, 8); b = relu(a); c = conv2: Conv2d(b, 8); d = c + s; e = relu(d)
 *
 * becomes `c = x |> conv1: Conv2d(8) |> relu |> conv2: Conv2d(8)` and `e = relu(c + s)`.
 */
import type { Item, LoopItem, Role, StepItem } from "./items.ts";
import { printFlow, stagesOf } from "./print-flow.ts";
import type { Value } from "./program.ts";
import { childrenOf, type Term, value } from "./sketch.ts";

/** Values in terms are called by their number. */
export type Statement =
  | { readonly kind: "bind"; readonly results: readonly Value[]; readonly term: Term }
  | {
      readonly kind: "loop";
      readonly results: readonly [Value];
      readonly source: Value;
      readonly terms: readonly Term[];
      readonly header: string;
    };
export const termsOf = (s: Statement): readonly Term[] => (s.kind === "loop" ? s.terms : [s.term]);

/** A value that is not bound yet, and what its pipeline holds so far. */
interface Pending {
  readonly term: Term;
  readonly roles: readonly Role[];
}

/** `returns`: the last value is given back, and needs no name. */
export function statementsOf(items: readonly Item[], leaving: readonly Value[], returns: boolean): readonly Statement[] {
  const uses = countUses(items, leaving);
  const lastUser = new Map(items.flatMap((item) => operandsOf(item).map((v) => [v, item] as const)));
  const pending = new Map<Value, Pending>();
  const out: Statement[] = [];
  const take = (v: Value, fits: (p: Pending) => boolean): Pending => {
    const found = pending.get(v);
    pending.delete(v);
    if (found && fits(found)) return found;
    if (found) out.push({ kind: "bind", results: [v], term: found.term });
    return { term: value(String(v)), roles: [] };
  };
  const step = (item: StepItem): void => {
    const { operands, results, role, piped } = item;
    const [result] = results as [Value];
    const isOutput = leaving.includes(result);
    const stays = results.length === 1 && uses.get(result) === 1 && (returns || !isOutput);
    const grows = !stays && isSum(item) && lastUser.get(operands[0]!) === item && !pending.has(operands[0]!);
    const branches = item.listed && operands.every((v) => pending.has(v));
    const fits = (p: Pending, i: number): boolean => {
      if (piped && i === 0) return continues(p, role!);
      return isShort(p.term) || (grows && i === 1 && isBranch(p.term)) || (branches && isElement(p.term));
    };
    const taken = operands.map((v, i) => take(v, (p) => fits(p, i)));
    const term = item.build(taken.map((p) => p.term));
    if (stays) pending.set(result, { term, roles: role === null ? [] : [...(piped ? taken[0]!.roles : []), role] });
    else out.push({ kind: "bind", results, term });
  };
  for (const item of items) {
    if (item.kind === "step") step(item);
    if (item.kind !== "loop") continue;
    for (const v of operandsOf(item)) take(v, () => false);
    out.push(loopStatement(item));
  }
  for (const [v, { term }] of pending) out.push({ kind: "bind", results: [v], term });
  return out;
}
const loopStatement = (item: LoopItem): Statement => ({
  kind: "loop",
  results: item.results,
  source: item.source,
  terms: item.build(value(String(item.source))),
  header: item.header,
});
const operandsOf = (item: Item): readonly Value[] =>
  item.kind === "variable" ? [] : item.kind === "loop" ? [item.source, ...item.operands] : item.operands;

export function countUses(items: readonly Item[], leaving: readonly Value[]): ReadonlyMap<Value, number> {
  const uses = new Map<Value, number>();
  for (const v of [...items.flatMap(operandsOf), ...leaving]) uses.set(v, (uses.get(v) ?? 0) + 1);
  return uses;
}

const mostLayers = 3;
const mostStages = 16;
const mostHead = 60;
const longest = 330;
/** A pipeline goes on with another stage, unless it is long or comes to a natural end. */
function continues({ term, roles }: Pending, next: Role): boolean {
  if (roles.length === 0) return lengthOf(term) <= short;
  if (roles.length >= mostStages) return false;
  const layers = roles.filter((r) => r === "layer" || r === "group").length;
  const last = roles.at(-1);
  // A long list has a statement of its own.
  const { head } = stagesOf(term);
  if (head.kind === "call" && lengthOf(head) > mostHead && next !== "function") return false;
  if (next === "group") return layers === 0 && roles.length < 2;
  if (roles.includes("group")) return last === "group" && next === "function";
  if (last === "pool" && layers > 1 && next !== "function") return false;
  return next !== "layer" || (layers < mostLayers && lengthOf(term) < longest);
}

const short = 42;
/** Small enough for the middle of another expression. */
function isShort(t: Term): boolean {
  const stages = labelledStages(t);
  return callsIn(t) <= 2 && lengthOf(t) <= (stages === 1 ? 50 : stages === 0 ? short : 30);
}
const callsIn = (t: Term): number => childrenOf(t).reduce((n, x) => n + callsIn(x), t.kind === "call" ? 1 : 0);
/** It has a line of its own in a list. */
const isElement = (t: Term): boolean => lengthOf(t) <= 92;
/** What a sum may take as a whole, x += x |> ...: a pipeline of two lines at most. */
const isBranch = (t: Term): boolean => labelledStages(t) > 0 && lengthOf(t) < 200;
const labelledStages = (t: Term): number => (t.kind === "call" ? stagesOf(t).stages.filter((s) => s.label !== null).length : 0);
function isSum({ operands, role, build }: StepItem): boolean {
  if (role !== null || operands.length !== 2) return false;
  const term = build([value("a"), value("b")]);
  return term.kind === "binary" && term.op === "+" && term.left.kind === "value" && term.right.kind === "value";
}
const lengthOf = (t: Term): number => printFlow(t, () => "x").length;
