/**
 * Blocks through constant matrices on a GPU: an invocation has a block of four neighbours in memory, or of one, in variables from the
 * first load to the last store.
 *
 *     grid g, thread t { vector j in 4 {
 *       x_0 = x[.., 0, 0], ..; columns = matrix * x; rows = columns * matrix'; y[.., 0, 0] = rows_0, ..
 *     } }
 */
import { add, at, declare, i32, local, store, within } from "../../../ir/kernel/build.ts";
import type { Axes, Blockwise, Computation } from "../../../ir/kernel/computation.ts";
import { type Expr, type Stmt, typeOf } from "../../../ir/kernel/kernel.ts";
import { keyOf } from "../../../ir/kernel/linear.ts";
import { declaredIn, mapExpr, mapStmt, mentions, substituteIn } from "../../../ir/kernel/rewrite.ts";
import type { Matrix } from "../../../ir/op.ts";
import { multiply } from "../contraction/transform.ts";
import { probe } from "../contraction/work.ts";
import { trial } from "../trial.ts";
import { canVectorize } from "../vectorize.ts";
import { overElements, zeroHalo } from "./elements.ts";

type Transform = Extract<Blockwise, { kind: "transform" }>;

/** The loops, or null where what is computed has no blocks, or lies in others. */
export function transforms(c: Computation, axes: Axes): readonly Stmt[] | null {
  const blocks = c.fold?.blocks;
  const { dims } = c.output.layout;
  if (blocks?.kind !== "transform" || dims.some((d) => d.div > 1 || d.mod > 0)) return null;
  const innermost = dims.at(-1)!.axis;
  if (blocks.axes.includes(innermost)) return null;
  const isWide = c.output.shape[innermost]! % 4 === 0 && isLegal([loops(c, blocks, 4, trial(axes))], new Map());
  return [loops(c, blocks, isWide ? 4 : 1, axes)];
}
/** Whether vector loops are legal for those who know the extents of loops only. */
const isLegal = (body: readonly Stmt[], ranges: ReadonlyMap<string, number>): boolean =>
  body.every((s) => {
    if (s.kind === "for" && s.loop === "vector") return canVectorize(s.body, s.axis, ranges);
    if (s.kind === "for") return isLegal(s.body, new Map(ranges).set(s.axis, s.extent));
    return s.kind !== "if" || isLegal(s.body, ranges);
  });

function loops(c: Computation, blocks: Transform, width: 1 | 4, axes: Axes): Stmt {
  const order = c.output.layout.dims.map((d) => d.axis);
  const size = blocks.matrix.length;
  const step = (axis: number) => (blocks.axes.includes(axis) ? size : axis === order.at(-1) ? width : 1);
  const extents = order.map((axis) => Math.ceil(c.output.shape[axis]! / step(axis)));
  // Blocks beyond the last do nothing, so that nothing need be tested for places that there are not.
  const inside = extents.map((n) => probe(axes, n));
  const index = c.output.shape.map((): Expr => i32(0));
  order.forEach((axis, n) => {
    if (extents[n]! > 1) index[axis] = at(inside[n]!.axis, step(axis));
  });
  const lanes = (lane: Expr) => block(c, blocks, index.with(order.at(-1)!, add(index[order.at(-1)!]!, lane)), axes);
  const stmts = width === 1 ? block(c, blocks, index, axes) : [axes.loop("vector", "lane", 4, lanes)];
  const body = (place: readonly Expr[]): readonly Stmt[] =>
    quotientsOnce(substituteIn(stmts, new Map(inside.map((p, n) => [p.name, place[n]!]))), axes);
  return overElements(extents, axes, body, zeroHalo(c.output, axes));
}
/** Quotients and remainders that many indices have in common, in variables before them. */
function quotientsOnce(body: readonly Stmt[], axes: Axes): readonly Stmt[] {
  const own = declaredIn(body);
  const names = new Map<string, string>();
  const found: Stmt[] = [];
  const bind = (e: Expr): Expr => {
    const isShared = e.kind === "binary" && (e.op === "div" || e.op === "mod") && typeOf(e) === "i32";
    if (!isShared || [...own].some((name) => mentions(e, name))) return mapExpr(e, bind);
    const name = names.get(keyOf(e)) ?? axes.fresh("place");
    if (!names.has(keyOf(e))) found.push(declare(name, e));
    names.set(keyOf(e), name);
    return { kind: "var", type: "i32", lanes: 1, name };
  };
  const walk = (stmts: readonly Stmt[]): readonly Stmt[] => stmts.map((s) => mapStmt(s, bind, walk));
  const bound = walk(body);
  return [...found, ...bound];
}

/** The block from `first` on: columns of what is read, then rows of what is written. */
function block(c: Computation, { matrix, axes: along, reads }: Transform, first: readonly Expr[], axes: Axes): readonly Stmt[] {
  const body: Stmt[] = [];
  const taps = matrix[0]!.map((_, s) => s);
  const between = taps.map((s) => {
    const column: Expr[] = [];
    const read = (r: number) => reads[0]!([...first, i32(r), i32(s)], axes);
    const keep = (_: number, value: Expr): readonly Stmt[] => {
      const name = axes.fresh("between");
      column.push(local(name));
      return [declare(name, value)];
    };
    body.push(...multiply(matrix, read, keep, axes));
    return column;
  });
  const rows = matrix.flatMap((_, p) => {
    const write = (q: number, value: Expr): readonly Stmt[] => {
      const index = first.with(along[0], add(first[along[0]]!, i32(p))).with(along[1], add(first[along[1]]!, i32(q)));
      const end = c.finish(index, value, axes);
      return inside(c, matrix, along[1], index, [...end.lets, store(c.output, index, end.value)]);
    };
    const row = multiply(matrix, (s) => ({ lets: [], value: between[s]![p]! }), write, axes);
    return inside(c, matrix, along[0], first.with(along[0], add(first[along[0]]!, i32(p))), row);
  });
  return [...body, ...rows];
}
/** Blocks may reach beyond the end of an axis. */
const inside = (c: Computation, { length }: Matrix, axis: number, index: readonly Expr[], body: readonly Stmt[]): readonly Stmt[] =>
  c.output.shape[axis]! % length === 0 ? body : [within(index[axis]!, c.output.shape[axis]!, body)];
