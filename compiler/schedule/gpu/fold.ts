/**
 * Folds on a GPU: invocations of a workgroup share the terms of one, each takes every n-th and they meet in workgroup memory,
 * always in the same order. Where terms are neighbours in memory a workgroup has one element or few, else as many
 * neighbouring elements as make a load of a whole line.
 */

import { flattenIndex, strideOf } from "../../../ir/kernel/address.ts";
import { allOf, at, buffer, div, i32, lt, min, mod, store, when } from "../../../ir/kernel/build.ts";
import type { Axes, Computation } from "../../../ir/kernel/computation.ts";
import { type Buffer, type Expr, type Stmt, typeOf } from "../../../ir/kernel/kernel.ts";
import { mentions, visitExpr, visitExprs } from "../../../ir/kernel/rewrite.ts";
import type { Limits } from "../../../ir/limits.ts";
import { named, positionOf, running } from "../accumulate.ts";
import { probe, sizeOf } from "../contraction/work.ts";
import { logicalIndex, orZero, physicalExtents, unravel } from "../elements.ts";
import { extentsOf, type Fold, termAt, variables } from "../fold.ts";
import { meet } from "./meet.ts";
import { workgroup } from "./shape.ts";

/** Shorter folds go by one invocation, as do those of so many elements that lie side by side. */
const shortest = 32;
const manyElements = 2 ** 15;
/** Most invocations of a workgroup, where the device has as many, and terms that each should have. */
const mostInvocations = 256;
const fewestTerms = 4;
/** Neighbouring elements that are read as one line. */
const line = 16;

/** How a workgroup is divided: elements, and invocations that share each. */
interface Division {
  readonly elements: number;
  readonly share: number;
  /** Neighbouring invocations have neighbouring terms, not neighbouring elements. */
  readonly alongTerms: boolean;
}

/** The loops, or null where one invocation for each element is as good. `own` receives workgroup memory. */
export function sharedFold(c: Computation, axes: Axes, own: Buffer[], limits: Limits): Stmt | null {
  const { fold, output } = c;
  const terms = fold ? sizeOf(extentsOf(fold.axes)) : 0;
  if (!fold || terms < shortest) return null;
  const extents = physicalExtents(output);
  const count = sizeOf(extents);
  const alongTerms = readsAlong(c, fold, axes);
  if (!alongTerms && count >= manyElements) return null;
  const most = Math.min(mostInvocations, limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX);
  const d = alongTerms ? byTerms(terms, most) : byElements(count, terms, most);
  return axes.loop("grid", "group", Math.ceil(count / d.elements), (g) => [
    axes.loop("thread", "invocation", d.elements * d.share, (t) => {
      const [element, slice] = d.alongTerms
        ? [div(t, i32(d.share)), mod(t, i32(d.share))]
        : [mod(t, i32(d.elements)), div(t, i32(d.elements))];
      const position = at(g, d.elements, element);
      const isRagged = count % d.elements !== 0;
      const index = logicalIndex(output, unravel(isRagged ? min(position, i32(count - 1)) : position, extents));
      let before: readonly Stmt[] = [];
      const v = orZero(output, index, axes, (i) => {
        const folded = shared(fold, i, d, element, slice, axes, own);
        before = folded.body;
        return c.finish(i, folded.value, axes);
      });
      const conditions = [lt(slice, i32(1)), ...(isRagged ? [lt(position, i32(count))] : [])];
      return [...before, when(allOf(conditions), [...v.lets, store(output, index, v.value)])];
    }),
  ]);
}
function byTerms(terms: number, most: number): Division {
  const share = powerOfTwo(terms / fewestTerms, most);
  return { elements: Math.max(1, workgroup / share), share, alongTerms: true };
}
function byElements(count: number, terms: number, most: number): Division {
  const elements = powerOfTwo(count, line);
  return { elements, share: powerOfTwo(terms / fewestTerms, most / elements), alongTerms: false };
}
/** The largest power of two up to both. */
const powerOfTwo = (n: number, most: number): number => 2 ** Math.floor(Math.log2(Math.min(n, most)));

/** Whether terms are neighbours in memory: those that differ between elements, if there are such. */
function readsAlong({ output }: Computation, fold: Fold, axes: Axes): boolean {
  const physical = physicalExtents(output).map((n) => probe(axes, n));
  const places = extentsOf(fold.axes).map((n) => probe(axes, n));
  const index = logicalIndex(
    output,
    physical.map((p) => p.axis),
  );
  const { lets, value } = termAt(
    fold,
    index,
    places.map((p) => p.axis),
    axes,
  );
  const element = physical.at(-1)?.name;
  const term = places.findLast((_, i) => fold.axes[i]!.extent > 1)?.name ?? "";
  const loads: Extract<Expr, { kind: "load" }>[] = [];
  const collect = (e: Expr): void => {
    if (e.kind === "load" && mentions(e, term)) loads.push(e);
  };
  visitExprs(lets, collect);
  visitExpr(value, collect);
  const own = loads.filter((e) => element !== undefined && mentions(e, element));
  return (own.length > 0 ? own : loads).some((e) => strideOf(flattenIndex(e.buffer, e.index), term, axes.ranges) === 1);
}

/** The fold at an index: statements for all invocations, and its value, which the first slice may read. */
function shared(f: Fold, index: readonly Expr[], d: Division, element: Expr, slice: Expr, axes: Axes, own: Buffer[]) {
  const extents = extentsOf(f.axes);
  const terms = sizeOf(extents);
  const r = running(
    f.op,
    typeOf(
      termAt(
        f,
        index,
        f.axes.map(() => i32(0)),
        axes,
      ).value,
    ),
  );
  const state = variables(r, axes);
  const loop = axes.loop("serial", "n", Math.ceil(terms / d.share), (n) => {
    const place = at(n, d.share, slice);
    const folded = unravel(place, extents);
    const t = termAt(f, index, folded, axes);
    const v = named(r, t.value, axes);
    const step = [...t.lets, ...v.lets, ...state.set(r.step(state.now, v.value, () => positionOf(folded, extents)))];
    return terms % d.share === 0 ? step : [when(lt(place, i32(terms)), step)];
  });
  const memory = r.parts.map((p) => buffer(axes.fresh("met"), "workgroup", [d.share, d.elements], null, p.type));
  own.push(...memory);
  const met = meet(r, state.now, memory, { slice, share: d.share, place: (i) => [i, element] }, axes);
  return { body: [...state.begin, loop, ...met.body], value: r.result(met.now) };
}
