/** What layers that were found are called: as their labels say (`denselayer1` is a DenseLayer), else by what they are made of. */
import type { Declaration } from "./declarations.ts";
import { labellingOf } from "./label-text.ts";
import type { Leaf, Node } from "./program.ts";

/** By form. No name is one of `taken`. */
export function nameLayers(declarations: readonly Declaration[], taken: ReadonlySet<string>): ReadonlyMap<number, string> {
  const used = new Set(taken);
  const names = new Map<number, string>();
  for (const d of declarations) {
    const { nodes } = d.occurrences[0];
    const wanted = d.layer ? (labelName(d) ?? structuralName(nodes)) : functionName(nodes);
    let name = wanted;
    for (let k = 2; used.has(name); k++) name = `${wanted}${k}`;
    used.add(name);
    names.set(d.form, name);
  }
  return names;
}

/** Words of labels that do not say what stands there. */
const vague =
  /^(layers?|blocks?|units?|cells?|convs?|features?|models?|modules?|nets?|body|main|stages?|encoder|decoder|backbone|base|trunk|[a-z])?$/;
const short: Readonly<Record<string, string>> = { attn: "Attention", mlp: "MLP", ffn: "FeedForward", se: "SqueezeExcite" };
/** The last word of what the labels of all occurrences begin with, without its number. */
function labelName({ occurrences }: Declaration): string | null {
  const words = new Set(occurrences.map((o) => lastWord(labellingOf(o.nodes).prefix)));
  const [word] = words;
  if (words.size !== 1 || !word || vague.test(word)) return null;
  return short[word] ?? pascalCase(word.replace(/(?<=[^s])s$/, ""));
}
function lastWord(prefix: string): string {
  const parts = prefix.split(".").map((p) => p.replace(/_?\d+[a-z]?$/, ""));
  return parts.findLast((p) => /[A-Za-z]/.test(p)) ?? "";
}
function pascalCase(word: string): string {
  const joined = word.replace(/^(dense|basic|conv|residual|inverted|transformer)(layer|block|unit|residual|module)$/i, "$1_$2");
  return joined
    .split("_")
    .filter((p) => p !== "")
    .map((p) => p[0]!.toUpperCase() + p.slice(1))
    .join("");
}

function structuralName(nodes: readonly Node[]): string {
  const leaves = flat(nodes);
  const calls = new Set(leaves.map((n) => n.template.callee));
  const has = (...names: string[]) => names.some((n) => calls.has(n));
  const adds = leaves.filter(isSum).length;
  if (has("softmax", "attention", "MultiHeadAttention")) return adds > 1 ? "TransformerBlock" : adds > 0 ? "AttentionBlock" : "Attention";
  const last = nodes.findLast((n): n is Leaf => n.kind === "leaf" && !["relu", "relu6", "silu"].includes(n.template.callee));
  if (last?.template.callee === "concat") return last.operands.length > 2 ? "Inception" : "Merge";
  const convolutions = leaves.filter((n) => /^Conv/.test(n.template.callee));
  const narrow = [0, 2].every((k) => kernelOf(convolutions[k]) === 1) && kernelOf(convolutions[1]) !== 1;
  if (last && isSum(last)) {
    if (convolutions.some(isDepthwise)) return "InvertedResidual";
    return `${skipsUnchanged(nodes, last) ? "" : "Projection"}${narrow ? "Bottleneck" : "Block"}`.replace(/^Block/, "ResidualBlock");
  }
  if (convolutions.some(isDepthwise)) return narrow ? "InvertedBlock" : "SeparableConv";
  if (convolutions.length > 0) return "ConvBlock";
  if (has("Linear")) return adds > 0 ? "FeedForward" : "LinearBlock";
  return "Block";
}
function functionName(nodes: readonly Node[]): string {
  const calls = new Set(flat(nodes).map((n) => n.template.callee));
  if (calls.has("softmax")) return "attend";
  return calls.has("permute") || calls.has("reshape") || calls.has("transpose") ? "rearrange" : "combine";
}
const flat = (nodes: readonly Node[]): readonly Leaf[] =>
  nodes.flatMap((n) => (n.kind === "group" ? flat(n.nodes) : n.kind === "leaf" ? [n] : []));
const isSum = ({ template }: Leaf): boolean => template.term.kind === "binary" && template.term.op === "+";
function kernelOf(n: Leaf | undefined): number | null {
  const kernel = n?.constants[n.template.slots.findIndex((s) => s.parameter === "kernel")];
  return kernel?.kind === "int" ? kernel.value : null;
}
/** Every channel has filters of its own. */
const isDepthwise = ({ weights, template: { term } }: Leaf): boolean =>
  term.kind === "call" && "groups" in term.named && weights.get("weight")?.type.shape[1] === 1;
/** One of what is added comes from outside. */
function skipsUnchanged(nodes: readonly Node[], sum: Leaf): boolean {
  const own = new Set(nodes.flatMap((n) => n.results));
  return sum.operands.some((v) => !own.has(v));
}
