/**
 * Operators that write elements at indices. Indices that are known say where every element comes from; others are `scatter`,
 * which compares every index with every place, as long as such a table is not too large.
 */
import { sizeOf } from "../../../../ir/type.ts";
import { binary, call, int, list, type Term, text, value } from "../../../decompile/sketch.ts";
import { axisIn, type Context, emit, isKnown, type Operators, operand, operator, type Rule } from "../context.ts";
import { broadcast, cast, live, type Part, range, reshaped, sliced, tensorTerm, wholeOf } from "../terms.ts";
import { everyElement, type Known, known, misfit, type Operand, stridesOf, unsupported } from "../values.ts";
import { forward, positions } from "./gather.ts";

const reductions: ReadonlySet<string> = new Set(["none", "add", "mul", "max", "min"]);
function reductionOf(c: Context): string {
  const name = c.attributes.string("reduction", "none");
  return reductions.has(name) ? name : unsupported(`the reduction "${name}" is not known`);
}
const reduceTerm = (reduction: string): Record<string, Term> => (reduction === "none" ? {} : { reduce: text(reduction) });

/** Most elements that a table of the language has. */
const largestTable = 2 ** 30;

const scatterElements: Rule = (c) => {
  const [x, ids, updates] = [operand(c, 0), operand(c, 1), operand(c, 2)];
  const axis = axisIn(c.attributes.int("axis", 0), x.shape.length);
  const reduction = reductionOf(c);
  const at = within(forward(c, ids, x.shape[axis]!), x.shape[axis]!);
  if (!fromKnown(at, reduction) && sizeOf(x.shape) * (ids.shape[axis] ?? 1) <= largestTable)
    return emit(c, call("scatter", [tensorTerm(c, x), int(axis), tensorTerm(c, at), tensorTerm(c, updates)], reduceTerm(reduction)));
  const [count, size] = [sizeOf(ids.shape), sizeOf(x.shape)];
  const places = reshaped(c, elementPlaces(c, at, x.shape, axis), [count]);
  const y = writtenRows(c, reshaped(c, x, [size]), places, reshaped(c, updates, [count]), reduction);
  return reshaped(c, y, x.shape);
};
function within(ids: Operand, extent: number): Operand {
  return isKnown(ids) && !everyElement(ids, (i) => i >= 0 && i < extent) ? misfit("an index is outside of what it writes to") : ids;
}
const fromKnown = (ids: Operand, reduction: string): ids is Known => isKnown(ids) && reduction === "none";
/** Row-major positions of what indices along one axis mean. */
function elementPlaces(c: Context, ids: Operand, shape: readonly number[], axis: number): Operand {
  const strides = stridesOf(shape);
  const own = stridesOf(ids.shape);
  const others = Array.from({ length: sizeOf(ids.shape) }, (_, i) =>
    own.reduce((at, stride, a) => (a === axis ? at : at + (Math.floor(i / stride) % ids.shape[a]!) * strides[a]!), 0),
  );
  if (isKnown(ids)) {
    const data = others.map((at, i) => at + ids.data[i]! * strides[axis]!);
    return known("int64", ids.shape, data);
  }
  const along = strides[axis] === 1 ? ids : emit(c, binary("*", value(ids.name), int(strides[axis]!)));
  if (others.every((at) => at === 0)) return along;
  return emit(c, binary("+", tensorTerm(c, along), tensorTerm(c, known("int64", ids.shape, others))));
}

/** Slices are written to rows of a table. */
const scatterND: Rule = (c) => {
  const [x, ids, updates] = [operand(c, 0), operand(c, 1), operand(c, 2)];
  const depth = ids.shape.at(-1)!;
  const [count, size] = [sizeOf(ids.shape.slice(0, -1)), sizeOf(x.shape.slice(0, depth))];
  const inner = sizeOf(x.shape.slice(depth));
  const reduction = reductionOf(c);
  const places = within(positions(c, ids, x.shape), size);
  const box = fromKnown(places, reduction) ? boxOf(places.data, x.shape.slice(0, depth)) : null;
  if (box) return written(c, x, [...box, ...x.shape.slice(depth).map(rangeTo)], updates);
  const [rows, news] = [reshaped(c, x, [size, inner]), reshaped(c, updates, [count, inner])];
  if (fromKnown(places, reduction) || size * inner * count > largestTable)
    return reshaped(c, writtenRows(c, rows, reshaped(c, places, [count]), news, reduction), x.shape);
  const at = broadcast(c, reshaped(c, places, [count, 1]), [count, inner]);
  const y = emit(c, call("scatter", [tensorTerm(c, rows), int(0), tensorTerm(c, at), tensorTerm(c, news)], reduceTerm(reduction)));
  return reshaped(c, y, x.shape);
};

type Range = Exclude<Part, number>;
const rangeTo = (to: number): Range => ({ from: 0, to, step: 1 });
/** Places that are a part of a tensor in order: its range along each axis. */
function boxOf(places: Known["data"], shape: readonly number[]): readonly Range[] | null {
  const strides = stridesOf(shape);
  const corner = (place: number) => shape.map((d, a) => Math.floor(place / strides[a]!) % d);
  const [first, last] = [corner(places[0]!), corner(places[places.length - 1]!)];
  const box = first.map((from, a): Range => ({ from, to: last[a]! + 1, step: 1 }));
  const extents = box.map((r) => r.to - r.from);
  if (extents.some((n) => n < 1) || sizeOf(extents) !== places.length) return null;
  const own = stridesOf(extents);
  const start = places[0]!;
  for (let i = 0; i < places.length; i++) {
    if (places[i] !== extents.reduce((at, n, a) => at + (Math.floor(i / own[a]!) % n) * strides[a]!, start)) return null;
  }
  return box;
}
/** x with a part of it replaced: what stands before and behind it along the first axis that it does not fill, and itself. */
function written(c: Context, x: Operand, box: readonly Range[], updates: Operand): Operand {
  const axis = box.findIndex((r, a) => r.from > 0 || r.to < x.shape[a]!);
  if (axis < 0) return reshaped(c, updates, x.shape);
  const { from, to } = box[axis]!;
  const extent = x.shape[axis]!;
  const cut = (begin: number, end: number): Operand =>
    sliced(c, live(c, x), [...wholeOf(x.shape)].with(axis, { from: begin, to: end, step: 1 }));
  const inside = box.with(axis, rangeTo(to - from));
  const filled = box.every((r, a) => a === axis || (r.from === 0 && r.to === x.shape[a]));
  const middle = filled ? reshaped(c, updates, x.shape.with(axis, to - from)) : written(c, cut(from, to), inside, updates);
  const parts = [...(from > 0 ? [cut(0, from)] : []), middle, ...(to < extent ? [cut(to, extent)] : [])];
  return parts.length === 1 ? middle : emit(c, call("concat", [list(parts.map((p) => tensorTerm(c, p)))], { axis: int(axis) }));
}

/** Rows of a table replaced by others, or added to: without comparing every index with every place. */
function writtenRows(c: Context, table: Operand, places: Operand, updates: Operand, reduction: string): Operand {
  if (fromKnown(places, reduction)) return fromBoth(c, table, places.data, updates);
  if (reduction === "add" && table.dtype === "f32") return emit(c, binary("+", tensorTerm(c, table), collected(c, table, places, updates)));
  return reduction === "none" ? replacedRows(c, table, places, updates) : unsupported(`it writes too many elements for "${reduction}"`);
}
/** Where every row comes from is known: the last of those that are written to it, or it stays. */
function fromBoth(c: Context, table: Operand, places: Known["data"], updates: Operand): Operand {
  const rows = table.shape[0]!;
  const sources = range(rows);
  for (let i = 0; i < places.length; i++) sources[places[i]!] = rows + i;
  const both = emit(c, call("concat", [list([tensorTerm(c, table), tensorTerm(c, updates)])], { axis: int(0) }));
  return emit(c, call("take", [value(both.name), tensorTerm(c, known("int64", [rows], sources))]));
}
/** Sums of what belongs to each row: the gradient of taking rows. */
function collected(c: Context, table: Operand, places: Operand, updates: Operand): Term {
  const zeros = emit(c, call("zeros", [list(table.shape.map(int))]));
  const taken = call("take", [value(zeros.name), tensorTerm(c, places)]);
  return call("grad", [call("sum", [binary("*", taken, tensorTerm(c, updates))]), value(zeros.name)]);
}
/** Floats count so far without a gap. */
const mostCounted = 2 ** 24;
/** No two indices are equal. For each row the number of what is written to it, from 1 on, is found as a sum. */
function replacedRows(c: Context, table: Operand, places: Operand, updates: Operand): Operand {
  const [rows, count] = [table.shape[0]!, places.shape[0]!];
  if (count >= mostCounted) return unsupported("it writes too many elements");
  const numbers = cast(c, emit(c, binary("+", call("arange", [int(count)]), int(1))), "f32");
  const found = collected(c, { ...live(c, table), shape: [rows] }, places, numbers);
  const source = live(c, cast(c, emit(c, found), "i32"));
  const news = call("take", [tensorTerm(c, updates), binary("-", value(source.name), int(1))]);
  const written = reshaped(c, emit(c, binary(">", value(source.name), int(0))), [rows, ...table.shape.slice(1).map(() => 1)]);
  return emit(c, call("where", [tensorTerm(c, written), news, tensorTerm(c, table)]));
}

export const scatterOperators: Operators = {
  ScatterElements: operator(scatterElements, ["axis", "reduction"], { wraps: true }),
  Scatter: operator(scatterElements, ["axis"]),
  ScatterND: operator(scatterND, ["reduction"], { wraps: true }),
};
