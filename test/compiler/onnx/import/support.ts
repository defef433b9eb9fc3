/** Small ONNX models, imported, decompiled and evaluated by the oracle. */
import { type Decompiled, decompile } from "../../../../compiler/decompile/decompile.ts";
import type { OnnxElementType } from "../../../../compiler/formats/onnx/element-type.ts";
import { int64Of } from "../../../../compiler/formats/onnx/integer.ts";
import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor } from "../../../../compiler/formats/onnx/model.ts";
import { elaborate } from "../../../../compiler/frontend/elaborate.ts";
import { checkProgram } from "../../../../compiler/onnx/import/check.ts";
import { type Imported, importModel, type Problem } from "../../../../compiler/onnx/import/import.ts";
import { sizeOf } from "../../../../ir/type.ts";
import { evaluateGraph } from "../../../ir/ops/evaluate.ts";
import { bytesOf, graph, model, node } from "../../formats/onnx/build.ts";

export interface Tensor {
  readonly dtype: OnnxElementType;
  readonly dims: readonly number[];
  readonly data: readonly number[];
}
export const floats = (dims: readonly number[], data: readonly number[]): Tensor => ({ dtype: "float", dims, data });
export const ints = (dims: readonly number[], data: readonly number[]): Tensor => ({ dtype: "int64", dims, data });
export const bools = (dims: readonly number[], data: readonly number[]): Tensor => ({ dtype: "bool", dims, data });
export const list = (...data: readonly number[]): Tensor => ints([data.length], data);
/** Distinct singles between -2 and 2, the same for the same shape and seed. */
export function noise(dims: readonly number[], seed = 1): Tensor {
  return floats(
    dims,
    Array.from({ length: sizeOf(dims) }, (_, i) => Math.fround(2 * Math.sin((i + 1) * (1.7 + seed) + seed))),
  );
}
/** A table of the elements that `f` gives. */
export function table(dims: readonly number[], f: (index: readonly number[]) => number): number[] {
  return Array.from({ length: sizeOf(dims) }, (_, i) => f(dims.map((d, a) => Math.floor(i / sizeOf(dims.slice(a + 1))) % d)));
}
/** The element at an index; `outside` where there is none. */
export function at({ dims, data }: Tensor, index: readonly number[], outside = 0): number {
  if (index.some((i, a) => i < 0 || i >= dims[a]!)) return outside;
  return data[index.reduce((p, i, a) => p * dims[a]! + i, 0)]!;
}

export type AttributeValue = number | string | readonly number[] | readonly string[] | Tensor | OnnxGraph | { readonly float: number };
export function attribute(name: string, v: AttributeValue): OnnxAttribute {
  if (typeof v === "number") return Number.isInteger(v) ? { name, kind: "int", value: v } : { name, kind: "float", value: v };
  if (typeof v === "string") return { name, kind: "string", value: v };
  if ("float" in v) return { name, kind: "float", value: v.float };
  if ("nodes" in v) return { name, kind: "graph", value: v };
  if ("dtype" in v) return { name, kind: "tensor", value: tensorOf("", v) };
  const [first] = v;
  if (typeof first === "string") return { name, kind: "strings", value: v as readonly string[] };
  return { name, kind: "ints", value: v as readonly number[] };
}
export const op = (
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, AttributeValue>> = {},
  name = "",
): OnnxNode => ({
  ...node(
    opType,
    inputs,
    outputs,
    Object.entries(attributes).map(([k, v]) => attribute(k, v)),
  ),
  name,
});

export function tensorOf(name: string, { dtype, dims, data }: Tensor): OnnxTensor {
  const view = {
    float: () => Float32Array.from(data),
    double: () => Float64Array.from(data),
    int64: () => BigInt64Array.from(data, int64Of),
    int32: () => Int32Array.from(data),
    int8: () => Int8Array.from(data),
    uint8: () => Uint8Array.from(data),
    bool: () => Uint8Array.from(data),
  }[dtype as "float" | "double" | "int64" | "int32" | "int8" | "uint8" | "bool"];
  return { name, dtype, dims, data: { kind: "bytes", bytes: bytesOf(view()) } };
}

export interface Case {
  readonly nodes: readonly OnnxNode[];
  readonly inputs?: Readonly<Record<string, Tensor>>;
  readonly weights?: Readonly<Record<string, Tensor>>;
  readonly outputs?: readonly string[];
  readonly opset?: number;
  readonly more?: Partial<OnnxModel>;
  readonly dims?: Readonly<Record<string, number>>;
}
export function modelOf({ nodes, inputs = {}, weights = {}, outputs = ["y"], opset = 17, more = {} }: Case): OnnxModel {
  return model(
    {
      nodes,
      initializers: Object.entries(weights).map(([name, t]) => tensorOf(name, t)),
      inputs: Object.entries(inputs).map(([name, t]) => ({ name, type: { kind: "tensor", dtype: t.dtype, shape: t.dims } })),
      outputs: outputs.map((name) => ({ name, type: null })),
    },
    { opsets: new Map([["", opset]]), ...more },
  );
}
export { graph };

export function importCase(c: Case, name = ""): Imported {
  const result = importModel(modelOf(c), { file: "net.onnx", name, dims: c.dims ?? {}, external: null });
  if (result.kind === "problems") throw new Error(result.problems.map((p) => `${p.op}: ${p.reason}`).join("; "));
  return result.imported;
}
export function problemsOf(c: Case): readonly Problem[] {
  const result = importModel(modelOf(c), { file: "net.onnx", name: "", dims: {}, external: null });
  return result.kind === "problems" ? result.problems : [];
}
/** The program's text, checked. */
export function textOf(c: Case): string {
  return programOf(c).text;
}
function programOf(c: Case): Decompiled {
  const program = decompile(importCase(c).sketch);
  checkProgram(program, "net.dlm");
  return program;
}
/** The statements of the model, without what stands around them. */
export const bodyOf = (c: Case): string[] =>
  textOf(c)
    .split("\n")
    .filter((line) => /^ {2}/.test(line))
    .map((line) => line.trim());

export interface Output {
  readonly dims: readonly number[];
  readonly data: readonly number[];
}
/** What the imported program computes. */
export function run(c: Case): Readonly<Record<string, Output>> {
  const { text, weights } = programOf(c);
  const options = { model: null, trainBlock: null, dims: {}, batch: null, set: {}, train: false };
  const { forward } = elaborate({ path: "net.dlm", text, resolve: () => null, ...options });
  const inputs = Object.values(c.inputs ?? {}).map((t, i) => [String(forward.inputs[i]!.attrs.name), t.data] as const);
  const given = Object.fromEntries([...inputs, ...[...weights].map(([name, w]) => [name, Array.from(w.data)] as const)]);
  const { outputs } = evaluateGraph(forward, given);
  return Object.fromEntries(forward.outputs.map(({ name, value }) => [name, { dims: value.type.shape, data: Array.from(outputs[name]!) }]));
}
/** The result y of a single node; operands that are in `weights` are constants. */
export function result(
  opType: string,
  operands: Readonly<Record<string, Tensor>>,
  attributes: Readonly<Record<string, AttributeValue>> = {},
  more: { readonly opset?: number; readonly constants?: readonly string[] } = {},
): Output {
  const isConstant = (name: string) => more.constants?.includes(name) ?? false;
  const pick = (constant: boolean) => Object.fromEntries(Object.entries(operands).filter(([name]) => isConstant(name) === constant));
  const names = Object.keys(operands).map((name) => (name.startsWith("_") ? "" : name));
  return run({
    nodes: [op(opType, names, ["y"], attributes)],
    inputs: pick(false),
    weights: pick(true),
    ...(more.opset === undefined ? {} : { opset: more.opset }),
  }).y!;
}
