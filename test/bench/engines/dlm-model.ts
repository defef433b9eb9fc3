import type { Net } from "../../../runtime/index.ts";
import type { Input } from "../job.ts";
import type { Work } from "../works.ts";

/** One inference or one training step. */
/** What is measured, compiled ahead. */
export const warmFor = (kind: Work["kind"]) => [kind === "training" ? ("step" as const) : ("run" as const)];

export function runOf(net: Net, kind: Work["kind"], inputs: readonly Input[]): () => Promise<Float32Array> {
  const values = Object.fromEntries(inputs.map((i) => [i.name, i.data]));
  if (kind === "training") return async () => Float32Array.of((await net.step(values)).loss);
  return async () => {
    const [output] = Object.values(await net.run(values));
    return output as Float32Array;
  };
}
