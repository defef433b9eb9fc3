/** TensorFlow.js on its WebAssembly backend (XNNPACK). */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { readOnnx } from "../../../compiler/formats/onnx/read.ts";
import { networkOf } from "../graph/network.ts";
import { files, type Input, type Job, type Opened } from "../job.ts";
import { runOf } from "./tfjs-model.ts";

export async function open({ work, folder }: Job, inputs: readonly Input[]): Promise<Opened> {
  const wasm = dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm/package.json"));
  setWasmPaths(`${wasm}/wasm-out/`);
  if (!(await tf.setBackend("wasm"))) throw new Error("the WebAssembly backend does not start");
  await tf.ready();
  const path = join(folder, files.onnx);
  return { threads: 1, run: runOf(networkOf(readOnnx(readFileSync(path), path)), work.kind, inputs) };
}
