/** The heavy parts, loaded when a command first needs them. */
import type { load } from "../../runtime/index.ts";
import type { compileStages } from "../compile.ts";

export interface Toolchain {
  readonly compileStages: typeof compileStages;
  readonly load: typeof load;
}

export const realToolchain = async (): Promise<Toolchain> => {
  const [{ compileStages }, { load }] = await Promise.all([import("../compile.ts"), import("../../runtime/index.ts")]);
  return { compileStages, load };
};
