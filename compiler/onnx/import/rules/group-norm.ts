/**
 * Group normalisation as PyTorch writes it in older operator sets:
 *
 *     Reshape [N, groups, -1] -> InstanceNormalization by ones and zeros -> Reshape back -> Mul -> Add
 */
import { sameShape, sizeOf } from "../../../../ir/type.ts";
import { bool, call, int, value } from "../../../decompile/sketch.ts";
import { type Context, emitLayer, type Follower, isKnown, operand, type Rule } from "../context.ts";
import { type Known, type Live, type Operand, reshapedKnown } from "../values.ts";

/** The second Reshape of this, with what follows it; otherwise `reshape`. */
export const groupNormOr =
  (reshape: Rule): Rule =>
  (c) => {
    const result = reshape(c) as Operand;
    return groupNorm(c, operand(c, 0), result) ?? result;
  };

function groupNorm(c: Context, x: Operand, y: Operand): Live | null {
  const norm = isKnown(x) ? null : c.recorder.madeBy(x.name);
  const { term, weights } = norm ?? {};
  if (term?.kind !== "call" || term.callee !== "InstanceNorm" || !weights) return null;
  const plain = everywhere(weights.get("weight")?.data, 1) && everywhere(weights.get("bias")?.data, 0);
  const grouped = c.recorder.madeBy(nameOf(term.args[0]))?.term;
  const source = grouped?.kind === "call" && grouped.callee === "reshape" ? c.recorder.live(nameOf(grouped.args[0])) : null;
  if (!plain || !source || x.shape.length !== 3 || !sameShape(source.shape, y.shape) || source.shape[0] !== x.shape[0]) return null;
  const groups = x.shape[1]!;
  const channels = source.shape[1]!;
  const scale = tableOf(c.follower(), "Mul", channels, source.shape.length);
  const bias = scale && tableOf(scale.follower.next(), "Add", channels, source.shape.length);
  const named = { eps: term.named.eps, affine: bias ? undefined : bool(false) };
  const layer = call("GroupNorm", [value(source.name), int(groups)], named);
  if (!scale || !bias) return emitLayer(c, { call: layer, weights: {}, named: [] });
  c.absorb([scale.follower, bias.follower]);
  return emitLayer(c, { call: layer, weights: { weight: scale.table, bias: bias.table }, named: [scale.table, bias.table] });
}
const nameOf = (t: { readonly kind: string; readonly name?: string } | undefined): string => (t?.kind === "value" ? (t.name ?? "") : "");
const everywhere = (data: ArrayLike<number> | undefined, v: number): boolean =>
  data !== undefined && Array.from(data).every((e) => e === v);

/** A table of the file along the channels, which the node combines with its other operand. */
function tableOf(
  follower: Follower | null,
  opType: string,
  channels: number,
  rank: number,
): { readonly follower: Follower; readonly table: Known } | null {
  const table = follower?.node.opType === opType ? (follower.others[0] ?? null) : null;
  if (!follower || !isKnown(table) || table.dtype !== "f32") return null;
  const along = table.shape.length === rank - 1 ? table.shape : table.shape.slice(1);
  const fits = sizeOf(table.shape) === channels && along[0] === channels && along.length === rank - 1;
  return fits ? { follower, table: reshapedKnown(table, [channels]) } : null;
}
