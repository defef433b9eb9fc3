/**
 * Folds on a GPU: invocations of a workgroup share the terms of one, each takes every n-th and they meet in workgroup memory,
 * always in the same order. Where terms are neighbours in memory a workgroup has one element or few, else as many
 * neighbouring elements as make a load of a whole line. Where there are few elements of very many terms, several workgroups have
 * a part of the terms each, and a second pass joins the parts in order.
 */

import { flattenIndex, strideOf } from "../../../ir/kernel/address.ts";
import { add, allOf, at, buffer, div, i32, load, lt, min, mod, mul, store, when } from "../../../ir/kernel/build.ts";
import type { Axes, Computation } from "../../../ir/kernel/computation.ts";
import { type Buffer, type Expr, type Stmt, typeOf } from "../../../ir/kernel/kernel.ts";
import { bounds, linear } from "../../../ir/kernel/linear.ts";
import { mentions, visitExpr, visitExprs } from "../../../ir/kernel/rewrite.ts";
import { type Limits, wordBytes } from "../../../ir/limits.ts";
import { sizeOf } from "../../../ir/type.ts";
import { named, positionOf, type Running, running } from "../accumulate.ts";
import { probe } from "../contraction/work.ts";
import { logicalIndex, orZero, physicalExtents, unravel } from "../elements.ts";
import { extentsOf, type Fold, termAt, variables } from "../fold.ts";
import { overPositions } from "./elements.ts";
import { meet } from "./meet.ts";
import { lineElements, mostInvocations, powerOfTwo, workgroup } from "./shape.ts";

/** Shorter folds go by one invocation, as do those of so many elements that lie side by side. */
const shortest = 32;
const manyElements = 2 ** 15;
/** Terms that each invocation should have. */
const fewestTerms = 4;

/** How a workgroup is divided: elements, and invocations that share each. */
interface Division {
  readonly elements: number;
  readonly share: number;
  /** Neighbouring invocations have neighbouring terms, not neighbouring elements. */
  readonly alongTerms: boolean;
}

/** The loops, or null where one invocation for each element is as good. `own` receives memory that they need. */
export function sharedFold(c: Computation, axes: Axes, own: Buffer[], limits: Limits): readonly Stmt[] | null {
  const { fold, output } = c;
  const terms = fold ? sizeOf(extentsOf(fold.axes)) : 0;
  if (!fold || terms < shortest) return null;
  const count = sizeOf(physicalExtents(output));
  const alongTerms = readsAlong(c, fold, axes);
  if (!alongTerms && count >= manyElements) return null;
  const r = running(fold.op, typeOf(termAt(fold, output.shape.map(zero), fold.axes.map(zero), axes).value));
  const memory = Math.floor(limits.maxComputeWorkgroupStorageSize / (wordBytes * r.parts.length));
  const most = Math.min(mostInvocations(limits), memory);
  if (most < 2) return null;
  const d = alongTerms ? byTerms(terms, most) : byElements(count, terms, most);
  const s: Shared = { c, fold, r, d, terms, count, axes, own };
  // Inputs, the result, and parts of sums are bound.
  const mayPart = r.parts.length === 1 && r.parts[0]!.type !== "bool" && c.inputs.length + 2 <= limits.maxStorageBuffersPerShaderStage;
  const parts = mayPart ? partsOfFold(s) : 1;
  return parts > 1 ? inParts(s, parts) : [whole(s)];
}
const zero = () => i32(0);
interface Shared {
  readonly c: Computation;
  readonly fold: Fold;
  readonly r: Running;
  readonly d: Division;
  readonly terms: number;
  /** Places of the result. */
  readonly count: number;
  readonly axes: Axes;
  readonly own: Buffer[];
}
/** What an invocation of a part should go through, and most parts. */
const roundsOfPart = 64;
const mostParts = 16;
/** In how many parts, side by side, workgroups share a fold. */
function partsOfFold({ d, terms, count }: Shared): number {
  const rounds = Math.ceil(terms / d.share);
  const invocations = Math.ceil(count / d.elements) * d.elements * d.share;
  const wanted = Math.min(Math.ceil(manyElements / invocations), Math.floor(rounds / roundsOfPart), mostParts);
  return wanted > 1 ? Math.ceil(rounds / Math.ceil(rounds / wanted)) : 1;
}

/** Every fold by one workgroup. */
const whole = (s: Shared): Stmt =>
  overSharedElements(s, (index, place, isOne) => {
    let before: readonly Stmt[] = [];
    const v = orZero(s.c.output, index, s.axes, (i) => {
      const folded = shared(s, i, place, i32(0), Math.ceil(s.terms / s.d.share));
      before = folded.body;
      return s.c.finish(i, s.r.result(folded.now), s.axes);
    });
    return [...before, when(isOne, [...v.lets, store(s.c.output, index, v.value)])];
  });
/** Workgroups leave what parts come to in memory, and invocations join that, part by part. */
function inParts(s: Shared, parts: number): readonly Stmt[] {
  const { c, r, axes, count } = s;
  const memory = buffer(axes.fresh("parts"), "global", [parts, count], null, r.parts[0]!.type);
  s.own.push(memory);
  const rounds = Math.ceil(Math.ceil(s.terms / s.d.share) / parts);
  const first = axes.loop("grid", "part", parts, (part) => [
    overSharedElements(s, (index, place, isOne) => {
      let body: readonly Stmt[] = [];
      orZero(c.output, index, axes, (i) => {
        const folded = shared(s, i, place, mul(part, i32(rounds)), rounds);
        body = [...folded.body, when(isOne, [store(memory, [part, place.position], folded.now[0]!)])];
        return { lets: [], value: i32(0) };
      });
      return body;
    }),
  ]);
  const second = overPositions(count, axes, (position) => {
    const all = variables(r, axes, [load(memory, i32(0), position)]);
    const join = axes.loop("serial", "part", parts - 1, (n) => all.set(r.join(all.now, [load(memory, add(n, i32(1)), position)])));
    const index = logicalIndex(c.output, unravel(position, physicalExtents(c.output)));
    const v = orZero(c.output, index, axes, (i) => c.finish(i, r.result(all.now), axes));
    return [...all.begin, join, ...v.lets, store(c.output, index, v.value)];
  });
  return [first, second];
}

/** Where an invocation is: which element of the workgroup, which of those that share it, and the place in the result. */
interface Place {
  readonly element: Expr;
  readonly slice: Expr;
  readonly position: Expr;
}
/** `isOne`: of the invocations that share an element the one that writes it. */
function overSharedElements(
  { c, d, count, axes }: Shared,
  body: (index: readonly Expr[], place: Place, isOne: Expr) => readonly Stmt[],
): Stmt {
  const extents = physicalExtents(c.output);
  return axes.loop("grid", "group", Math.ceil(count / d.elements), (g) => [
    axes.loop("thread", "invocation", d.elements * d.share, (t) => {
      const [element, slice] = d.alongTerms
        ? [div(t, i32(d.share)), mod(t, i32(d.share))]
        : [mod(t, i32(d.elements)), div(t, i32(d.elements))];
      const position = at(g, d.elements, element);
      const isRagged = count % d.elements !== 0;
      const index = logicalIndex(c.output, unravel(isRagged ? min(position, i32(count - 1)) : position, extents));
      const isOne = allOf([lt(slice, i32(1)), ...(isRagged ? [lt(position, i32(count))] : [])]);
      return body(index, { element, slice, position }, isOne);
    }),
  ]);
}
function byTerms(terms: number, most: number): Division {
  const share = powerOfTwo(terms / fewestTerms, most);
  return { elements: Math.max(1, powerOfTwo(workgroup, most) / share), share, alongTerms: true };
}
function byElements(count: number, terms: number, most: number): Division {
  const elements = powerOfTwo(count, Math.min(lineElements, most));
  return { elements, share: powerOfTwo(terms / fewestTerms, most / elements), alongTerms: false };
}

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

/** The fold at an index, from round `first` on: statements for all invocations, and the state that all have then. */
function shared({ fold, r, d, terms, axes, own }: Shared, index: readonly Expr[], { element, slice }: Place, first: Expr, rounds: number) {
  const extents = extentsOf(fold.axes);
  const state = variables(r, axes);
  const loop = axes.loop("serial", "n", rounds, (n) => {
    const place = at(add(first, n), d.share, slice);
    const folded = unravel(place, extents);
    const t = termAt(fold, index, folded, axes);
    const v = named(r, t.value, axes);
    const step = [...t.lets, ...v.lets, ...state.set(r.step(state.now, v.value, () => positionOf(folded, extents)))];
    const [, most] = bounds(linear(place, axes.ranges), axes.ranges);
    return most < terms ? step : [when(lt(place, i32(terms)), step)];
  });
  const memory = r.parts.map((p) => buffer(axes.fresh("met"), "workgroup", [d.share, d.elements], null, p.type));
  own.push(...memory);
  const place = (i: Expr) => [i, element];
  const met = meet({ r, now: state.now, memory, place, slice, share: d.share, alone: d.elements === 1, axes });
  return { body: [...state.begin, loop, ...met.body], now: met.now };
}
