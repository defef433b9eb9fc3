/** Attributes of a node. */
import type { OnnxAttribute, OnnxGraph, OnnxNode, OnnxTensor } from "../../formats/onnx/model.ts";
import { unsupported } from "./values.ts";

export interface Attributes {
  readonly int: (name: string, fallback: number) => number;
  readonly float: (name: string, fallback: number) => number;
  readonly string: (name: string, fallback: string) => string;
  readonly ints: (name: string) => readonly number[] | null;
  readonly floats: (name: string) => readonly number[] | null;
  readonly strings: (name: string) => readonly string[] | null;
  readonly tensor: (name: string) => OnnxTensor | null;
  readonly graph: (name: string) => OnnxGraph | null;
  readonly has: (name: string) => boolean;
}

type ValueOf<K extends OnnxAttribute["kind"]> = Extract<OnnxAttribute, { readonly kind: K }>["value"];

export function attributesOf(node: OnnxNode): Attributes {
  const byName = new Map(node.attributes.map((a) => [a.name, a]));
  const get = <K extends OnnxAttribute["kind"]>(name: string, kind: K): ValueOf<K> | undefined => {
    const found = byName.get(name);
    if (found && found.kind !== kind) unsupported(`the attribute \`${name}\` is of kind ${found.kind}, not ${kind}`);
    return found?.value as ValueOf<K> | undefined;
  };
  return {
    int: (name, fallback) => get(name, "int") ?? fallback,
    float: (name, fallback) => get(name, "float") ?? fallback,
    string: (name, fallback) => get(name, "string") ?? fallback,
    ints: (name) => get(name, "ints") ?? null,
    floats: (name) => get(name, "floats") ?? null,
    strings: (name) => get(name, "strings") ?? null,
    tensor: (name) => get(name, "tensor") ?? null,
    graph: (name) => get(name, "graph") ?? null,
    has: (name) => byName.has(name),
  };
}
