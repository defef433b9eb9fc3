/** Tables of builtin functions, which say what they do where they are defined. */
import type { Builtin } from "../../compiler/frontend/elaborate/builtin.ts";
import { builtinGroups } from "../../compiler/frontend/elaborate/builtins/index.ts";
import { code, prose, table } from "./markdown.ts";

export type Group = keyof typeof builtinGroups;

/** `what`: how the first column is called. */
export function builtinTable(group: Group, what = "function"): string {
  const rows = (builtinGroups[group] as readonly Builtin[]).map((f) => [code(f.signature), prose(f.doc)]);
  return table([what, "meaning"], rows);
}
