/** What one process is asked for and what it answers. */
import type { Work } from "./works.ts";

export interface Job {
  readonly work: Work;
  /** The file in engines/. */
  readonly module: string;
  readonly threads: number;
  /** Where `prepare` left the model. */
  readonly folder: string;
  /** Milliseconds of counted runs. */
  readonly budget: number;
}
export interface Input {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array | Int32Array;
}
/** What an engine has: a model that is ready to run. */
export interface Opened {
  /** One inference, giving the output, or one training step, giving the loss; inputs are copied in, the result is copied out. */
  readonly run: () => Promise<Float32Array>;
  /** That it really has. */
  readonly threads: number;
}
/** What each file in engines/ exports. */
export interface EngineModule {
  /** From files to a model that is ready: the time that this takes is the load time. */
  readonly open: (job: Job, inputs: readonly Input[]) => Promise<Opened>;
}
export interface Times {
  readonly load: number;
  readonly first: number;
  readonly median: number;
}
export type Answer =
  | {
      readonly kind: "measured";
      readonly times: Times;
      readonly runs: number;
      readonly threads: number;
      readonly result: readonly number[];
    }
  | { readonly kind: "failed"; readonly why: string };

/** In the folder of a work. */
export const files = { onnx: "model.onnx", weights: "model.safetensors", program: "program" } as const;
