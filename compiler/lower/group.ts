/**
 * Decides which values live in memory and which are computed where they are read.
 *
 *     %1 = conv2d(%x, @w); %2 = add(%1, @b); %3 = relu(%2); %4 = max_pool2d(%3)
 *
 * becomes two groups: { conv2d, add, relu } stores %3, { max_pool2d } stores %4. A group holds at most one fold; elementwise
 * nodes and views around it are inlined: before it as operands, behind it as the end of its accumulator.
 */
import { invariant } from "../../ir/diagnostic.ts";
import { type Graph, type Node, reachable, usersOf } from "../../ir/graph/graph.ts";
import { isIndirect, isStridedInMemory } from "../../ir/graph/view.ts";
import { sameOrder } from "../../ir/layout.ts";
import type { Access, OpKind } from "../../ir/op.ts";
import { sameShape, sizeOf } from "../../ir/type.ts";
import { isJoin } from "./joins.ts";
import { arithmeticOf, foldOf } from "./rule.ts";

export interface Group {
  /** The value that is stored. */
  readonly root: Node;
  /** The reduction inside: the root itself, or an ancestor that reaches the root through elementwise nodes of its shape. */
  readonly fold: Node | null;
  /** Stored values that are read, in first-use order. */
  readonly inputs: readonly Node[];
}

const foldKinds: ReadonlySet<OpKind> = new Set<OpKind>(["fold", "scatter", "contraction"]);
const isFold = (n: Node) => foldKinds.has(n.op.schema.kind);
const isConstant = ({ op: { schema } }: Node) => schema.kind === "leaf" && schema.lasts === "always";
/** Constants of at most so many numbers are written into the code, as a tree of selects, unless they have to be in memory. */
const shortestTable = 16;
export const isLiteral = (n: Node): boolean => {
  const { schema } = n.op;
  return isConstant(n) && !(schema.kind === "leaf" && schema.inMemory) && (n.attrs.data as readonly number[]).length <= shortestTable;
};
/** Others are memory that the program brings along. */
export const isTable = (n: Node): boolean => isConstant(n) && !isLiteral(n);
/** Memory that is there before the first call. */
export const isMemory = (n: Node): boolean => n.op.schema.kind === "leaf" && !isLiteral(n);
const inlined: readonly OpKind[] = ["creation", "elementwise", "view"];
const isInline = (n: Node) => isLiteral(n) || inlined.includes(n.op.schema.kind);
/** In memory whoever reads it. */
const isStored = (n: Node) => isMemory(n) || n.op.schema.kind === "copy";

/** Groups in an order in which every input is stored before it is read. None reads more than `mostInputs`, where its operations do not. */
export function groupNodes(graph: Graph, mostInputs = Number.POSITIVE_INFINITY): Group[] {
  const roots = [...graph.outputs.map((o) => o.value), ...graph.updates.map((u) => u.value)];
  const order = reachable(roots);
  for (const n of order)
    invariant(
      n.op.schema.kind === "leaf" || n.op.lower,
      `${n.op.schema.name} (${n.op.schema.kind}) reaches lowering without a lowering rule`,
    );
  const users = countUsers(order, roots);
  const apart = new Set<Node>();
  for (;;) {
    const absorbed = absorbFolds(order, users, apart);
    const stored = chooseStored(order, users, new Set(roots), absorbed);
    const crowded = limitInputs(order, absorbed.inside, stored, mostInputs);
    if (!crowded)
      return order.filter((n) => stored.has(n) && !isMemory(n)).map((root) => makeGroup(root, absorbed.ends.get(root) ?? null, stored));
    apart.add(crowded);
  }
}

interface Use {
  /** Nodes that read the value; a root counts the host as one more. */
  readonly nodes: readonly Node[];
  readonly root: boolean;
}
function countUsers(order: readonly Node[], roots: readonly Node[]): Map<Node, Use> {
  const users = usersOf(order);
  const isRoot = new Set(roots);
  return new Map(order.map((n) => [n, { nodes: users.get(n)!, root: isRoot.has(n) }]));
}

function chooseStored(
  order: readonly Node[],
  users: ReadonlyMap<Node, Use>,
  roots: ReadonlySet<Node>,
  { ends, inside }: Absorbed,
): Set<Node> {
  const stored = new Set<Node>();
  const cost = new Map<Node, number>();
  const together = readInOneKernel(order, users, roots, { ends, inside });
  for (const n of order) {
    const uses = users.get(n)!;
    if (isStored(n) || roots.has(n) || ends.has(n)) stored.add(n);
    else if (!inside.has(n)) {
      invariant(isInline(n), `${n.op.schema.name} cannot be inlined`);
      const c = costOf(n, cost, stored);
      cost.set(n, c);
      const shared = !together.has(n) && c > cheap && n.op.schema.kind !== "creation";
      if (shared || c > longest || uses.nodes.some((u) => wantsMemory(n, u, stored, c))) stored.add(n);
    }
  }
  return stored;
}

/**
 * Stores more values, of those that read most, until no node depends on more than `most` directly. What is inside of a fold cannot be
 * stored: gives the first node that reads too much because of it.
 */
function limitInputs(order: readonly Node[], inside: ReadonlySet<Node>, stored: Set<Node>, most: number): Node | null {
  if (!Number.isFinite(most)) return null;
  const sources = new Map<Node, ReadonlySet<Node>>();
  const readBy = (x: Node): ReadonlySet<Node> => (stored.has(x) ? new Set([x]) : sources.get(x)!);
  for (const n of order) {
    let all = union(n.inputs.map(readBy));
    while (all.size > most) {
      const open = n.inputs.filter((x) => !stored.has(x) && !inside.has(x) && readBy(x).size > 1);
      if (open.length === 0) {
        if (n.inputs.some((x) => inside.has(x))) return n;
        break;
      }
      stored.add(open.reduce((a, b) => (readBy(b).size > readBy(a).size ? b : a)));
      all = union(n.inputs.map(readBy));
    }
    sources.set(n, all);
  }
  return null;
}
const union = (sets: readonly ReadonlySet<Node>[]): ReadonlySet<Node> => new Set(sets.flatMap((s) => [...s]));

/** Nodes whose readers all end in the same stored value, as far as one can tell before anything else is stored. */
function readInOneKernel(
  order: readonly Node[],
  users: ReadonlyMap<Node, Use>,
  roots: ReadonlySet<Node>,
  { ends, inside }: Absorbed,
): Set<Node> {
  const fixed = new Set(order.filter((n) => isStored(n) || roots.has(n) || ends.has(n)));
  const cost = new Map<Node, number>();
  for (const n of order) if (!fixed.has(n)) cost.set(n, costOf(n, cost, fixed));
  const endOf = new Map<Node, Node>();
  const together = new Set<Node>();
  for (const n of [...order].reverse()) {
    const readers = users.get(n)!.nodes;
    const endings = new Set(readers.map((u) => endOf.get(u)!));
    const inlined = inside.has(n) || (!fixed.has(n) && endings.size === 1 && !readers.some((u) => wantsMemory(n, u, fixed, cost.get(n)!)));
    if (inlined) together.add(n);
    endOf.set(n, inlined ? [...endings][0]! : n);
  }
  return together;
}

/** Work of at most this much is done again rather than stored: an addition of two loads. */
const cheap = 1;
/** Work of more than this is no longer one kernel: code would grow without end, and so would recursion over it. */
const longest = 400;

/** What it takes to find an element; arithmetic that only moves an index is free. */
const accessCost: Record<Access, number> = { ordered: 0, permuted: 0, piecewise: 1, indirect: 2 };
/** Scalar operations to compute one element from what is stored. */
const costOf = (n: Node, cost: ReadonlyMap<Node, number>, stored: ReadonlySet<Node>): number =>
  n.inputs.reduce((sum, x) => sum + (stored.has(x) ? 0 : (cost.get(x) ?? 0)), ownCost(n));
export function ownCost(n: Node): number {
  const { schema } = n.op;
  if (schema.kind === "view") return accessCost[schema.access];
  return schema.kind === "elementwise" || schema.kind === "creation" ? arithmeticOf(n) : 1;
}

/** Whether `user` needs `n` in memory, because it would compute it many times or needs an address. */
function wantsMemory(n: Node, user: Node, stored: ReadonlySet<Node>, cost: number): boolean {
  if (user.op.schema.kind === "contraction") return !isStridedInMemory(n, (x) => stored.has(x));
  if (isJoin(user) || (user.op.schema.kind === "copy" && n.type.layout)) return true;
  if (cost <= cheap) return false;
  if (isIndirect(user)) return true;
  const size = sizeOf(n.type.shape);
  return readsOf(user) > 1.5 * size * user.inputs.filter((x) => x === n).length;
}

/** How often a node reads each operand in all. */
function readsOf(n: Node): number {
  const size = sizeOf(n.type.shape);
  if (!isFold(n)) return size;
  return foldOf(n).axes.reduce((count, a) => count * a.extent, size);
}

interface Absorbed {
  /** The nodes at which folds end, and which fold that is. */
  readonly ends: ReadonlyMap<Node, Node>;
  /** Folds and elementwise nodes in front of an end. */
  readonly inside: ReadonlySet<Node>;
}
/**
 * A fold moves down to the last elementwise node that only it feeds, but to none of `apart`; contractions choose first, the later ones
 * before.
 */
function absorbFolds(order: readonly Node[], users: ReadonlyMap<Node, Use>, apart: ReadonlySet<Node>): Absorbed {
  const ends = new Map<Node, Node>();
  const inside = new Set<Node>();
  const position = new Map(order.map((n, i) => [n, i]));
  const folds = order.filter(isFold).reverse();
  const contractions = folds.filter((f) => f.op.schema.kind === "contraction");
  for (const f of [...contractions, ...folds.filter((f) => f.op.schema.kind !== "contraction")]) {
    const mayFollow = (n: Node) => n.op.schema.kind === "elementwise" && !apart.has(n) && !inside.has(n) && !ends.has(n) && isLike(n, f);
    const chain = chainFrom(f, users, position, mayFollow);
    for (const n of chain.slice(0, -1)) inside.add(n);
    ends.set(chain.at(-1)!, f);
  }
  return { ends, inside };
}
const isLike = (a: Node, b: Node): boolean => sameShape(a.type.shape, b.type.shape) && sameOrder(a.type.layout, b.type.layout);
const longestChain = 40;
/** From a fold along its readers, as long as these come together again: x * sigmoid(x) reads a fold twice. */
function chainFrom(
  f: Node,
  users: ReadonlyMap<Node, Use>,
  position: ReadonlyMap<Node, number>,
  mayFollow: (n: Node) => boolean,
): readonly Node[] {
  const chain = [f];
  if (f.op.schema.kind === "scatter") return chain;
  for (;;) {
    const more = upToJoin(chain.at(-1)!, users, position, mayFollow);
    if (more === null || chain.length + more.length > longestChain) return chain;
    chain.push(...more);
  }
}
/** The nodes behind `start` up to the first that all ways from it go through, the host's among them; null: there is none. */
function upToJoin(
  start: Node,
  users: ReadonlyMap<Node, Use>,
  position: ReadonlyMap<Node, number>,
  mayFollow: (n: Node) => boolean,
): readonly Node[] | null {
  const passed: Node[] = [];
  const open = new Set<Node>();
  for (let at = start; ; ) {
    const { nodes, root } = users.get(at)!;
    if (root || nodes.length === 0 || !nodes.every(mayFollow) || passed.length > longestChain) return null;
    for (const n of nodes) open.add(n);
    const next = [...open].reduce((a, b) => (position.get(b)! < position.get(a)! ? b : a));
    open.delete(next);
    passed.push(next);
    if (open.size === 0) return passed;
    at = next;
  }
}

function makeGroup(root: Node, fold: Node | null, stored: ReadonlySet<Node>): Group {
  const inputs = new Set<Node>();
  const seen = new Set<Node>();
  const visit = (n: Node): void => {
    if (seen.has(n)) return;
    seen.add(n);
    if (n !== root && stored.has(n)) inputs.add(n);
    else for (const x of n.inputs) visit(x);
  };
  visit(root);
  return { root, fold, inputs: [...inputs] };
}
