/**
 * Joins groups that go by the same rows: reductions along an axis, what they reduce, and what is computed from them.
 *
 *     { reduce_max }, { sub, exp }, { reduce_sum }, { div }   =>   one kernel of four stages
 *
 * A stage that others read too is a further result of the kernel. What has been joined is a kernel if a schedule finds loops
 * for it; otherwise the groups stay as they are.
 */
import type { Graph, Node } from "../../ir/graph/graph.ts";
import { bufferOf } from "../../ir/kernel/build.ts";
import type { RowComputation, StageRead } from "../../ir/kernel/computation.ts";
import { elementsIn } from "../../ir/layout.ts";
import { sizeOf, type TensorType } from "../../ir/type.ts";
import { bodyOf, innerNodes, inputBuffers, keyOfGroup, nameOfGroup } from "./computation.ts";
import type { Group } from "./group.ts";
import { type RowForm, rowFormOf } from "./row-form.ts";

export interface RowGroup {
  /** The value of the last stage. */
  readonly root: Node;
  /** Operands first. */
  readonly stages: readonly Group[];
  /** Values of earlier stages that other kernels read. */
  readonly others: readonly Node[];
  readonly inputs: readonly Node[];
  /** Operands whose memory the value of the last stage may take, and each of the others. */
  readonly inPlace: readonly (readonly Node[])[];
  readonly form: RowForm;
}

export function rowComputationOf(g: RowGroup): RowComputation {
  const inputs = inputBuffers(g.inputs);
  const roots = g.stages.map((s) => s.root);
  const outputs = new Map([g.root, ...g.others].map((n, i) => [n, bufferOf(i === 0 ? "y" : `y${i}`, "out", n.type)]));
  return {
    name: nameOfGroup(innerNodes(g)),
    inputs: [...inputs.values()],
    across: g.form.across,
    stages: g.stages.map((s, n) => ({
      type: s.root.type.dtype,
      shape: s.root.type.shape,
      output: outputs.get(s.root) ?? null,
      indexAt: g.form.indexAt[n]!,
      body: (before: readonly StageRead[]) => bodyOf(s, inputs, new Map(before.map((read, i) => [roots[i]!, read]))),
    })),
  };
}
export const keyOfRows = (g: RowGroup): string =>
  `rows ${keyOfGroup(g, [...g.stages.flatMap((s) => [s.root, s.fold]), null, ...g.others])}`;

/** Groups of which no two need a value of each other, directly or through others. */
interface Units {
  readonly unitOf: ReadonlyMap<Group, ReadonlySet<Group>>;
  readonly readers: ReadonlyMap<Node, readonly Group[]>;
}

/** How many buffers a kernel may have, and how many of them a value is. */
export interface Bindings {
  readonly most: number;
  readonly of: (type: TensorType) => number;
}
/** `fits`: whether there are loops for it. Operands stay in front of what reads them. */
export function joinRows(groups: readonly Group[], graph: Graph, fits: (g: RowGroup) => boolean, bindings: Bindings): (Group | RowGroup)[] {
  const readers = readersOf(groups);
  const makers = new Map(groups.map((g) => [g.root, g]));
  const kept = new Set([...graph.outputs.map((o) => o.value), ...graph.updates.map((u) => u.value)]);
  const position = new Map(groups.map((g, i) => [g, i]));
  const unitOf = new Map(groups.map((g): [Group, ReadonlySet<Group>] => [g, new Set([g])]));
  const joined = new Map<ReadonlySet<Group>, RowGroup>();
  const isFree = (g: Group) => unitOf.get(g)!.size === 1;
  for (const last of [...groups].reverse()) {
    if (!isFree(last) || !canBeStage(last)) continue;
    const candidates = (members: readonly Group[]): Group[] =>
      [...new Set(members.flatMap((m) => m.inputs.flatMap((n) => makers.get(n) ?? [])))]
        .filter((g) => !members.includes(g) && isFree(g) && canBeStage(g) && !kept.has(g.root))
        .sort((a, b) => position.get(b)! - position.get(a)!);
    const isBindable = (members: readonly Group[]) => areBindable(last, members, readers, bindings);
    const grown = grow(last, candidates, position, isBindable, (members) => isApart(members, { unitOf, readers }));
    const row = grown && rowGroupOf(grown.stages, grown.form, readers);
    if (!row || !fits(row)) continue;
    const unit = new Set(row.stages);
    for (const g of row.stages) unitOf.set(g, unit);
    joined.set(unit, row);
  }
  return inOrder(groups, unitOf, makers).map((unit) => joined.get(unit) ?? [...unit][0]!);
}

/** Reductions and elementwise groups whose memory has no places but those of elements. */
function canBeStage({ root, fold }: Group): boolean {
  const { layout, shape } = root.type;
  if (layout && elementsIn(shape, layout) !== sizeOf(shape)) return false;
  return fold ? fold.op.schema.kind === "fold" : root.op.schema.kind !== "copy";
}
function readersOf(groups: readonly Group[]): ReadonlyMap<Node, readonly Group[]> {
  const readers = new Map<Node, Group[]>();
  for (const g of groups)
    for (const n of g.inputs) {
      const list = readers.get(n) ?? [];
      list.push(g);
      readers.set(n, list);
    }
  return readers;
}

/** More stages than this are no longer one kernel. */
const mostStages = 24;
interface Grown {
  readonly stages: readonly Group[];
  readonly form: RowForm;
}
/** As many groups as go by the rows of `last`, from those that it reads to what these read. */
function grow(
  last: Group,
  candidates: (members: readonly Group[]) => Group[],
  position: ReadonlyMap<Group, number>,
  isBindable: (members: readonly Group[]) => boolean,
  isSound: (members: readonly Group[]) => boolean,
): Grown | null {
  let best: Grown | null = null;
  const refused = new Set<Group>();
  for (;;) {
    const members: readonly Group[] = best?.stages ?? [last];
    // One more stage may bring more buffers than it saves, and another one make room for it.
    const found = candidates(members).find((g) => !refused.has(g) && (best || last.fold || g.fold) && isBindable([...members, g]));
    if (!found || members.length === mostStages) return best;
    const stages = [...members, found].sort((a, b) => position.get(a)! - position.get(b)!);
    const form = isSound(stages) ? rowFormOf(stages) : null;
    if (form) best = { stages, form };
    else refused.add(found);
  }
}
/** No value leaves the members and comes back. */
function isApart(members: readonly Group[], { unitOf, readers }: Units): boolean {
  const inside = new Set(members);
  const seen = new Set<Group>();
  const open = [...members];
  for (let g = open.pop(); g; g = open.pop()) {
    for (const reader of readers.get(g.root) ?? []) {
      if (inside.has(reader)) {
        if (!inside.has(g)) return false;
        continue;
      }
      for (const other of unitOf.get(reader)!) {
        if (seen.has(other)) continue;
        seen.add(other);
        open.push(other);
      }
    }
  }
  return true;
}
function rowGroupOf(stages: readonly Group[], form: RowForm, readers: ReadonlyMap<Node, readonly Group[]>): RowGroup {
  const { root } = stages.at(-1)!;
  const { inputs, read } = bordersOf(stages, readers);
  const others = read.filter((n) => n !== root);
  const inPlace = [root, ...others].map((n) => form.inPlace[stages.findIndex((s) => s.root === n)]!);
  return { root, stages, others, inputs, inPlace, form };
}
/** What stages read, and which of their values others read; nobody needs to read that of the last. */
function bordersOf(stages: readonly Group[], readers: ReadonlyMap<Node, readonly Group[]>) {
  const inside = new Set(stages);
  const made = new Set(stages.map((s) => s.root));
  const inputs = [...new Set(stages.flatMap((s) => s.inputs))].filter((n) => !made.has(n));
  const read = stages.flatMap((s) => ((readers.get(s.root) ?? []).some((r) => !inside.has(r)) ? [s.root] : []));
  return { inputs, read };
}
function areBindable(last: Group, members: readonly Group[], readers: ReadonlyMap<Node, readonly Group[]>, bindings: Bindings): boolean {
  const { inputs, read } = bordersOf(members, readers);
  const bound = [...new Set([...inputs, last.root, ...read])];
  return bound.reduce((n, x) => n + bindings.of(x.type), 0) <= bindings.most;
}
/** Every unit behind those that it reads from, otherwise as before. */
function inOrder(
  groups: readonly Group[],
  unitOf: ReadonlyMap<Group, ReadonlySet<Group>>,
  makers: ReadonlyMap<Node, Group>,
): ReadonlySet<Group>[] {
  const order: ReadonlySet<Group>[] = [];
  const seen = new Set<ReadonlySet<Group>>();
  const visit = (unit: ReadonlySet<Group>): void => {
    if (seen.has(unit)) return;
    seen.add(unit);
    for (const g of unit)
      for (const n of g.inputs) {
        const maker = makers.get(n);
        if (maker) visit(unitOf.get(maker)!);
      }
    order.push(unit);
  };
  for (const g of groups) visit(unitOf.get(g)!);
  return order;
}
