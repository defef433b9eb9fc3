/** Running passes: what a pass is, and what happens between two of them. */
export type { GraphPass } from "./passes/graph-pass.ts";

/** A pure function with a name. It gives back the same object when nothing changed. */
export interface Pass<IR> {
  readonly name: string;
  readonly run: (ir: IR) => IR;
}
export interface RunOptions<IR> {
  /** Complains by throwing. Called on the first IR and after every pass that changed it. */
  readonly verify?: (ir: IR) => void;
  /** Printing and timing: called after every pass. */
  readonly after?: (name: string, ir: IR, milliseconds: number) => void;
}

/** Applies `passes` in order. An error of a pass or of the verifier behind it names the pass. */
export function runPasses<IR>(passes: readonly Pass<IR>[], ir: IR, options: RunOptions<IR> = {}): IR {
  if (options.verify) inside("before the first pass", () => options.verify?.(ir));
  return passes.reduce((before, pass) => runPass(pass, before, options), ir);
}

function runPass<IR>(pass: Pass<IR>, before: IR, { verify, after }: RunOptions<IR>): IR {
  const start = performance.now();
  const result = inside(`in pass ${pass.name}`, () => pass.run(before));
  const milliseconds = performance.now() - start;
  if (verify && result !== before) inside(`after pass ${pass.name}`, () => verify(result));
  after?.(pass.name, result, milliseconds);
  return result;
}

/** Says where an error happened; the user's mistakes (`CompileError`) read well without. */
function inside<T>(place: string, f: () => T): T {
  try {
    return f();
  } catch (error) {
    if (error instanceof Error && error.name !== "CompileError") error.message = `${place}: ${error.message}`;
    throw error;
  }
}
