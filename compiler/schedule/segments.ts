/**
 * Sums of rows by their index: gradients of rows that were taken, scatters.
 *
 *     y[r, j] = sum over k of (id(k) == r ? d(k, j) : 0)
 *
 * Element by element, every index would be looked at for every row. Instead, blocks of rows go through the indices once each and
 * add what belongs to them, in the order of k; a block belongs to one thread, so the sums do not depend on their number.
 */
import { add, and, at, declare, i32, le, load, local, lt, store } from "../../ir/kernel/build.ts";
import type { Axes, Computation, FoldAxis } from "../../ir/kernel/computation.ts";
import { type Expr, elementType, type Stmt } from "../../ir/kernel/kernel.ts";
import { mentions, substitute, substituteIn } from "../../ir/kernel/rewrite.ts";
import { isRowMajor } from "../../ir/layout.ts";
import { sizeOf } from "../../ir/type.ts";
import { identity } from "./accumulate.ts";
import { unravel } from "./elements.ts";
import { canVectorize } from "./vectorize.ts";

/** Blocks of rows: more threads than these have no work. */
const blocks = 16;

/** What is added at a fold position to the row `id`. */
interface Entry {
  readonly lets: readonly Stmt[];
  readonly id: Expr;
  readonly value: Expr;
}

/** Null when the computation has not this form. */
export function segments(c: Computation, axes: Axes): readonly Stmt[] | null {
  const { fold, output } = c;
  const rows = output.shape[0];
  if (fold?.op !== "sum" || rows === undefined || !isRowMajor(output.layout)) return null;
  if (!recognise(c, axes) || !storesSum(c, axes)) return null;
  const size = Math.ceil(rows / blocks);
  return [axes.loop("grid", "block", Math.ceil(rows / size), (block) => rowsOf(c, at(block, size), size, axes))];
}

/** The index of the row stands on one side of the comparison, and what is compared with it does not know the output. */
function entryAt(c: Computation, index: readonly Expr[], axes: Axes): Entry | null {
  const { lets, value } = c.fold!.term(index, axes);
  if (value.kind !== "select" || value.cond.kind !== "binary" || value.cond.op !== "eq") return null;
  if (value.b.kind !== "const" || value.b.value !== 0) return null;
  const { a, b } = value.cond;
  const id = b === index[0] ? a : a === index[0] ? b : null;
  return id && { lets, id, value: value.a };
}
function recognise(c: Computation, axes: Axes): boolean {
  const probes = c.output.shape.map((extent) => {
    const name = axes.fresh("p");
    axes.declare({ name, extent });
    return { name, axis: variable(name) };
  });
  const entry = entryAt(
    c,
    probes.map((p) => p.axis),
    axes,
  );
  const row = probes[0]!.name;
  return entry !== null && entry.lets.length === 0 && !probes.some((p) => mentions(entry.id, p.name)) && !mentions(entry.value, row);
}

/** Rows `from` to `from + size` - 1: zero, then everything that is added to them. */
function rowsOf(c: Computation, from: Expr, size: number, axes: Axes): readonly Stmt[] {
  const { output } = c;
  const inside = output.shape.slice(1);
  const width = sizeOf(inside);
  const rows = output.shape[0]!;
  const none = identity("sum", elementType(output));
  const zero = axes.loop("serial", "row", size, (r) => {
    const row = add(from, r);
    const body = columns(width, axes, (j) => [store(output, [row, ...unravel(j, inside)], none)]);
    return rows % size === 0 ? body : [{ kind: "if", cond: lt(row, i32(rows)), body }];
  });
  return [zero, ...additions(c, from, size, axes)];
}
/** Every fold position in order; those of other blocks are passed by. */
function additions(c: Computation, from: Expr, size: number, axes: Axes): readonly Stmt[] {
  const inside = c.output.shape.slice(1);
  const id = axes.fresh("id");
  const own = c.fold!.axes.map((a) => ({ name: axes.fresh(a.name), extent: a.extent }));
  for (const a of own) axes.declare(a);
  const by = new Map(c.fold!.axes.map((a, i): [string, Expr] => [a.name, variable(own[i]!.name)]));
  const row = local(id, "i32");
  const entry = (index: readonly Expr[]): Entry => entryAt(c, index, axes)!;
  const first = entry([row, ...inside.map(() => i32(0))]);
  const body: readonly Stmt[] = [
    declare(id, substitute(first.id, by)),
    {
      kind: "if",
      cond: and(le(from, row), lt(row, add(from, i32(size)))),
      body: columns(sizeOf(inside), axes, (j) => {
        const index = [row, ...unravel(j, inside)];
        const { lets, value } = entry(index);
        return [...substituteIn(lets, by), store(c.output, index, add(load(c.output, ...index), substitute(value, by)))];
      }),
    },
  ];
  return own.reduceRight<readonly Stmt[]>((inner, a) => [loop(a, inner)], body);
}
const loop = ({ name, extent }: FoldAxis, body: readonly Stmt[]): Stmt => ({ kind: "for", axis: name, extent, loop: "serial", body });
const variable = (name: string): Expr => ({ kind: "var", type: "i32", lanes: 1, name });

/** `width` elements of a row, four at a time where that is possible. */
function columns(width: number, axes: Axes, body: (j: Expr) => readonly Stmt[]): readonly Stmt[] {
  const fours = Math.floor(width / 4);
  const rest = (from: number) => (from === width ? [] : [axes.loop("serial", "j", width - from, (j) => body(at(j, 1, from)))]);
  if (fours === 0) return rest(0);
  let legal = true;
  const wide = axes.loop("serial", "j", fours, (j) => [
    axes.loop("vector", "lane", 4, (lane) => {
      const inner = body(at(j, 4, lane));
      legal = lane.kind === "var" && canVectorize(inner, lane.name, axes.ranges);
      return inner;
    }),
  ]);
  return legal ? [wide, ...rest(fours * 4)] : rest(0);
}
/** Sums rest in the output, so what is stored must be they: it may be memory that something after them would have read. */
function storesSum(c: Computation, axes: Axes): boolean {
  const sum = local(axes.fresh("sum"), elementType(c.output));
  const index = c.output.shape.map((extent) => {
    const name = axes.fresh("p");
    axes.declare({ name, extent });
    return variable(name);
  });
  const end = c.finish(index, sum, axes);
  return end.lets.length === 0 && end.value === sum;
}
