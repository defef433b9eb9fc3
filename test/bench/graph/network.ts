/** An ONNX model as a list of steps: what the executors of libraries without an ONNX reader of their own run. */
import type { OnnxAttribute, OnnxModel, OnnxTensor } from "../../../compiler/formats/onnx/model.ts";
import { convertedElements, dtypeOf, integersOf } from "../../../compiler/formats/onnx/tensor.ts";

export interface Constant {
  readonly dims: readonly number[];
  readonly data: Float32Array | Int32Array | Uint8Array;
}
export type Activation = "linear" | "relu" | "relu6";
export type Attribute = number | string | readonly number[];
export interface Step {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  /** Those of the node, and by the operator's name for them whole numbers that ONNX has as inputs: `shape`, `pads`, `axes`. */
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** What is done to the result. */
  readonly activation: Activation;
}
export interface Network {
  readonly inputs: readonly { readonly name: string; readonly dims: readonly number[]; readonly isFloat: boolean }[];
  readonly output: string;
  readonly steps: readonly Step[];
  readonly constants: ReadonlyMap<string, Constant>;
}

/** Inputs that must be constant here, by their place: how the attributes are called that they become. */
const settings: Readonly<Record<string, readonly (string | null)[]>> = {
  Reshape: [null, "shape"],
  Slice: [null, "starts", "ends", "axes", "steps"],
  Pad: [null, "pads"],
  Clip: [null, "min", "max"],
};

export function networkOf({ graph }: OnnxModel): Network {
  const tensors = new Map(graph.initializers.map((t) => [t.name, t]));
  const steps = graph.nodes.map((node): Step => {
    const names = settings[node.opType];
    const attributes: Record<string, Attribute> = {};
    for (const a of node.attributes) attributes[a.name] = attributeOf(a);
    names?.forEach((name, i) => {
      const tensor = tensors.get(node.inputs[i] ?? "");
      if (name !== null && tensor) attributes[name] = numbersOf(tensor);
    });
    const inputs = (names ? node.inputs.slice(0, 1) : node.inputs).filter((name) => name !== "");
    return { op: node.opType, inputs, output: node.outputs[0]!, attributes, activation: "linear" };
  });
  const read = new Set(steps.flatMap((s) => s.inputs));
  const constants = new Map(graph.initializers.filter((t) => read.has(t.name)).map((t) => [t.name, constantOf(t)]));
  const inputs = graph.inputs.map(({ name, type }) => {
    if (type?.kind !== "tensor" || !type.shape) throw new Error(`input ${name} has no shape`);
    return { name, dims: type.shape.map(Number), isFloat: type.dtype === "float" };
  });
  return { inputs, output: graph.outputs[0]!.name, steps, constants };
}

function attributeOf(a: OnnxAttribute): Attribute {
  if (a.kind === "float" || a.kind === "int" || a.kind === "string" || a.kind === "ints" || a.kind === "floats") return a.value;
  throw new Error(`attribute ${a.name} is of kind ${a.kind}`);
}
const numbersOf = (t: OnnxTensor): readonly number[] =>
  t.dtype === "float" ? [...convertedElements(t, "f32", t.name, null)] : integersOf(t, t.name, null);
function constantOf(t: OnnxTensor): Constant {
  const dtype = dtypeOf(t.dtype);
  if (dtype === null) throw new Error(`${t.name} has ${t.dtype} elements`);
  return { dims: t.dims, data: convertedElements(t, dtype, t.name, null) as Constant["data"] };
}

export const listOf = (step: Step, name: string, otherwise?: readonly number[]): readonly number[] => {
  const value = step.attributes[name] ?? otherwise;
  if (!Array.isArray(value)) throw new Error(`${step.op} ${step.output} has no list ${name}`);
  return value;
};
export const numberOf = (step: Step, name: string, otherwise: number): number => {
  const value = step.attributes[name] ?? otherwise;
  if (typeof value !== "number") throw new Error(`${step.op} ${step.output}: ${name} is no number`);
  return value;
};
/** The constant that an input is. */
export function constantAt({ constants }: Pick<Network, "constants">, step: Step, i: number): Constant {
  const found = constants.get(step.inputs[i] ?? "");
  if (!found) throw new Error(`input ${i} of ${step.op} ${step.output} is no constant`);
  return found;
}
export const usesOf = ({ steps, output }: Network): ReadonlyMap<string, number> => {
  const uses = new Map([[output, 1]]);
  for (const name of steps.flatMap((s) => s.inputs)) uses.set(name, (uses.get(name) ?? 0) + 1);
  return uses;
};
