/**
 * The messages of ONNX files: numbers and kinds of the fields that are read, by the names of the specification
 * (onnx.proto of https://github.com/onnx/onnx, version 1.23). A kind in brackets is a repeated field.
 *
 * Not read, because they do not say what a model computes: training algorithms, quantization annotations, device configurations,
 * documentation and metadata of values, metadata of anything below the model.
 */
export const schema = {
  model: {
    ir_version: [1, "int"],
    producer_name: [2, "text"],
    producer_version: [3, "text"],
    domain: [4, "text"],
    model_version: [5, "int"],
    doc_string: [6, "prose"],
    graph: [7, "graph"],
    opset_import: [8, ["opset"]],
    metadata_props: [14, ["entry"]],
    functions: [25, ["function"]],
  },
  opset: { domain: [1, "text"], version: [2, "int"] },
  entry: { key: [1, "text"], value: [2, "text"] },
  graph: {
    node: [1, ["node"]],
    name: [2, "text"],
    initializer: [5, ["tensor"]],
    doc_string: [10, "prose"],
    input: [11, ["value"]],
    output: [12, ["value"]],
    value_info: [13, ["value"]],
    sparse_initializer: [15, ["sparse"]],
  },
  function: {
    name: [1, "text"],
    input: [4, ["text"]],
    output: [5, ["text"]],
    attribute: [6, ["text"]],
    node: [7, ["node"]],
    doc_string: [8, "prose"],
    opset_import: [9, ["opset"]],
    domain: [10, "text"],
    attribute_proto: [11, ["attribute"]],
    value_info: [12, ["value"]],
    overload: [13, "text"],
  },
  node: {
    input: [1, ["text"]],
    output: [2, ["text"]],
    name: [3, "text"],
    op_type: [4, "text"],
    attribute: [5, ["attribute"]],
    doc_string: [6, "prose"],
    domain: [7, "text"],
    overload: [8, "text"],
  },
  attribute: {
    name: [1, "text"],
    f: [2, "float"],
    i: [3, "int"],
    s: [4, "text"],
    t: [5, "tensor"],
    g: [6, "graph"],
    floats: [7, ["float"]],
    ints: [8, ["int"]],
    strings: [9, ["text"]],
    tensors: [10, ["tensor"]],
    graphs: [11, ["graph"]],
    tp: [14, "type"],
    type_protos: [15, ["type"]],
    type: [20, "int"],
    ref_attr_name: [21, "text"],
    sparse_tensor: [22, "sparse"],
    sparse_tensors: [23, ["sparse"]],
  },
  tensor: {
    dims: [1, ["int"]],
    data_type: [2, "int"],
    segment: [3, "segment"],
    float_data: [4, ["float"]],
    int32_data: [5, ["int"]],
    string_data: [6, ["bytes"]],
    int64_data: [7, ["int"]],
    name: [8, "text"],
    raw_data: [9, "bytes"],
    double_data: [10, ["double"]],
    uint64_data: [11, ["uint"]],
    external_data: [13, ["entry"]],
    data_location: [14, "int"],
  },
  segment: { begin: [1, "int"], end: [2, "int"] },
  sparse: { values: [1, "tensor"], indices: [2, "tensor"], dims: [3, ["int"]] },
  value: { name: [1, "text"], type: [2, "type"] },
  type: {
    tensor_type: [1, "tensor_type"],
    sequence_type: [4, "element_type"],
    map_type: [5, "map_type"],
    opaque_type: [7, "opaque_type"],
    sparse_tensor_type: [8, "tensor_type"],
    optional_type: [9, "element_type"],
  },
  tensor_type: { elem_type: [1, "int"], shape: [2, "shape"] },
  element_type: { elem_type: [1, "type"] },
  map_type: { key_type: [1, "int"], value_type: [2, "type"] },
  opaque_type: { domain: [1, "text"], name: [2, "text"] },
  shape: { dim: [1, ["dim"]] },
  dim: { dim_value: [1, "int"], dim_param: [2, "text"] },
} as const;

/** Kinds of attributes, by the number that stands for them in `attribute.type`. */
export const attributeKinds = [
  "undefined",
  "float",
  "int",
  "string",
  "tensor",
  "graph",
  "floats",
  "ints",
  "strings",
  "tensors",
  "graphs",
  "sparse_tensor",
  "sparse_tensors",
  "type",
  "types",
] as const;
type Schema = typeof schema;
export type MessageName = keyof Schema;

/** Fields of one value. `text` is UTF-8; `prose` too, but what is not UTF-8 in it is replaced, because nothing depends on it. */
export interface Scalars {
  readonly int: bigint;
  readonly uint: bigint;
  readonly float: number;
  readonly double: number;
  readonly text: string;
  readonly prose: string;
  readonly bytes: Uint8Array;
}
/** Repeated fields. */
export interface Lists {
  readonly int: BigInt64Array;
  readonly uint: BigUint64Array;
  readonly float: Float32Array;
  readonly double: Float64Array;
  readonly text: readonly string[];
  readonly bytes: readonly Uint8Array[];
}
type List<K> = K extends keyof Lists ? Lists[K] : K extends MessageName ? readonly Message<K>[] : never;
type Single<K> = K extends keyof Scalars ? Scalars[K] : K extends MessageName ? Message<K> : never;
type Value<F> = F extends readonly [number, readonly [infer K]]
  ? List<K>
  : F extends readonly [number, infer K]
    ? Single<K> | undefined
    : never;

/** A message that was read: an absent field is undefined, an absent repeated one is empty. */
export type Message<M extends MessageName> = { readonly [F in keyof Schema[M]]: Value<Schema[M][F]> };

type DraftList<K> = K extends keyof Lists ? Lists[K] : K extends MessageName ? readonly Draft<K>[] : never;
type DraftSingle<K> = K extends keyof Scalars ? Scalars[K] : K extends MessageName ? Draft<K> : never;
type DraftValue<F> = F extends readonly [number, readonly [infer K]]
  ? DraftList<K>
  : F extends readonly [number, infer K]
    ? DraftSingle<K>
    : never;
/** A message to write, in which any field may be absent. */
export type Draft<M extends MessageName> = { readonly [F in keyof Schema[M]]?: DraftValue<Schema[M][F]> | undefined };
