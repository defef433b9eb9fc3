/** Bytes of a file to an ONNX model. Whatever is wrong with the file is a CompileError "onnx". */
import { CompileError, fail } from "../../../ir/diagnostic.ts";
import { decode } from "./decode.ts";
import { numberOf } from "./integer.ts";
import { nodeLabel, quoted } from "./label.ts";
import type {
  OnnxAttribute,
  OnnxAttributeKind,
  OnnxDim,
  OnnxFunction,
  OnnxGraph,
  OnnxModel,
  OnnxNode,
  OnnxTensor,
  OnnxValue,
  OnnxValueType,
} from "./model.ts";
import { otherFormat } from "./other-format.ts";
import { elementType, readSparseTensor, readTensor } from "./read-tensor.ts";
import { resolveNames } from "./resolve.ts";
import { attributeKinds, type Message, type MessageName } from "./schema.ts";

/** `file` is its name, for messages. The model's tensors are views of `bytes`. */
export function readOnnx(bytes: Uint8Array, file: string): OnnxModel {
  const proto = decodeFile("model", bytes, file, "ONNX model");
  if (!proto.graph) return refuseFile(bytes, file, "ONNX model") ?? fail("onnx", `${file} is an ONNX model without a graph`, null);
  const opsets = readOpsets(proto.opset_import, file);
  if (opsets.size === 0) fail("onnx", `${file} does not say which operator set it uses`, null, { help: "export it with a newer tool" });
  const model: OnnxModel = {
    irVersion: integer(proto.ir_version ?? 0n, `${file}: ir_version`),
    opsets,
    producer: { name: proto.producer_name ?? "", version: proto.producer_version ?? "" },
    domain: proto.domain ?? "",
    version: integer(proto.model_version ?? 0n, `${file}: model_version`),
    doc: proto.doc_string ?? "",
    metadata: new Map(proto.metadata_props.map(({ key, value }) => [key ?? "", value ?? ""])),
    graph: readGraph(proto.graph, `${file}: `),
    functions: proto.functions.map((f) => readFunction(f, `${file}: function ${quoted(f.name ?? "")}: `)),
  };
  return resolveNames(model, file);
}

/** One tensor in a file of its own, as in the test data of ONNX. */
export const readTensorFile = (bytes: Uint8Array, file: string): OnnxTensor =>
  readTensor(decodeFile("tensor", bytes, file, "ONNX tensor"), `${file}: tensor`);

function decodeFile<M extends MessageName>(message: M, bytes: Uint8Array, file: string, expected: string): Message<M> {
  if (bytes.length === 0) fail("onnx", `${file} is empty, expected an ${expected}`, null);
  try {
    // A plain array, whatever comes in: `slice` of Node's Buffer is a view.
    return decode(message, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), { file, expected });
  } catch (error) {
    if (error instanceof CompileError) refuseFile(bytes, file, expected);
    throw error;
  }
}
/** Fails where the bytes look like a file of another kind. */
function refuseFile(bytes: Uint8Array, file: string, expected: string): null {
  const other = otherFormat(bytes);
  return other ? fail("onnx", `${file} is ${other.what}, expected an ${expected}`, null, { help: other.help }) : null;
}

function readOpsets(protos: readonly Message<"opset">[], where: string): ReadonlyMap<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain, version } of protos) {
    const name = domainOf(domain);
    const number = integer(version ?? 0n, `${where}: version of the operator set ${quoted(name)}`);
    opsets.set(name, Math.max(number, opsets.get(name) ?? number));
  }
  return opsets;
}
const domainOf = (domain: string | undefined): string => (domain === undefined || domain === "ai.onnx" ? "" : domain);

function integer(value: bigint, where: string): number {
  return numberOf(value) ?? fail("onnx", `${where} is ${value}, which is too large`, null);
}

/* ---- graphs; `where` ends with a colon and a space ---- */

const readGraph = (proto: Message<"graph">, where: string): OnnxGraph => ({
  name: proto.name ?? "",
  doc: proto.doc_string ?? "",
  nodes: proto.node.map((n, i) => readNode(n, i, where)),
  initializers: proto.initializer.map((t, i) => named(readTensor(t, `${where}initializer`), `${where}initializer ${i}`)),
  sparseInitializers: proto.sparse_initializer.map((s, i) => {
    const sparse = readSparseTensor(s, `${where}sparse initializer ${i}`);
    named(sparse.values, `${where}sparse initializer ${i}`);
    return sparse;
  }),
  inputs: proto.input.map((v, i) => readValue(v, `${where}input ${i}`)),
  outputs: proto.output.map((v, i) => readValue(v, `${where}output ${i}`)),
  valueInfo: proto.value_info.map((v, i) => readValue(v, `${where}value ${i}`)),
});

const readFunction = (proto: Message<"function">, where: string): OnnxFunction => ({
  name: proto.name || fail("onnx", `${where}it has no name`, null),
  domain: domainOf(proto.domain),
  overload: proto.overload ?? "",
  doc: proto.doc_string ?? "",
  opsets: readOpsets(proto.opset_import, where),
  inputs: proto.input,
  outputs: proto.output,
  attributes: proto.attribute,
  defaults: proto.attribute_proto.map((a) => readAttribute(a, where)),
  nodes: proto.node.map((n, i) => readNode(n, i, where)),
  valueInfo: proto.value_info.map((v, i) => readValue(v, `${where}value ${i}`)),
});

function readNode(proto: Message<"node">, index: number, around: string): OnnxNode {
  const name = proto.name ?? "";
  const where = `${around}${nodeLabel(index, name, proto.op_type ?? "")}`;
  const attributes = proto.attribute.map((a) => readAttribute(a, `${where}: `));
  if (new Set(attributes.map((a) => a.name)).size < attributes.length) fail("onnx", `${where} has two attributes of the same name`, null);
  return {
    name,
    opType: proto.op_type || fail("onnx", `${where} does not name an operator`, null),
    domain: domainOf(proto.domain),
    overload: proto.overload ?? "",
    doc: proto.doc_string ?? "",
    inputs: proto.input,
    outputs: proto.output,
    attributes,
  };
}
function readValue({ name, type }: Message<"value">, where: string): OnnxValue {
  if (!name) return fail("onnx", `${where} has no name`, null);
  return { name, type: type ? readType(type, `${where} ${quoted(name)}`) : null };
}
function named<T extends { readonly name: string }>(value: T, where: string): T {
  return value.name === "" ? fail("onnx", `${where} has no name`, null) : value;
}

/* ---- types ---- */

function readType(proto: Message<"type">, where: string): OnnxValueType | null {
  const nested = (type: Message<"type"> | undefined) => (type ? readType(type, where) : null);
  const dtype = (code: bigint | undefined) => elementType(code ?? 0n, where);
  const { tensor_type: tensor, sparse_tensor_type: sparse, map_type: map, opaque_type: opaque } = proto;
  if (tensor) return { kind: "tensor", dtype: dtype(tensor.elem_type), shape: readShape(tensor.shape, where) };
  if (sparse) return { kind: "sparse_tensor", dtype: dtype(sparse.elem_type), shape: readShape(sparse.shape, where) };
  if (proto.sequence_type) return { kind: "sequence", element: nested(proto.sequence_type.elem_type) };
  if (proto.optional_type) return { kind: "optional", element: nested(proto.optional_type.elem_type) };
  if (map) return { kind: "map", key: dtype(map.key_type), value: nested(map.value_type) };
  return opaque ? { kind: "opaque", domain: opaque.domain ?? "", name: opaque.name ?? "" } : null;
}

const readShape = (shape: Message<"shape"> | undefined, where: string): readonly OnnxDim[] | null =>
  shape ? shape.dim.map((d, i) => readDim(d, `${where}: extent ${i}`)) : null;

/** Some tools write -1 for an extent that is not known. */
function readDim({ dim_value, dim_param }: Message<"dim">, where: string): OnnxDim {
  if (dim_value === undefined || dim_value === -1n) return dim_param || null;
  if (dim_value < 0n || dim_value > BigInt(Number.MAX_SAFE_INTEGER))
    fail("onnx", `${where} is ${dim_value}, expected a number from 0 to 2^53`, null);
  return Number(dim_value);
}

/* ---- attributes ---- */

/** Kinds that have a value in the file. */
function kindsIn(a: Message<"attribute">): OnnxAttributeKind[] {
  const there: Readonly<Record<OnnxAttributeKind, boolean>> = {
    float: a.f !== undefined,
    int: a.i !== undefined,
    string: a.s !== undefined,
    tensor: a.t !== undefined,
    graph: a.g !== undefined,
    floats: a.floats.length > 0,
    ints: a.ints.length > 0,
    strings: a.strings.length > 0,
    tensors: a.tensors.length > 0,
    graphs: a.graphs.length > 0,
    sparse_tensor: a.sparse_tensor !== undefined,
    sparse_tensors: a.sparse_tensors.length > 0,
    type: a.tp !== undefined,
    types: a.type_protos.length > 0,
  };
  return attributeKinds.filter((k): k is OnnxAttributeKind => k !== "undefined" && there[k]);
}

function readAttribute(proto: Message<"attribute">, around: string): OnnxAttribute {
  const name = proto.name || fail("onnx", `${around}an attribute has no name`, null);
  const where = `${around}attribute ${quoted(name)}`;
  const kind = attributeKind(proto, where);
  if (proto.ref_attr_name) return { name, kind: "reference", value: proto.ref_attr_name, of: kind };
  return attributeValue(proto, name, kind, where);
}

/** As the file says, or by the value that it has: the first versions of ONNX did not say. */
function attributeKind(proto: Message<"attribute">, where: string): OnnxAttributeKind {
  const there = kindsIn(proto);
  const stated: OnnxAttributeKind | "undefined" =
    attributeKinds[Number(proto.type ?? 0n)] ?? fail("onnx", `${where} has the kind ${proto.type}, which ONNX does not define`, null);
  const kind = stated === "undefined" ? there[0] : stated;
  if (kind === undefined) return fail("onnx", `${where} has no value`, null);
  const other = there.find((k) => k !== kind);
  if (other) fail("onnx", `${where} has a value of kind ${other}, expected ${kind}`, null);
  return kind;
}

/** Tools that leave out zeros and empty texts leave them out here too. */
function attributeValue(proto: Message<"attribute">, name: string, kind: OnnxAttributeKind, where: string): OnnxAttribute {
  const missing = () => fail("onnx", `${where} has no value`, null);
  switch (kind) {
    case "float":
      return { name, kind, value: proto.f ?? 0 };
    case "int":
      return { name, kind, value: integer(proto.i ?? 0n, where) };
    case "string":
      return { name, kind, value: proto.s ?? "" };
    case "tensor":
      return { name, kind, value: readTensor(proto.t ?? missing(), where) };
    case "graph":
      return { name, kind, value: readGraph(proto.g ?? missing(), `${where}: `) };
    case "floats":
      return { name, kind, value: [...proto.floats] };
    case "ints":
      return { name, kind, value: Array.from(proto.ints, (v, i) => integer(v, `${where}: element ${i}`)) };
    case "strings":
      return { name, kind, value: proto.strings };
    case "tensors":
      return { name, kind, value: proto.tensors.map((t, i) => readTensor(t, `${where}: tensor ${i}`)) };
    case "graphs":
      return { name, kind, value: proto.graphs.map((g, i) => readGraph(g, `${where}: graph ${i}: `)) };
    case "sparse_tensor":
      return { name, kind, value: readSparseTensor(proto.sparse_tensor ?? missing(), where) };
    case "sparse_tensors":
      return { name, kind, value: proto.sparse_tensors.map((s, i) => readSparseTensor(s, `${where}: tensor ${i}`)) };
    case "type":
      return { name, kind, value: readType(proto.tp ?? missing(), where) ?? missing() };
    case "types":
      return { name, kind, value: proto.type_protos.map((t) => readType(t, where) ?? missing()) };
  }
}
