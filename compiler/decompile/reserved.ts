/** Words that values and parameters of a body had better not be called. */
import { namesOfNoValue } from "../frontend/elaborate/names.ts";
import { contextualWords } from "../frontend/tokens.ts";
import type { Node } from "./program.ts";
import { wordsIn } from "./sketch.ts";

/** Words that would confuse a reader, and the letters of loops and extents. An output of the model may have them as its name. */
export const avoidedWords: ReadonlySet<string> = new Set([
  ...["as", "from", ...contextualWords.keys()],
  ...["i", "N", "C", "L", "H", "W", "T", "D"],
]);
export const reservedWords: readonly string[] = [...namesOfNoValue, "range", ...avoidedWords];

/** Functions, layers and words that the nodes name. */
export function namesIn(nodes: readonly Node[]): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (list: readonly Node[]): void => {
    for (const n of list) {
      if (n.kind === "group") visit(n.nodes);
      else if (n.kind === "leaf") for (const word of wordsIn(n.template.term)) names.add(word);
    }
  };
  visit(nodes);
  return names;
}
