/** Axes for loops that are only looked at: what is made with them is thrown away, and takes no names from the kernel. */
import { axis } from "../../ir/kernel/build.ts";
import { type Axes, makeAxes } from "../../ir/kernel/computation.ts";

export function trial(axes: Axes): Axes {
  const own = makeAxes();
  for (const [name, extent] of axes.ranges) own.declare({ name, extent });
  const fresh = (base: string): string => {
    const name = own.fresh(`trial.${base}`);
    return own.ranges.has(name) ? fresh(base) : name;
  };
  const loop: Axes["loop"] = (kind, base, extent, body) => {
    const name = fresh(base);
    own.declare({ name, extent });
    return { kind: "for", axis: name, extent, loop: kind, body: body(axis(name)) };
  };
  return { ranges: own.ranges, declare: own.declare, fresh, loop };
}
