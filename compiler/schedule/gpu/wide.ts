/**
 * Every element by itself on a GPU, four neighbours in memory at once:
 *
 *     grid g, thread t { vector j in 4 { y[p * 4 + j] = x[p * 4 + j] + b[j] } }       p = g * 64 + t
 *
 * Folds of few terms go by two or four places at once, one behind the other in memory, which share what their terms have in
 * common: the weights of a convolution of single channels.
 */

import { at, i32, store } from "../../../ir/kernel/build.ts";
import type { Axes, Computation, Evaluated } from "../../../ir/kernel/computation.ts";
import { type Buffer, type Expr, type Stmt, typeOf } from "../../../ir/kernel/kernel.ts";
import { visitStmts } from "../../../ir/kernel/rewrite.ts";
import { sizeOf } from "../../../ir/type.ts";
import { named, positionOf, running } from "../accumulate.ts";
import { logicalIndex, orZero, physicalExtents, unravel } from "../elements.ts";
import { axisOf, extentsOf, type Fold, type Folded, foldSerially, nest, resultOf, termAt, variables } from "../fold.ts";
import { trial } from "../trial.ts";
import { canVectorize } from "../vectorize.ts";
import { overPositions } from "./elements.ts";

/** Longer folds are summed up level by level, element by element. */
const fewTerms = 64;
/** Invocations that keep a GPU busy where each has several elements under way: places at once may not leave fewer. */
const enoughInvocations = 2 ** 13;

/** Fours of memory. */
interface Fours {
  readonly extents: readonly number[];
  /** The logical indices of lane `lane` of the places at `place`. */
  readonly indicesAt: (place: readonly Expr[], lane: Expr) => readonly (readonly Expr[])[];
}

/** Null where memory does not go by fours, or what is computed does not. */
export function wide(c: Computation, axes: Axes): Stmt | null {
  const fours = foursOf(c);
  if (!fours) return null;
  const isLegal = (own: Axes): boolean => {
    let legal = true;
    visitStmts([loops(c, fours, own)], (s) => {
      if (s.kind === "for" && s.loop === "vector") legal = canVectorize(s.body, s.axis, own.ranges);
    });
    return legal;
  };
  return isLegal(trial(axes)) ? loops(c, fours, axes) : null;
}
const loops = (c: Computation, { extents, indicesAt }: Fours, axes: Axes): Stmt =>
  overPositions(sizeOf(extents), axes, (position) => {
    const place = unravel(position, extents);
    return [axes.loop("vector", "lane", 4, (lane) => elements(c, indicesAt(place, lane), axes))];
  });

/* ---- memory ---------------------------------------------------------------------------------------------------- */

function foursOf(c: Computation): Fours | null {
  const b = c.output;
  const extents = physicalExtents(b);
  const [inner = 1, across = 1] = extents.toReversed();
  if (inner % 4 === 0) {
    const places = placesAtOnce(c, across, sizeOf(extents) / 4);
    const outer = extents.slice(0, -1);
    return {
      extents: [...(outer.length > 0 ? outer.with(-1, across / places) : outer), inner / 4],
      indicesAt: (place, lane) =>
        Array.from({ length: places }, (_, n) => {
          const before = place.slice(0, -1);
          const here = before.length > 0 ? before.with(-1, at(before.at(-1)!, places, n)) : before;
          return logicalIndex(b, [...here, at(place.at(-1)!, 4, lane)]);
        }),
    };
  }
  const count = sizeOf(extents);
  if (count % 4 !== 0) return null;
  return { extents: [count / 4], indicesAt: ([place], lane) => [logicalIndex(b, unravel(at(place!, 4, lane), extents))] };
}
function placesAtOnce({ fold }: Computation, extent: number, invocations: number): number {
  if (!fold || sizeOf(extentsOf(fold.axes)) > fewTerms) return 1;
  return [4, 2].find((n) => extent % n === 0 && invocations / n >= enoughInvocations) ?? 1;
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

/** The elements at some indices, which are written when all are known. */
function elements(c: Computation, indices: readonly (readonly Expr[])[], axes: Axes): readonly Stmt[] {
  const folded =
    c.fold &&
    foldTogether(
      c.fold,
      indices.map((index) => insideOf(c.output, index, axes)),
      axes,
    );
  const values = indices.map((index, n): Evaluated => orZero(c.output, index, axes, (i) => c.finish(i, folded?.values[n] ?? null, axes)));
  return [
    ...(folded?.body ?? []),
    ...values.flatMap((v) => v.lets),
    ...indices.map((index, n) => store(c.output, index, values[n]!.value)),
  ];
}
/** The index at which there is a value to compute. */
function insideOf(b: Buffer, index: readonly Expr[], axes: Axes): readonly Expr[] {
  let inside = index;
  orZero(b, index, axes, (i) => {
    inside = i;
    return { lets: [], value: i32(0) };
  });
  return inside;
}
/** Folds at several indices, term by term. */
function foldTogether(
  f: Fold,
  indices: readonly (readonly Expr[])[],
  axes: Axes,
): { readonly body: readonly Stmt[]; readonly values: readonly Expr[] } {
  if (indices.length === 1) {
    const { body, value } = foldSerially(f, indices[0]!, axes);
    return { body, values: [value] };
  }
  const own = f.axes.map((a) => ({ name: axes.fresh(a.name), extent: a.extent }));
  for (const a of own) axes.declare(a);
  const folded = own.map(axisOf);
  const terms = indices.map((index) => termAt(f, index, folded, axes));
  const r = running(f.op, typeOf(terms[0]!.value));
  const states = terms.map(() => variables(r, axes));
  const steps = terms.flatMap((t, n) => {
    const v = named(r, t.value, axes);
    return [...t.lets, ...v.lets, ...states[n]!.set(r.step(states[n]!.now, v.value, () => positionOf(folded, extentsOf(f.axes))))];
  });
  const ends = states.map((s): Folded => resultOf(r, s.now, [], axes));
  return {
    body: [...states.flatMap((s) => s.begin), ...nest(own, steps), ...ends.flatMap((e) => e.body)],
    values: ends.map((e) => e.value),
  };
}
