/** Where weights are in the program that was written: labels from the outside in, as the declarations have them. */
import { joinPath } from "../frontend/elaborate/paths.ts";
import type { BodyLabels, Labels } from "./labels.ts";
import type { Node } from "./program.ts";
import type { Weight } from "./sketch.ts";

export interface Paths {
  readonly weights: ReadonlyMap<string, Weight>;
  /** Layers and variables that could not be called as they were: both names. */
  readonly renamed: readonly (readonly [string, string])[];
}
export function weightPaths(model: readonly Node[], labels: Labels): Paths {
  const weights = new Map<string, Weight>();
  const renamed: (readonly [string, string])[] = [];
  const visit = (nodes: readonly Node[], own: BodyLabels, path: string): void => {
    nodes.forEach((n, i) => {
      const label = own[i];
      if (label == null) return;
      const at = joinPath(path, label);
      if (n.kind === "group") visit(n.nodes, labels.byForm.get(n.form)!, at);
      else {
        if (n.label !== null && n.label !== at && (n.kind === "leaf" || n.label.includes("."))) renamed.push([n.label, at]);
        if (n.kind === "variable") weights.set(at, n.weight);
        else for (const [name, weight] of n.weights) weights.set(joinPath(at, name), weight);
      }
    });
  };
  visit(model, labels.model, "");
  return { weights, renamed };
}
