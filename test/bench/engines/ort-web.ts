/** ONNX Runtime compiled to WebAssembly. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { env, InferenceSession, Tensor } from "onnxruntime-web";
import { files, type Input, type Job, type Opened } from "../job.ts";
import { runOrt } from "./ort.ts";

export async function open({ threads, folder }: Job, inputs: readonly Input[]): Promise<Opened> {
  env.wasm.numThreads = threads;
  const session = await InferenceSession.create(new Uint8Array(await readFile(join(folder, files.onnx))), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  // Initialisation lowers the number where threads are not to be had.
  return { run: runOrt(session, Tensor, inputs), threads: env.wasm.numThreads };
}
