/**
 * Labels within bodies. What the nodes of an occurrence share becomes the label of its call, the rest stands in the declaration:
 *
 *     layer1.0.conv1, layer1.0.bn1; layer1.1.conv1, layer1.1.bn1      layer1.0: Block, layer1.1: Block with conv1, bn1
 *
 * Occurrences that are labelled otherwise get the labels of most. Nodes without label are called by what they are, and counted.
 */
import { snakeCase } from "../frontend/elaborate/paths.ts";
import type { Declaration } from "./declarations.ts";
import { byKey } from "./forms.ts";
import { labelFrom, labellingOf, without } from "./label-text.ts";
import { type Group, type Node, ownsWeights } from "./program.ts";

/** Of each node of a body; null: it takes none. */
export type BodyLabels = readonly (string | null)[];
export interface Labels {
  readonly model: BodyLabels;
  readonly byForm: ReadonlyMap<number, BodyLabels>;
}

/** `nameOf`: what a form is called. */
export function labelAll(model: readonly Node[], declarations: readonly Declaration[], nameOf: (form: number) => string): Labels {
  const byForm = new Map<number, BodyLabels>();
  for (const { form, layer, occurrences } of declarations) {
    const { nodes } = usual(occurrences);
    byForm.set(form, layer ? bodyLabels(nodes, labellingOf(nodes).prefix, byForm, nameOf) : nodes.map(() => null));
  }
  return { model: bodyLabels(model, "", byForm, nameOf), byForm };
}
/** An occurrence labelled as most are. */
function usual(occurrences: readonly Group[]): Group {
  const [most] = [...byKey(occurrences, (o) => labellingOf(o.nodes).endings).values()].sort((a, b) => b.length - a.length);
  return most![0]!;
}

function bodyLabels(
  nodes: readonly Node[],
  prefix: string,
  byForm: ReadonlyMap<number, BodyLabels>,
  nameOf: (form: number) => string,
): BodyLabels {
  const used = new Set<string>();
  const wanted = nodes.map((n) => (ownsWeights(n) ? wantedLabel(n, prefix) : null));
  const labels = nodes.map((n, i): string | null => {
    const label = wanted[i]!;
    if (label === null) return null;
    if (label !== "_") return unique(label, used);
    // What it declares stands beside the labels of this body.
    const inner = n.kind === "group" ? heads(byForm.get(n.form)!) : [];
    if (inner.some((l) => used.has(l))) return null;
    for (const l of inner) used.add(l);
    return label;
  });
  const counts = new Map<string, number>();
  return nodes.map((n, i) => labels[i] ?? (ownsWeights(n) ? counted(baseOf(n, nameOf), counts, used) : null));
}
const heads = (labels: BodyLabels): readonly string[] => labels.filter((l) => l !== null);

function wantedLabel(n: Node, prefix: string): string | null {
  if (n.kind !== "group") return n.label && without(prefix, n.label);
  const { prefix: own, endings } = labellingOf(n.nodes);
  return endings === "" ? null : own === prefix ? "_" : without(prefix, own);
}
function unique(label: string, used: Set<string>): string {
  let name = label;
  for (let k = 2; used.has(name); k++) name = `${label}_${k}`;
  used.add(name);
  return name;
}
function counted(base: string, counts: Map<string, number>, used: Set<string>): string {
  let name: string;
  do {
    const n = (counts.get(base) ?? 0) + 1;
    counts.set(base, n);
    name = `${base}${n}`;
  } while (used.has(name));
  used.add(name);
  return name;
}

const short: Readonly<Record<string, string>> = {
  Conv1d: "conv",
  Conv2d: "conv",
  Conv3d: "conv",
  ConvTranspose2d: "deconv",
  LocallyConnected2d: "local",
  BatchNorm: "bn",
  LayerNorm: "ln",
  GroupNorm: "gn",
  InstanceNorm: "in_norm",
  RMSNorm: "norm",
  Linear: "fc",
  Embedding: "embed",
  MultiHeadAttention: "attn",
};
function baseOf(n: Node, nameOf: (form: number) => string): string {
  if (n.kind === "variable") return n.dtype === "f32" ? "weight" : "state";
  if (n.kind === "group") {
    const word = snakeCase(nameOf(n.form)).replace(/\d+$/, "").split("_").at(-1)!;
    return /^(residual|bottleneck|)$/.test(word) ? "block" : word;
  }
  const { callee } = n.template;
  return short[callee] ?? labelFrom(snakeCase(callee)) ?? "layer";
}
