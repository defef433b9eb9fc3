/** Names of inputs and outputs as users type them: those of the program, or of the ONNX model that it was imported from. */
import { identifierOf } from "../onnx/import/names.ts";

/** What the program calls `name`; `name` itself where it has nothing alike. */
export function programName(name: string, known: readonly string[]): string {
  if (known.includes(name)) return name;
  const imported = identifierOf(name);
  return known.find((k) => k === imported) ?? known.find((k) => k.replace(/_+$/, "") === imported) ?? name;
}
