/** Graph to kernel calls: groups become computations, a schedule makes them loops, equal ones are made once. */
import { invariant } from "../../ir/diagnostic.ts";
import { flopsOfNodes, type Graph, type Node, reachable, type VariableKind } from "../../ir/graph/graph.ts";
import type { Computation, RowComputation } from "../../ir/kernel/computation.ts";
import type { Kernel } from "../../ir/kernel/kernel.ts";
import type { Home, Lowered, LoweredCall, LoweredEntry, Table, Value } from "../../ir/lowered.ts";
import { op } from "../../ir/op.ts";
import type { EntryId } from "../../ir/program.ts";
import { printType, tensor } from "../../ir/type.ts";
import { computationOf, innerNodes, inPlaceInputs, keyOfGroup } from "./computation.ts";
import { type Group, groupNodes, isMemory, isTable } from "./group.ts";
import { isJoin, joinConcats, placesIn } from "./joins.ts";
import { type Bindings, joinRows, keyOfRows, type RowGroup, rowComputationOf } from "./rows.ts";

export type Schedule = (c: Computation) => Kernel;
/** Null where stages are better kernels of their own. */
export type RowSchedule = (c: RowComputation) => Kernel | null;

/**
 * `rows` null: every group is a kernel. `mostInputs`: buffers that a kernel may read. `buffersOf`: how many a value is in.
 * `joins`: operands of concatenations may be written where the result has them.
 */
export function lower(
  graphs: readonly { readonly entry: EntryId; readonly graph: Graph }[],
  schedule: Schedule,
  rows: RowSchedule | null,
  mostInputs = Number.POSITIVE_INFINITY,
  buffersOf: Bindings["of"] = () => 1,
  joins = false,
): Lowered {
  const kernels = kernelStore(schedule, rows);
  const tables = tableStore();
  const limits = { mostInputs, bindings: { most: mostInputs + 1, of: buffersOf }, joins };
  const entries = graphs.map(({ entry, graph }) => lowerEntry(entry, graph, kernels, tables, limits));
  const called = new Set(entries.flatMap((e) => e.calls.map((c) => c.kernel)));
  return { kernels: kernels.all().filter((k) => called.has(k.name)), entries, constants: tables.all() };
}

interface TableStore {
  /** Name of the table of a `dense` leaf. */
  readonly of: (n: Node) => string;
  readonly all: () => readonly Table[];
}
function tableStore(): TableStore {
  const byText = new Map<string, Table>();
  return {
    of: (n) => {
      const data = n.attrs.data as readonly number[];
      const text = `${printType(n.type)} ${data.join()}`;
      const table = byText.get(text) ?? { name: `table.${byText.size}`, type: n.type, data };
      byText.set(text, table);
      return table.name;
    },
    all: () => [...byText.values()],
  };
}

interface KernelStore {
  /** Name of the kernel of a group. */
  readonly of: (group: Group | RowGroup) => string;
  /** Whether there is a kernel for stages together. */
  readonly fits: (group: RowGroup) => boolean;
  readonly all: () => readonly Kernel[];
}
function kernelStore(schedule: Schedule, rows: RowSchedule | null): KernelStore {
  const byKey = new Map<string, Kernel | null>();
  const names = new Map<string, number>();
  const unique = (base: string): string => {
    const n = names.get(base) ?? 0;
    names.set(base, n + 1);
    return n === 0 ? base : `${base}_${n}`;
  };
  const plain = (group: Group): Kernel => {
    const c = computationOf(group);
    return schedule({ ...c, name: unique(c.name) });
  };
  const joined = (group: RowGroup): Kernel | null => {
    const kernel = rows?.(rowComputationOf(group)) ?? null;
    return kernel && { ...kernel, name: unique(kernel.name) };
  };
  const find = (group: Group | RowGroup): Kernel | null => {
    const key = "stages" in group ? keyOfRows(group) : keyOfGroup(group, [group.fold]);
    const known = byKey.get(key);
    const kernel = known === undefined ? ("stages" in group ? joined(group) : plain(group)) : known;
    byKey.set(key, kernel);
    return kernel;
  };
  return {
    of: (group) => {
      const kernel = find(group);
      invariant(kernel, `no loops for ${group.root.op.schema.name} and the stages before it`);
      return kernel.name;
    },
    fits: (group) => find(group) !== null,
    all: () => [...byKey.values()].filter((k) => k !== null),
  };
}

interface Limits {
  readonly mostInputs: number;
  readonly bindings: Bindings;
  readonly joins: boolean;
}
function lowerEntry(name: EntryId, graph: Graph, kernels: KernelStore, tables: TableStore, limits: Limits): LoweredEntry {
  const { work, grouped } = groupsOf(settleLeaves(graph), kernels, limits);
  const groups = updatesBehindReaders(grouped, work);
  const places = placesIn(reachable([...work.outputs.map((o) => o.value), ...work.updates.map((u) => u.value)]));
  const { homes, copies } = chooseHomes(name, work, groups);
  const values = new Map<Node, Value>();
  const counts = new Map<string, number>();
  const valueAt = (n: Node): Value => {
    let v = values.get(n);
    if (!v) {
      const home: Home = homes.get(n) ?? (isTable(n) ? { kind: "constant", name: tables.of(n) } : (leafHome(n) ?? inArena(n)));
      v = { name: "name" in home ? home.name : fresh(n.op.schema.name), type: n.type, home };
      values.set(n, v);
    }
    return v;
  };
  const inArena = (n: Node): Home => {
    const place = places.get(n);
    return place ? { kind: "inside", of: valueAt(place.of), axis: place.axis, start: place.start } : { kind: "arena" };
  };
  const fresh = (base: string): string => {
    const i = counts.get(base) ?? 0;
    counts.set(base, i + 1);
    return `${base}.${i}`;
  };
  const call = (g: Group | RowGroup, output: Value): LoweredCall => ({
    kernel: kernels.of(g),
    inputs: g.inputs.map(valueAt),
    outputs: [output, ...("stages" in g ? g.others : []).map(valueAt)],
    inPlace: overwritable(g).map((nodes) => nodes.map(valueAt)),
    origin: originOf(g),
    flops: flopsOfNodes(innerNodes(g)),
  });
  const calls = groups.filter((g) => !isJoin(g.root)).map((g) => call(g, valueAt(g.root)));
  for (const c of copies) {
    const root = copyOf(c.from);
    calls.push(call({ root, fold: null, inputs: [c.from] }, { name: c.to.name, type: root.type, home: c.to }));
  }
  return { name, graph, calls };
}

/** Of a layer rather than of the activation behind it; of several stages that of the most work, the last one where they are equal. */
function originOf(g: Group | RowGroup): LoweredCall["origin"] {
  if (!("stages" in g)) return (g.fold ?? g.root).origin;
  const works = g.stages.map((s) => flopsOfNodes(innerNodes(s)));
  return originOf(g.stages[works.lastIndexOf(Math.max(...works))]!);
}

interface Grouped {
  readonly work: Graph;
  readonly grouped: readonly (Group | RowGroup)[];
}
/** Groups, and the graph of which they are. Stages of a kernel of rows are left out when parts are looked for: they have memory of their own. */
function groupsOf(graph: Graph, kernels: KernelStore, { mostInputs, bindings, joins }: Limits): Grouped {
  const group = (work: Graph): Grouped => ({ work, grouped: joinRows(groupNodes(work, mostInputs), work, kernels.fits, bindings) });
  const first = group(graph);
  if (!joins) return first;
  const alone = first.grouped.flatMap((g) => ("stages" in g ? [] : [g.root]));
  const inOrder = first.grouped.map((g) => ({ values: [g.root, ...("stages" in g ? g.others : []), ...g.inputs] }));
  const work = joinConcats(graph, { stored: new Set(alone), inOrder }, copyOf);
  return work === graph ? first : group(work);
}

/** Of each result, the operands whose memory it may take. */
const overwritable = (g: Group | RowGroup): readonly (readonly Node[])[] => ("stages" in g ? g.inPlace : [inPlaceInputs(g)]);

/** The memory of an input or a variable. */
function leafHome(n: Node): NamedHome | null {
  if (!isMemory(n) || isTable(n)) return null;
  const name = String(n.attrs.name);
  return n.op.schema.name === "input" ? { kind: "input", name } : { kind: "variable", variable: n.op.schema.name as VariableKind, name };
}
type NamedHome = Exclude<Home, { kind: "arena" | "inside" }>;

/** A node that has the value of `n` in memory of its own. */
const copyOf = (n: Node): Node => ({ ...copyOp({ x: n }), origin: n.origin });
const copyOp = op({ name: "copy", inputs: ["x"], kind: "elementwise" }).rules({
  infer: ({ x }) => tensor(x.dtype, x.shape),
  lower:
    ({ x }) =>
    (...index) =>
      x(...index),
});

/** Outputs and updates that are leaves become copies, taken before any update. */
function settleLeaves(graph: Graph): Graph {
  const settle = (n: Node): Node => (n.op.schema.kind === "leaf" ? copyOf(n) : n);
  return {
    ...graph,
    outputs: graph.outputs.map((o) => ({ ...o, value: settle(o.value) })),
    updates: graph.updates.map((u) => ({ ...u, value: settle(u.value) })),
  };
}

/**
 * Groups that only write a variable come right behind the last group that reads its old content: not earlier, so that they
 * can write in place, and not later, so that what they consume (a gradient) does not stay alive.
 */
function updatesBehindReaders(groups: readonly (Group | RowGroup)[], graph: Graph): (Group | RowGroup)[] {
  const read = new Set(groups.flatMap((g) => g.inputs));
  const outputs = new Set(graph.outputs.map((o) => o.value));
  const targets = new Map(graph.updates.map((u) => [u.value, u.target]));
  const isAlone = (g: Group | RowGroup) => !("stages" in g) || g.others.length === 0;
  const onlyWrites = (g: Group | RowGroup) =>
    isAlone(g) && targets.has(g.root) && !read.has(g.root) && !outputs.has(g.root) && g.root.op !== copyOp;
  const last = lastReads(groups);
  const behind = new Map<number, (Group | RowGroup)[]>();
  groups.forEach((g, i) => {
    if (!onlyWrites(g)) return;
    const at = Math.max(i, last.get(nameOf(leafHome(targets.get(g.root)!)!)) ?? -1);
    behind.set(at, [...(behind.get(at) ?? []), g]);
  });
  return groups.flatMap((g, i) => [...(onlyWrites(g) ? [] : [g]), ...(behind.get(i) ?? [])]);
}

/**
 * A root that is an output or an update goes where it is wanted at once, if nothing reads the old content of that memory
 * after it is written; otherwise, and for every further place that wants the same value, it is copied at the end.
 */
function chooseHomes(entry: EntryId, graph: Graph, groups: readonly (Group | RowGroup)[]) {
  const homes = new Map<Node, NamedHome>();
  const copies: { from: Node; to: NamedHome }[] = [];
  const position = new Map(groups.map((g, i) => [g.root, i]));
  const reads = lastReads(groups);
  for (const { target, value } of graph.updates) {
    const home = leafHome(target);
    invariant(home && home.kind !== "input", `${target.op.schema.name} cannot be updated`);
    const written = position.get(value)!;
    const last = reads.get(nameOf(home)) ?? -1;
    const inPlace = last === written && overwritable(groups[written]!)[0]!.some((n) => sameHome(leafHome(n), home));
    if (!homes.has(value) && (last < written || inPlace)) homes.set(value, home);
    else copies.push({ from: value, to: home });
  }
  for (const { name, value } of graph.outputs) {
    const home: NamedHome = { kind: "output", name: `${entry}.${name}` };
    if (homes.has(value)) copies.unshift({ from: value, to: home });
    else homes.set(value, home);
  }
  return { homes, copies };
}
const nameOf = (h: NamedHome) => `${h.kind === "variable" ? h.variable : h.kind} ${h.name}`;
const sameHome = (a: NamedHome | null, b: NamedHome) => a !== null && nameOf(a) === nameOf(b);
/** Position of the last group that reads each leaf. */
function lastReads(groups: readonly (Group | RowGroup)[]): Map<string, number> {
  const last = new Map<string, number>();
  groups.forEach((g, i) => {
    for (const n of g.inputs) {
      const home = leafHome(n);
      if (home) last.set(nameOf(home), i);
    }
  });
  return last;
}
