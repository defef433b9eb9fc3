/**
 * Whether groups can be stages of one kernel that works row by row: found by evaluating each at an unknown index and looking
 * where it reads the others.
 *
 *     m[i] = max over k of x[i, k]; e[i, j] = exp(x[i, j] - m[i]); s[i] = sum over k of e[i, k]; y[i, j] = e[i, j] / s[i]
 *
 * y reads s at i, so rows are numbered by axis 0 of y; all others are found at that row, m and s once, e along it.
 */
import type { Node } from "../../ir/graph/graph.ts";
import { axis, i32, local } from "../../ir/kernel/build.ts";
import { type Axes, makeAxes, type StageRead } from "../../ir/kernel/computation.ts";
import { type Expr, typeOf } from "../../ir/kernel/kernel.ts";
import { keyOf, simplifyIndex } from "../../ir/kernel/linear.ts";
import { substitute, visitExpr } from "../../ir/kernel/rewrite.ts";
import { sameLayout } from "../../ir/layout.ts";
import { scalarType } from "../../ir/ops/broadcasting.ts";
import { linear as positionIn } from "../../ir/ops/reshape.ts";
import { type Shape, sameType } from "../../ir/type.ts";
import { bodyOf } from "./computation.ts";
import type { Group } from "./group.ts";

/** Where a row has its part of a value; null: along this axis. */
export type RowIndex = readonly (Expr | null)[];
export interface RowForm {
  /** Axes of the last stage's value that number the rows. */
  readonly across: readonly number[];
  /** Of each stage, at a place: an index for each axis across. */
  readonly indexAt: readonly ((place: readonly Expr[]) => RowIndex)[];
  /**
   * Of each stage, the operands whose memory its value may take: when a row of it is written, nothing more is read of their row,
   * but for the element itself.
   */
  readonly inPlace: readonly (readonly Node[])[];
}

interface ReadAt {
  readonly node: Node;
  readonly index: readonly Expr[];
}
/** Everything that a group reads at an index, with fold axes and `ranges` as the only unknowns. */
function readsOf(g: Group, index: readonly Expr[], axes: Axes): ReadAt[] {
  const reads: ReadAt[] = [];
  const read =
    (node: Node): StageRead =>
    (at) => {
      reads.push({ node, index: at.map((e) => simplifyIndex(e, axes.ranges)) });
      return local(axes.fresh("read"), scalarType(node.type.dtype));
    };
  const body = bodyOf(g, new Map(), new Map(g.inputs.map((n) => [n, read(n)])));
  const term = body.fold?.term(index, axes);
  const folded = term && local(axes.fresh("folded"), isPlace(body.fold!.op) ? "i32" : typeOf(term.value));
  body.finish(index, folded ?? null, axes);
  return reads;
}
const isPlace = (op: string) => op === "argmax" || op === "argmin";

/** Probes for the axes of a shape; those of extent 1 have one index. */
const probes = (shape: Shape, prefix: string): readonly Expr[] => shape.map((extent, a) => (extent === 1 ? i32(0) : axis(prefix + a)));
const withProbes = (...of: readonly (readonly [Shape, string])[]): Axes => {
  const axes = makeAxes();
  for (const [shape, prefix] of of) shape.forEach((extent, a) => void (extent > 1 && axes.declare({ name: prefix + a, extent })));
  return axes;
};
const rowProbe = "across.";
const alongProbe = "along.";

/** Names in an index; null where memory decides, or a variable. */
function namesIn(e: Expr, ranges: ReadonlyMap<string, number>): ReadonlySet<string> | null {
  const names = new Set<string>();
  let known = true;
  visitExpr(e, (x) => {
    if (x.kind === "load" || (x.kind === "var" && !ranges.has(x.name))) known = false;
    else if (x.kind === "var") names.add(x.name);
  });
  return known ? names : null;
}

/** `stages`: operands first. Null where they do not go by rows. */
export function rowFormOf(stages: readonly Group[]): RowForm | null {
  const last = stages.at(-1)!;
  const { shape } = last.root.type;
  const own = probes(shape, rowProbe);
  const reads = stages.map((): readonly ReadAt[] => []);
  reads[stages.length - 1] = readsOf(last, own, withProbes([shape, rowProbe]));
  const across = acrossOf(stages, reads.at(-1)!, shape);
  if (!across) return null;
  const at = new Map<Node, RowIndex>([[last.root, own.map((e, a) => (across.includes(a) || shape[a] === 1 ? e : null))]]);
  for (let n = stages.length - 2; n >= 0; n--) {
    const stage = stages[n]!;
    const index = rowIndexOf(stage, reads.slice(n + 1).flat(), across, shape);
    if (!index) return null;
    at.set(stage.root, index);
    const along = probes(stage.root.type.shape, alongProbe);
    const axes = withProbes([shape, rowProbe], [stage.root.type.shape, alongProbe]);
    reads[n] = readsOf(
      stage,
      index.map((e, a) => e ?? along[a]!),
      axes,
    );
  }
  const names = across.map((a) => rowProbe + a);
  return {
    across,
    indexAt: stages.map(({ root }) => {
      const index = at.get(root)!;
      return (place) => {
        const by = new Map(names.map((name, i) => [name, place[i]!]));
        return index.map((e) => e && substitute(e, by));
      };
    }),
    inPlace: stages.map((_, n) => overwritable(n, stages, reads, at)),
  };
}

/** All axes of a fold, else those at which the last stage reads folds; null where they are several sets. */
function acrossOf(stages: readonly Group[], reads: readonly ReadAt[], shape: Shape): readonly number[] | null {
  const folds = new Set(stages.slice(0, -1).flatMap((g) => (g.fold ? [g.root] : [])));
  const { ranges } = withProbes([shape, rowProbe]);
  const sets = reads.flatMap(({ node, index }) => {
    if (!folds.has(node)) return [];
    const names = index.map((e) => namesIn(e, ranges));
    return [names.includes(null) ? null : shape.flatMap((extent, a) => (extent > 1 && names.some((s) => s!.has(rowProbe + a)) ? [a] : []))];
  });
  const whole = shape.flatMap((extent, a) => (extent > 1 ? [a] : []));
  const [first] = stages.at(-1)!.fold ? [whole] : sets;
  return first && sets.every((s) => s?.join() === first.join()) ? first : null;
}

/** Where the row of a stage is, from all reads of it; null where rows do not meet one to one. */
function rowIndexOf(stage: Group, reads: readonly ReadAt[], across: readonly number[], shape: Shape): RowIndex | null {
  const own = reads.filter((r) => r.node === stage.root);
  const { ranges } = withProbes([shape, rowProbe]);
  const rows = new Set(across.map((a) => rowProbe + a));
  const index = stage.root.type.shape.map((extent, a): Expr | null => {
    if (extent === 1) return i32(0);
    const [first, ...others] = own.map((r) => r.index[a]!);
    const names = namesIn(first!, ranges);
    const isRow = names !== null && names.size > 0 && [...names].every((n) => rows.has(n));
    return isRow && others.every((e) => keyOf(e) === keyOf(first!)) ? first! : null;
  });
  const isAlong = index.includes(null);
  if (stage.fold && isAlong) return null;
  const mixed = own.some((r) => r.index.some((e, a) => index[a] === null && [...(namesIn(e, ranges) ?? [])].some((n) => rows.has(n))));
  if (mixed) return null;
  const extents = stage.root.type.shape.filter((_, a) => index[a] !== null);
  return meets(
    index.filter((e) => e !== null),
    extents,
    across,
    shape,
    ranges,
  )
    ? index
    : null;
}
/** Rows of the last stage and of another are the same in number and stand in one order, or have axes swapped. */
function meets(
  index: readonly Expr[],
  extents: Shape,
  across: readonly number[],
  shape: Shape,
  ranges: ReadonlyMap<string, number>,
): boolean {
  const places = across.map((a) => axis(rowProbe + a));
  const count = (s: Shape) => s.reduce((n, d) => n * d, 1);
  const rows = across.map((a) => shape[a]!);
  if (count(extents) !== count(rows)) return false;
  const key = (e: Expr) => keyOf(simplifyIndex(e, ranges));
  if (key(positionIn(index, extents)) === key(positionIn(places, rows))) return true;
  const wide = index.filter((_, a) => extents[a]! > 1);
  return wide.length === places.length && new Set(wide.map(keyOf)).size === wide.length && wide.every((e) => e.kind === "var");
}

function overwritable(
  n: number,
  stages: readonly Group[],
  reads: readonly (readonly ReadAt[])[],
  at: ReadonlyMap<Node, RowIndex>,
): readonly Node[] {
  const { root } = stages[n]!;
  const made = new Set(stages.map((s) => s.root));
  const own = at.get(root)!;
  const along = probes(root.type.shape, n === stages.length - 1 ? rowProbe : alongProbe);
  const inRow = (index: readonly Expr[]) => own.every((e, a) => e === null || keyOf(index[a]!) === keyOf(e));
  const isElement = (index: readonly Expr[]) => inRow(index) && own.every((e, a) => e !== null || keyOf(index[a]!) === keyOf(along[a]!));
  const fits = (x: Node) => !made.has(x) && sameType(x.type, root.type) && sameLayout(x.type.layout, root.type.layout);
  const isDone = (x: Node) =>
    reads.every((list, s) => list.every((r) => r.node !== x || (s <= n && (s === n ? isElement(r.index) : inRow(r.index)))));
  return [...new Set(reads.flat().map((r) => r.node))].filter((x) => fits(x) && isDone(x));
}
