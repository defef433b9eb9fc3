/** From a list of nodes to nested groups: blocks with branches first, from the outside in, then stretches of chains. */
import { findBlocks } from "./blocks.ts";
import { type Form, grouped } from "./forms.ts";
import type { Linear } from "./linearise.ts";
import type { Node, Value } from "./program.ts";
import { findRun } from "./runs.ts";

export function structured({ nodes, ambient }: Linear, leaving: readonly Value[]): readonly Node[] {
  const known = new Set<string>();
  let list = nodes;
  const group = (found: readonly Omit<Form, "id">[]): boolean => {
    const forms = found.filter((f) => !known.has(f.key)).map((f, i) => ({ ...f, id: known.size + i }));
    for (const { key } of forms) known.add(key);
    if (forms.length > 0) list = grouped(list, leaving, forms);
    return forms.length > 0;
  };
  while (group(findBlocks(list, leaving, ambient)));
  for (let run = findRun(list, leaving, ambient); run && group([run]); run = findRun(list, leaving, ambient));
  return list;
}
