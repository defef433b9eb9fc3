/** Where an exported graph grows: nodes and initializers with names, in an order in which every value is made before it is read. */
import type { Node } from "../../../ir/graph/graph.ts";
import type { DType } from "../../../ir/type.ts";
import type { OnnxAttribute, OnnxNode } from "../../formats/onnx/model.ts";

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
  /** A constant of the graph. */
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

/** A constant under a name that no value of the file will have. */
export interface Constant {
  readonly name: string;
  readonly dtype: ConstantType;
  readonly dims: readonly number[];
  readonly values: readonly number[];
}
/** What has been emitted so far. */
export interface Emitted {
  readonly nodes: OnnxNode[];
  readonly constants: Constant[];
  /** Paths of the variables in use, in the order of first use. */
  readonly variables: Set<string>;
}
/**
 * `taken`: names that are given already. `path`: of the instance that is being emitted, for names of nodes. `before`: constants
 * of the graph that this one goes on from.
 */
export function newEmitter(taken: Iterable<string>, read: Emitter["read"], path: () => string, before = 0): Emitter & Emitted {
  const unique = uniqueNames(taken);
  const nodes: OnnxNode[] = [];
  const constants: Constant[] = [];
  const variables = new Set<string>();

  const addMany: Emitter["addMany"] = (opType, inputs, results, attributes = {}) => {
    const name = unique(path() === "" ? opType : `${path()}.${opType}`);
    const outputs = Array.from({ length: results }, (_, i) => unique(results === 1 ? `${name}_output` : `${name}_output_${i}`));
    const list = Object.entries(attributes).flatMap(([key, value]) => (value === undefined ? [] : [attributeOf(key, value)]));
    nodes.push({ name, opType, domain: "", overload: "", doc: "", inputs, outputs, attributes: list });
    return outputs;
  };
  const constant: Emitter["constant"] = (dtype, dims, values) => {
    const name = `#${before + constants.length}`;
    constants.push({ name, dtype, dims, values });
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

/** A name for what wants one: the wanted one, or with a number. */
export function uniqueNames(taken: Iterable<string>): (wanted: string) => string {
  const names = new Set(taken);
  return (wanted) => {
    let name = wanted;
    for (let i = 1; names.has(name); i++) name = `${wanted}_${i}`;
    names.add(name);
    return name;
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
