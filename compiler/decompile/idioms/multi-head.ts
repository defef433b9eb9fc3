/**
 * `MultiHeadAttention`, where the last projection is called like that of `torch.nn.MultiheadAttention`: heads are told apart by
 * how the arguments of the attention are arranged, in any number of reshapes and permutations.
 */
import type { Shape } from "../../../ir/type.ts";
import { reshapeTerm } from "../rearranging.ts";
import { type Call, call, int, type Step, value, valuesIn, type Weight } from "../sketch.ts";
import { arrangementOf, type Piece, regrouped, sameAxes, whole } from "./arrangement.ts";
import { attentionOf, type Core, maskArguments } from "./attention.ts";
import { type Pen, permutation, type Rule } from "./rewrite.ts";

const outName = /(^|\.)out_proj$/;

export const multiHead: Rule = (step, pen) => {
  const out = linearOf(step);
  const label = out?.call.label ?? "";
  const type = pen.typeOf(step.results[0]!);
  const heads = out && outName.test(label) ? arrangementOf(out.input, pen) : null;
  const made = heads && pen.maker(heads.source);
  const core = made && attentionOf(made.term, pen);
  const found = core && projected(core, pen);
  if (!out || !type || !heads || !found || type.shape.at(-1) !== found.width || !fitsHeads(core, found, pen)) return null;
  const rows = rowsOf(heads.axes, pen.typeOf(out.input)!.shape, found);
  const weights = rows && joinedWeights(found.parts, out.weights, found.width);
  if (!rows || !weights) return null;
  const [q, k, v] = found.parts.map((p) => permutation(p.input, p.batchFirst ? [0, 1, 2] : [1, 0, 2], pen)) as [string, string, string];
  const named = {
    key: k === q && v === q ? undefined : value(k),
    value: v === k ? undefined : value(v),
    ...maskArguments(core.mask),
    bias: out.call.named.bias,
  };
  const layer: Call = { ...call("MultiHeadAttention", [value(q), int(found.heads)], named), label: label.replace(outName, "") || null };
  const { batch, places, width } = found;
  const all = pen.emit(layer, { ...type, shape: [batch, places, width] }, weights);
  const turned = rows === "batch first" ? all : permutation(all, [1, 0, 2], pen)!;
  const shape = rows === "batch first" ? [batch, places, width] : [places, batch, width];
  return { term: shape.join() === type.shape.join() ? value(turned) : reshapeTerm(value(turned), shape, type.shape), weights: new Map() };
};

/** A mask over [N * Heads, T, S] must be the same for all heads and examples to be one over [N, Heads, T, S]. */
function fitsHeads({ mask }: Core, { rank }: Projected, pen: Pen): boolean {
  if (rank === 4 || mask.kind !== "where") return true;
  return valuesIn(mask.term).every((name) =>
    pen
      .typeOf(name)
      ?.shape.slice(0, -2)
      .every((d) => d === 1),
  );
}

/* ---- projections ------------------------------------------------------------------------------------------------- */

interface Linear {
  readonly call: Call;
  readonly input: string;
  readonly weights: ReadonlyMap<string, Weight>;
}
function linearOf(step: Step | null): Linear | null {
  if (step?.term.kind !== "call" || step.term.callee !== "Linear" || step.term.args[0]?.kind !== "value") return null;
  return { call: step.term, input: step.term.args[0].name, weights: step.weights };
}
/** Some rows of a linear layer, applied to tensors of three axes. */
interface Projection {
  readonly linear: Linear;
  readonly input: string;
  readonly made: string;
  readonly from: number;
  readonly batchFirst: boolean;
  readonly batch: number;
  readonly places: number;
  readonly heads: number;
  readonly width: number;
}
interface Projected extends Pick<Projection, "batch" | "places" | "heads" | "width"> {
  readonly rank: number;
  /** Of query, key and value. */
  readonly parts: readonly Projection[];
}
function projected({ q, k, v, turned }: Core, pen: Pen): Projected | null {
  const parts = [projection(q, false, pen), projection(k, turned, pen), projection(v, false, pen)];
  if (!parts.every((p) => p !== null)) return null;
  const [first, keys, values] = parts as [Projection, Projection, Projection];
  const alike = (p: Projection) => p.batch === first.batch && p.heads === first.heads && p.width === first.width;
  const isOnlyUse = (p: Projection) => pen.uses(p.made) <= parts.filter((other) => other.made === p.made).length;
  if (!parts.every((p) => alike(p) && isOnlyUse(p)) || keys.places !== values.places) return null;
  const { batch, places, heads, width } = first;
  return { batch, places, heads, width, rank: pen.typeOf(q)!.shape.length, parts };
}
/** The projection behind an argument of attention: [N, Heads, T, D] or [N * Heads, T, D], with the last two turned for keys. */
function projection(name: string, turned: boolean, pen: Pen): Projection | null {
  const arranged = arrangementOf(name, pen);
  const linear = arranged && linearOf(pen.maker(arranged.source));
  const [source, given] = [arranged && pen.typeOf(arranged.source)?.shape, pen.typeOf(name)?.shape];
  if (!arranged || !linear || source?.length !== 3 || !given) return null;
  const shape = turned ? [...given.slice(0, -2), given.at(-1)!, given.at(-2)!] : given;
  const axes = turned ? [...arranged.axes.slice(0, -2), arranged.axes.at(-1)!, arranged.axes.at(-2)!] : arranged.axes;
  for (const batchFirst of [true, false]) {
    const [n, t] = batchFirst ? [0, 1] : [1, 0];
    const [batch, places, features] = [source[n]!, source[t]!, shape.at(-1)!];
    const heads = shape.length === 4 ? shape[1]! : shape[0]! / batch;
    const pieces = [...whole(n, batch), ...whole(2, heads, features), ...whole(t, places), ...whole(2, features)];
    const expected = Number.isInteger(heads) ? regrouped(pieces, shape) : null;
    if (!expected || !sameAxes(expected, axes)) continue;
    const width = heads * features;
    return { linear, input: linear.input, made: arranged.source, from: arranged.offsets[2]!, batchFirst, batch, places, heads, width };
  }
  return null;
}
/** The order in which the last projection takes its rows; null: it takes something else. */
function rowsOf(axes: readonly (readonly Piece[])[], shape: Shape, { batch, places, heads, width, rank }: Projected) {
  const features = whole(rank - 1, width / heads);
  const [n, h] = rank === 4 ? [whole(0, batch), whole(1, heads)] : [whole(0, batch, heads), whole(0, heads)];
  const t = whole(rank - 2, places);
  const takes = (pieces: readonly Piece[]) => {
    const expected = regrouped([...pieces, ...h, ...features], shape);
    return expected !== null && sameAxes(expected, axes);
  };
  return takes([...n, ...t]) ? "batch first" : takes([...t, ...n]) ? "places first" : null;
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

/** Those of `MultiHeadAttention`; null: the layers do not have them. */
function joinedWeights(parts: readonly Projection[], out: ReadonlyMap<string, Weight>, width: number): ReadonlyMap<string, Weight> | null {
  const weight = joined(parts, "weight", [width, width]);
  const bias = joined(parts, "bias", [width]);
  const last = out.get("weight");
  const hasBias = parts.every((p) => p.linear.weights.has("bias")) && out.has("bias");
  const hasNone = parts.every((p) => !p.linear.weights.has("bias")) && !out.has("bias");
  if (!weight || !last || (!bias && hasBias) || !(hasBias || hasNone)) return null;
  const biases = hasBias
    ? ([
        ["in_proj_bias", bias!],
        ["out_proj.bias", out.get("bias")!],
      ] as const)
    : [];
  return new Map([["in_proj_weight", weight], ["out_proj.weight", last], ...biases]);
}
/** The rows of all parts of what has `shape` for each; null: it has another. */
function joined(parts: readonly Projection[], path: string, shape: Shape): Weight | null {
  const [rows, ...rest] = shape as [number, ...number[]];
  const each = rest.reduce((n, d) => n * d, 1);
  const data = new Float32Array(3 * rows * each);
  for (const [i, { linear, from }] of parts.entries()) {
    const given = linear.weights.get(path);
    if (!given || given.type.shape.slice(1).join() !== rest.join()) return null;
    data.set(given.data.subarray(from * each, (from + rows) * each), i * rows * each);
  }
  return { type: { dtype: "f32", shape: [3 * rows, ...rest], layout: null }, data };
}
