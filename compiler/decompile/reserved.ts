/** Words that values and parameters of a body had better not be called. */
import { dtypes } from "../../ir/type.ts";
import type { Node } from "./program.ts";
import type { Term } from "./sketch.ts";

/** Words that would confuse a reader, and the letters of loops and extents. An output of the model may have them as its name. */
export const avoidedWords: ReadonlySet<string> = new Set([
  ...["as", "from", "import", "const", "fn", "layer", "model", "train", "param", "state", "update", "use", "input", "metric", "freeze"],
  ...["i", "N", "C", "L", "H", "W", "T", "D"],
]);
export const reservedWords: readonly string[] = [
  ...["if", "else", "for", "in", "return", "assert", "true", "false", "none", "training", "inf", "pi", "range", ...dtypes],
  ...avoidedWords,
];

/** Functions, layers and words that the nodes name. */
export function namesIn(nodes: readonly Node[]): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (list: readonly Node[]): void => {
    for (const n of list) {
      if (n.kind === "group") visit(n.nodes);
      else if (n.kind === "leaf") collect(n.template.term, names);
    }
  };
  visit(nodes);
  return names;
}
function collect(t: Term, names: Set<string>): void {
  switch (t.kind) {
    case "word":
      names.add(t.text);
      return;
    case "list":
      for (const x of t.items) collect(x, names);
      return;
    case "call":
      names.add(t.callee);
      for (const x of [...t.args, ...Object.values(t.named)]) collect(x, names);
      return;
    case "unary":
    case "index":
      collect(t.value, names);
      return;
    case "binary":
      collect(t.left, names);
      collect(t.right, names);
      return;
    default:
      return;
  }
}
