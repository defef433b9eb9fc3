/** Sketches for tests: written call by call, as a reader of a foreign format would, with the weights that each layer has. */
import { printTerm } from "../../../compiler/decompile/print-term.ts";
import {
  type Call,
  call,
  type Sketch,
  type Step,
  type Term,
  type Variable,
  value,
  type Weight,
} from "../../../compiler/decompile/sketch.ts";
import { newDraft } from "../../../compiler/frontend/draft.ts";
import { ops } from "../../../ir/ops/index.ts";
import { type Shape, sizeOf, type TensorType, tensor } from "../../../ir/type.ts";

export type Named = Parameters<typeof call>[2];
export interface Pen {
  /** A layer applied; `label` null: it has none. */
  readonly layer: (label: string | null, callee: string, args: readonly (string | Term)[], named?: Named) => string;
  /** Any other expression. */
  readonly term: (term: Term) => string;
  readonly terms: (count: number, term: Term) => readonly string[];
  readonly fn: (callee: string, args: readonly (string | Term)[], named?: Named) => string;
  readonly variable: (label: string, type: TensorType, word?: "param" | "state") => string;
  readonly typeOf: (name: string) => TensorType;
}
export interface Plan {
  readonly name: string;
  readonly doc?: string;
  readonly inputs: Readonly<Record<string, TensorType>>;
  /** Labels of layers are left out. */
  readonly unlabelled?: boolean;
  /** Without the types of values. */
  readonly untyped?: boolean;
}

/** `write` gives the outputs by name. */
export function sketchOf({ name, doc, inputs, unlabelled, untyped }: Plan, write: (pen: Pen) => Readonly<Record<string, string>>): Sketch {
  const draft = newDraft();
  // The draft's own names: a value may be called like a function.
  const inDraft = (id: string): string => `v_${id}`;
  const steps: Step[] = [];
  const variables: Variable[] = [];
  const types = new Map<string, TensorType>();
  const note = (id: string): void => {
    const v = draft.valueOf(inDraft(id));
    if (v.kind === "tensor") types.set(id, v.node.type);
  };
  for (const [id, type] of Object.entries(inputs)) {
    draft.input(inDraft(id), type);
    note(id);
  }
  let values = 0;
  const add = (count: number, term: Term, weights: ReadonlyMap<string, Weight>): readonly string[] => {
    const results = Array.from({ length: count }, () => `v${values++}`);
    const unique = term.kind === "call" && /^[A-Z]/.test(term.callee) ? { ...term, label: `l${values}` } : term;
    draft.run(`${results.map(inDraft).join(", ")} = ${printTerm(unique, inDraft)}`);
    for (const id of results) note(id);
    steps.push({ results, term, weights });
    return results;
  };
  const toTerm = (x: string | Term): Term => (typeof x === "string" ? value(x) : x);
  const term = (t: Term): string => add(1, t, new Map())[0]!;
  const typeOf = (id: string): TensorType => types.get(id)!;
  const outputs = write({
    term,
    terms: (count, t) => add(count, t, new Map()),
    fn: (callee, args, named) => term(call(callee, args.map(toTerm), named)),
    layer: (label, callee, args, named) => {
      const made: Call = { ...call(callee, args.map(toTerm), named), label: unlabelled ? null : label };
      const [input] = args;
      return add(1, made, weightsOf(made, typeOf(typeof input === "string" ? input : "").shape))[0]!;
    },
    variable: (label, type, word = type.dtype === "f32" ? "param" : "state") => {
      const id = `w${variables.length}`;
      draft.define(inDraft(id), ops.param({}, { name: id, dtype: type.dtype, shape: type.shape }));
      note(id);
      variables.push({ ...weight(type), name: id, label: unlabelled ? null : label, trained: word === "param" });
      return id;
    },
    typeOf,
  });
  return {
    name,
    doc: doc ?? null,
    inputs: Object.entries(inputs).map(([id, type]) => ({ name: id, type })),
    variables,
    steps,
    outputs: Object.entries(outputs).map(([id, v]) => ({ name: id, value: v })),
    ...(untyped ? {} : { types }),
  };
}

let made = 0;
/** Numbers that differ from those of every other weight, as far as they are looked at. */
function weight(type: TensorType): Weight {
  const data = new Float32Array(Math.min(sizeOf(type.shape), 4)).fill(++made);
  return { type, data };
}
const f32 = (...shape: Shape): Weight => weight(tensor("f32", shape));

function weightsOf({ callee, args, named }: Call, input: Shape): ReadonlyMap<string, Weight> {
  const number = (at: number, name: string, fallback: number): number => {
    const t = args[at] ?? named[name];
    return t?.kind === "int" ? t.value : fallback;
  };
  const flag = (name: string): boolean => named[name]?.kind !== "bool" || named[name].value;
  const out = number(1, "out", 0);
  const width = input.at(-1)!;
  const channels = input[1]!;
  const kernel = number(2, "kernel", 1);
  const entries: Readonly<Record<string, () => readonly (readonly [string, Weight])[]>> = {
    Conv2d: () => [
      ["weight", f32(out, channels / number(9, "groups", 1), kernel, kernel)],
      ...(flag("bias") ? [["bias", f32(out)] as const] : []),
    ],
    ConvTranspose2d: () => [
      ["weight", f32(channels, out, kernel, kernel)],
      ["bias", f32(out)],
    ],
    Linear: () => [["weight", f32(out, width)], ...(flag("bias") ? [["bias", f32(out)] as const] : [])],
    BatchNorm: () => (["running_mean", "running_var", "weight", "bias"] as const).map((n) => [n, f32(channels)]),
    LayerNorm: () => (["weight", "bias"] as const).map((n) => [n, f32(width)]),
    Embedding: () => [["weight", f32(number(1, "count", 0), number(2, "dim", 0))]],
  };
  return new Map(entries[callee]!());
}
