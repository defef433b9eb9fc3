/** Labels as text: `layer1.0.conv1`, words and numbers joined by dots. */
import type { Node } from "./program.ts";

/** What the language takes for a label: other characters become `_`. null: nothing is left. */
export function labelFrom(wanted: string): string | null {
  const parts = wanted.split(".").map((part) => part.replace(/\W/g, "_"));
  const kept = parts.filter((part) => part !== "");
  if (kept.length === 0 || kept.every((part) => /^_+$/.test(part))) return null;
  return kept.join(".");
}

/** The components that all labels begin with; each keeps at least its last. */
export function commonPrefix(labels: readonly string[]): string {
  const [first, ...others] = labels.map((l) => l.split(".").slice(0, -1));
  if (!first) return "";
  let length = first.length;
  for (const other of others) {
    let n = 0;
    while (n < length && n < other.length && other[n] === first[n]) n++;
    length = n;
  }
  return first.slice(0, length).join(".");
}
/** What stands behind a prefix that is known to be there. */
export const without = (prefix: string | null, label: string): string =>
  !prefix ? label : label === prefix ? "_" : label.slice(prefix.length + 1);

/** How nodes are labelled: what their labels begin with, and how they go on (`?` where there is none). */
export interface Labelling {
  readonly prefix: string;
  /** "": none has a label. */
  readonly endings: string;
}
export function labellingOf(nodes: readonly Node[]): Labelling {
  const labels = labelsIn(nodes);
  const given = labels.filter((l) => l !== null);
  const prefix = commonPrefix(given);
  return { prefix, endings: given.length === 0 ? "" : labels.map((l) => (l === null ? "?" : without(prefix, l))).join() };
}
/** Of layers and variables, also of those inside of groups. A variable that is called `constant_5` belongs to no part. */
export function labelsIn(nodes: readonly Node[]): readonly (string | null)[] {
  return nodes.flatMap((n) => {
    if (n.kind === "group") return labelsIn(n.nodes);
    if (n.kind === "variable") return [n.label?.includes(".") ? n.label : null];
    return n.layer ? [n.label] : [];
  });
}
