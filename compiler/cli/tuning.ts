/** Answers of `dlm tune` in a file: `NAME.tuning.json` beside the source, which every command that compiles it finds. */

import { type Choices, keyOf, type Question } from "../../ir/choice.ts";
import { fail } from "../../ir/diagnostic.ts";
import { isFile, readText, writeAtomically } from "./files.ts";
import { type Io, note, warn } from "./io.ts";
import type { CompileSettings } from "./settings.ts";

const format = { format: "dlm-tuning", version: 1 } as const;

export const tuningBeside = (source: string): string => `${source.replace(/\.dlm$/, "")}.tuning.json`;

export interface Tuning {
  readonly path: string;
  readonly choices: Choices;
}
/** What `--tuning` names, or else what lies beside the source; null: nothing does. */
export function tuningOf(source: string, given: string | undefined): Tuning | null {
  if (given !== undefined) return readTuning(given);
  const path = tuningBeside(source);
  return isFile(path) ? readTuning(path, "delete it, or measure again: dlm tune") : null;
}
type UsedBy = Pick<CompileSettings, "tuning" | "exact" | "target">;
/** What is compiled with. What lies beside the source was measured in WebAssembly; with `exact` nothing is left to speed. */
export function tuningInUse(source: string, { tuning, exact, target }: UsedBy): Tuning | null {
  return exact || (tuning === undefined && target !== "wasm") ? null : tuningOf(source, tuning);
}

/** `--exact` sets aside what was asked for. */
export function tellUnused({ tuning, exact }: UsedBy, io: Io): void {
  if (exact && tuning !== undefined) note(io, `with --exact no answer of ${readTuning(tuning).path} applies`);
}

/** How many answers are of use for these questions, and which are none. */
export function tellTuning({ path, choices }: Tuning, asked: readonly Question[], io: Io): void {
  const answered = [...new Map(asked.map((q) => [keyOf(q), q]))].filter(([key]) => Object.hasOwn(choices, key));
  const applying = answered.filter(([key, q]) => q.options.includes(choices[key]!));
  const count = Object.keys(choices).length;
  note(io, `schedules as measured: ${applying.length} of ${count} ${count === 1 ? "answer" : "answers"} of ${path} apply`);
  for (const [key, { options }] of answered)
    if (!options.includes(choices[key]!))
      warn(io, `${path}: \`${choices[key]}\` is no answer to "${key}", which are: ${options.join(", ")}`);
}

export function readTuning(path: string, otherwise = "measure again: dlm tune"): Tuning {
  const content = parsed(readText(path));
  const help = { help: otherwise };
  if (!isRecord(content) || content.format !== format.format)
    return fail("file", `${path} is no tuning, such as \`dlm tune\` writes`, null, help);
  if (content.version !== format.version)
    return fail("file", `${path} is a tuning of version ${JSON.stringify(content.version)}, expected ${format.version}`, null, help);
  const { choices } = content;
  if (isRecord(choices) && Object.values(choices).every((c) => typeof c === "string")) return { path, choices: choices as Choices };
  return fail("file", `${path}: "choices" must be an object of strings`, null, help);
}
const isRecord = (x: unknown): x is Record<string, unknown> => typeof x === "object" && x !== null && !Array.isArray(x);
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** `engine`: where it was measured, for people. */
export function writeTuning(path: string, engine: string, choices: Choices): void {
  const sorted = Object.fromEntries(Object.entries(choices).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeAtomically(path, `${JSON.stringify({ ...format, engine, choices: sorted }, null, 2)}\n`);
}
