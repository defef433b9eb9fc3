/** From a list of nodes to nested groups: blocks with branches first, from the outside in, then stretches of chains. */
import { findBlocks, type Search } from "./blocks.ts";
import { describe, type Found, grouped, listsOf } from "./forms.ts";
import { labellingOf, labelsIn } from "./label-text.ts";
import type { Linear } from "./linearise.ts";
import type { Node, Value } from "./program.ts";
import { findRun } from "./runs.ts";

/** Bounds the work; no program is easier to read for more. */
const mostRuns = 16;

export function structured({ nodes, ...outside }: Linear, leaving: readonly Value[]): readonly Node[] {
  let forms = 0;
  let list = nodes;
  const group = (found: readonly Found[]): boolean => {
    const scopes = listsOf(list, leaving);
    const before = forms;
    list =
      found.length === 0
        ? list
        : grouped(
            list,
            leaving,
            found.map((f) => ({ ...f, id: knownForm(f, scopes) ?? forms++ })),
            before,
          );
    return found.length > 0;
  };
  const blocks = (labels: Search["labels"]): void => {
    while (group(findBlocks(list, leaving, { outside, labels })));
  };
  if (labelsIn(nodes).some((l) => l !== null)) {
    blocks("modules");
    blocks("alike");
  }
  // Labels in which nothing repeats say nothing: numbers, as a rule.
  if (forms === 0) blocks("any");
  for (let k = 0; k < mostRuns; k++) {
    const run = findRun(list, leaving, outside);
    if (!run) break;
    group([run]);
  }
  return list;
}
/** The form that has been found before and is the same as it is now. */
function knownForm({ key, tokenOf, labels }: Found, scopes: ReturnType<typeof listsOf>): number | null {
  const same = scopes.find(
    ({ form, nodes }) =>
      form !== null && describe(nodes, tokenOf).key === key && (labels === null || labellingOf(nodes).endings === labels),
  );
  return same?.form ?? null;
}
