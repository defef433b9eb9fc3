/**
 * An order in which what belongs together stands together. Files list steps in any order that works:
 *
 *     a = conv(x)    s = project(x)    b = conv(a)    y = b + s
 *
 * becomes a, b, s, y: each branch is finished before the next begins. The file's own order stays where it is as good.
 */
import { type Node, ownsWeights, type Program, type Value } from "./program.ts";

export interface Linear {
  readonly nodes: readonly Node[];
  /** Values that are at hand everywhere: what is computed first because many parts use it, like a mask; what an encoder gives. */
  readonly ambient: ReadonlySet<Value>;
  /** Inputs that are not. */
  readonly entering: readonly Value[];
}

export function linearise({ nodes, inputs, outputs }: Program): Linear {
  const maker = new Map<Value, Node>(nodes.flatMap((n) => n.results.map((v) => [v, n] as const)));
  const roots = outputs.flatMap(({ value }) => maker.get(value) ?? []);
  const first = sharedPreparations(nodes, maker);
  const rest = nodes.filter((n) => !first.has(n));
  const ambient = new Set([...inputs.map((i) => i.value), ...[...first].flatMap((n) => n.results)]);
  const orders = [rest, depthFirst(roots, maker, first)].map(variablesAtUse);
  const [file, nested] = orders as [readonly Node[], readonly Node[]];
  const best = spans(nested, ambient) < spans(file, ambient) ? nested : file;
  const ordered = [...nodes.filter((n) => first.has(n)), ...best];
  const far = usedFarApart(ordered);
  const entering = inputs.map((i) => i.value).filter((v) => !far.has(v) && used(ordered.slice(0, gap)).has(v));
  return { nodes: ordered, ambient: new Set([...[...ambient].filter((v) => !entering.includes(v)), ...far]), entering };
}

const gap = 8;
const fewestUses = 4;
const used = (nodes: readonly Node[]): ReadonlySet<Value> => new Set(nodes.flatMap((n) => n.operands));
/** Values with several uses that are far from each other, at least twice. */
function usedFarApart(nodes: readonly Node[]): ReadonlySet<Value> {
  const uses = new Map<Value, { count: number; last: number; gaps: number }>();
  nodes.forEach((n, i) => {
    for (const v of n.operands) {
      const known = uses.get(v) ?? { count: 0, last: i, gaps: 0 };
      uses.set(v, { count: known.count + 1, last: i, gaps: known.gaps + (i - known.last > gap ? 1 : 0) });
    }
  });
  return new Set([...uses].flatMap(([v, { count, gaps }]) => (gaps > 1 && count >= fewestUses ? [v] : [])));
}

function reached(roots: readonly Node[], maker: ReadonlyMap<Value, Node>): ReadonlySet<Node> {
  const live = new Set<Node>(roots);
  for (const node of live) for (const v of node.operands) if (maker.has(v)) live.add(maker.get(v)!);
  return live;
}

/**
 * What does not depend on weights and is used more than once, with all that it needs; variables with several users. What a
 * layer takes is where the model itself begins, and so is everything of a model without weights.
 */
function sharedPreparations(nodes: readonly Node[], maker: ReadonlyMap<Value, Node>): ReadonlySet<Node> {
  const heavy = new Set<Node>();
  const users = new Map<Node, number>();
  const streams = new Set<Node>();
  for (const node of nodes) {
    const sources = new Set(node.operands.flatMap((v) => maker.get(v) ?? []));
    for (const source of sources) {
      users.set(source, (users.get(source) ?? 0) + 1);
      if (ownsWeights(node)) streams.add(source);
    }
    if (ownsWeights(node) || [...sources].some((s) => heavy.has(s))) heavy.add(node);
  }
  if (heavy.size === 0) return heavy;
  const isShared = (n: Node): boolean => n.kind === "variable" || !(heavy.has(n) || streams.has(n));
  return reached(
    nodes.filter((n) => (users.get(n) ?? 0) > 1 && isShared(n)),
    maker,
  );
}

/** Every value right before what needs it, first operands first. */
function depthFirst(roots: readonly Node[], maker: ReadonlyMap<Value, Node>, placed: ReadonlySet<Node>): readonly Node[] {
  const done = new Set(placed);
  const out: Node[] = [];
  for (const root of roots) {
    const stack: { readonly node: Node; next: number }[] = done.has(root) ? [] : [{ node: root, next: 0 }];
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const v = top.node.operands[top.next++];
      if (v === undefined) {
        stack.pop();
        if (!done.has(top.node)) out.push(top.node);
        done.add(top.node);
        continue;
      }
      const source = maker.get(v);
      if (source && !done.has(source)) stack.push({ node: source, next: 0 });
    }
  }
  return out;
}

function variablesAtUse(nodes: readonly Node[]): readonly Node[] {
  const declared = new Map(nodes.flatMap((n) => (n.kind === "variable" ? [[n.results[0] as Value, n] as const] : [])));
  const out: Node[] = [];
  for (const node of nodes) {
    if (node.kind === "variable") continue;
    for (const v of node.operands) {
      const variable = declared.get(v);
      if (variable) out.push(variable);
      declared.delete(v);
    }
    out.push(node);
  }
  return [...declared.values(), ...out];
}

/** How long values are waited for, in all. */
function spans(nodes: readonly Node[], ambient: ReadonlySet<Value>): number {
  const last = new Map<Value, number>();
  nodes.forEach((n, i) => {
    for (const v of n.operands) last.set(v, i);
  });
  let total = 0;
  nodes.forEach((n, i) => {
    for (const v of n.results) if (!ambient.has(v)) total += Math.max(0, (last.get(v) ?? i) - i);
  });
  return total;
}

/**
 * What is at hand everywhere and comes from one input is called by that input's last word, `mask` of `attention_mask`; a table by
 * its own.
 */
export function hintsOf({ inputs }: Program, { nodes, ambient }: Linear): ReadonlyMap<Value, string> {
  const sources = new Map<Value, ReadonlySet<string>>(inputs.map((i) => [i.value, new Set([i.name])]));
  for (const n of nodes) {
    const all = new Set(n.operands.flatMap((v) => [...(sources.get(v) ?? [])]));
    for (const v of n.results) if (ambient.has(v)) sources.set(v, all);
  }
  const given = new Set(inputs.map((i) => i.value));
  const tables = nodes.flatMap((n): [Value, string][] => {
    if (n.kind !== "variable" || n.word !== "state" || !ambient.has(n.results[0])) return [];
    const word = n.label?.split(".").at(-1) ?? "table";
    return /^[a-z]\w+$/.test(word) ? [[n.results[0], word]] : [];
  });
  const words = [...sources].flatMap(([v, names]): [Value, string][] => {
    const [name] = names;
    const word = name?.split("_").at(-1) ?? "";
    return !given.has(v) && names.size === 1 && word !== name && /^[a-z]{2,}$/.test(word) ? [[v, word]] : [];
  });
  return new Map([...words, ...tables]);
}
