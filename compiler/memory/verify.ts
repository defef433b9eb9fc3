/**
 * Checks a plan without knowing how it was made, by running it on labels instead of numbers: every byte of every region
 * remembers which value was written there last. A call must find the operands that it names, and in the end every output
 * and every updated variable must hold its value.
 */
import { elementsIn } from "../../ir/layout.ts";
import type { Lowered, LoweredCall, LoweredEntry, Value } from "../../ir/lowered.ts";
import type { Place, Plan } from "../../ir/plan.ts";
import type { Region } from "../../ir/program.ts";
import type { MemoryModel } from "./plan.ts";

/** Violations, in words; an empty list is a sound plan. */
export const verifyPlan = (plan: Plan, lowered: Lowered, model: MemoryModel): string[] =>
  lowered.entries.flatMap((entry, e) => verifyEntry(entry, plan.entries[e]!.calls, plan, model));

interface Written {
  readonly from: number;
  readonly to: number;
  readonly value: Value;
}
function verifyEntry(entry: LoweredEntry, calls: Plan["entries"][number]["calls"], plan: Plan, model: MemoryModel): string[] {
  const problems: string[] = [];
  const memory = new Map<Region, Written[]>();
  const made = new Set(entry.calls.flatMap((c) => c.outputs));
  const bytesOf = (v: Value) => elementsIn(v.type.shape, v.type.layout) * model.bytesPerElement[v.type.dtype];
  const at = (p: Place) => {
    const known = memory.get(p.region) ?? [];
    memory.set(p.region, known);
    return known;
  };
  const holds = (v: Value, p: Place): string | null => {
    const there = overlapping(at(p), p.offset, p.offset + bytesOf(v));
    const initial = !made.has(v) && v.home.kind !== "arena" && v.home.kind !== "output";
    if (there.length === 0) return initial ? null : "nothing";
    const [only] = there;
    const whole = there.length === 1 && only!.value === v && only!.from <= p.offset && only!.to >= p.offset + bytesOf(v);
    return whole ? null : there.map((w) => w.value.name).join(", ");
  };
  entry.calls.forEach((call, i) => {
    const where = `${entry.name}, call ${i} (${call.kernel})`;
    const args = calls[i]!.args;
    [...call.inputs, ...call.outputs].forEach((v, a) => {
      const p = args[a]!;
      if (p.offset % model.alignment !== 0) problems.push(`${where}: ${v.name} is not aligned`);
      if (p.offset + bytesOf(v) > plan.sizes[p.region]) problems.push(`${where}: ${v.name} ends behind its region`);
      const found = a < call.inputs.length ? holds(v, p) : null;
      if (found !== null) problems.push(`${where}: reads ${v.name}, finds ${found}`);
    });
    problems.push(...overwrittenOperands(call, args, bytesOf).map((name) => `${where}: overwrites its operand ${name}`));
    placedOutputs(call, args).forEach(({ value, place }) => {
      write(at(place), { from: place.offset, to: place.offset + bytesOf(value), value });
    });
    for (const { value, place } of placedOutputs(call, args)) {
      const found = holds(value, place);
      if (found !== null) problems.push(`${where}: writes ${value.name} and, over it, ${found}`);
    }
  });
  entry.calls.forEach((call, i) => {
    for (const { value, place } of placedOutputs(call, calls[i]!.args)) {
      const found = value.home.kind === "arena" ? null : holds(value, place);
      if (found !== null) problems.push(`${entry.name}: in the end ${value.name} is overwritten by ${found}`);
    }
  });
  return problems;
}

const placedOutputs = (call: LoweredCall, args: readonly Place[]): { readonly value: Value; readonly place: Place }[] =>
  call.outputs.map((value, i) => ({ value, place: args[call.inputs.length + i]! }));

/** Operands that share memory with a result without being read in place. */
function overwrittenOperands(call: LoweredCall, args: readonly Place[], bytesOf: (v: Value) => number): string[] {
  return placedOutputs(call, args).flatMap(({ value, place: to }, n) =>
    call.inputs.flatMap((v, i) => {
      const p = args[i]!;
      const overlaps = p.region === to.region && p.offset < to.offset + bytesOf(value) && to.offset < p.offset + bytesOf(v);
      return overlaps && !(call.inPlace[n]!.includes(v) && p.offset === to.offset) ? [v.name] : [];
    }),
  );
}

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
