/** ONNX Runtime, its WebGPU execution provider. */
import { env, InferenceSession, Tensor } from "onnxruntime-web/webgpu";
import { runOrt } from "../../engines/ort.ts";
import { files } from "../../job.ts";
import { cell, file } from "./page.ts";

await cell(async (_, inputs) => {
  env.wasm.wasmPaths = { wasm: new URL("ort.wasm", location.href) };
  env.wasm.numThreads = 1;
  const session = await InferenceSession.create(await file(files.onnx), { executionProviders: ["webgpu"], graphOptimizationLevel: "all" });
  return runOrt(session, Tensor, inputs);
});
