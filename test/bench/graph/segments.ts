/** A network in pieces that are compiled one by one: paddings and convolutions, and what stands between them. */
import type { Network, Step } from "./network.ts";

export interface Segment {
  readonly steps: readonly Step[];
  /** Names that it takes from outside, and those of its own that are read later. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** Of `reads`, those that no later segment reads. */
  readonly last: ReadonlySet<string>;
}

const apart: ReadonlySet<string> = new Set(["Pad", "Conv", "ConvTranspose"]);

export function segmentsOf(network: Network, steps: readonly Step[]): readonly Segment[] {
  const pieces: Step[][] = [];
  steps.forEach((step, i) => {
    const isCut = apart.has(step.op) || apart.has(steps[i - 1]?.op ?? "");
    if (isCut || pieces.length === 0) pieces.push([step]);
    else pieces.at(-1)!.push(step);
  });
  const later = new Set([network.output]);
  return pieces
    .toReversed()
    .map((piece): Segment => {
      const made = new Set(piece.map((s) => s.output));
      const reads = [...new Set(piece.flatMap((s) => s.inputs))].filter((name) => !made.has(name));
      const writes = [...made].filter((name) => later.has(name));
      const last = new Set(reads.filter((name) => !later.has(name)));
      for (const name of reads) later.add(name);
      return { steps: piece, reads, writes, last };
    })
    .toReversed();
}
