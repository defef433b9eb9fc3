/** Axes for loops that are only looked at: what is made with them is thrown away, and takes no names from the kernel. */
import { type Axes, makeAxes } from "../../ir/kernel/computation.ts";

export function trial(axes: Axes): Axes {
  const own = makeAxes();
  for (const [name, extent] of axes.ranges) own.declare({ name, extent });
  const fresh = (base: string): string => own.fresh(`trial.${base}`);
  return { ...own, fresh, loop: (kind, base, extent, body) => own.loop(kind, `trial.${base}`, extent, body) };
}
