/** jax-js on its WebGPU backend. */
import { defaultDevice, init } from "@jax-js/jax";
import { readOnnx } from "../../../../compiler/formats/onnx/read.ts";
import { runOf } from "../../engines/jax-model.ts";
import { networkOf } from "../../graph/network.ts";
import { files } from "../../job.ts";
import { cell, file } from "./page.ts";

await cell(async ({ work }, inputs) => {
  const devices = await init("webgpu");
  if (!devices.includes("webgpu")) throw new Error("the WebGPU backend does not start");
  defaultDevice("webgpu");
  return runOf(networkOf(readOnnx(await file(files.onnx), files.onnx)), work.kind, inputs);
});
