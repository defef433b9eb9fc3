/**
 * An ONNX model as data: what the file says, not what its operators mean.
 * https://onnx.ai/onnx/repo-docs/IR.html
 */
import type { OnnxElementType } from "./element-type.ts";

export interface OnnxModel {
  readonly irVersion: number;
  /** Version of the operator set by domain; "" is the standard domain, which files also call `ai.onnx`. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly producer: { readonly name: string; readonly version: string };
  readonly domain: string;
  readonly version: number;
  readonly doc: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly graph: OnnxGraph;
  /** Functions of the model's own, called by nodes of equal domain, name and overload. They do not call themselves. */
  readonly functions: readonly OnnxFunction[];
}

/** Each name has one definition: an input, an initializer (or both: the input's default), or the output of one node. */
export interface OnnxGraph {
  readonly name: string;
  readonly doc: string;
  /** Every value is made before it is read. */
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly sparseInitializers: readonly OnnxSparseTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** What the file tells of values in between. */
  readonly valueInfo: readonly OnnxValue[];
}
export interface OnnxFunction {
  readonly name: string;
  readonly domain: string;
  readonly overload: string;
  readonly doc: string;
  readonly opsets: ReadonlyMap<string, number>;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Attributes a call must give, and those that have a default. */
  readonly attributes: readonly string[];
  readonly defaults: readonly OnnxAttribute[];
  readonly nodes: readonly OnnxNode[];
  readonly valueInfo: readonly OnnxValue[];
}
export interface OnnxNode {
  /** May be "". */
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  readonly overload: string;
  readonly doc: string;
  /** Names of values; "" is an optional one left out. Nodes of a subgraph may read values of the graphs around it. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly OnnxAttribute[];
}

/** Kinds of attributes. Whole numbers are exact; `unbounded` of `integer.ts` and its negative stand for the ends of 64 bits. */
export interface OnnxAttributeValues {
  readonly float: number;
  readonly int: number;
  readonly string: string;
  readonly tensor: OnnxTensor;
  readonly graph: OnnxGraph;
  readonly sparse_tensor: OnnxSparseTensor;
  readonly type: OnnxValueType;
  readonly floats: readonly number[];
  readonly ints: readonly number[];
  readonly strings: readonly string[];
  readonly tensors: readonly OnnxTensor[];
  readonly graphs: readonly OnnxGraph[];
  readonly sparse_tensors: readonly OnnxSparseTensor[];
  readonly types: readonly OnnxValueType[];
}
export type OnnxAttributeKind = keyof OnnxAttributeValues;
export type OnnxAttribute =
  | {
      readonly [K in OnnxAttributeKind]: { readonly name: string; readonly kind: K; readonly value: OnnxAttributeValues[K] };
    }[OnnxAttributeKind]
  /** In functions only: the attribute `value` of the call, which has the kind `of`. */
  | { readonly name: string; readonly kind: "reference"; readonly value: string; readonly of: OnnxAttributeKind };

/** Row-major. The data agree with `dtype` and `dims`. */
export interface OnnxTensor {
  readonly name: string;
  readonly dtype: OnnxElementType;
  readonly dims: readonly number[];
  readonly data: OnnxData;
}
export type OnnxData =
  /** Little-endian; usually a view of the file. Elements below 8 bits are packed, the first in the lowest bits. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** In a file beside the model: a relative path, of `/` and plain names, that does not leave the model's folder. */
  | { readonly kind: "external"; readonly location: string; readonly offset: number }
  | { readonly kind: "strings"; readonly strings: readonly Uint8Array[] };
/** `values` of extent [n] at `indices` of extents [n, rank], or [n] into the elements in row-major order; zero elsewhere. */
export interface OnnxSparseTensor {
  readonly values: OnnxTensor;
  readonly indices: OnnxTensor;
  readonly dims: readonly number[];
}

export interface OnnxValue {
  readonly name: string;
  /** Null where the file does not say. */
  readonly type: OnnxValueType | null;
}
export type OnnxValueType =
  /** A null shape may be of any rank. */
  | { readonly kind: "tensor" | "sparse_tensor"; readonly dtype: OnnxElementType | null; readonly shape: readonly OnnxDim[] | null }
  | { readonly kind: "sequence" | "optional"; readonly element: OnnxValueType | null }
  | { readonly kind: "map"; readonly key: OnnxElementType | null; readonly value: OnnxValueType | null }
  | { readonly kind: "opaque"; readonly domain: string; readonly name: string };
/** An extent, a name for one that is not known yet, or null: not known and not named. */
export type OnnxDim = number | string | null;
