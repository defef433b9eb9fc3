/** Stages of a kernel that goes by rows, as invocations of a workgroup see them: what each has of a row, and where it stays. */

import { flattenIndex, strideOf } from "../../../ir/kernel/address.ts";
import { at, i32, local } from "../../../ir/kernel/build.ts";
import { type Axes, type Evaluated, makeAxes, type RowComputation, type Stage, type StageRead } from "../../../ir/kernel/computation.ts";
import type { Buffer, Expr, ScalarType, Stmt } from "../../../ir/kernel/kernel.ts";
import { keyOf, simplifyIndex } from "../../../ir/kernel/linear.ts";
import { substitute, substituteIn, visitExpr, visitExprs } from "../../../ir/kernel/rewrite.ts";
import { sizeOf } from "../../../ir/type.ts";
import { probe } from "../contraction/work.ts";
import { unravel } from "../elements.ts";
import { extentsOf } from "../fold.ts";

export interface Part {
  readonly stage: Stage;
  readonly type: ScalarType;
  /** Extents along the row; none where a row has one value. */
  readonly free: readonly number[];
  /** Of a fold. */
  readonly terms: readonly number[];
  /** Positions that are gone through for a row. */
  readonly length: number;
}
export function rowParts(c: RowComputation): readonly Part[] {
  const place = c.across.map((): Expr => local("row", "i32"));
  return c.stages.map((stage) => {
    const free = stage.indexAt(place).flatMap((e, a) => (e === null ? [stage.shape[a]!] : []));
    const terms = extentsOf(stage.body([]).fold?.axes ?? []);
    const type = stage.type === "u8" ? "i32" : stage.type;
    return { stage, type, free, terms, length: sizeOf(terms.length > 0 ? terms : free) };
  });
}
export const isValue = (p: Part): boolean => p.free.length === 0;

/** The index of what is at a position along the row. */
export function indexAt({ stage, free }: Part, place: readonly Expr[], position: Expr): readonly Expr[] {
  const along = unravel(position, free);
  let n = 0;
  return stage.indexAt(place).map((e) => e ?? along[n++]!);
}
/** Of an index, what stands for axes along the row. */
export function alongOf({ stage }: Part, place: readonly Expr[], index: readonly Expr[]): readonly Expr[] {
  const at = stage.indexAt(place);
  return index.filter((_, a) => at[a] === null);
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

type By = ReadonlyMap<string, Expr>;
/** What stands where a stage reads stage `m` at an index, in which `by` will replace fold axes; null: the stage is computed there. */
export type ReadOf = (m: number, index: readonly Expr[], by: By) => Expr | null;
export interface Evaluator {
  /** The term of the fold of stage n at a position. */
  readonly term: (n: number, position: Expr) => Evaluated;
  /** The value of stage n at an index. */
  readonly finish: (n: number, index: readonly Expr[], folded: Expr | null) => Evaluated;
}
export function evaluator(parts: readonly Part[], place: readonly Expr[], read: ReadOf, axes: Axes): Evaluator {
  const bodyOf = (n: number, by: By, pending: Stmt[]) =>
    parts[n]!.stage.body(
      parts.slice(0, n).map(
        (_, m): StageRead =>
          (index) => {
            const known = read(m, index, by);
            if (known) return known;
            const end = bodyOf(m, by, pending).finish(index, null, axes);
            pending.push(...end.lets);
            return end.value;
          },
      ),
    );
  const none: By = new Map();
  return {
    term: (n, position) => {
      const { stage, terms } = parts[n]!;
      const along = unravel(position, terms);
      const by = new Map(stage.body([]).fold!.axes.map((a, i): [string, Expr] => [a.name, along[i]!]));
      const pending: Stmt[] = [];
      const index = indexAt(parts[n]!, place, position);
      const { lets, value } = bodyOf(n, by, pending).fold!.term(index, axes);
      return { lets: substituteIn([...pending, ...lets], by), value: substitute(value, by) };
    },
    finish: (n, index, folded) => {
      const pending: Stmt[] = [];
      const { lets, value } = bodyOf(n, none, pending).finish(index, folded, axes);
      return { lets: [...pending, ...lets], value };
    },
  };
}
/** What stage n computes for a position: the term of its fold, else the element. */
const valueAt = (e: Evaluator, parts: readonly Part[], n: number, place: readonly Expr[], position: Expr): Evaluated =>
  parts[n]!.terms.length > 0 ? e.term(n, position) : e.finish(n, indexAt(parts[n]!, place, position), null);

/* ---- memory ---------------------------------------------------------------------------------------------------- */

/** Whether neighbours in memory are neighbours along the row, not rows. */
export function liesAlong(c: RowComputation, parts: readonly Part[]): boolean {
  const axes = makeAxes();
  const across = placeOf(c, axes);
  const row = across.findLast((p) => p.extent > 1);
  if (!row) return true;
  const place = across.map((p) => p.axis);
  const read: ReadOf = (m) => local(axes.fresh("read"), parts[m]!.type);
  const e = evaluator(parts, place, read, axes);
  let [along, beside] = [0, 0];
  parts.forEach((p, n) => {
    const extents = p.terms.length > 0 ? p.terms : p.free;
    const innermost = extents.findLast((d) => d > 1);
    if (innermost === undefined) return;
    const step = probe(axes, innermost);
    const position = at(probe(axes, p.length / innermost).axis, innermost, step.axis);
    const access = (b: Buffer, index: readonly Expr[]): void => {
      const stride = (axis: string) => strideOf(flattenIndex(b, index), axis, axes.ranges);
      if (stride(step.name) === 1) along++;
      else if (stride(step.name) !== 0 && stride(row.name) === 1) beside++;
    };
    const { lets, value } = valueAt(e, parts, n, place, position);
    const visit = (x: Expr): void => void (x.kind === "load" && access(x.buffer, x.index));
    visitExprs(lets, visit);
    visitExpr(value, visit);
    if (p.stage.output && !isValue(p)) access(p.stage.output, indexAt(p, place, position));
  });
  return along >= beside;
}
const placeOf = (c: RowComputation, axes: Axes) =>
  c.across.map((a) => ({ ...probe(axes, c.stages.at(-1)!.shape[a]!), extent: c.stages.at(-1)!.shape[a]! }));

/* ---- what stages share ----------------------------------------------------------------------------------------- */

/**
 * Where what a stage has along the row is for later ones. registers: each invocation reads what it has made itself. workgroup: in
 * its memory. output: where the stage writes it anyway. again: nowhere, it is computed where it is read. `isShared`: an invocation
 * reads what others have made.
 */
export type Way = { readonly kind: "none" | "again" | "registers" } | { readonly kind: "workgroup" | "output"; readonly isShared: boolean };
/** What a workgroup has for a kernel. */
export interface Workgroup {
  /** Rows, and invocations that share each. */
  readonly rows: number;
  readonly share: number;
  /** Words of workgroup memory. */
  readonly words: number;
}
/** Positions of a row that an invocation goes through. */
export const roundsOf = (length: number, { share }: Pick<Workgroup, "share">): number => Math.ceil(length / share);
/** So many are straight code, which keeps values in variables: together so many. */
export const mostStraight = 8;
const mostRegisters = 32;
/** Elements that are computed again for one that reads them. */
const mostAgain = 8;

/** Null where what stages share has no place, or too much would be computed again. */
export function waysOf(c: RowComputation, parts: readonly Part[], group: Workgroup): readonly Way[] | null {
  const isLong = (p: Part) => roundsOf(p.length, group) > mostStraight && p.length * group.rows > group.words;
  const again = parts.map((p) => !isValue(p) && p.stage.output === null && isLong(p));
  const reads = readsOf(c, parts, again);
  if (!reads) return null;
  let { words } = group;
  let registers = mostRegisters;
  const ways = parts.map((p, n): Way | null => {
    const { any, own, known } = reads[n]!;
    if (isValue(p) || !any) return { kind: "none" };
    if (again[n]) return known ? { kind: "again" } : null;
    const rounds = roundsOf(p.length, group);
    if (own && rounds <= Math.min(mostStraight, registers)) {
      registers -= rounds;
      return { kind: "registers" };
    }
    const size = p.length * group.rows;
    if (size > words) return p.stage.output && { kind: "output", isShared: !own };
    words -= size;
    return { kind: "workgroup", isShared: !own };
  });
  return ways.every((w) => w !== null) ? ways : null;
}

interface Reads {
  readonly any: boolean;
  /** Always at the position that the reader is at. */
  readonly own: boolean;
  /** At places that do not depend on values. */
  readonly known: boolean;
}
/** How later stages read each, by looking at unknown rows and positions; null where too much is computed again. */
function readsOf(c: RowComputation, parts: readonly Part[], again: readonly boolean[]): readonly Reads[] | null {
  const axes = makeAxes();
  const place = placeOf(c, axes).map((p) => p.axis);
  const reads = parts.map((): Reads => ({ any: false, own: true, known: true }));
  const isWorth = parts.every((p, n) => {
    if (again[n]) return true;
    const position = probe(axes, p.length).axis;
    let count = 0;
    /** `here`: the position of the reader; null where it has the row as a whole. */
    const noting =
      (here: Expr | null): ReadOf =>
      (m, index, by) => {
        const q = parts[m]!;
        const key = (e: Expr) => keyOf(simplifyIndex(substitute(e, by), axes.ranges));
        const along = alongOf(q, place, index);
        const own = here !== null && q.length === p.length && unravel(here, q.free).every((e, i) => key(e) === key(along[i]!));
        reads[m] = { any: true, own: reads[m]!.own && own, known: reads[m]!.known && along.every((e) => isKnown(e, axes, by)) };
        if (again[m]) count++;
        return again[m] ? null : local(axes.fresh("read"), q.type);
      };
    const e = (here: Expr | null) => evaluator(parts, place, noting(here), axes);
    valueAt(e(position), parts, n, place, position);
    if (p.terms.length > 0) e(null).finish(n, indexAt(p, place, i32(0)), local(axes.fresh("folded"), p.type));
    return count <= mostAgain;
  });
  return isWorth ? reads : null;
}
/** Axes alone decide what it is. */
function isKnown(e: Expr, axes: Axes, by: By): boolean {
  let known = true;
  visitExpr(e, (x) => {
    known &&= x.kind !== "load" && (x.kind !== "var" || axes.ranges.has(x.name) || by.has(x.name));
  });
  return known;
}
