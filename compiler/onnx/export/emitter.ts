/** Where an exported graph grows: nodes and initializers with names, in an order in which every value is made before it is read. */
import type { Node } from "../../../ir/graph/graph.ts";
import type { DType } from "../../../ir/type.ts";
import type { OnnxAttribute, OnnxNode, OnnxTensor } from "../../formats/onnx/model.ts";

/** Attributes as one writes them; whole numbers are ints, `floating(x)` says that a number is not. */
export type AttributeValue = number | string | readonly number[] | readonly string[] | Floating;
export interface Floating {
  readonly float: number;
}
export const floating = (float: number): Floating => ({ float });

export interface Emitter {
  /** Name of the value of a graph node; it is emitted when first asked for. */
  readonly read: (node: Node) => string;
  /** Adds a node with `results` results; gives their names. */
  readonly addMany: (opType: string, inputs: readonly string[], results: number, attributes?: Attributes) => readonly string[];
  /** The same with one result. */
  readonly add: (opType: string, inputs: readonly string[], attributes?: Attributes) => string;
  /** A constant of the graph; equal ones are stored once. */
  readonly constant: (dtype: ConstantType, shape: readonly number[], values: readonly number[]) => string;
  /** A list as an argument: int64. */
  readonly ints: (values: readonly number[]) => string;
  /** A parameter or state by its path. */
  readonly variable: (path: string) => string;
}
export type Attributes = Readonly<Record<string, AttributeValue | undefined>>;
export type ConstantType = "float" | "int32" | "int64" | "uint8" | "bool";
export const onnxTypeOf: Readonly<Record<DType, Exclude<ConstantType, "int64">>> = {
  f32: "float",
  i32: "int32",
  u8: "uint8",
  bool: "bool",
};

/** What has been emitted so far. */
export interface Emitted {
  readonly nodes: OnnxNode[];
  readonly constants: OnnxTensor[];
  /** Paths of the variables in use, in the order of first use. */
  readonly variables: Set<string>;
}
/** `taken`: names that are given already. `path`: of the instance that is being emitted, for names of nodes. */
export function newEmitter(taken: Iterable<string>, read: Emitter["read"], path: () => string): Emitter & Emitted {
  const names = new Set(taken);
  const unique = (wanted: string): string => {
    let name = wanted;
    for (let i = 1; names.has(name); i++) name = `${wanted}_${i}`;
    names.add(name);
    return name;
  };
  const nodes: OnnxNode[] = [];
  const constants: OnnxTensor[] = [];
  const variables = new Set<string>();
  const known = new Map<string, string>();

  const addMany: Emitter["addMany"] = (opType, inputs, results, attributes = {}) => {
    const name = unique(path() === "" ? opType : `${path()}.${opType}`);
    const outputs = Array.from({ length: results }, (_, i) => unique(results === 1 ? `${name}_output` : `${name}_output_${i}`));
    const list = Object.entries(attributes).flatMap(([key, value]) => (value === undefined ? [] : [attributeOf(key, value)]));
    nodes.push({ name, opType, domain: "", overload: "", doc: "", inputs, outputs, attributes: list });
    return outputs;
  };
  const constant: Emitter["constant"] = (dtype, shape, values) => {
    const key = `${dtype} ${shape} : ${values.map((v) => (Object.is(v, -0) ? "-0" : v))}`;
    const had = known.get(key);
    if (had !== undefined) return had;
    const name = unique(`constant_${constants.length}`);
    constants.push({ name, dtype, dims: shape, data: { kind: "bytes", bytes: bytesOf(dtype, values) } });
    known.set(key, name);
    return name;
  };
  return {
    nodes,
    constants,
    variables,
    read,
    addMany,
    add: (opType, inputs, attributes) => addMany(opType, inputs, 1, attributes)[0]!,
    constant,
    ints: (values) => constant("int64", [values.length], values),
    variable: (name) => {
      variables.add(name);
      return name;
    },
  };
}

function attributeOf(name: string, value: AttributeValue): OnnxAttribute {
  if (typeof value === "string") return { name, kind: "string", value };
  if (typeof value === "number") return { name, kind: "int", value };
  if ("float" in value) return { name, kind: "float", value: value.float };
  if (isTexts(value)) return { name, kind: "strings", value };
  return { name, kind: "ints", value };
}

const isTexts = (value: readonly (number | string)[]): value is readonly string[] => typeof value[0] === "string";

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
