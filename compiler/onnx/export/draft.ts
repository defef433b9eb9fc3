/** An exported graph before it becomes a file: constants are numbers still, one for each use, and variables have no data. */
import type { Node } from "../../../ir/graph/graph.ts";
import type { DType } from "../../../ir/type.ts";
import type { OnnxDim, OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from "../../formats/onnx/model.ts";
import { type Constant, type ConstantType, onnxTypeOf, uniqueNames } from "./emitter.ts";

/** The oldest that has all we use: LayerNormalization (17), reductions of scatters (16). */
export const opset = 17;
/** The version of the file format that came with it. */
const irVersion = 8;

/** A value of the signature. */
export interface DraftValue {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly OnnxDim[];
}
export interface Draft {
  readonly name: string;
  readonly doc: string | null;
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly Constant[];
  /** Leaves of the variables in use. */
  readonly variables: readonly Node[];
  readonly inputs: readonly DraftValue[];
  readonly outputs: readonly DraftValue[];
}

/** The model; equal constants are stored once. `dataOf`: little-endian bytes of a variable. */
export function modelOf(draft: Draft, dataOf: (path: string) => Uint8Array): OnnxModel {
  const { names, tensors } = sharedConstants(draft);
  return {
    irVersion,
    opsets: new Map([["", opset]]),
    producer: { name: "dlm", version: "" },
    domain: "",
    version: 0,
    doc: draft.doc ?? "",
    metadata: new Map(),
    graph: {
      name: draft.name,
      doc: "",
      nodes: draft.nodes.map((n) => ({ ...n, inputs: n.inputs.map((name) => names.get(name) ?? name) })),
      initializers: [...draft.variables.map((n) => variableTensor(n, dataOf)), ...tensors],
      sparseInitializers: [],
      inputs: draft.inputs.map(typed),
      outputs: draft.outputs.map(typed),
      valueInfo: [],
    },
    functions: [],
  };
}
const typed = ({ name, dtype, shape }: DraftValue): OnnxValue => ({
  name,
  type: { kind: "tensor", dtype: onnxTypeOf[dtype], shape },
});
function variableTensor({ attrs, type }: Node, dataOf: (path: string) => Uint8Array): OnnxTensor {
  const name = String(attrs.name);
  return { name, dtype: onnxTypeOf[type.dtype], dims: type.shape, data: { kind: "bytes", bytes: dataOf(name) } };
}

/** Names that are given in a draft. */
export const namesIn = ({ inputs, variables, nodes }: Draft): readonly string[] => [
  ...inputs.map((v) => v.name),
  ...variables.map((n) => String(n.attrs.name)),
  ...nodes.flatMap((n) => [n.name, ...n.outputs]),
];

function sharedConstants(draft: Draft): { readonly names: ReadonlyMap<string, string>; readonly tensors: readonly OnnxTensor[] } {
  const unique = uniqueNames(namesIn(draft));
  const used = new Set(draft.nodes.flatMap((n) => n.inputs));
  const known = new Map<string, string>();
  const names = new Map<string, string>();
  const tensors: OnnxTensor[] = [];
  for (const { name, dtype, dims, values } of draft.constants.filter((c) => used.has(c.name))) {
    const key = `${dtype} ${dims} : ${values.map((v) => (Object.is(v, -0) ? "-0" : v))}`;
    const shared = known.get(key) ?? unique(`constant_${tensors.length}`);
    names.set(name, shared);
    if (known.has(key)) continue;
    known.set(key, shared);
    tensors.push({ name: shared, dtype, dims, data: { kind: "bytes", bytes: bytesOf(dtype, values) } });
  }
  return { names, tensors };
}

/** Little-endian, as files have it. */
function bytesOf(dtype: ConstantType, values: readonly number[]): Uint8Array {
  const width = { float: 4, int32: 4, int64: 8, uint8: 1, bool: 1 }[dtype];
  const view = new DataView(new ArrayBuffer(width * values.length));
  const set = {
    float: (at: number, v: number) => view.setFloat32(at, v, true),
    int32: (at: number, v: number) => view.setInt32(at, v, true),
    int64: (at: number, v: number) => view.setBigInt64(at, BigInt(v), true),
    uint8: (at: number, v: number) => view.setUint8(at, v),
    bool: (at: number, v: number) => view.setUint8(at, v ? 1 : 0),
  }[dtype];
  values.forEach((v, i) => {
    set(i * width, v);
  });
  return new Uint8Array(view.buffer);
}
