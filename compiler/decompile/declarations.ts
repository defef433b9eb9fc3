/** Forms as declarations: all occurrences of each, inner ones first. */
import { byKey } from "./forms.ts";
import type { Group, Node } from "./program.ts";
import { ownsWeights } from "./program.ts";

export interface Declaration {
  readonly form: number;
  /** A `layer`, else a `fn`. */
  readonly layer: boolean;
  /** In the order of the program. They hold nodes of one form, numbers and labels differ. */
  readonly occurrences: readonly [Group, ...Group[]];
}

export function declarationsOf(nodes: readonly Node[]): readonly Declaration[] {
  const all: Group[] = [];
  const visit = (list: readonly Node[]): void => {
    for (const n of list) {
      if (n.kind !== "group") continue;
      visit(n.nodes);
      all.push(n);
    }
  };
  visit(nodes);
  // A group comes behind those inside of it, so a form does too: the first occurrence decides.
  return [...byKey(all, (g) => g.form)].map(([form, list]) => {
    const occurrences = list as [Group, ...Group[]];
    return { form, layer: ownsWeights(occurrences[0]), occurrences };
  });
}
