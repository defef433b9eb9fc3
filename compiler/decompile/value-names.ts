/**
 * Names of values, by their role: `x` runs through a body, `y` is a branch beside it, what is kept for long is `skip1`, what a
 * labelled part gives is called like the part. A name is bound again as soon as what it held is not needed any more.
 */
import { holdsValue, stagesOf } from "./print-flow.ts";
import type { Value } from "./program.ts";
import { parametersOf } from "./signatures.ts";
import { childrenOf, type Term } from "./sketch.ts";
import { type Statement, termsOf } from "./statements.ts";

export interface Naming {
  /** Names that values have from outside: inputs, parameters. */
  readonly given: ReadonlyMap<Value, string>;
  /** Names that stay what they are. */
  readonly fixed: ReadonlySet<string>;
  /** Names that values must get: outputs. */
  readonly wanted: ReadonlyMap<Value, string>;
  /** Names that values get if they are free. */
  readonly hints: ReadonlyMap<Value, string>;
  /** Words that mean something else in the body. */
  readonly taken: ReadonlySet<string>;
  /** Words of labels that were there before. */
  readonly labelWords: ReadonlySet<string>;
  /** Needed behind the last statement. */
  readonly leaving: readonly Value[];
}

/** Of every value that the statements bind. */
export function nameValues(statements: readonly Statement[], naming: Naming): ReadonlyMap<Value, string> {
  const { given, fixed, wanted, taken } = naming;
  const names = new Map(given);
  const lives = lifetimes(statements, naming.leaving);
  const holders = new Map<string, Value>([...given].map(([v, name]) => [name, v]));
  const reserved = new Set([...taken, ...fixed, ...wanted.values()]);
  const lastUse = (v: Value): number => lives.get(v)?.last ?? -1;
  statements.forEach((s, at) => {
    const bound = new Set<string>();
    const isFree = (name: string): boolean => {
      const holder = holders.get(name);
      return !reserved.has(name) && !bound.has(name) && (holder === undefined || lastUse(holder) <= at);
    };
    const main = mainValue(s);
    for (const v of s.results) {
      const life = lives.get(v);
      if (life === undefined) {
        names.set(v, "_");
        continue;
      }
      const waits = (h: Value) => !given.has(h) && h !== v && h !== main && lastUse(h) === life.last;
      const meets = life.joined === "sum" && [...holders.values()].some(waits);
      const several = s.results.filter((r) => lives.has(r)).length > 1;
      const options = { at, life, several, meets, before: main === null ? undefined : names.get(main) };
      // A loop binds the name of what goes into it.
      const again = s.kind === "loop" ? names.get(s.source) : undefined;
      const name = again ?? wanted.get(v) ?? first(candidates(s, v, options, naming), isFree) ?? fresh(isFree);
      names.set(v, name);
      holders.set(name, v);
      bound.add(name);
    }
  });
  return names;
}
function first(names: Iterable<string>, isFree: (name: string) => boolean): string | undefined {
  for (const name of names) if (isFree(name)) return name;
  return undefined;
}
const letters = [..."abcdefghjklmnopqrstuvwz"];
function fresh(isFree: (name: string) => boolean): string {
  for (let k = 0; ; k++) {
    const name = k < letters.length ? letters[k]! : `t${k - letters.length + 1}`;
    if (isFree(name)) return name;
  }
}

interface Life {
  /** Statements that use it. */
  readonly count: number;
  /** The last of them. */
  readonly last: number;
  /** It adds the value to another, or puts it beside others. */
  readonly joined: "sum" | "list" | null;
  /** The parameter that the value fills, if that is a telling name: `attention(q, k, v)`. */
  readonly fills: string | null;
}
type Use = Pick<Life, "joined" | "fills">;
const plainUse: Use = { joined: null, fills: null };
const tellingParameter = /^(q|k|v|key|value|mask)$/;
function lifetimes(statements: readonly Statement[], leaving: readonly Value[]): ReadonlyMap<Value, Life> {
  const out = new Map<Value, Life>();
  const note = (v: Value, at: number, use: Use): void => {
    const known = out.get(v);
    out.set(v, { count: (known?.count ?? 0) + (known?.last === at ? 0 : 1), last: at, ...use });
  };
  statements.forEach((s, at) => {
    for (const t of termsOf(s)) eachValue(t, plainUse, (v, use) => note(v, at, use));
  });
  for (const v of leaving) note(v, statements.length, plainUse);
  return out;
}
function eachValue(t: Term, use: Use, visit: (v: Value, use: Use) => void): void {
  switch (t.kind) {
    case "value":
      visit(Number(t.name), use);
      return;
    case "list":
      for (const x of t.items) eachValue(x, { joined: "list", fills: null }, visit);
      return;
    case "call":
      for (const [i, x] of t.args.entries()) eachValue(x, { joined: null, fills: filledBy(t.callee, i) }, visit);
      for (const [name, x] of Object.entries(t.named))
        eachValue(x, { joined: null, fills: tellingParameter.test(name) ? name : null }, visit);
      return;
    case "binary": {
      const isSum = t.op === "+" && holdsValue(t.left) && holdsValue(t.right);
      for (const x of [t.left, t.right]) eachValue(x, isSum ? { joined: "sum", fills: null } : plainUse, visit);
      return;
    }
    default:
      for (const x of childrenOf(t)) eachValue(x, plainUse, visit);
      return;
  }
}

/** The name of a function's parameter. */
function filledBy(callee: string, at: number): string | null {
  const name = parametersOf(callee)?.[at]?.name ?? "";
  return at > 0 && tellingParameter.test(name) ? name : null;
}

interface Options {
  readonly at: number;
  readonly life: Life;
  /** It is one of several results that are used. */
  readonly several: boolean;
  /** A branch that waits will be added to it. */
  readonly meets: boolean;
  /** What the value is called that flows into it. */
  readonly before: string | undefined;
}
const mostSkips = 99;
function* candidates(s: Statement, v: Value, { at, life, several, meets, before }: Options, naming: Naming): Generator<string> {
  const hint = naming.hints.get(v);
  if (hint !== undefined) yield hint;
  if (several) {
    yield* s.results.length === 3 ? ["q", "k", "v"] : ["a", "b", "c"];
    return;
  }
  const kept = life.count > 1 && life.joined === "list" && life.last - at > 2;
  if (kept) for (let k = 1; k <= mostSkips; k++) yield `skip${k}`;
  if (meets) yield "skip";
  if (life.fills && life.count === 1) yield life.fills;
  if (s.kind === "bind" && s.term.kind === "list") yield "maps";
  if (before !== undefined && /^[a-z]$/.test(before)) yield before;
  yield "x";
  const label = s.kind === "bind" ? labelName(s.term, naming.labelWords) : null;
  if (label !== null) yield label;
  yield "y";
}

/** What flows through the pipeline, else the first value. */
function mainValue(s: Statement): Value | null {
  if (s.kind === "loop") return s.source;
  let t = s.term;
  for (;;) {
    if (t.kind === "call") t = t.args[0] ?? { kind: "none" };
    else if (t.kind === "binary") t = holdsValue(t.left) ? t.left : t.right;
    else if (t.kind === "unary" || t.kind === "index") t = t.value;
    else if (t.kind === "list") t = t.items[0] ?? { kind: "none" };
    else return t.kind === "value" ? Number(t.name) : null;
  }
}

const plainWord = /^[a-z][a-z]\w*$/;
/** Words that name a kind of layer, not a part. */
const kinds = /^(conv|bn|ln|fc|norm|linear|dense|embed|layer|proj|c_)/;
/** The last word that all labels of a pipeline begin with: `branch2` of branch2.0.conv and branch2.1.conv. */
function labelName(t: Term, words: ReadonlySet<string>): string | null {
  if (t.kind !== "call") return null;
  const labels = stagesOf(t).stages.flatMap(({ label }) => (label === null || label === "_" ? [] : [label.split(".")]));
  const [one, ...others] = labels;
  if (!one) return null;
  const shared = one.filter(
    (part, k) => others.every((o) => o.slice(0, k + 1).join() === one.slice(0, k + 1).join()) && /^[A-Za-z]/.test(part),
  );
  const word = shared.at(-1);
  return word !== undefined && words.has(word) && plainWord.test(word) && !kinds.test(word) ? word : null;
}
