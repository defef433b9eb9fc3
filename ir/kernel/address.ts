/** Layouts on expressions: where a logical index lives, as arithmetic. `layout.ts` has the same on numbers. */
import { invariant } from "../diagnostic.ts";
import { dimExtent, elementsIn, haloOf } from "../layout.ts";
import { add, div, i32, mod, mul } from "./build.ts";
import type { Buffer, Expr } from "./kernel.ts";
import { linear, type Ranges } from "./linear.ts";
import { mentions } from "./rewrite.ts";

/** Element offset of a logical index, not yet simplified. An index may reach into the halo. */
export function flattenIndex(b: Buffer, index: readonly Expr[]): Expr {
  invariant(index.length === b.shape.length, `${b.name} has ${b.shape.length} axes, indexed with ${index.length}`);
  return b.layout.dims.reduce<Expr>((offset, d) => {
    const x = add(index[d.axis]!, i32(haloOf(b.layout, d.axis)[0]));
    const y = d.mod ? mod(d.div > 1 ? div(x, i32(d.div)) : x, i32(d.mod)) : div(x, i32(d.div));
    return add(mul(offset, i32(dimExtent(b.shape, b.layout, d))), y);
  }, i32(0));
}
/** Elements in memory. */
export const bufferElements = (b: Buffer): number => elementsIn(b.shape, b.layout);

/** How much `offset` grows when `axis` grows by one: a constant, or NaN where it is none. */
export function strideOf(offset: Expr, axis: string, ranges: Ranges): number {
  const { terms } = linear(offset, ranges);
  for (const [key, t] of terms) if (key !== axis && mentions(t.atom, axis)) return Number.NaN;
  return terms.get(axis)?.scale ?? 0;
}
