/** Tables of a file as known values. */
import { sizeOf } from "../../../ir/type.ts";
import type { OnnxSparseTensor, OnnxTensor } from "../../formats/onnx/model.ts";
import { elementsOf, integersOf, type ReadExternal } from "../../formats/onnx/tensor.ts";
import { isBuffer } from "./names.ts";
import { type Known, known, languageType, type Numbers, stridesOf, Unsupported } from "./values.ts";

/** `named`: it is an initializer. */
export function knownTensor(t: OnnxTensor, external: ReadExternal | null, named: boolean): Known {
  const floats = languageType(t.dtype) === "f32";
  const where = t.name === "" ? "a constant" : `the tensor ${JSON.stringify(t.name)}`;
  const name = named && t.name !== "" ? t.name : null;
  return known(t.dtype, t.dims, numbersOf(t, floats, where, external), name, name !== null && !isBuffer(name));
}
function numbersOf(t: OnnxTensor, floats: boolean, where: string, external: ReadExternal | null): Numbers {
  if (!floats && t.dtype !== "bool") return integersOf(t, where, external);
  const elements = elementsOf(t, where, external);
  if (elements instanceof BigInt64Array || elements instanceof BigUint64Array) return Float64Array.from(elements, Number);
  return elements instanceof Float64Array ? Float32Array.from(elements) : elements;
}

/** Most elements of a table that is written out from a sparse one. */
const mostWrittenOut = 2 ** 26;

export function knownSparse(s: OnnxSparseTensor, external: ReadExternal | null): Known {
  const size = sizeOf(s.dims);
  if (size > mostWrittenOut) throw new Unsupported(`the sparse tensor ${JSON.stringify(s.values.name)} has ${size} elements`, "data");
  const values = knownTensor(s.values, external, true);
  const indices = integersOf(s.indices, `the indices of ${JSON.stringify(s.values.name)}`, external);
  const strides = stridesOf(s.dims);
  const data = new Float64Array(size);
  const depth = s.indices.dims.length === 1 ? 1 : s.dims.length;
  for (let i = 0; i < values.data.length; i++) {
    const place = depth === 1 ? indices[i]! : strides.reduce((at, stride, a) => at + stride * indices[i * depth + a]!, 0);
    if (!(place >= 0 && place < size))
      throw new Unsupported(`the sparse tensor ${JSON.stringify(s.values.name)} has an index outside of it`, "data");
    data[place] = values.data[i]!;
  }
  return known(values.element, s.dims, values.dtype === "f32" ? Float32Array.from(data) : data, values.name, values.trained);
}
