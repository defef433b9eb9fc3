/** What it takes to read through a view, and where that leads: the one notion that passes and lowering share. */
import { axis, i32 } from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";
import { isRowMajor } from "../layout.ts";
import type { Access } from "../op.ts";
import type { Node } from "./graph.ts";

export const isView = (n: Node): boolean => n.op.schema.kind === "view";
/** null: no view. */
const accessOf = ({ op: { schema } }: Node): Access | null => (schema.kind === "view" ? schema.access : null);

/** Neighbours in the view are neighbours, or repeated, in the operand: reading through it costs nothing, wherever it is done. */
export const isOrdered = (n: Node): boolean => accessOf(n) === "ordered";
/** Which element is read is itself read. */
export const isIndirect = (n: Node): boolean => accessOf(n) === "indirect";
/** In row-major memory the address of an element moves evenly with its index. */
const isStrided = (n: Node): boolean => accessOf(n) === "ordered" || accessOf(n) === "permuted";

/** A view, through any number of views, of row-major memory in which addresses move evenly with the index. */
export function isStridedInMemory(n: Node, inMemory: (n: Node) => boolean): boolean {
  if (!isStrided(n) || n.type.layout) return false;
  const x = n.inputs[0]!;
  return inMemory(x) ? x.type.layout === null || isRowMajor(x.type.layout) : isStridedInMemory(x, inMemory);
}
/** No view of something that has a layout of its own, where the view's elements would lie scattered. */
export const readsRowMajor = (n: Node): boolean => !isView(n) || n.inputs.every((x) => x.type.layout === null && readsRowMajor(x));

/** The last two axes stand the other way round than in memory. */
export const isTransposed = (n: Node): boolean => {
  if (accessOf(n) === "permuted") return !keepsInnermost(n);
  return isView(n) && n.inputs.length === 1 && isTransposed(n.inputs[0]!);
};
/** Its lowering rule reads along the operand's last axis where the view's last index moves. */
function keepsInnermost(n: Node): boolean {
  const index = n.type.shape.map((_, a) => axis(`i${a}`));
  let last: Expr | undefined;
  const read = (...at: readonly Expr[]): Expr => {
    last = at.at(-1);
    return i32(0);
  };
  n.op.lower!([Object.assign(read, { padded: read, type: n.inputs[0]!.type })], n.attrs, n.type)(...index);
  return last === index.at(-1);
}
