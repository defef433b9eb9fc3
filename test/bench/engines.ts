/** Who is measured. */
import type { Work } from "./works.ts";

export interface Engine {
  readonly name: string;
  readonly title: string;
  /** The file in engines/ that runs it. */
  readonly module: string;
  /** Why it has a single thread in Node; null where it takes as many as asked for. */
  readonly single: string | null;
  /** Why it does not train; null where it does. */
  readonly untrained: string | null;
}

const noTraining = "ONNX Runtime has no training for JavaScript";

/** Ours comes first: the others are compared with it. */
export const engines: readonly Engine[] = [
  { name: "dlm", title: "dlm", module: "dlm.ts", single: null, untrained: null },
  { name: "ort-web", title: "onnxruntime-web", module: "ort-web.ts", single: null, untrained: noTraining },
  {
    name: "tfjs",
    title: "tfjs-backend-wasm",
    module: "tfjs.ts",
    single: "TensorFlow.js starts the threads of its WebAssembly backend in browsers only",
    untrained: null,
  },
  {
    name: "jax-js",
    title: "jax-js (wasm)",
    module: "jax.ts",
    single: "jax-js starts threads where there is a global Worker, which Node does not have",
    untrained: null,
  },
  { name: "ort-node", title: "onnxruntime-node (native)", module: "ort-node.ts", single: null, untrained: noTraining },
];

/** Why an engine cannot do the work with that many threads; null where it can. */
export function refusal(engine: Engine, work: Work, threads: number): string | null {
  if (work.kind === "training" && engine.untrained !== null) return engine.untrained;
  return threads > 1 ? engine.single : null;
}
