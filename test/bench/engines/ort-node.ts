/** ONNX Runtime as native code: what the processor can do with wider vectors than WebAssembly has. */
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { files, type Input, type Job, type Opened } from "../job.ts";
import { runOrt } from "./ort.ts";

export async function open({ threads, folder }: Job, inputs: readonly Input[]): Promise<Opened> {
  const session = await InferenceSession.create(join(folder, files.onnx), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
  });
  return { run: runOrt(session, Tensor, inputs), threads };
}
