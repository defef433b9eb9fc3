/**
 * A program on its way from a foreign format to `.dlm` text: calls of layers, functions and operators over named values, in
 * order, each value bound once. What reads a format writes sketches; `decompile` finds the structure a person would have
 * written (pipelines, layers, loops) and prints it.
 */
import type { DType, TensorType } from "../../ir/type.ts";

/** An expression of the language over values of the sketch. */
export type Term =
  /** An earlier step's result, an input, a variable. */
  | { readonly kind: "value"; readonly name: string }
  | { readonly kind: "int"; readonly value: number }
  | Extent
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "none" }
  /** A type or a function as a value: `f32`, `relu`, `inf`. */
  | { readonly kind: "word"; readonly text: string }
  | { readonly kind: "list"; readonly items: readonly Term[] }
  | Call
  | { readonly kind: "unary"; readonly op: "-" | "!"; readonly value: Term }
  | { readonly kind: "binary"; readonly op: BinaryOperator; readonly left: Term; readonly right: Term }
  | { readonly kind: "index"; readonly value: Term; readonly items: readonly Index[] };
export type BinaryOperator = "||" | "&&" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "+" | "-" | "*" | "/" | "//" | "%" | "@" | "**";
export interface Call {
  readonly kind: "call";
  readonly callee: string;
  /** The tensor that a pipeline would carry comes first. */
  readonly args: readonly Term[];
  readonly named: Readonly<Record<string, Term>>;
  /** Of a layer: the label it should have, a path like `layer1.0.conv1`; null: it has no name of its own. */
  readonly label: string | null;
}
export type Index =
  | Term
  | { readonly kind: "all" }
  | { readonly kind: "slice"; readonly from: Bound; readonly to: Bound; readonly step: number };
/** null: the end of the axis. */
export type Bound = Term | null;

/** A whole number that follows from how large the inputs are: `scale` times the product of some of their sizes, plus `offset`. */
export interface Extent {
  readonly kind: "extent";
  readonly scale: number;
  /** Names that inputs have in their types; at least one. */
  readonly sizes: readonly string[];
  readonly offset: number;
}
/** The type of a tensor, some extents of which may be open; null: it follows from sizes in no simple way. */
export interface OpenType {
  readonly dtype: DType;
  readonly shape: readonly (number | Extent | null)[];
}

/** Numbers that belong to a parameter or state of the program: row-major, f32 for parameters. */
export interface Weight {
  readonly type: TensorType;
  readonly data: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;
}
/** One statement: `results = term`. */
export interface Step {
  readonly results: readonly string[];
  readonly term: Term;
  /** Of a layer call: its variables by their path below the label (`weight`, `running_mean`). */
  readonly weights: ReadonlyMap<string, Weight>;
}
/** A variable that no layer owns. */
export interface Variable extends Weight {
  readonly name: string;
  /** `param NAME: TYPE`, which is f32; else `state NAME: TYPE`. */
  readonly trained: boolean;
  /** The path that it should have; null: it has no name of its own. */
  readonly label: string | null;
}
export interface Sketch {
  /** Of the model: `ResNet50`. */
  readonly name: string;
  readonly doc: string | null;
  readonly inputs: readonly { readonly name: string; readonly type: OpenType }[];
  readonly variables: readonly Variable[];
  readonly steps: readonly Step[];
  readonly outputs: readonly { readonly name: string; readonly value: string }[];
  /** Of values, as far as known: layers made of repeated parts say in terms of them what they take. */
  readonly types?: ReadonlyMap<string, OpenType>;
}

/* ---- walking ----------------------------------------------------------------------------------------------------- */

/** The terms that a term consists of, in the order in which they are written. */
export function childrenOf(t: Term): readonly Term[] {
  const children: Term[] = [];
  mapTerm(t, (x) => {
    children.push(x);
    return x;
  });
  return children;
}
/** The term with `f` of each of its children in the place of that. */
export function mapTerm(t: Term, f: (t: Term) => Term): Term {
  switch (t.kind) {
    case "list":
      return { ...t, items: t.items.map(f) };
    case "call":
      return { ...t, args: t.args.map(f), named: Object.fromEntries(Object.entries(t.named).map(([name, x]) => [name, f(x)])) };
    case "unary":
      return { ...t, value: f(t.value) };
    case "binary":
      return { ...t, left: f(t.left), right: f(t.right) };
    case "index":
      return { ...t, value: f(t.value), items: t.items.map((i) => mapIndex(i, f)) };
    default:
      return t;
  }
}
function mapIndex(i: Index, f: (t: Term) => Term): Index {
  if (i.kind === "all") return i;
  if (i.kind !== "slice") return f(i);
  const bound = (b: Bound): Bound => (b === null ? null : f(b));
  return { ...i, from: bound(i.from), to: bound(i.to) };
}
/** The names of the values that a term uses. */
export const valuesIn = (t: Term): readonly string[] => (t.kind === "value" ? [t.name] : childrenOf(t).flatMap(valuesIn));
/** Sizes of inputs that are open. */
export const sizesIn = (inputs: Sketch["inputs"]): ReadonlySet<string> =>
  new Set(inputs.flatMap((i) => i.type.shape.flatMap((d) => (typeof d === "object" ? (d?.sizes ?? []) : []))));
/** Functions, layers and words that a term names. */
export function wordsIn(t: Term): readonly string[] {
  const own = t.kind === "call" ? [t.callee] : t.kind === "word" ? [t.text] : [];
  return [...own, ...childrenOf(t).flatMap(wordsIn)];
}
/** The term over other values. */
export const renamedValues = (t: Term, rename: (name: string) => string): Term =>
  t.kind === "value" ? { ...t, name: rename(t.name) } : mapTerm(t, (x) => renamedValues(x, rename));

/** Without the steps and variables that no output depends on. */
export function withoutUnused(sketch: Sketch): Sketch {
  const read = new Set(sketch.outputs.map((o) => o.value));
  const steps = sketch.steps.toReversed().filter(({ results, term }) => {
    const isUsed = results.some((r) => read.has(r));
    if (isUsed) for (const name of valuesIn(term)) read.add(name);
    return isUsed;
  });
  return { ...sketch, steps: steps.reverse(), variables: sketch.variables.filter((v) => read.has(v.name)) };
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

export const value = (name: string): Term => ({ kind: "value", name });
export const int = (v: number): Term => ({ kind: "int", value: v });
export const float = (v: number): Term => ({ kind: "float", value: v });
export const bool = (v: boolean): Term => ({ kind: "bool", value: v });
export const text = (v: string): Term => ({ kind: "string", value: v });
export const word = (t: string): Term => ({ kind: "word", text: t });
export const list = (items: readonly Term[]): Term => ({ kind: "list", items });
export const ints = (values: readonly number[]): Term => list(values.map(int));
/** A function applied; an argument named `undefined` is left out. */
export const call = (callee: string, args: readonly Term[], named: Readonly<Record<string, Term | undefined>> = {}): Call => ({
  kind: "call",
  callee,
  args,
  named: Object.fromEntries(Object.entries(named).filter((e): e is [string, Term] => e[1] !== undefined)),
  label: null,
});
/** A layer applied. */
export const layer = (
  label: string,
  callee: string,
  args: readonly Term[],
  named: Readonly<Record<string, Term | undefined>> = {},
): Call => ({
  ...call(callee, args, named),
  label,
});
export const binary = (op: BinaryOperator, left: Term, right: Term): Term => ({ kind: "binary", op, left, right });
export const unary = (op: "-" | "!", v: Term): Term => ({ kind: "unary", op, value: v });
