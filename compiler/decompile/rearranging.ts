/** The same elements otherwise arranged, as terms. Of a permutation, axis i of the result is axis axes[i] of what is permuted. */
import { type Shape, sameShape } from "../../ir/type.ts";
import { type Call, call, int, ints, type Term } from "./sketch.ts";

/** `permute`, or `transpose` where two axes are swapped. */
export function permuteTerm(x: Term, axes: readonly number[]): Call {
  const moved = axes.flatMap((a, i) => (a === i ? [] : [i]));
  const [p, q] = moved;
  if (moved.length !== 2) return call("permute", [x, ints(axes)]);
  return p === axes.length - 2 && q === axes.length - 1 ? call("transpose", [x]) : call("transpose", [x, int(p!), int(q!)]);
}
/** The axes of a term that permutes a tensor of `rank` axes; null: it is no such term. */
export function axesOf(t: Term | undefined, rank: number): readonly number[] | null {
  if (t?.kind !== "call" || (t.callee !== "permute" && t.callee !== "transpose")) return null;
  const [, first, second] = t.args;
  const all = Array.from({ length: rank }, (_, i) => i);
  if (first?.kind === "list") return first.items.flatMap((i) => (i.kind === "int" ? [i.value] : []));
  const swapped =
    first === undefined ? [rank - 2, rank - 1] : first.kind === "int" && second?.kind === "int" ? [first.value, second.value] : null;
  return swapped && all.map((a) => (a === swapped[0] ? swapped[1]! : a === swapped[1] ? swapped[0]! : a));
}
export const isIdentity = (axes: readonly number[]): boolean => axes.every((a, i) => a === i);

/** In the word that fits: `flatten`, `squeeze`, `unsqueeze`, `reshape`. */
export function reshapeTerm(x: Term, from: Shape, to: Shape): Call {
  if (to.length === from.length + 1) {
    const axis = to.findIndex((d, a) => d === 1 && sameShape(to.toSpliced(a, 1), from));
    if (axis >= 0) return call("unsqueeze", [x, int(axis)]);
  }
  const gone = from.flatMap((d, a) => (d === 1 ? [a] : []));
  if (
    gone.length > 0 &&
    sameShape(
      from.filter((d) => d !== 1),
      to,
    )
  )
    return call("squeeze", [x], { axis: gone.length === 1 ? int(gone[0]!) : ints(gone) });
  const single = from.findIndex((d, a) => d === 1 && sameShape(from.toSpliced(a, 1), to));
  if (single >= 0) return call("squeeze", [x], { axis: int(single) });
  const kept = to.length - 1;
  if (kept >= 0 && kept < from.length && sameShape(from.slice(0, kept), to.slice(0, kept))) {
    return kept === 1 ? call("flatten", [x]) : call("flatten", [x], { from: int(kept) });
  }
  return call("reshape", [x, ints(to)]);
}
