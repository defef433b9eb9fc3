/** What is compiled before a call needs it. */
import { type EntryId, type EntryName, entryOf, type Program } from "../../ir/program.ts";
import type { Given } from "../weights.ts";

export type Warm = readonly ("run" | "step" | "evaluate")[];
const entryOfCall = { run: "forward", step: "step", evaluate: "evaluate" } as const;

/** For each of `warm` the entries that its first call runs. The first list, which is always there, has what fills the variables too. */
export function warmEntries(
  { entries, variables }: Program,
  warm: Warm,
  { values }: Given,
): readonly [readonly EntryId[], ...(readonly EntryId[])[]] {
  const all = (name: EntryName): readonly EntryId[] => entries.map((e) => e.name).filter((id) => entryOf(id) === name);
  const isFilled = variables.every((v) => v.kind === "counter" || values.has(v));
  const [first = [], ...later] = warm.map((call) => [...all("prepare"), ...all(entryOfCall[call])]);
  return [[...(isFilled ? [] : all("init")), ...first], ...later];
}
