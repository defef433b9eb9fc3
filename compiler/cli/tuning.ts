/** Answers of `dlm tune` in a file: `NAME.tuning.json` beside the source, which every command that compiles it finds. */

import type { Choices } from "../../ir/choice.ts";
import { fail } from "../../ir/diagnostic.ts";
import { isFile, readText, writeAtomically } from "./files.ts";

const format = { format: "dlm-tuning", version: 1 } as const;

export const tuningBeside = (source: string): string => `${source.replace(/\.dlm$/, "")}.tuning.json`;

/** What `--tuning` names, or else what lies beside the source; null: nothing does. */
export function tuningOf(source: string, given: string | undefined): { readonly path: string; readonly choices: Choices } | null {
  const path = given ?? tuningBeside(source);
  return given === undefined && !isFile(path) ? null : { path, choices: parseTuning(readText(path), path) };
}

function parseTuning(text: string, path: string): Choices {
  const content = parsed(text);
  if (!isRecord(content) || content.format !== format.format)
    return fail("file", `${path} is no tuning`, null, { help: "`dlm tune` writes such files; without one the compiler decides" });
  if (content.version !== format.version)
    return fail("file", `${path} is a tuning of version ${JSON.stringify(content.version)}, expected ${format.version}`, null, {
      help: "measure again: dlm tune",
    });
  const { choices } = content;
  if (isRecord(choices) && Object.values(choices).every((c) => typeof c === "string")) return choices as Choices;
  return fail("file", `${path}: "choices" must be an object of strings`, null, { help: "measure again: dlm tune" });
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
