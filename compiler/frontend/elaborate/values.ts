/** What expressions evaluate to while compiling: constants, lists, and tensors, which are nodes of the graph. */
import type { Span } from "../../../ir/diagnostic.ts";
import type { Node } from "../../../ir/graph/graph.ts";
import type { DType, Shape, TensorType } from "../../../ir/type.ts";
import type { Fn, Layer, Model } from "../ast.ts";
import type { Optimizer, Schedule } from "../module.ts";
import type { Builtin } from "./builtin.ts";
import type { Instance } from "./instance.ts";
import type { SourceFile } from "./source.ts";

export type Value =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "none" }
  | ListValue
  | { readonly kind: "tensor"; readonly node: Node }
  /** An element type: `f32`. */
  | { readonly kind: "type"; readonly dtype: DType }
  | { readonly kind: "function"; readonly declaration: Fn; readonly file: SourceFile }
  | { readonly kind: "builtin"; readonly builtin: Builtin }
  | LayerValue
  | { readonly kind: "instance"; readonly instance: Instance; readonly given: readonly Given[] }
  | Initializer
  | { readonly kind: "schedule"; readonly schedule: Schedule }
  | { readonly kind: "optimizer"; readonly optimizer: Optimizer }
  /** After an error that has been reported; silences what follows from it. */
  | { readonly kind: "unknown" };

export interface ListValue {
  readonly kind: "list";
  readonly items: readonly Value[];
  /** An item is unknown, or a list that holds one. */
  readonly broken: boolean;
}
export interface LayerValue {
  readonly kind: "layer";
  readonly declaration: Layer | Model;
  readonly file: SourceFile;
}
/** Makes the initial value of a parameter from its shape and random numbers of that shape. */
export interface Initializer {
  readonly kind: "initializer";
  readonly name: string;
  /** `constant(c)`, which is a learning rate too. */
  readonly constant: number | null;
  readonly make: (shape: Shape, random: (kind: "uniform" | "normal") => Node) => Node;
}
/** An argument of `use`, kept for the applications. */
export interface Given {
  readonly name: string | null;
  readonly value: Value;
  readonly span: Span;
}
export type ValueKind = Value["kind"];

export const none: Value = { kind: "none" };
export const unknown: Value = { kind: "unknown" };
export const int = (value: number): Value => ({ kind: "int", value });
export const float = (value: number): Value => ({ kind: "float", value });
export const bool = (value: boolean): Value => ({ kind: "bool", value });
export const text = (value: string): Value => ({ kind: "string", value });
export const list = (items: readonly Value[]): ListValue => ({ kind: "list", items, broken: items.some(isUnknown) });
export const tensor = (node: Node): Value => ({ kind: "tensor", node });

export const isUnknown = (v: Value): boolean => v.kind === "unknown" || (v.kind === "list" && v.broken);
export const isNumber = (v: Value): v is { kind: "int" | "float"; value: number } => v.kind === "int" || v.kind === "float";
/** A constant that adapts to the tensor it meets. */
export const isScalar = (v: Value): v is { kind: "int" | "float"; value: number } | { kind: "bool"; value: boolean } =>
  isNumber(v) || v.kind === "bool";

/** What `kind(v)` answers. */
export const kindName = (v: Value): string => (v.kind === "builtin" ? "function" : v.kind);

/** `f32[1, 784]`. */
export const showType = (t: TensorType): string => `${t.dtype}[${t.shape.join(", ")}]`;

/** A float always shows that it is one: `2.0`. */
export function showFloat(x: number): string {
  if (x === Number.POSITIVE_INFINITY) return "inf";
  if (x === Number.NEGATIVE_INFINITY) return "-inf";
  return Number.isInteger(x) && Math.abs(x) < 1e16 ? x.toFixed(1) : String(x);
}

/** "an int", "the float 0.5", ...: a value as the subject or object of a message. */
/** How a list becomes a tensor. */
export const listHelp = (items: readonly Value[]): string =>
  items.every(isNumeric) ? "tensor(xs) makes a tensor of numbers" : "a list of tensors becomes one by stack(xs) or concat(xs)";
const isNumeric = (v: Value): boolean => isNumber(v) || v.kind === "bool" || (v.kind === "list" && v.items.every(isNumeric));

export function describe(v: Value): string {
  switch (v.kind) {
    case "int":
      return `the int ${v.value}`;
    case "float":
      return `the float ${showFloat(v.value)}`;
    case "bool":
      return String(v.value);
    case "string":
      return `the string ${JSON.stringify(v.value.slice(0, 40))}`;
    case "none":
      return "none";
    case "list":
      return `a list of ${v.items.length}`;
    case "tensor":
      return `a tensor ${showType(v.node.type)}`;
    case "type":
      return `the type ${v.dtype}`;
    case "function":
      return `the function \`${v.declaration.name.name}\``;
    case "builtin":
      return `the function \`${v.builtin.name}\``;
    case "layer":
      return `the ${v.declaration.kind} \`${v.declaration.name.name}\``;
    case "instance":
      return `an instance of \`${v.instance.layer.declaration.name.name}\``;
    case "initializer":
      return `the initial value \`${v.name}\``;
    case "schedule":
      return `the schedule \`${v.schedule.name}\``;
    case "optimizer":
      return `the optimizer \`${v.optimizer.name}\``;
    case "unknown":
      return "a value that has an error";
  }
}

/** "the float 3.5" of a list that should hold only `wanted`; what else it is, of another value. */
export function describeItem(v: Value, wanted: ValueKind): string {
  const odd = v.kind === "list" ? v.items.find((x) => x.kind !== wanted) : undefined;
  return odd ? `${describe(odd)} in a list` : describe(v);
}
/** "an int", "a bool": a kind as a word of a sentence. */
export const withArticle = (kind: string): string => `${/^[aeiou]/.test(kind) ? "an" : "a"} ${kind}`;

/** How a value prints in `str`, labels and messages; `textOf` prints lists. */
export function show(v: Value): string {
  switch (v.kind) {
    case "int":
    case "bool":
    case "string":
      return String(v.value);
    case "float":
      return showFloat(v.value);
    case "none":
      return "none";
    case "type":
      return v.dtype;
    case "tensor":
      return showType(v.node.type);
    default:
      return describe(v);
  }
}
