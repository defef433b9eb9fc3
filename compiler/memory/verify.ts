/**
 * Checks a plan without knowing how it was made, by running it on labels instead of numbers: every byte of the arena
 * remembers which call wrote it last, and a call that reads must find what the values it names were written by.
 */
import { elementsIn } from "../../ir/layout.ts";
import type { Lowered } from "../../ir/lowered.ts";
import type { Place, Plan } from "../../ir/plan.ts";
import type { MemoryModel } from "./plan.ts";

/** Violations, in words; an empty list is a sound plan. */
export function verifyPlan(plan: Plan, lowered: Lowered, model: MemoryModel): string[] {
  return lowered.entries.flatMap((entry, e) => {
    const problems: string[] = [];
    const written: { from: number; to: number; value: string }[] = [];
    const range = (p: Place, bytes: number) => ({ from: p.offset, to: p.offset + bytes });
    entry.calls.forEach((call, i) => {
      const args = plan.entries[e]!.calls[i]!.args;
      const where = `${entry.name}, call ${i} (${call.kernel})`;
      const values = [...call.inputs, call.output];
      values.forEach((v, a) => {
        const place = args[a]!;
        const bytes = elementsIn(v.type.shape, v.type.layout) * model.bytesPerElement[v.type.dtype];
        if (place.offset % model.alignment !== 0) problems.push(`${where}: ${v.name} is not aligned`);
        if (place.offset + bytes > plan.sizes[place.region]) problems.push(`${where}: ${v.name} ends behind its region`);
        if (v.home.kind !== "arena") return;
        const r = range(place, bytes);
        const isOutput = a === values.length - 1;
        if (!isOutput) {
          const over = written.filter((w) => w.from < r.to && r.from < w.to);
          if (over.length !== 1 || over[0]!.value !== v.name || over[0]!.from > r.from || over[0]!.to < r.to)
            problems.push(`${where}: reads ${v.name}, finds ${over.map((w) => w.value).join(", ") || "nothing"}`);
          return;
        }
        call.inputs.forEach((x, j) => {
          const xBytes = elementsIn(x.type.shape, x.type.layout) * model.bytesPerElement[x.type.dtype];
          const overlaps = args[j]!.region === place.region && args[j]!.offset < r.to && r.from < args[j]!.offset + xBytes;
          if (overlaps && !(call.inPlace.includes(x) && args[j]!.offset === place.offset))
            problems.push(`${where}: overwrites its operand ${x.name}`);
        });
        for (let w = written.length - 1; w >= 0; w--) if (written[w]!.from < r.to && r.from < written[w]!.to) written.splice(w, 1);
        written.push({ ...r, value: v.name });
      });
    });
    return problems;
  });
}
