import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-common";
import type { Input } from "../job.ts";

/** Runs a session of either package, which have the same interface. */
export function runOrt(session: InferenceSession, tensor: TensorConstructor, inputs: readonly Input[]): () => Promise<Float32Array> {
  const output = session.outputNames[0]!;
  return async () => {
    const feeds: Record<string, Tensor> = {};
    for (const { name, dims, data } of inputs) feeds[name] = new tensor("float32", data as Float32Array, dims);
    const results = await session.run(feeds, [output]);
    return results[output]!.data as Float32Array;
  };
}
