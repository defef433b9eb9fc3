/** jax-js on its WebAssembly backend. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defaultDevice, init } from "@jax-js/jax";
import { readOnnx } from "../../../compiler/formats/onnx/read.ts";
import { networkOf } from "../graph/network.ts";
import { files, type Input, type Job, type Opened } from "../job.ts";
import { runOf } from "./jax-model.ts";

export async function open({ work, folder }: Job, inputs: readonly Input[]): Promise<Opened> {
  await init("wasm");
  defaultDevice("wasm");
  const path = join(folder, files.onnx);
  return { threads: 1, run: runOf(networkOf(readOnnx(readFileSync(path), path)), work.kind, inputs) };
}
