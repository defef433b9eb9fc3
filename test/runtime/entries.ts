/** Tensors of weight files, from values. */
import { toBfloat16, toFloat16 } from "../../ir/float16.ts";
import { bytesOf, type Entry, type FileType } from "../../runtime/safetensors.ts";

export function floatEntry(
  name: string,
  shape: readonly number[],
  values: Float32Array,
  dtype: Extract<FileType, "F32" | "F16" | "BF16"> = "F32",
): Entry {
  const data = dtype === "F32" ? values : Uint16Array.from(values, dtype === "F16" ? toFloat16 : toBfloat16);
  return { name, dtype, shape, data: bytesOf(data) };
}
