/**
 * Loops for a GPU: a transformed convolution by its tiles, a product by tiles where a sum of products has the form, invocations
 * that share long folds, else one invocation for each four elements of memory, or for each one, halo and padding included.
 */

import { type Choose, preferred } from "../../ir/choice.ts";
import { store } from "../../ir/kernel/build.ts";
import { type Axes, type Computation, makeAxes } from "../../ir/kernel/computation.ts";
import type { Buffer, Kernel, Stmt } from "../../ir/kernel/kernel.ts";
import { type Limits, profiles } from "../../ir/limits.ts";
import { sizeOf } from "../../ir/type.ts";
import { logicalIndex, orZero, physicalExtents, unravel } from "./elements.ts";
import { foldSerially } from "./fold.ts";
import { overPositions } from "./gpu/elements.ts";
import { sharedFold } from "./gpu/fold.ts";
import { product } from "./gpu/product.ts";
import { wide } from "./gpu/wide.ts";
import { transforms } from "./gpu/winograd.ts";

/** `limits`: what the device has. */
export function scheduleGpu(c: Computation, choose: Choose = preferred, limits: Limits = profiles.default): Kernel {
  const axes = makeAxes();
  const own: Buffer[] = [];
  const folded = transforms(c, axes) ?? product(c, axes, own, choose, limits) ?? sharedFold(c, axes, own, limits);
  const body = folded ?? [wide(c, axes) ?? elements(c, axes)];
  return { name: c.name, buffers: [...c.inputs, c.output, ...own], body };
}

function elements(c: Computation, axes: Axes): Stmt {
  const extents = physicalExtents(c.output);
  return overPositions(sizeOf(extents), axes, (position) => {
    const index = logicalIndex(c.output, unravel(position, extents));
    const v = orZero(c.output, index, axes, (i) => {
      const folded = c.fold && foldSerially(c.fold, i, axes);
      const end = c.finish(i, folded?.value ?? null, axes);
      return { lets: [...(folded?.body ?? []), ...end.lets], value: end.value };
    });
    return [...v.lets, store(c.output, index, v.value)];
  });
}
