/** TensorFlow.js on its WebGPU backend. */
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js";
import "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";
import { readOnnx } from "../../../../compiler/formats/onnx/read.ts";
import { runOf } from "../../engines/tfjs-model.ts";
import { networkOf } from "../../graph/network.ts";
import { files } from "../../job.ts";
import { cell, file } from "./page.ts";

await cell(async ({ work }, inputs) => {
  if (!(await tf.setBackend("webgpu"))) throw new Error("the WebGPU backend does not start");
  await tf.ready();
  return runOf(networkOf(readOnnx(await file(files.onnx), files.onnx)), work.kind, inputs);
});
