/**
 * Checks a plan without knowing how it was made, by running it on labels instead of numbers: every byte of every region
 * remembers which value was written there last. A call must find the operands that it names, and in the end every output
 * and every updated variable must hold its value.
 */
import type { Lowered, LoweredCall, LoweredEntry, Value } from "../../ir/lowered.ts";
import type { Place, Plan } from "../../ir/plan.ts";
import { type Region, regions } from "../../ir/program.ts";
import { type MemoryModel, tensorBytes } from "./plan.ts";

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
  readonly part: number;
  readonly place: Place;
  readonly bytes: number;
}
interface Written {
  readonly from: number;
  readonly to: number;
  readonly value: Value;
  readonly part: number;
}
function verifyEntry(entry: LoweredEntry, calls: Plan["entries"][number]["calls"], plan: Plan, model: MemoryModel): string[] {
  const problems: string[] = [];
  const memory = new Map<Region, Written[]>();
  const made = new Set(entry.calls.flatMap((c) => c.outputs));
  const at = (p: Place) => {
    const known = memory.get(p.region) ?? [];
    memory.set(p.region, known);
    return known;
  };
  const holds = ({ value, part, place, bytes }: Piece): string | null => {
    const there = overlapping(at(place), place.offset, place.offset + bytes);
    const initial = !made.has(value) && value.home.kind !== "arena" && value.home.kind !== "output";
    if (there.length === 0) return initial ? null : "nothing";
    const [only] = there;
    const isOwn = there.length === 1 && only!.value === value && only!.part === part;
    return isOwn && only!.from <= place.offset && only!.to >= place.offset + bytes ? null : there.map((w) => w.value.name).join(", ");
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
    for (const { value, part, place, bytes } of outputs) write(at(place), { from: place.offset, to: place.offset + bytes, value, part });
    for (const p of outputs) {
      const found = holds(p);
      if (found !== null) problems.push(`${where}: writes ${p.value.name} and, over it, ${found}`);
    }
  });
  entry.calls.forEach((call, i) => {
    for (const p of piecesOf(call, calls[i]!.args, model).outputs) {
      const found = p.value.home.kind === "arena" ? null : holds(p);
      if (found !== null) problems.push(`${entry.name}: in the end ${p.value.name} is overwritten by ${found}`);
    }
  });
  return problems;
}

/** What a call names, with its places; as many as there are. */
function piecesOf(call: LoweredCall, args: readonly Place[], model: MemoryModel) {
  let next = 0;
  const of = (values: readonly Value[]): Piece[] =>
    values.flatMap((value) =>
      tensorBytes(value.type, model).flatMap((bytes, part) => {
        const place = args[next++];
        return place ? [{ value, part, place, bytes }] : [];
      }),
    );
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
      const overlaps =
        p.place.region === to.place.region && p.place.offset < to.place.offset + to.bytes && to.place.offset < p.place.offset + p.bytes;
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
/** What the new range touches is gone as a whole: half a tensor is none. */
function write(ranges: Written[], w: Written): void {
  const i = firstBehind(ranges, w.from);
  ranges.splice(i, overlapping(ranges, w.from, w.to).length, w);
}
