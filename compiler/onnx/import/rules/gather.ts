/** Operators that read elements at indices. */
import { sizeOf } from "../../../../ir/type.ts";
import { binary, call, int, type Term, value } from "../../../decompile/sketch.ts";
import { axisIn, type Context, emit, emitLayer, isKnown, knownOperand, type Operators, operand, operator, type Rule } from "../context.ts";
import { broadcast, live, ownedWeight, reshaped, sliced, tensorTerm, views, wholeOf } from "../terms.ts";
import { type Known, known, type Live, misfit, type Operand, pickedAlong, reshapedKnown, stridesOf, unsupported } from "../values.ts";

const fromEnd = (extent: number) => (i: number) => (i < 0 ? i + extent : i);
/** Indices that are not negative. */
export function forward(c: Context, ids: Operand, extent: number): Operand {
  if (isKnown(ids)) return known("int64", ids.shape, Array.from(ids.data, fromEnd(extent)));
  const x = value(ids.name);
  return emit(c, call("where", [binary("<", x, int(0)), binary("+", x, int(extent)), x]));
}

const gather: Rule = (c) => {
  const [x, ids] = [operand(c, 0), operand(c, 1)];
  const axis = axisIn(c.attributes.int("axis", 0), x.shape.length);
  if (!isKnown(ids)) {
    if (isEmbedding(c, x, axis)) return embedding(c, x, isFed(c, ids) ? ids : forward(c, ids, x.shape[axis]!));
    return taken(c, x, forward(c, ids, x.shape[axis]!), axis);
  }
  const places = Array.from(ids.data, fromEnd(x.shape[axis]!));
  if (places.some((i) => i < 0 || i >= x.shape[axis]!)) return misfit(`an index is outside of axis ${axis}`);
  const shape = [...x.shape.slice(0, axis), ...ids.shape, ...x.shape.slice(axis + 1)];
  const steady = places.every((p, i) => p === places[0]! + i);
  if (steady && places.length === x.shape[axis]) return reshaped(c, x, shape);
  if (isKnown(x)) return reshapedKnown(pickedAlong(x, axis, places), shape);
  if (ids.shape.length === 0) return sliced(c, x, [...wholeOf(x.shape)].with(axis, places[0]!));
  if (steady)
    return reshaped(c, sliced(c, x, [...wholeOf(x.shape)].with(axis, { from: places[0]!, to: places.at(-1)! + 1, step: 1 })), shape);
  return taken(c, x, known("int64", ids.shape, places), axis);
};
const taken = (c: Context, x: Operand, ids: Operand, axis: number): Operand =>
  emit(c, call("take", [tensorTerm(c, x), tensorTerm(c, ids)], axis === 0 ? {} : { axis: int(axis) }));
/** A table of vectors from the file. */
const isEmbedding = (c: Context, x: Operand, axis: number): x is Known =>
  ownedWeight(c, x) && x.name !== null && x.shape.length === 2 && axis === 0;
/** Part of an input: running a program refuses ids there that a table does not have. */
function isFed(c: Context, { name }: Live): boolean {
  const term = c.recorder.madeBy(name)?.term;
  if (!term) return true;
  const from = term.kind === "index" ? term.value : term.kind === "call" && views.has(term.callee) ? term.args[0] : undefined;
  const source = from?.kind === "value" ? c.recorder.live(from.name) : null;
  return source !== null && isFed(c, source);
}
function embedding(c: Context, table: Known, ids: Operand): Operand {
  const [count, dim] = table.shape as [number, number];
  const request = { call: call("Embedding", [tensorTerm(c, ids), int(count), int(dim)]), weights: { weight: table }, named: [table] };
  return emitLayer(c, request);
}

const gatherElements: Rule = (c) => {
  const x = operand(c, 0);
  const axis = axisIn(c.attributes.int("axis", 0), x.shape.length);
  const ids = forward(c, operand(c, 1), x.shape[axis]!);
  return emit(c, call("gather", [tensorTerm(c, x), int(axis), tensorTerm(c, ids)]));
};

/** Row-major positions of the index vectors in the last axis of `ids`, among the first axes of `shape`. */
export function positions(c: Context, ids: Operand, shape: readonly number[]): Operand {
  const depth = ids.shape.at(-1) ?? 0;
  if (depth < 1 || depth > shape.length) return misfit(`its indices have ${depth} places for ${shape.length} axes`);
  const extents = shape.slice(0, depth);
  const strides = stridesOf(extents);
  const rows = ids.shape.slice(0, -1);
  if (isKnown(ids)) {
    const at = (row: number) => extents.reduce((sum, d, a) => sum + fromEnd(d)(ids.data[row * depth + a]!) * strides[a]!, 0);
    return known(
      "int64",
      rows,
      Array.from({ length: sizeOf(rows) }, (_, row) => at(row)),
    );
  }
  const parts = extents.map((d, a): Term => {
    const column = forward(c, sliced(c, ids, [...wholeOf(rows), a]), d);
    return strides[a] === 1 ? tensorTerm(c, column) : binary("*", tensorTerm(c, column), int(strides[a]!));
  });
  const sum = parts.reduce((a, b) => binary("+", a, b));
  return sum.kind === "value" ? (c.recorder.live(sum.name) ?? unsupported("its indices are lost")) : emit(c, sum);
}

const gatherND: Rule = (c) => {
  const [x, ids] = [live(c, operand(c, 0)), operand(c, 1)];
  const batch = c.attributes.int("batch_dims", 0);
  const depth = ids.shape.at(-1)!;
  if (batch > 0) return batchedGatherND(c, x, ids, batch);
  const rows = reshaped(c, x, [sizeOf(x.shape.slice(0, depth)), ...x.shape.slice(depth)]);
  return taken(c, rows, positions(c, ids, x.shape), 0);
};
/** The batch's number comes in front of each index: one table for all. */
function batchedGatherND(c: Context, x: Live, ids: Operand, batch: number): Operand {
  const lead = x.shape.slice(0, batch);
  const depth = ids.shape.at(-1)!;
  const inner = x.shape.slice(batch);
  const own = positions(c, ids, inner);
  const extent = sizeOf(inner.slice(0, depth));
  const starts = Array.from({ length: sizeOf(lead) }, (_, i) => i * extent);
  const offset = known("int64", [...lead, ...own.shape.slice(batch).map(() => 1)], starts);
  const at = emit(c, binary("+", tensorTerm(c, own), tensorTerm(c, offset)));
  return taken(c, reshaped(c, x, [sizeOf(lead) * extent, ...inner.slice(depth)]), at, 0);
}

/** The places where a known condition holds. */
const compress: Rule = (c) => {
  const x = operand(c, 0);
  const condition = knownOperand(c, 1, "the places of its result") ?? misfit("its condition is missing");
  const flat = !c.attributes.has("axis");
  const axis = flat ? 0 : axisIn(c.attributes.int("axis", 0), x.shape.length);
  const of = flat ? reshaped(c, x, [sizeOf(x.shape)]) : x;
  const places = Array.from(condition.data, (v, i) => (v === 0 ? -1 : i)).filter((i) => i >= 0);
  if (places.length === 0) return unsupported("its result has no elements");
  return isKnown(of) ? pickedAlong(of, axis, places) : taken(c, of, known("int64", [places.length], places), axis);
};

/** The first elements of each row, as many as known lengths say, in reverse. */
const reverseSequence: Rule = (c) => {
  const x = live(c, operand(c, 0));
  const lengths = knownOperand(c, 1, "its lengths") ?? misfit("its lengths are missing");
  const [time, batch] = [c.attributes.int("time_axis", 0), c.attributes.int("batch_axis", 1)];
  const [steps, rows] = [x.shape[time]!, x.shape[batch]!];
  const place = (t: number, row: number) => (t < lengths.data[row]! ? lengths.data[row]! - 1 - t : t);
  const data = Array.from({ length: steps * rows }, (_, i) =>
    time < batch ? place(Math.floor(i / rows), i % rows) : place(i % steps, Math.floor(i / steps)),
  );
  const alone = x.shape.map((d, a) => (a === time || a === batch ? d : 1));
  const ids = broadcast(c, known("int64", alone, data), x.shape);
  return emit(c, call("gather", [value(x.name), int(time), tensorTerm(c, ids)]));
};

export const gatherOperators: Operators = {
  Gather: operator(gather, ["axis"]),
  GatherElements: operator(gatherElements, ["axis"]),
  GatherND: operator(gatherND, ["batch_dims"]),
  Compress: operator(compress, ["axis"]),
  ReverseSequence: operator(reverseSequence, ["time_axis", "batch_axis"]),
};
