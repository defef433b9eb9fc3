/** Tables of a file as known values. */
import { sizeOf } from "../../../ir/type.ts";
import type { OnnxSparseTensor, OnnxTensor } from "../../formats/onnx/model.ts";
import { dtypeOf, elementsOf, integersOf, type ReadExternal } from "../../formats/onnx/tensor.ts";
import { isBuffer } from "./names.ts";
import { type Known, known, type Numbers, stridesOf, unsupported } from "./values.ts";

/** `named`: it is an initializer. */
export function knownTensor(t: OnnxTensor, external: ReadExternal | null, named: boolean): Known {
  const dtype = dtypeOf(t.dtype) ?? unsupported(`its ${t.dtype} elements are not in the language`);
  const where = t.name === "" ? "a constant" : `the tensor ${JSON.stringify(t.name)}`;
  const name = named && t.name !== "" ? t.name : null;
  const trained = name !== null && !isBuffer(name);
  return { ...known(dtype, t.dims, numbersOf(t, dtype === "f32", where, external), name, trained), element: t.dtype };
}
function numbersOf(t: OnnxTensor, floats: boolean, where: string, external: ReadExternal | null): Numbers {
  if (!floats && t.dtype !== "bool") return integersOf(t, where, external);
  const elements = elementsOf(t, where, external);
  if (elements instanceof BigInt64Array || elements instanceof BigUint64Array) return Float64Array.from(elements, Number);
  return elements instanceof Float64Array ? Float32Array.from(elements) : elements;
}

export function knownSparse(s: OnnxSparseTensor, external: ReadExternal | null): Known {
  const values = knownTensor(s.values, external, true);
  const indices = integersOf(s.indices, `the indices of ${JSON.stringify(s.values.name)}`, external);
  const strides = stridesOf(s.dims);
  const data = new Float64Array(sizeOf(s.dims));
  const depth = s.indices.dims.length === 1 ? 1 : s.dims.length;
  for (let i = 0; i < values.data.length; i++) {
    const place = depth === 1 ? indices[i]! : strides.reduce((at, stride, a) => at + stride * indices[i * depth + a]!, 0);
    data[place] = values.data[i]!;
  }
  return known(values.dtype, s.dims, values.dtype === "f32" ? Float32Array.from(data) : data, values.name, values.trained);
}
