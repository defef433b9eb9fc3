/**
 * Has operands of concatenations written where the result has them, so that nothing is left to be copied.
 *
 *     %1 = relu(%0) : f32[1,8,6,6]{0 2 3 1}                         %1 = relu(%0) : f32[1,8,6,6]{0 2+1,1 3+1,1 1@12}
 *     %3 = relu(%2) : f32[1,4,6,6]{0 2 3 1}                   =>    %3 = relu(%2) : f32[1,4,6,6]{0 2+1,1 3+1,1 1@12}
 *     %4 = concat(%1, %3) {axis=1}                                  %4 = join(%1, %3) {axis=1}
 *        : f32[1,12,6,6]{0 2+1,1 3+1,1 1}                              : f32[1,12,6,6]{0 2+1,1 3+1,1 1}
 *
 * A join has memory and no kernel. What cannot be written there (an input, a value that is a part of something else already) is
 * copied by itself. Joins of joins are one, and so are those of the first parts of another. The whole is alive from its first part
 * on: where that would make the fullest moment fuller, it is copied as before.
 */
import { type Graph, type Node, reachable, rewrite } from "../../ir/graph/graph.ts";
import { dimExtent, haloOf, type Layout, rowMajor, sameLayout, sameOrder } from "../../ir/layout.ts";
import type { Op } from "../../ir/op.ts";
import { ops } from "../../ir/ops/index.ts";
import { fullest, sizeInMemory, type Touched } from "./fullest.ts";

const join: Op = { ...ops.concat, schema: { ...ops.concat.schema, name: "join", kind: "copy" } };
export const isJoin = (n: Node): boolean => n.op === join;
const axisOf = (n: Node): number => n.attrs.axis as number;

/** Where a value is in another: from an index of the axis along which `of` is put together. */
export interface Place {
  readonly of: Node;
  readonly axis: number;
  readonly start: number;
}

export interface Kernels {
  /** Values that a kernel leaves in memory. */
  readonly stored: ReadonlySet<Node>;
  readonly inOrder: readonly Touched[];
}
/** `kernels`: as they are while concatenations are copied. The graph itself where nothing is gained. */
export function joinConcats(graph: Graph, kernels: Kernels, copy: (n: Node) => Node): Graph {
  const { joins, places } = fittingParts(graph, kernels);
  if (joins.size === 0) return graph;
  const layouts = layoutsOf(joins, places);
  const within = (n: Node, l: Layout | null): Node => (sameLayout(n.type.layout, l) ? n : { ...n, type: { ...n.type, layout: l } });
  return rewrite(graph, (node, original) => {
    const own = within(node, layouts.get(original) ?? node.type.layout);
    if (!joins.has(original)) return own;
    const starts = startsOf(original);
    const here = places.get(original);
    const of = here?.of ?? original;
    const inputs = own.inputs.map((x, i) => {
      const at = places.get(original.inputs[i]!);
      const isThere = at?.of === of && at.start === (here?.start ?? 0) + starts[i]!;
      return isThere ? x : within(copy(x), partLayout(layouts.get(of)!, of, x));
    });
    return { ...own, op: join, inputs };
  });
}

/** Of a graph with joins, where values are that are parts. */
export function placesIn(order: readonly Node[]): ReadonlyMap<Node, Place> {
  const places = new Map<Node, Place>();
  for (const n of [...order].reverse()) {
    if (!isJoin(n)) continue;
    const [first] = n.inputs;
    const known = places.get(n) ?? places.get(first!);
    const starts = startsOf(n);
    n.inputs.forEach((x, i) => {
      places.set(x, { of: known?.of ?? n, axis: axisOf(n), start: (known?.start ?? 0) + starts[i]! });
    });
    if (known) places.set(n, known);
  }
  return places;
}

/* ---- which values are parts -------------------------------------------------------------------------------------- */

interface Chosen {
  /** Concatenations without a kernel. */
  readonly joins: ReadonlySet<Node>;
  readonly places: ReadonlyMap<Node, Place>;
}
/** Leaves out one whole after the other, of those that are there too early, until no more memory is needed than without any. */
function fittingParts(graph: Graph, { stored, inOrder }: Kernels): Chosen {
  const kept = new Set(keptBy(graph));
  const isElsewhere = (n: Node) => kept.has(n) || n.op.schema.kind === "leaf";
  const need = ({ places }: Chosen) => fullest(inOrder, (n) => (isElsewhere(n) ? null : (places.get(n)?.of ?? n)));
  const copied = need({ joins: new Set(), places: new Map() });
  const refused = new Set<Node>();
  for (;;) {
    const chosen = chooseParts(graph, stored, refused);
    const now = need(chosen);
    if (now.elements <= copied.elements) return chosen;
    const wholes = new Set([...chosen.places.values()].map((p) => p.of));
    const early = now.alive.filter((n) => wholes.has(n));
    if (early.length === 0) return { joins: new Set(), places: new Map() };
    refused.add(early.reduce((a, b) => (sizeInMemory(b) > sizeInMemory(a) ? b : a)));
  }
}
const keptBy = (graph: Graph): readonly Node[] => [...graph.outputs.map((o) => o.value), ...graph.updates.map((u) => u.value)];

function chooseParts(graph: Graph, stored: ReadonlySet<Node>, refused: ReadonlySet<Node>): Chosen {
  const kept = keptBy(graph);
  const isKept = new Set(kept);
  const joins = new Set<Node>();
  const places = new Map<Node, Place>();
  /** A kernel could write it into `n`, or the kernels of its own parts could. */
  const fits = (x: Node, n: Node): boolean =>
    !isKept.has(x) &&
    !places.has(x) &&
    sameOrder(x.type.layout, n.type.layout) &&
    n.inputs.filter((other) => other === x).length === 1 &&
    (stored.has(x) || (!refused.has(x) && x.op === ops.concat && axisOf(x) === axisOf(n) && x.inputs.every((part) => fits(part, x))));
  for (const n of reachable(kept).reverse()) {
    if (n.op !== ops.concat || isKept.has(n) || refused.has(n) || !hasPlainParts(n)) continue;
    const shared = firstParts(n, places);
    if (shared) {
      joins.add(n);
      places.set(n, shared);
      continue;
    }
    const here = places.get(n) ?? { of: n, axis: axisOf(n), start: 0 };
    const fitting = n.inputs.filter((x) => fits(x, n));
    const isWorth = stored.has(n) ? fitting.length > 0 : fitting.length === n.inputs.length;
    if (here.axis !== axisOf(n) || !isWorth) continue;
    joins.add(n);
    const starts = startsOf(n);
    n.inputs.forEach((x, i) => {
      if (fitting.includes(x)) places.set(x, { ...here, start: here.start + starts[i]! });
    });
  }
  return { joins, places };
}
/** Where the result is already, when all operands are parts of one value in this order. */
function firstParts(n: Node, places: ReadonlyMap<Node, Place>): Place | null {
  const first = places.get(n.inputs[0]!);
  if (!first || places.has(n) || first.axis !== axisOf(n)) return null;
  const starts = startsOf(n);
  const follow = n.inputs.every((x, i) => {
    const at = places.get(x);
    return at?.of === first.of && at.start === first.start + starts[i]!;
  });
  return follow ? first : null;
}
/** Parts that are read as fast as the whole: images, whose channels lie innermost, and what lies one behind the other. */
function hasPlainParts(n: Node): boolean {
  const { shape, layout } = n.type;
  if (layout === null) return shape.slice(0, axisOf(n)).every((d) => d === 1);
  return layout.dims.every((d) => d.div === 1 && d.mod === 0) && haloOf(layout, axisOf(n)).every((d) => d === 0);
}
/** Position of each operand along the axis. */
function startsOf(n: Node): readonly number[] {
  let at = 0;
  return n.inputs.map((x) => {
    const start = at;
    at += x.type.shape[axisOf(n)]!;
    return start;
  });
}

/* ---- layouts ----------------------------------------------------------------------------------------------------- */

/** Of joins and their parts: each whole has the halo that any of its parts needs. */
function layoutsOf(joins: ReadonlySet<Node>, places: ReadonlyMap<Node, Place>): ReadonlyMap<Node, Layout | null> {
  const wholes = new Map<Node, Layout | null>();
  for (const n of joins) if (!places.has(n)) wholes.set(n, n.type.layout);
  for (const [n, { of }] of places) wholes.set(of, withHalo(wholes.get(of)!, n.type.layout));
  const parts = [...places].map(([n, { of }]) => [n, partLayout(wholes.get(of)!, of, n)] as const);
  return new Map([...wholes, ...parts]);
}
function withHalo(l: Layout | null, other: Layout | null): Layout | null {
  if (!l || !other) return l;
  const pad = l.pad.map(
    ([before, after], axis) => [Math.max(before, haloOf(other, axis)[0]), Math.max(after, haloOf(other, axis)[1])] as const,
  );
  return { ...l, pad };
}
/** Of a part of `of`, which has the layout `whole`; no other than its own where parts lie one behind the other. */
function partLayout(whole: Layout | null, of: Node, part: Node): Layout | null {
  const { shape } = of.type;
  const l = whole ?? rowMajor(shape.length);
  const axis = shape.findIndex((d, a) => d !== part.type.shape[a]);
  const outside = l.dims.slice(
    0,
    l.dims.findIndex((d) => d.axis === axis),
  );
  if (axis < 0 || outside.every((d) => dimExtent(shape, l, d) === 1)) return whole;
  return { ...l, within: { axis, extent: shape[axis]! } };
}
