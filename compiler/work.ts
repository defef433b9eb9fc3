/** What a run costs, for those who choose where it is made. */
import { elementsIn } from "../ir/layout.ts";
import type { Lowered, LoweredCall, Value } from "../ir/lowered.ts";
import type { Program, Work } from "../ir/program.ts";
import { widthOf } from "./memory/plan.ts";
import { targets } from "./targets.ts";

/** By entry. */
export function workOf({ entries }: Lowered, target: Program["target"]): Readonly<Record<string, Work>> {
  const { memory } = targets[target];
  const bytesIn = (v: Value): number => elementsIn(v.type.shape, v.type.layout) * widthOf(v, memory);
  return Object.fromEntries(
    entries.map(({ name, calls }) => [
      name,
      {
        flops: calls.reduce((n, c) => n + c.flops, 0),
        bytes: calls.reduce((n, c) => n + bytesMoved(c, bytesIn), 0),
        calls: calls.length,
      },
    ]),
  );
}
/** Results are written once, operands read once, but for what is not computed with: a lookup reads some rows of its table. */
function bytesMoved({ inputs, outputs, flops }: LoweredCall, bytesIn: (v: Value) => number): number {
  const written = outputs.reduce((n, v) => n + bytesIn(v), 0);
  const most = Math.max(written, 4 * flops);
  return inputs.reduce((n, v) => n + Math.min(bytesIn(v), most), written);
}
