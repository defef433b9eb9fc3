/** Classes by name and number: those of the data, those that the weights know, and as many as the program tells apart. */
import { fail } from "../../ir/diagnostic.ts";
import type { Field } from "../../ir/program.ts";
import type { Companion, Demand } from "./source.ts";

export interface Classes {
  /** The number that the program knows a class of the data by. */
  readonly number: (own: number) => number;
  readonly companion: Companion;
}

const ending = ".labels.txt";
export const labelsOf = (text: string): readonly string[] => text.trimEnd().split(/\r?\n/);

/** The input for the number of a class. */
export const labelInput = (inputs: readonly Field[]): Field | undefined =>
  inputs.find((i) => i.name === "label") ?? inputs.find((i) => i.dtype === "i32" && i.shape.length === 1);
/** As many classes as an input can name. */
export const extentOf = (input: Field | undefined): number => (input?.range ? input.range.max + 1 : Number.POSITIVE_INFINITY);

/** `names` are the data's classes, by number; `what` says whose they are. */
export function classesOf(names: readonly string[], what: string, demand: Demand): Classes {
  const known = knownLabels(names, what, demand) ?? names;
  const limit = extentOf(labelInput(demand.inputs));
  if (known.length > limit) {
    const hint = demand.hints.extent(limit, known.length);
    fail("data", `${what} has ${known.length} classes, but the model takes ${limit}`, null, hint === null ? {} : { help: `add ${hint}` });
  }
  const numbers = names.map((name) => known.indexOf(name));
  return { number: (own) => numbers[own]!, companion: { ending, text: `${known.join("\n")}\n` } };
}

/** The labels beside the weights; null: there are none, or the weights are a start for other classes. */
function knownLabels(names: readonly string[], what: string, { companion, fresh }: Demand): readonly string[] | null {
  const found = companion(ending);
  if (!found) return null;
  const labels = labelsOf(found.text);
  const other = names.find((n) => !labels.includes(n));
  if (other === undefined) return labels;
  if (fresh) return null;
  const list = labels.length > 10 ? `${labels.slice(0, 10).join(", ")}, ...` : labels.join(", ");
  return fail("data", `${what} has the class \`${other}\`, which the weights do not know`, null, {
    help: `${found.path} has: ${list}`,
  });
}
