/** Small models as data, for tests. */
import type {
  OnnxAttribute,
  OnnxDim,
  OnnxFunction,
  OnnxGraph,
  OnnxModel,
  OnnxNode,
  OnnxTensor,
  OnnxValue,
} from "../../../../compiler/formats/onnx/model.ts";

export const value = (name: string, ...shape: readonly OnnxDim[]): OnnxValue => ({ name, type: { kind: "tensor", dtype: "float", shape } });

export const node = (
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: readonly OnnxAttribute[] = [],
): OnnxNode => ({
  name: "",
  opType,
  domain: "",
  overload: "",
  doc: "",
  inputs,
  outputs,
  attributes,
});

export const floats = (name: string, dims: readonly number[], values: readonly number[]): OnnxTensor => ({
  name,
  dtype: "float",
  dims,
  data: { kind: "bytes", bytes: bytesOf(Float32Array.from(values)) },
});
export const longs = (name: string, values: readonly bigint[]): OnnxTensor => ({
  name,
  dtype: "int64",
  dims: [values.length],
  data: { kind: "bytes", bytes: bytesOf(BigInt64Array.from(values)) },
});
export const bytesOf = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

export const graph = (parts: Partial<OnnxGraph>): OnnxGraph => ({
  name: "g",
  doc: "",
  nodes: [],
  initializers: [],
  sparseInitializers: [],
  inputs: [],
  outputs: [],
  valueInfo: [],
  ...parts,
});

export const callable = (name: string, parts: Partial<OnnxFunction>): OnnxFunction => ({
  name,
  domain: "own",
  overload: "",
  doc: "",
  opsets: new Map([["", 17]]),
  inputs: [],
  outputs: [],
  attributes: [],
  defaults: [],
  nodes: [],
  valueInfo: [],
  ...parts,
});

export const model = (parts: Partial<OnnxGraph>, more: Partial<OnnxModel> = {}): OnnxModel => ({
  irVersion: 8,
  opsets: new Map([["", 17]]),
  producer: { name: "test", version: "1" },
  domain: "",
  version: 0,
  doc: "",
  metadata: new Map(),
  graph: graph(parts),
  functions: [],
  ...more,
});

/** Everything that a model can hold. */
export function everything(): OnnxModel {
  const sparse = { values: floats("s", [2], [1, 2]), indices: longs("", [0n, 3n]), dims: [2, 2] };
  const branch = (name: string) => graph({ nodes: [node("Neg", ["h"], [name])], outputs: [value(name)] });
  const attributes: readonly OnnxAttribute[] = [
    { name: "float", kind: "float", value: Math.fround(0.1) },
    { name: "int", kind: "int", value: -7 },
    { name: "open", kind: "ints", value: [Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 2 ** 53 - 2, 0] },
    { name: "string", kind: "string", value: "NOTSET" },
    { name: "strings", kind: "strings", value: ["a", "", "ä"] },
    { name: "floats", kind: "floats", value: [1, Number.NaN, -Infinity] },
    { name: "tensor", kind: "tensor", value: floats("", [], [3]) },
    { name: "tensors", kind: "tensors", value: [longs("l", [1n << 62n, -(1n << 63n)])] },
    { name: "sparse", kind: "sparse_tensor", value: sparse },
    { name: "several", kind: "sparse_tensors", value: [sparse, sparse] },
    { name: "type", kind: "type", value: { kind: "map", key: "int64", value: { kind: "optional", element: null } } },
    { name: "types", kind: "types", value: [{ kind: "opaque", domain: "d", name: "n" }] },
    { name: "none", kind: "ints", value: [] },
    { name: "body", kind: "graph", value: branch("b1") },
    { name: "bodies", kind: "graphs", value: [branch("b2"), branch("b3")] },
  ];
  const scale: OnnxAttribute = { name: "alpha", kind: "reference", value: "scale", of: "float" };
  const twice = callable("Twice", {
    overload: "f",
    doc: "2 x",
    inputs: ["a"],
    outputs: ["c"],
    attributes: ["axis"],
    defaults: [{ name: "scale", kind: "float", value: 2 }],
    nodes: [node("LeakyRelu", ["a"], ["c"], [scale])],
    valueInfo: [value("c", 1)],
  });
  return model(
    {
      name: "all",
      doc: "everything",
      nodes: [
        { ...node("Twice", ["x"], ["h"]), domain: "own", overload: "f", name: "first", doc: "calls" },
        node("Many", ["h", "", "w", "s"], ["y", ""], attributes),
      ],
      initializers: [
        floats("w", [2, 0], []),
        { name: "far", dtype: "bfloat16", dims: [3], data: { kind: "external", location: "sub/w.bin", offset: 4096 } },
        { name: "words", dtype: "string", dims: [2], data: { kind: "strings", strings: [Uint8Array.of(97), new Uint8Array()] } },
        { name: "small", dtype: "int4", dims: [3], data: { kind: "bytes", bytes: Uint8Array.of(0x21, 0x03) } },
      ],
      sparseInitializers: [sparse],
      inputs: [value("x", "batch", 3, null, 0), { name: "untyped", type: null }],
      outputs: [value("y")],
      valueInfo: [
        { name: "h", type: { kind: "tensor", dtype: null, shape: null } },
        { name: "i", type: { kind: "sequence", element: { kind: "sparse_tensor", dtype: "double", shape: [2] } } },
      ],
    },
    {
      opsets: new Map([
        ["", 21],
        ["own", 1],
      ]),
      domain: "org.example",
      version: 3,
      doc: "a model",
      metadata: new Map([["author", "nobody"]]),
      functions: [twice],
    },
  );
}
