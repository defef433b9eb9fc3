/** Reductions over axes. */
import type { Node } from "../graph/graph.ts";
import type { Expr } from "../kernel/kernel.ts";
import { type AttrSpec, bool, type CallableOp, type FoldOp, fold, ints, op } from "../op.ts";
import { type DType, type Shape, sizeOf, type TensorType, tensor } from "../type.ts";
import { div, equal, mul } from "./binary.ts";
import { broadcast } from "./broadcast.ts";
import { scalar } from "./broadcasting.ts";
import { cast } from "./cast.ts";
import { expectAxes, expectDType, numeric } from "./expect.ts";
import { restoreAxes } from "./reshape.ts";
import { where } from "./where.ts";

interface ReduceAttrs {
  readonly axes: readonly number[];
  readonly keepdims: boolean;
}
export type Reduce = CallableOp<readonly ["x"], { axes: AttrSpec<readonly number[]>; keepdims: AttrSpec<boolean> }>;

export const reducedShape = (shape: Shape, { axes, keepdims }: ReduceAttrs): Shape =>
  shape.flatMap((d, a) => (!axes.includes(a) ? [d] : keepdims ? [1] : []));

/** Index of x from one of the result and one of the reduced axes, which are in the order of `axes`. */
export const reduceIndex = (rank: number, { axes, keepdims }: ReduceAttrs, result: readonly Expr[], folded: readonly Expr[]): Expr[] => {
  const kept = Array.from({ length: rank }, (_, a) => a).filter((a) => !axes.includes(a));
  return Array.from({ length: rank }, (_, a) => (axes.includes(a) ? folded[axes.indexOf(a)]! : result[keepdims ? a : kept.indexOf(a)]!));
};

/** A reduced tensor with its axes back, 1 long, so that it broadcasts against x. */
const against = (reduced: Node, x: Node, axes: readonly number[]): Node => restoreAxes(reduced, x.type.shape, axes);

interface Row {
  readonly types: readonly DType[];
  readonly op: FoldOp;
  /** `dy` and `y` broadcast against x. */
  readonly grad: (x: Node, dy: Node, y: Node, axes: readonly number[]) => Node;
}
const reduce = (name: string, row: Row): Reduce =>
  op({ name, inputs: ["x"], attrs: { axes: ints(), keepdims: bool(false) }, kind: "fold" }).rules({
    infer: ({ x }, attrs) => {
      expectDType(name, "x", x, row.types);
      expectAxes(name, x, attrs.axes);
      return tensor(x.dtype, reducedShape(x.shape, attrs));
    },
    grad: ({ x }, { axes }, y, dy) => ({ x: row.grad(x, against(dy, x, axes), against(y, x, axes), axes) }),
    lower: ({ x }, attrs) => {
      const { shape } = x.type;
      const extents = attrs.axes.map((a) => shape[a]!);
      const foldOp = x.type.dtype === "bool" ? (row.op === "max" ? "any" : "all") : row.op;
      return (...i) => fold(foldOp, extents, (...r) => x(...reduceIndex(shape.length, attrs, i, r)));
    },
    flops: ({ x }) => sizeOf(x.shape),
  });

/** The sum over `axes`, which are gone in the result, or 1 with `keepdims`. */
export const reduceSum: Reduce = reduce("reduce_sum", {
  types: numeric,
  op: "sum",
  grad: (x, dy) => broadcast({ x: dy }, { shape: x.type.shape }),
});
/**
 * The largest element over `axes`, which are gone in the result, or 1 with `keepdims`; of bool: any. Equal winners share the gradient
 * evenly.
 */
export const reduceMax: Reduce = reduce("reduce_max", { types: ["f32", "i32", "bool"], op: "max", grad: shareAmongWinners });
/**
 * The smallest element over `axes`, which are gone in the result, or 1 with `keepdims`; of bool: all. Equal winners share the gradient
 * evenly.
 */
export const reduceMin: Reduce = reduce("reduce_min", { types: ["f32", "i32", "bool"], op: "min", grad: shareAmongWinners });

function shareAmongWinners(x: Node, dy: Node, y: Node, axes: readonly number[]): Node {
  const wins = equal({ a: x, b: y });
  const winners = reduceSum({ x: cast({ x: wins }, { to: "f32" }) }, { axes, keepdims: true });
  return where({ cond: wins, a: div({ a: dy, b: winners }), b: scalar(0) });
}

/**
 * The product over `axes`, which are gone in the result, or 1 with `keepdims`. The derivative is the product of the others, where one
 * element is 0 too.
 */
export const reduceProd: Reduce = reduce("reduce_prod", {
  types: numeric,
  op: "prod",
  grad: (x, dy, _y, axes) => {
    const isZero = equal({ a: x, b: scalar(0) });
    const zeros = reduceSum({ x: cast({ x: isZero }, { to: "f32" }) }, { axes, keepdims: true });
    const nonzero = where({ cond: isZero, a: scalar(1), b: x });
    const product = reduceProd({ x: nonzero }, { axes, keepdims: true });
    const others = where({
      cond: isZero,
      a: where({ cond: equal({ a: zeros, b: scalar(1) }), a: product, b: scalar(0) }),
      b: where({ cond: equal({ a: zeros, b: scalar(0) }), a: div({ a: product, b: nonzero }), b: scalar(0) }),
    });
    return mul({ a: dy, b: others });
  },
});

/** Elements that one result is made of. */
export const countOf = (t: TensorType, axes: readonly number[]): number => axes.reduce((n, a) => n * t.shape[a]!, 1);
