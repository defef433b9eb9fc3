/**
 * Checks a plan without knowing how it was made, by running it on labels instead of numbers: every byte of every region
 * remembers which value was written there last. A call must find the operands that it names, and in the end every output
 * and every updated variable must hold its value.
 */
import { type Lowered, type LoweredCall, type LoweredEntry, offsetInWhole, type Value, wholeOf } from "../../ir/lowered.ts";
import type { Place, Plan } from "../../ir/plan.ts";
import { type Region, regions } from "../../ir/program.ts";
import { type MemoryModel, tensorBytes, widthOf } from "./plan.ts";

/** Violations, in words; an empty list is a sound plan. */
export const verifyPlan = (plan: Plan, lowered: Lowered, model: MemoryModel): string[] => [
  ...regions.flatMap((r) => {
    const starts = [...(plan.pages?.[r] ?? [0]), plan.sizes[r]];
    const isLarge = starts.some((start, i) => start - (starts[i - 1] ?? 0) > model.room.page);
    return isLarge ? [`${r} has a page of more than ${model.room.page} bytes`] : [];
  }),
  ...lowered.entries.flatMap((entry, e) => verifyEntry(entry, plan.entries[e]!.calls, plan, model)),
];

/** A value, or one of its parts, in memory. */
interface Piece {
  readonly value: Value;
  /** What has the memory: the value itself, or the one that it is inside of. */
  readonly whole: Value;
  readonly span: Span;
  readonly part: number;
  /** Of the whole, as its bytes are. */
  readonly place: Place;
  readonly bytes: number;
}
/** What a value has of its whole, along the axis along which that is put together: from 0, its beginning, to 1. */
type Span = readonly [from: number, to: number];
function spanOf({ home, type }: Value): Span {
  if (home.kind !== "inside") return [0, 1];
  const extent = home.of.type.shape[home.axis]!;
  return [home.start / extent, (home.start + type.shape[home.axis]!) / extent];
}
const meet = (a: Span, b: Span): boolean => a[0] < b[1] && b[0] < a[1];
const covers = (spans: readonly Span[], [from, to]: Span): boolean =>
  [...spans].sort((a, b) => a[0] - b[0]).reduce((at, s) => (s[0] <= at ? Math.max(at, s[1]) : at), from) >= to;
interface Written {
  readonly from: number;
  readonly to: number;
  readonly whole: Value;
  readonly part: number;
  /** What of the whole is there. */
  readonly spans: readonly Span[];
}
const writtenBy = ({ whole, span, part, place, bytes }: Piece): Written => ({
  from: place.offset,
  to: place.offset + bytes,
  whole,
  part,
  spans: [span],
});
function verifyEntry(entry: LoweredEntry, calls: Plan["entries"][number]["calls"], plan: Plan, model: MemoryModel): string[] {
  const problems: string[] = [];
  const memory = new Map<Region, Written[]>();
  const made = new Set(entry.calls.flatMap((c) => c.outputs));
  const at = (p: Place) => {
    const known = memory.get(p.region) ?? [];
    memory.set(p.region, known);
    return known;
  };
  const holds = (p: Piece): string | null => {
    const there = overlapping(at(p.place), p.place.offset, p.place.offset + p.bytes);
    const initial = !made.has(p.value) && p.whole.home.kind !== "arena" && p.whole.home.kind !== "output";
    if (there.length === 0) return initial ? null : "nothing";
    const [only] = there;
    const isOwn = there.length === 1 && isSame(only!, writtenBy(p)) && covers(only!.spans, p.span);
    return isOwn ? null : there.map((w) => w.whole.name).join(", ");
  };
  entry.calls.forEach((call, i) => {
    const where = `${entry.name}, call ${i} (${call.kernel})`;
    const { inputs, outputs, args } = piecesOf(call, calls[i]!.args, model);
    if (args !== inputs.length + outputs.length) problems.push(`${where}: ${args} places for ${inputs.length + outputs.length} tensors`);
    for (const p of [...inputs, ...outputs]) problems.push(...misplaced(p, plan, model).map((what) => `${where}: ${p.value.name} ${what}`));
    for (const p of inputs) {
      const found = holds(p);
      if (found !== null) problems.push(`${where}: reads ${p.value.name}, finds ${found}`);
    }
    problems.push(...overwrittenOperands(call, inputs, outputs).map((name) => `${where}: overwrites its operand ${name}`));
    for (const p of outputs) write(at(p.place), writtenBy(p));
    for (const p of outputs) {
      const found = holds(p);
      if (found !== null) problems.push(`${where}: writes ${p.value.name} and, over it, ${found}`);
    }
  });
  entry.calls.forEach((call, i) => {
    for (const p of piecesOf(call, calls[i]!.args, model).outputs) {
      const found = p.whole.home.kind === "arena" ? null : holds(p);
      if (found !== null) problems.push(`${entry.name}: in the end ${p.value.name} is overwritten by ${found}`);
    }
  });
  return problems;
}

/** What a call names, with its places; as many as there are. */
function piecesOf(call: LoweredCall, args: readonly Place[], model: MemoryModel) {
  let next = 0;
  const of = (values: readonly Value[]): Piece[] =>
    values.flatMap((value) => {
      const [whole, span] = [wholeOf(value), spanOf(value)];
      const inside = offsetInWhole(value) * widthOf(value, model);
      return tensorBytes(whole, model).flatMap((bytes, part) => {
        const place = args[next++];
        return place ? [{ value, whole, span, part, place: { ...place, offset: place.offset - inside }, bytes }] : [];
      });
    });
  return { inputs: of(call.inputs), outputs: of(call.outputs), args: args.length };
}
function misplaced({ place, bytes }: Piece, plan: Plan, model: MemoryModel): string[] {
  const end = place.offset + bytes;
  const isCut = (plan.pages?.[place.region] ?? []).some((start) => place.offset < start && start < end);
  return [
    ...(place.offset % model.alignment !== 0 ? ["is not aligned"] : []),
    ...(end > plan.sizes[place.region] ? ["ends behind its region"] : []),
    ...(isCut ? ["lies across two pages"] : []),
  ];
}

/** Operands that share memory with a result without being read in place. */
const overwrittenOperands = (call: LoweredCall, inputs: readonly Piece[], outputs: readonly Piece[]): string[] =>
  outputs.flatMap((to) =>
    inputs.flatMap((p) => {
      const isApart = isSame(writtenBy(p), writtenBy(to)) && !meet(p.span, to.span);
      const overlaps =
        !isApart &&
        p.place.region === to.place.region &&
        p.place.offset < to.place.offset + to.bytes &&
        to.place.offset < p.place.offset + p.bytes;
      const mayShare = call.inPlace[call.outputs.indexOf(to.value)]!.includes(p.value) && p.place.offset === to.place.offset;
      return overlaps && !mayShare ? [p.value.name] : [];
    }),
  );

/* ---- disjoint ranges in order of their start --------------------------------------------------------------------- */

/** Index of the first range that ends behind `from`. */
function firstBehind(ranges: readonly Written[], from: number): number {
  let low = 0;
  for (let high = ranges.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (ranges[middle]!.to > from) high = middle;
    else low = middle + 1;
  }
  return low;
}
function overlapping(ranges: readonly Written[], from: number, to: number): Written[] {
  const out: Written[] = [];
  for (let i = firstBehind(ranges, from); i < ranges.length && ranges[i]!.from < to; i++) out.push(ranges[i]!);
  return out;
}
const isSame = (a: Written, b: Written): boolean => a.whole === b.whole && a.part === b.part && a.from === b.from && a.to === b.to;
/** What the new range touches is gone as a whole: half a tensor is none. What else is inside the same one stays. */
function write(ranges: Written[], w: Written): void {
  const i = firstBehind(ranges, w.from);
  const touched = overlapping(ranges, w.from, w.to);
  const others = touched.length === 1 && isSame(touched[0]!, w) ? touched[0]!.spans.filter((s) => !meet(s, w.spans[0]!)) : [];
  ranges.splice(i, touched.length, { ...w, spans: [...others, ...w.spans] });
}
