/**
 * Where elements go when a tensor is reshaped and permuted again and again: each axis of the result is made of pieces of axes
 * of the source.
 *
 *     x[7, 10, 32] |> reshape([7, 10, 4, 8]) |> permute([0, 2, 1, 3]) |> reshape([28, 10, 8])      is  [0 2a][1][2b]
 */
import type { Shape } from "../../../ir/type.ts";
import type { Bound, Call, Index, Step } from "../sketch.ts";
import { type Pen, permuted, viewed } from "./rewrite.ts";

/** A piece of axis `axis`: `size` steps, each over `inner` elements of it. */
export interface Piece {
  readonly axis: number;
  readonly inner: number;
  readonly size: number;
}
export interface Arrangement {
  readonly source: string;
  /** Pieces of extent 1 are left out. */
  readonly axes: readonly (readonly Piece[])[];
  /** Where along each axis of the source it begins. */
  readonly offsets: readonly number[];
}

export const whole = (axis: number, size: number, inner = 1): readonly Piece[] => (size === 1 ? [] : [{ axis, inner, size }]);

/** How a value is arranged out of the first one behind it that is not a rearranged part of another. */
export function arrangementOf(name: string, pen: Pen): Arrangement | null {
  const type = pen.typeOf(name);
  if (!type) return null;
  const step = pen.maker(name);
  const turned = permuted(step, pen);
  const cut = turned ? null : cutOut(name, step, pen);
  const inner = turned?.source ?? viewed(step) ?? cut?.source ?? null;
  const before = inner === null ? null : arrangementOf(inner, pen);
  if (inner === null || !before)
    return { source: name, axes: type.shape.map((size, axis) => whole(axis, size)), offsets: type.shape.map(() => 0) };
  if (cut) return partOf(before, cut.parts);
  const axes = turned ? turned.axes.map((a) => before.axes[a]!) : regrouped(before.axes.flat(), type.shape);
  return axes && { ...before, axes };
}

/* ---- parts ------------------------------------------------------------------------------------------------------- */

/** A range along an axis, or one place, which takes the axis away; null: all of it. */
type Cut = { readonly from: number; readonly size: number; readonly stays: boolean } | null;
interface CutOut {
  readonly source: string;
  readonly parts: readonly Cut[];
}
/** What a step cuts out with `x[...]` or `split`; null: it does something else. */
function cutOut(name: string, step: Step | null, pen: Pen): CutOut | null {
  const t = step?.term;
  const [x] = t?.kind === "index" ? [t.value] : t?.kind === "call" && t.callee === "split" ? t.args : [];
  const shape = x?.kind === "value" ? pen.typeOf(x.name)?.shape : undefined;
  if (!step || x?.kind !== "value" || !shape) return null;
  if (t?.kind === "index") {
    const parts = shape.map((extent, a) => indexed(t.items[a] ?? { kind: "all" }, extent));
    return parts.every((p) => p !== undefined) ? { source: x.name, parts } : null;
  }
  const part = t?.kind === "call" ? splitPart(t, step.results.indexOf(name), step.results.length, shape) : null;
  return part && { source: x.name, parts: shape.map((_, a) => (a === part.axis ? part.cut : null)) };
}
/** undefined: no part of an axis. */
function indexed(i: Index, extent: number): Cut | undefined {
  if (i.kind === "all") return null;
  if (i.kind === "int") return i.value >= 0 ? { from: i.value, size: 1, stays: false } : undefined;
  if (i.kind !== "slice" || i.step !== 1) return undefined;
  const at = (b: Bound, usual: number): number => (b === null ? usual : b.kind === "int" && b.value >= 0 ? b.value : Number.NaN);
  const [from, to] = [at(i.from, 0), at(i.to, extent)];
  return from < to && to <= extent ? { from, size: to - from, stays: true } : undefined;
}
/** Of a tensor in equal parts. */
function splitPart({ args, named }: Call, part: number, count: number, shape: Shape): { readonly axis: number; readonly cut: Cut } | null {
  const given = named.axis;
  const axis = given === undefined ? 0 : given.kind === "int" ? (given.value + shape.length) % shape.length : null;
  if (args[1]?.kind !== "int" || args[1].value !== count || axis === null) return null;
  const size = shape[axis]! / count;
  return { axis, cut: { from: part * size, size, stays: true } };
}
/** null: a cut goes through several pieces. */
function partOf({ source, axes, offsets }: Arrangement, parts: readonly Cut[]): Arrangement | null {
  const begins = [...offsets];
  const kept: (readonly Piece[])[] = [];
  for (const [a, cut] of parts.entries()) {
    const [piece, ...more] = axes[a]!;
    if (cut && piece) {
      if (more.length > 0) return null;
      begins[piece.axis]! += cut.from * piece.inner;
    }
    if (!cut) kept.push(axes[a]!);
    else if (cut.stays) kept.push(piece ? whole(piece.axis, cut.size, piece.inner) : []);
  }
  return { source, axes: kept, offsets: begins };
}

/* ---- pieces ------------------------------------------------------------------------------------------------------ */

/** Pieces in this order as axes of these extents; null: an extent cuts a piece where it cannot be cut. */
export function regrouped(pieces: readonly Piece[], shape: Shape): readonly (readonly Piece[])[] | null {
  const rest = [...pieces];
  const axes: Piece[][] = [];
  for (const extent of shape) {
    const axis: Piece[] = [];
    let open = extent;
    while (open > 1) {
      const piece = rest.shift();
      if (!piece) return null;
      if (open % piece.size === 0) {
        axis.push(piece);
        open /= piece.size;
        continue;
      }
      if (piece.size % open !== 0) return null;
      const left = piece.size / open;
      axis.push({ ...piece, size: open, inner: piece.inner * left });
      rest.unshift({ ...piece, size: left });
      open = 1;
    }
    axes.push(axis);
  }
  return rest.length === 0 ? axes : null;
}
/** Two ways to say how something is arranged say the same. */
export const sameAxes = (a: Arrangement["axes"], b: Arrangement["axes"]): boolean =>
  a.length === b.length && a.every((pieces, i) => JSON.stringify(merged(pieces)) === JSON.stringify(merged(b[i]!)));
/** Pieces that follow each other in one axis are one. */
function merged(pieces: readonly Piece[]): readonly Piece[] {
  const out: Piece[] = [];
  for (const { axis, inner, size } of pieces) {
    const last = out.at(-1);
    if (last && last.axis === axis && last.inner === inner * size) out[out.length - 1] = { axis, inner, size: last.size * size };
    else out.push({ axis, inner, size });
  }
  return out;
}
