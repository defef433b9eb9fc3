/**
 * Labels within bodies. What the nodes of an occurrence share becomes the label of its call, the rest stands in the declaration:
 *
 *     layer1.0.conv1, layer1.0.bn1; layer1.1.conv1, layer1.1.bn1      layer1.0: Block, layer1.1: Block with conv1, bn1
 *
 * Occurrences that are labelled otherwise get the labels of most. Nodes without label are called by what they are, and counted.
 */
import { joinPath, snakeCase } from "../frontend/elaborate/paths.ts";
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
  const paths = new Map<number, readonly string[]>();
  for (const { form, layer, occurrences } of declarations) {
    const { nodes } = usual(occurrences);
    const labelled = layer ? bodyLabels(nodes, labellingOf(nodes).prefix, paths, nameOf) : nodes.map(() => null);
    byForm.set(form, labelled);
    paths.set(
      form,
      nodes.flatMap((n, i) => pathsOf(n, labelled[i]!, paths)),
    );
  }
  return { model: bodyLabels(model, null, paths, nameOf), byForm };
}
/** An occurrence labelled as most are. */
function usual(occurrences: readonly Group[]): Group {
  const [most] = [...byKey(occurrences, (o) => labellingOf(o.nodes).endings).values()].sort((a, b) => b.length - a.length);
  return most![0]!;
}

/** Parameters of forms, by their paths. */
type Paths = ReadonlyMap<number, readonly string[]>;
/** What a node declares under a label. */
function pathsOf(n: Node, label: string | null, paths: Paths): readonly string[] {
  if (label === null) return [];
  const own = n.kind === "group" ? paths.get(n.form)! : n.kind === "variable" ? [""] : ["weight", ...n.weights.keys()];
  return own.map((path) => (path === "" ? label : joinPath(label === "_" ? "" : label, path)));
}

/** `prefix`: what labels begin with that belong to the body; null: it is the model's. */
function bodyLabels(nodes: readonly Node[], prefix: string | null, paths: Paths, nameOf: (form: number) => string): BodyLabels {
  const used = new Set<string>();
  const labels = new Set<string>();
  const take = (n: Node, label: string): boolean => {
    const own = pathsOf(n, label, paths);
    if (labels.has(label) || own.some((path) => used.has(path))) return false;
    for (const path of own) used.add(path);
    if (label !== "_") labels.add(label);
    return true;
  };
  const wanted = nodes.map((n) => {
    const label = ownsWeights(n) ? wantedLabel(n, prefix) : null;
    if (label === null || take(n, label)) return label;
    return label === "_" ? null : firstOf(numbered(`${label}_`, 2), (l) => take(n, l));
  });
  const counters = new Map<string, Generator<string>>();
  return nodes.map((n, i) => {
    if (wanted[i] !== null || !ownsWeights(n)) return wanted[i]!;
    const base = baseOf(n, nameOf);
    const counter = counters.get(base) ?? (n.kind === "variable" ? named(base) : numbered(base, 1));
    counters.set(base, counter);
    return firstOf(counter, (l) => take(n, l));
  });
}
function* numbered(base: string, from: number): Generator<string> {
  for (let k = from; ; k++) yield `${base}${k}`;
}
function* named(base: string): Generator<string> {
  yield base;
  yield* numbered(base, 2);
}
function firstOf(labels: Generator<string>, fits: (label: string) => boolean): string {
  for (;;) {
    const label = labels.next().value as string;
    if (fits(label)) return label;
  }
}

function wantedLabel(n: Node, prefix: string | null): string | null {
  if (n.kind === "leaf") return n.label && without(prefix, n.label);
  if (n.kind === "variable") return n.label && (prefix === null || n.label.includes(".")) ? without(prefix, n.label) : null;
  const { prefix: own, endings } = labellingOf(n.nodes);
  return endings === "" ? null : own === (prefix ?? "") ? "_" : without(prefix, own);
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
  if (n.kind === "variable")
    return (
      n.label
        ?.split(".")
        .at(-1)
        ?.replace(/_*\d*$/, "") || (n.word === "param" ? "weight" : "table")
    );
  if (n.kind === "group") {
    const word = snakeCase(nameOf(n.form)).replace(/\d+$/, "").split("_").at(-1)!;
    return /^(residual|bottleneck|)$/.test(word) ? "block" : word;
  }
  const { callee } = n.template;
  return short[callee] ?? labelFrom(snakeCase(callee)) ?? "layer";
}
