/** An ONNX model to the bytes of a file. Equal models are equal bytes. */
import { invariant } from "../../../ir/diagnostic.ts";
import { bytesOf, countOf, elementTypes, type OnnxElementType } from "./element-type.ts";
import { encode } from "./encode.ts";
import { int64Of } from "./integer.ts";
import type {
  OnnxAttribute,
  OnnxDim,
  OnnxFunction,
  OnnxGraph,
  OnnxModel,
  OnnxNode,
  OnnxSparseTensor,
  OnnxTensor,
  OnnxValue,
  OnnxValueType,
} from "./model.ts";
import { attributeKinds, type Draft } from "./schema.ts";

export function writeOnnx(model: OnnxModel): Uint8Array<ArrayBuffer> {
  return encode("model", {
    ir_version: int64Of(model.irVersion),
    producer_name: text(model.producer.name),
    producer_version: text(model.producer.version),
    domain: text(model.domain),
    model_version: model.version === 0 ? undefined : int64Of(model.version),
    doc_string: text(model.doc),
    graph: graphDraft(model.graph),
    opset_import: opsetDrafts(model.opsets),
    metadata_props: entryDrafts(model.metadata),
    functions: model.functions.map(functionDraft),
  });
}

/** An empty text is left out. */
const text = (value: string): string | undefined => (value === "" ? undefined : value);
const ints = (values: readonly number[]): BigInt64Array => BigInt64Array.from(values, int64Of);
const opsetDrafts = (opsets: ReadonlyMap<string, number>): readonly Draft<"opset">[] =>
  [...opsets].map(([domain, version]) => ({ domain: text(domain), version: int64Of(version) }));
const entryDrafts = (entries: ReadonlyMap<string, string>): readonly Draft<"entry">[] =>
  [...entries].map(([key, value]) => ({ key, value }));

const graphDraft = (graph: OnnxGraph): Draft<"graph"> => ({
  node: graph.nodes.map(nodeDraft),
  name: text(graph.name),
  initializer: graph.initializers.map(tensorDraft),
  doc_string: text(graph.doc),
  input: graph.inputs.map(valueDraft),
  output: graph.outputs.map(valueDraft),
  value_info: graph.valueInfo.map(valueDraft),
  sparse_initializer: graph.sparseInitializers.map(sparseDraft),
});

const functionDraft = (f: OnnxFunction): Draft<"function"> => ({
  name: f.name,
  input: f.inputs,
  output: f.outputs,
  attribute: f.attributes,
  node: f.nodes.map(nodeDraft),
  doc_string: text(f.doc),
  opset_import: opsetDrafts(f.opsets),
  domain: text(f.domain),
  attribute_proto: f.defaults.map(attributeDraft),
  value_info: f.valueInfo.map(valueDraft),
  overload: text(f.overload),
});

const nodeDraft = (node: OnnxNode): Draft<"node"> => ({
  input: node.inputs,
  output: node.outputs,
  name: text(node.name),
  op_type: node.opType,
  attribute: node.attributes.map(attributeDraft),
  doc_string: text(node.doc),
  domain: text(node.domain),
  overload: text(node.overload),
});

function attributeDraft(a: OnnxAttribute): Draft<"attribute"> {
  const kind = a.kind === "reference" ? a.of : a.kind;
  return { name: a.name, type: BigInt(attributeKinds.indexOf(kind)), ...attributeValue(a) };
}
function attributeValue(a: OnnxAttribute): Draft<"attribute"> {
  switch (a.kind) {
    case "float":
      return { f: a.value };
    case "int":
      return { i: int64Of(a.value) };
    case "string":
      return { s: a.value };
    case "tensor":
      return { t: tensorDraft(a.value) };
    case "graph":
      return { g: graphDraft(a.value) };
    case "floats":
      return { floats: Float32Array.from(a.value) };
    case "ints":
      return { ints: ints(a.value) };
    case "strings":
      return { strings: a.value };
    case "tensors":
      return { tensors: a.value.map(tensorDraft) };
    case "graphs":
      return { graphs: a.value.map(graphDraft) };
    case "sparse_tensor":
      return { sparse_tensor: sparseDraft(a.value) };
    case "sparse_tensors":
      return { sparse_tensors: a.value.map(sparseDraft) };
    case "type":
      return { tp: typeDraft(a.value) };
    case "types":
      return { type_protos: a.value.map(typeDraft) };
    case "reference":
      return { ref_attr_name: a.value };
  }
}

/* ---- tensors ---- */

function tensorDraft(t: OnnxTensor): Draft<"tensor"> {
  return { dims: ints(t.dims), data_type: BigInt(elementTypes[t.dtype].code), name: text(t.name), ...dataDraft(t) };
}
function dataDraft({ name, dtype, dims, data }: OnnxTensor): Draft<"tensor"> {
  const count = countOf(dims);
  switch (data.kind) {
    case "bytes":
      invariant(data.bytes.length === bytesOf(dtype, count), `${name} ${dtype}[${dims}] has ${data.bytes.length} bytes`);
      return { raw_data: data.bytes };
    case "strings":
      invariant(dtype === "string" && data.strings.length === count, `${name} ${dtype}[${dims}] has ${data.strings.length} strings`);
      return { string_data: data.strings };
    case "external": {
      const { location, offset } = data;
      const place = new Map([
        ["location", location],
        ["offset", `${offset}`],
        ["length", `${bytesOf(dtype, count)}`],
      ]);
      return { external_data: entryDrafts(place), data_location: 1n };
    }
  }
}
const sparseDraft = ({ values, indices, dims }: OnnxSparseTensor): Draft<"sparse"> => ({
  values: tensorDraft(values),
  indices: tensorDraft(indices),
  dims: ints(dims),
});

/* ---- types ---- */

const valueDraft = ({ name, type }: OnnxValue): Draft<"value"> => ({ name, type: type ? typeDraft(type) : undefined });

function typeDraft(type: OnnxValueType): Draft<"type"> {
  switch (type.kind) {
    case "tensor":
      return { tensor_type: tensorType(type.dtype, type.shape) };
    case "sparse_tensor":
      return { sparse_tensor_type: tensorType(type.dtype, type.shape) };
    case "sequence":
      return { sequence_type: { elem_type: type.element ? typeDraft(type.element) : undefined } };
    case "optional":
      return { optional_type: { elem_type: type.element ? typeDraft(type.element) : undefined } };
    case "map":
      return { map_type: { key_type: codeOf(type.key), value_type: type.value ? typeDraft(type.value) : undefined } };
    case "opaque":
      return { opaque_type: { domain: text(type.domain), name: text(type.name) } };
  }
}
const tensorType = (dtype: OnnxElementType | null, shape: readonly OnnxDim[] | null): Draft<"tensor_type"> => ({
  elem_type: codeOf(dtype),
  shape: shape ? { dim: shape.map(dimDraft) } : undefined,
});
const codeOf = (dtype: OnnxElementType | null): bigint | undefined => (dtype ? BigInt(elementTypes[dtype].code) : undefined);
const dimDraft = (dim: OnnxDim): Draft<"dim"> => {
  if (dim === null) return {};
  return typeof dim === "number" ? { dim_value: BigInt(dim) } : { dim_param: dim };
};
