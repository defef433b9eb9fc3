/** Operators that rearrange elements, and those that ask for shapes. */
import { broadcastShapes, sizeOf } from "../../../../ir/type.ts";
import { binary, call, float, int, ints, list, type Term, text, value } from "../../../decompile/sketch.ts";
import {
  axesIn,
  axisIn,
  type Context,
  emit,
  emitAll,
  extentsOf,
  floatOperand,
  intsEither,
  intsOperand,
  isKnown,
  type Operators,
  operand,
  operator,
  type Rule,
} from "../context.ts";
import { broadcast, converted, live, type Part, permuted, range, reshaped, shortest, sliced, tensorTerm, wholeOf } from "../terms.ts";
import { concatKnown, known, knownInts, type Live, misfit, type Operand, pickedAlong, typeNumbered, unsupported } from "../values.ts";

const shape: Rule = (c) => {
  const { shape: all } = operand(c, 0);
  const rank = all.length;
  const clip = (i: number) => Math.max(0, Math.min(rank, i < 0 ? i + rank : i));
  return knownInts(all.slice(clip(c.attributes.int("start", 0)), clip(c.attributes.int("end", rank))));
};

const reshape: Rule = (c) => {
  const x = operand(c, 0);
  const wanted = intsEither(c, "shape", 1, 5) ?? misfit("its shape is missing");
  return reshaped(c, x, extentsOf(x.shape, wanted, c.attributes.int("allowzero", 0) === 1));
};
const flatten: Rule = (c) => {
  const x = operand(c, 0);
  const rank = x.shape.length;
  const axis = c.attributes.int("axis", 1);
  const at = axis < 0 ? axis + rank : axis;
  return reshaped(c, x, [sizeOf(x.shape.slice(0, at)), sizeOf(x.shape.slice(at))]);
};
const squeeze: Rule = (c) => {
  const x = operand(c, 0);
  const axes = intsEither(c, "axes", 1, 13);
  const gone = new Set(axes?.length ? axesIn(axes, x.shape.length) : x.shape.flatMap((d, a) => (d === 1 ? [a] : [])));
  if ([...gone].some((a) => x.shape[a] !== 1)) return misfit(`axes [${[...gone].join(", ")}] of [${x.shape.join(", ")}] are not all 1`);
  return reshaped(
    c,
    x,
    x.shape.filter((_, a) => !gone.has(a)),
  );
};
const unsqueeze: Rule = (c) => {
  const x = operand(c, 0);
  const axes = intsEither(c, "axes", 1, 13) ?? misfit("its axes are missing");
  const rank = x.shape.length + axes.length;
  const fresh = new Set(axesIn(axes, rank));
  let next = 0;
  return reshaped(
    c,
    x,
    range(rank).map((a) => (fresh.has(a) ? 1 : x.shape[next++]!)),
  );
};
const transpose: Rule = (c) => {
  const x = operand(c, 0);
  const axes = axesIn(c.attributes.ints("perm") ?? range(x.shape.length).reverse(), x.shape.length);
  // a table that other nodes read too is kept once
  return permuted(c, !c.folding && isKnown(x) && c.shared(x) ? live(c, x) : x, axes);
};

const concat: Rule = (c) => {
  const all = c.inputs.flatMap((o) => o ?? []);
  const xs = all.filter((o) => sizeOf(o.shape) > 0);
  const [first] = xs;
  if (!first) return all[0] ?? misfit("it has no operands");
  const axis = axisIn(c.attributes.int("axis", 1), first.shape.length);
  if (xs.length === 1) return first;
  if (xs.every(isKnown)) return concatKnown(xs, axis);
  return emit(c, call("concat", [list(xs.map((x) => tensorTerm(c, x)))], axis === 0 ? {} : { axis: int(axis) }));
};

/** Sizes are an attribute or operand; without them, equal parts, the last of which may be smaller. */
const split: Rule = (c) => {
  const x = live(c, operand(c, 0));
  const axis = axisIn(c.attributes.int("axis", 0), x.shape.length);
  const extent = x.shape[axis]!;
  const given = intsEither(c, "split", 1, 13);
  const count = c.attributes.int("num_outputs", c.node.outputs.length);
  const part = Math.ceil(extent / count);
  const sizes = given ?? range(count).map((i) => Math.min(part, extent - i * part));
  if (sizes.reduce((n, s) => n + s, 0) !== extent) return misfit(`the sizes [${sizes.join(", ")}] are not those of parts of ${extent}`);
  if (sizes.some((s) => s < 1)) return unsupported(`a part of the sizes [${sizes.join(", ")}] is empty`);
  if (sizes.length === 1) return [x];
  const equal = sizes.every((s) => s === sizes[0]);
  return emitAll(
    c,
    call("split", [value(x.name), equal ? int(sizes.length) : ints(sizes)], axis === 0 ? {} : { axis: int(axis) }),
    sizes.length,
  );
};

interface Cut {
  readonly axis: number;
  readonly from: number;
  readonly to: number;
  readonly step: number;
}
/** One axis of a Slice, clipped; the step may be negative. */
function cutOf(extent: number, axis: number, start: number, end: number, step: number): Cut {
  const whole = (i: number) => (i < 0 ? i + extent : i);
  const clip = (i: number, least: number, most: number) => Math.max(least, Math.min(most, i));
  if (step === 0) return misfit("a step is 0");
  if (step > 0) return { axis, from: clip(whole(start), 0, extent), to: clip(whole(end), 0, extent), step };
  return { axis, from: clip(whole(start), 0, extent - 1), to: clip(whole(end), -1, extent - 1), step };
}
const countOf = ({ from, to, step }: Cut): number => Math.max(0, Math.ceil((to - from) / step));

const slice: Rule = (c) => {
  const x = operand(c, 0);
  const starts = intsEither(c, "starts", 1, 10) ?? misfit("its starts are missing");
  const ends = intsEither(c, "ends", 2, 10) ?? misfit("its ends are missing");
  const axes = axesIn(intsEither(c, "axes", 3, 10) ?? range(starts.length), x.shape.length);
  const steps = c.opset < 10 ? null : intsOperand(c, 4, "its steps");
  const cuts = axes.map((axis, i) => cutOf(x.shape[axis]!, axis, starts[i]!, ends[i]!, steps?.[i] ?? 1));
  if (!isKnown(x)) return slicedLive(c, x, cuts);
  return cuts.reduce(
    (y, cut) =>
      pickedAlong(
        y,
        cut.axis,
        range(countOf(cut)).map((i) => cut.from + i * cut.step),
      ),
    x,
  );
};
/** A step backwards is a step forwards through the flipped axis. */
function slicedLive(c: Context, x: Live, cuts: readonly Cut[]): Live {
  if (cuts.some((cut) => countOf(cut) === 0)) return unsupported("its result has no elements");
  const back = cuts.filter((cut) => cut.step < 0 && countOf(cut) > 1).map((cut) => cut.axis);
  const of = back.length ? emit(c, call("flip", [value(x.name), back.length === 1 ? int(back[0]!) : ints(back)])) : x;
  const parts: Part[] = [...wholeOf(x.shape)];
  for (const { axis, from, to, step } of cuts) {
    const extent = x.shape[axis]!;
    if (back.includes(axis)) parts[axis] = { from: extent - 1 - from, to: extent - 1 - to, step: -step };
    else parts[axis] = step < 0 ? { from, to: from + 1, step: 1 } : { from, to, step };
  }
  return sliced(c, of, parts);
}

/* ---- borders and copies ------------------------------------------------------------------------------------------ */

/** Widths before and after each axis. */
function padsOf(c: Context, rank: number): { before: number; after: number }[] {
  const pads = (c.opset < 2 ? c.attributes.ints("paddings") : intsEither(c, "pads", 1, 11)) ?? misfit("its pads are missing");
  const axes = c.opset < 18 ? null : intsOperand(c, 3, "its axes");
  const which = axes ? axesIn(axes, rank) : range(rank);
  const sides = range(rank).map(() => ({ before: 0, after: 0 }));
  which.forEach((axis, i) => {
    sides[axis] = { before: pads[i]!, after: pads[i + which.length]! };
  });
  return sides;
}
/** Negative widths cut off. */
const pad: Rule = (c) => {
  const given = live(c, operand(c, 0));
  const mode = c.attributes.string("mode", "constant");
  const sides = padsOf(c, given.shape.length);
  const x = sliced(
    c,
    given,
    sides.map(({ before, after }, a) => ({ from: Math.max(0, -before), to: given.shape[a]! + Math.min(0, after), step: 1 })),
  );
  const wide = sides.map(({ before, after }) => ({ before: Math.max(0, before), after: Math.max(0, after) }));
  const first = wide.findIndex((s) => s.before + s.after > 0);
  if (first < 0) return x;
  if (mode === "wrap") return wide.reduce((y, s, axis) => wrapped(c, y, axis, s), x);
  if (mode !== "constant" && mode !== "reflect" && mode !== "edge") return unsupported(`the mode "${mode}" is not known`);
  const widths = list(wide.slice(first).map((s) => (s.before === s.after ? int(s.before) : ints([s.before, s.after]))));
  const fill = c.opset < 11 ? c.attributes.float("value", 0) : (floatOperand(c, 2, "the value of its border") ?? 0);
  const named = {
    mode: mode === "constant" ? undefined : text(mode),
    value: mode === "constant" && fill !== 0 ? float(shortest(fill)) : undefined,
  };
  return emit(c, call("pad", [value(x.name), widths], named));
};
function wrapped(c: Context, x: Live, axis: number, { before, after }: { before: number; after: number }): Live {
  const extent = x.shape[axis]!;
  if (before + after === 0) return x;
  if (Math.max(before, after) > extent) return unsupported(`it wraps axis ${axis} around more than once`);
  const part = (from: number, to: number) => sliced(c, x, wholeOf(x.shape).with(axis, { from, to, step: 1 }));
  const parts = [...(before ? [part(extent - before, extent)] : []), x, ...(after ? [part(0, after)] : [])];
  return emit(c, call("concat", [list(parts.map((p) => value(p.name)))], { axis: int(axis) }));
}

const tile: Rule = (c) => {
  const x = operand(c, 0);
  const repeats = intsOperand(c, 1, "its repeats") ?? misfit("its repeats are missing");
  if (repeats.some((r) => r < 1)) return unsupported("it repeats nothing");
  return repeated(c, x, repeats);
};
/** A new axis before each that is repeated, which is broadcast and joined with it. */
function repeated(c: Context, x: Operand, repeats: readonly number[]): Operand {
  const apart = x.shape.flatMap((d, a) => (repeats[a]! > 1 && d > 1 ? [1, d] : [d]));
  const wide = x.shape.flatMap((d, a) => (repeats[a]! > 1 && d > 1 ? [repeats[a]!, d] : [d * repeats[a]!]));
  const to = x.shape.map((d, a) => d * repeats[a]!);
  return reshaped(c, broadcast(c, reshaped(c, x, apart), wide), to);
}
const expand: Rule = (c) => {
  const x = operand(c, 0);
  const wanted = intsOperand(c, 1, "its shape") ?? misfit("its shape is missing");
  if (sizeOf(wanted) === 0) return known(x.element, wanted, []);
  const to = broadcastShapes(x.shape, wanted) ?? misfit(`[${x.shape.join(", ")}] does not broadcast to [${wanted.join(", ")}]`);
  return broadcast(c, x, to);
};

/* ---- element types ----------------------------------------------------------------------------------------------- */

const castTo: Rule = (c) => converted(c, operand(c, 0), typeNumbered(c.attributes.int("to", 1)));
const castLike: Rule = (c) => converted(c, operand(c, 0), operand(c, 1).element);

/* ---- images ------------------------------------------------------------------------------------------------------ */

const depthToSpace: Rule = (c) => {
  const x = operand(c, 0);
  const [n, depth, h, w] = x.shape as [number, number, number, number];
  const r = c.attributes.int("blocksize", 1);
  if (c.attributes.string("mode", "DCR") === "CRD") return emit(c, call("pixel_shuffle", [tensorTerm(c, x), int(r)]));
  const apart = reshaped(c, x, [n, r, r, depth / (r * r), h, w]);
  return reshaped(c, permuted(c, apart, [0, 3, 4, 1, 5, 2]), [n, depth / (r * r), h * r, w * r]);
};
const spaceToDepth: Rule = (c) => {
  const x = operand(c, 0);
  const [n, depth, h, w] = x.shape as [number, number, number, number];
  const r = c.attributes.int("blocksize", 1);
  const apart = reshaped(c, x, [n, depth, h / r, r, w / r, r]);
  return reshaped(c, permuted(c, apart, [0, 3, 5, 1, 2, 4]), [n, depth * r * r, h / r, w / r]);
};

/** Zero above, or below, the k-th diagonal of the last two axes. */
const trilu: Rule = (c) => {
  const x = operand(c, 0);
  const k = intsOperand(c, 1, "its diagonal")?.[0] ?? 0;
  const upper = c.attributes.int("upper", 1) === 1;
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  const row: Term = call("reshape", [call("arange", [int(rows)]), ints([rows, 1])]);
  const edge = k === 0 ? row : binary(k > 0 ? "+" : "-", row, int(Math.abs(k)));
  const inside = binary(upper ? ">=" : "<=", call("arange", [int(columns)]), edge);
  if (x.dtype === "bool") return emit(c, binary("&&", tensorTerm(c, x), inside));
  return emit(c, call("where", [inside, tensorTerm(c, x), x.dtype === "f32" ? float(0) : int(0)]));
};

const axesAttribute = ["axes"];
export const shapeOperators: Operators = {
  Shape: operator(shape, ["start", "end"], { results: ["int64"] }),
  Size: operator((c) => knownInts([sizeOf(operand(c, 0).shape)], []), [], { results: ["int64"] }),
  Reshape: operator(reshape, ["shape", "allowzero"]),
  Flatten: operator(flatten, ["axis"]),
  Squeeze: operator(squeeze, axesAttribute),
  Unsqueeze: operator(unsqueeze, axesAttribute),
  Transpose: operator(transpose, ["perm"]),
  Concat: operator(concat, ["axis"]),
  Split: operator(split, ["axis", "split", "num_outputs"]),
  Slice: operator(slice, ["starts", "ends", "axes"]),
  Pad: operator(pad, ["pads", "paddings", "mode", "value"]),
  Tile: operator(tile),
  Expand: operator(expand),
  Cast: operator(castTo, ["to", "saturate", "round_mode"], { results: null }),
  CastLike: operator(castLike, ["saturate", "round_mode"], { results: null }),
  DepthToSpace: operator(depthToSpace, ["blocksize", "mode"]),
  SpaceToDepth: operator(spaceToDepth, ["blocksize"]),
  Trilu: operator(trilu, ["upper"]),
};
