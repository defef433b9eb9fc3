/** Where weights are in the program that was written: labels from the outside in, as the declarations have them. */
import { joinPath } from "../frontend/elaborate/paths.ts";
import type { BodyLabels, Labels } from "./labels.ts";
import type { Node } from "./program.ts";
import type { Weight } from "./sketch.ts";

export function weightPaths(model: readonly Node[], labels: Labels): ReadonlyMap<string, Weight> {
  const out = new Map<string, Weight>();
  const visit = (nodes: readonly Node[], own: BodyLabels, path: string): void => {
    nodes.forEach((n, i) => {
      const label = own[i];
      if (label == null) return;
      const at = joinPath(path, label);
      if (n.kind === "group") visit(n.nodes, labels.byForm.get(n.form)!, at);
      else if (n.kind === "variable") out.set(at, n.weight);
      else for (const [name, weight] of n.weights) out.set(joinPath(at, name), weight);
    });
  };
  visit(model, labels.model, "");
  return out;
}
