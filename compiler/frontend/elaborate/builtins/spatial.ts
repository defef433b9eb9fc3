/** Images (N, C, L), (N, C, H, W) and (N, C, D, H, W), and arguments that hold something for each spatial axis. */
import type { Node } from "../../../../ir/graph/graph.ts";
import { ops } from "../../../../ir/ops/index.ts";
import { type BuiltinCall, intsOf, type Parameter } from "../builtin.ts";
import { complain } from "../frame.ts";
import { showType, type Value } from "../values.ts";

/** Before and after an axis. */
export type Side = readonly [number, number];
const sideOf = (v: Value): Side | undefined => {
  const ints = intsOf(v);
  return v.kind === "int" ? [v.value, v.value] : ints?.length === 2 ? [ints[0]!, ints[1]!] : undefined;
};
/** A number for all sides, or for each spatial axis a number or a pair (before, after). */
export const paddingArg: Parameter<readonly Side[]> = {
  expects: "an int, or for each spatial axis an int or a pair of ints",
  decode: (v) => {
    if (v.kind === "int") return [[v.value, v.value]];
    const sides = v.kind === "list" ? v.items.flatMap((item) => [sideOf(item)].flatMap((s) => (s ? [s] : []))) : [];
    return v.kind === "list" && sides.length === v.items.length && sides.length > 0 ? sides : undefined;
  },
  fallback: { value: [[0, 0]], text: "0" },
};

export type SpatialRank = 1 | 2 | 3;
/** How many axes of `x` follow N and C. */
export function spatialRank(x: Node, c: BuiltinCall): SpatialRank {
  const rank = x.type.shape.length - 2;
  if (rank === 1 || rank === 2 || rank === 3) return rank;
  return complain(
    c.frame,
    "shape",
    `${c.subject} expects dimensions (N, C, L), (N, C, H, W) or (N, C, D, H, W), got ${showType(x.type)}`,
    c.span,
  );
}
/** One value for each axis; a single one counts for all. */
export function forAxes<T>(name: string, values: readonly T[], rank: number, c: BuiltinCall): readonly T[] {
  if (values.length === 1) return Array.from({ length: rank }, () => values[0]!);
  if (values.length === rank) return values;
  return complain(c.frame, "shape", `${c.subject}: \`${name}\` has ${values.length} entries, there are ${rank} spatial axes`, c.span);
}

/** [N, C, L] as [N, C, 1, L]. */
export const asPlane = (x: Node): Node => ops.reshape({ x }, { shape: [...x.type.shape.slice(0, 2), 1, x.type.shape[2]!] });
/** Back from `asPlane`. */
export const asLine = (y: Node): Node => ops.reshape({ x: y }, { shape: [...y.type.shape.slice(0, 2), y.type.shape[3]!] });
