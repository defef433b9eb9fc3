/** What one run takes with each binding of dimensions, where a program has several. */
import { bindingOf, type Dims, entryId } from "../../ir/program.ts";
import type { Stages } from "../compile.ts";
import { flopsOf } from "../graphs.ts";

export interface Figures {
  readonly dims: Dims;
  /** Of a prediction. */
  readonly flops: number;
  /** Of the entry that needs most. */
  readonly arenaBytes: number;
  readonly lowerBoundBytes: number;
}

export function figuresOf({ program, graphs, plan }: Stages): readonly Figures[] {
  return (program.bindings ?? []).map((dims, number) => {
    const entries = plan.entries.filter((e) => bindingOf(e.name) === number);
    // where no dimension reaches prediction, there is one for all
    const forward = graphs[entryId("forward", number)] ?? graphs.forward!;
    return {
      dims,
      flops: flopsOf(forward),
      arenaBytes: Math.max(0, ...entries.map((e) => e.arenaBytes)),
      lowerBoundBytes: Math.max(0, ...entries.map((e) => e.lowerBound)),
    };
  });
}
