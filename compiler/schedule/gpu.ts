/** Loops for a GPU, plain: one invocation computes one element of memory, halo and padding included. */
import { at, store, within } from "../../ir/kernel/build.ts";
import { type Computation, makeAxes } from "../../ir/kernel/computation.ts";
import type { Kernel } from "../../ir/kernel/kernel.ts";
import { logicalIndex, orZero, physicalExtents, unravel } from "./elements.ts";
import { foldSerially } from "./fold.ts";

/** Invocations of a workgroup: a multiple of every subgroup size in use. */
const workgroup = 64;

export function scheduleGpu(c: Computation): Kernel {
  const axes = makeAxes();
  const extents = physicalExtents(c.output);
  const elements = extents.reduce((n, d) => n * d, 1);
  const groups = Math.ceil(elements / workgroup);
  const body = axes.loop("grid", "group", groups, (g) => [
    axes.loop("thread", "invocation", workgroup, (t) => {
      const position = at(g, workgroup, t);
      const index = logicalIndex(c.output, unravel(position, extents));
      const v = orZero(c.output, index, axes, (i) => {
        const folded = c.fold && foldSerially(c.fold, i, axes);
        const end = c.finish(i, folded?.value ?? null, axes);
        return { lets: [...(folded?.body ?? []), ...end.lets], value: end.value };
      });
      const inside = [...v.lets, store(c.output, index, v.value)];
      return elements % workgroup === 0 ? inside : [within(position, elements, inside)];
    }),
  ]);
  return { name: c.name, buffers: [...c.inputs, c.output], body: [body] };
}
