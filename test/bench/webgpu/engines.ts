/** Who is measured on WebGPU. */
import type { Engine } from "../engines.ts";

export interface GpuEngine extends Pick<Engine, "name" | "title" | "untrained"> {
  /** The page in pages/, or Node. */
  readonly page: string | null;
}
const noTraining = "ONNX Runtime has no training for JavaScript";

/** Ours in a page comes first: the others are compared with it. */
export const gpuEngines: readonly [GpuEngine, ...GpuEngine[]] = [
  { name: "dlm", title: "dlm", page: "dlm", untrained: null },
  { name: "dlm-node", title: "dlm (Node)", page: null, untrained: null },
  { name: "ort", title: "onnxruntime-web", page: "ort", untrained: noTraining },
  { name: "tfjs", title: "tfjs-backend-webgpu", page: "tfjs", untrained: null },
  { name: "jax-js", title: "jax-js", page: "jax", untrained: null },
];
