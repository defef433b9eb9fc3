/** What a net continues from when its device is lost. */
import type { Program } from "../../ir/program.ts";
import { fail } from "../errors.ts";
import type { Given } from "../weights.ts";

/**
 * What happens at the call after the GPU device was lost (a driver that restarts, a GPU that is taken away). auto: a new device
 * continues with what was given to `load`, unless training has gone on from there: then an error says so. checkpoint: also then, from the
 * last `checkpoint()`, or from what was given to `load` where there is none; `notes` tells. never: an error.
 */
export type Recover = "auto" | "checkpoint" | "never";
/** What `load` filled the variables with. */
export interface Origin {
  readonly given: Given;
  readonly seed: number;
  readonly recover: Recover;
  readonly match: (checkpoint: Uint8Array<ArrayBuffer>) => Given;
}

export interface Keeper {
  readonly stepped: () => void;
  readonly keep: (checkpoint: Uint8Array<ArrayBuffer>) => void;
  /** For a device that was lost after so many steps from the known state. Fails where nothing may be continued. */
  readonly resume: (why: string, steps: number, shared: boolean) => { readonly given: Given; readonly seed: number; readonly note: string };
}

export function keeper(program: Program, { given, seed, recover, match }: Origin): Keeper {
  const fromLoad = given.values.size ? "what was given to load" : `the initial values of seed ${seed}`;
  let [trained, checkpointed] = [false, false];
  let known: { readonly given: Given; readonly text: string } | null = recover === "never" ? null : { given, text: fromLoad };
  return {
    stepped: () => {
      trained = true;
      // Never used again, and weights are large.
      if (recover === "auto") known = null;
    },
    keep: (checkpoint) => {
      checkpointed = true;
      // A copy: the caller may do as they like with theirs.
      if (recover === "checkpoint") known = { given: match(checkpoint.slice()), text: "the last checkpoint()" };
    },
    resume: (why, steps, shared) => {
      const lost = `${program.name}: the GPU device was lost (${why})`;
      const since = checkpointed ? " since then" : "";
      const stepsLost = `${steps} training ${steps === 1 ? "step" : "steps"}${since} ${steps === 1 ? "is" : "are"} lost`;
      const again = [trained && checkpointed ? "load again with the last checkpoint()" : "load again", ...(steps ? [stepsLost] : [])].join(
        "; ",
      );
      const byItself = recover === "auto" ? ' (with recover: "checkpoint" a net does so by itself)' : "";
      if (shared) return fail("device", `${lost}, which was given as gpuDevice: with a new one ${again}`);
      if (!known) return fail("device", `${lost}: ${again}${byItself}`);
      if ([...known.given.values.values()].some((bytes) => bytes.byteLength === 0))
        return fail("device", `${lost}, and the bytes given to load were transferred elsewhere: ${again}`);
      const note = `the GPU device was lost (${why}); a new one continues from ${known.text}${steps ? `, ${stepsLost}` : ""}`;
      return { given: known.given, seed, note };
    },
  };
}
