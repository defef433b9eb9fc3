/**
 * A sum of products of f32 over a box of indices: the computation as tiles see it, or a part of it.
 *
 *     finish(index, sum over k of a(index, k) * b(index, k))
 */
import { i32, store } from "../../../ir/kernel/build.ts";
import type { Axes, Computation } from "../../../ir/kernel/computation.ts";
import { type Expr, type Stmt, typeOf } from "../../../ir/kernel/kernel.ts";
import { substitute } from "../../../ir/kernel/rewrite.ts";
import { simplifyValue } from "../simplify.ts";

export interface Factors {
  readonly a: Expr;
  readonly b: Expr;
}
export interface Work {
  /** Extents of the axes, outermost in memory first; the last one holds the columns. */
  readonly extents: readonly number[];
  /** Extents of what is summed over, outermost first; one of 0: the sum is empty. */
  readonly fold: readonly number[];
  readonly factors: (index: readonly Expr[], k: readonly Expr[]) => Factors;
  /** Consumes a finished sum. */
  readonly finish: (index: readonly Expr[], sum: Expr) => readonly Stmt[];
}

/** All of a computation; null when it is no sum of products, or its output has blocks. */
export function workOf(c: Computation, axes: Axes): Work | null {
  const { fold, output } = c;
  const { dims } = output.layout;
  if (fold?.op !== "sum" || dims.length === 0 || dims.some((d) => d.div > 1 || d.mod > 0)) return null;
  const logical = (index: readonly Expr[]): readonly Expr[] => {
    const at = output.shape.map((): Expr => i32(0));
    dims.forEach((d, i) => {
      at[d.axis] = index[i]!;
    });
    return at;
  };
  const productAt = (index: readonly Expr[]) => {
    const { lets, value } = fold.term(logical(index), axes);
    return lets.length === 0 && value.kind === "binary" && value.op === "mul" && typeOf(value) === "f32" ? value : null;
  };
  if (!productAt(dims.map(() => i32(0)))) return null;
  return {
    extents: dims.map((d) => output.shape[d.axis]!),
    fold: fold.axes.map((a) => a.extent),
    factors: (index, k) => {
      const by = new Map(fold.axes.map((a, i) => [a.name, k[i]!]));
      const { a, b } = productAt(index)!;
      return { a: simplifyValue(substitute(a, by), axes.ranges), b: simplifyValue(substitute(b, by), axes.ranges) };
    },
    finish: (index, sum) => {
      const at = logical(index);
      const end = c.finish(at, sum, axes);
      return [...end.lets, store(output, at, end.value)];
    },
  };
}

/** An axis nobody loops over, to find out what depends on it. */
export function probe(axes: Axes, extent: number): { readonly name: string; readonly axis: Expr } {
  const name = axes.fresh("p");
  axes.declare({ name, extent });
  return { name, axis: { kind: "var", type: "i32", lanes: 1, name } };
}
