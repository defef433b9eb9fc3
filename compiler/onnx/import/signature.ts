/** The model's inputs and outputs, and the sketch around the steps. */
import { fail } from "../../../ir/diagnostic.ts";
import { dtypes, type TensorType } from "../../../ir/type.ts";
import type { Index, Sketch, Step, Term } from "../../decompile/sketch.ts";
import type { OnnxGraph, OnnxModel, OnnxValue } from "../../formats/onnx/model.ts";
import { dtypeOf } from "../../formats/onnx/tensor.ts";
import { builtins } from "../../frontend/elaborate/builtins/index.ts";
import { standardLibrary } from "../../frontend/elaborate/source.ts";
import type { ImportOptions } from "./import.ts";
import { identifierOf, modelNameOf, type Names, newNames } from "./names.ts";
import type { Recorder } from "./recorder.ts";

interface Port {
  readonly original: string;
  readonly name: string;
}
export interface Input extends Port {
  readonly type: TensorType;
}
export interface Signature {
  readonly inputs: readonly (Port & { readonly value: OnnxValue })[];
  readonly outputs: readonly Port[];
}

/** Words that no statement can bind. */
const words: readonly string[] = [
  "if",
  "else",
  "for",
  "in",
  "return",
  "assert",
  "true",
  "false",
  "none",
  "training",
  "inf",
  "pi",
  ...dtypes,
];
/** These, and the functions that steps call. */
export const takenNames = (): ReadonlySet<string> => new Set([...words, ...builtins.keys(), ...standardLibrary().keys()]);

/** Inputs that are initializers too are weights with a default. */
export function claimSignature(graph: OnnxGraph, names: Names): Signature {
  const weights = new Set([...graph.initializers.map((t) => t.name), ...graph.sparseInitializers.map((s) => s.values.name)]);
  const port = (original: string): Port => ({ original, name: names.claim(identifierOf(original)) });
  return {
    inputs: graph.inputs.filter((v) => !weights.has(v.name)).map((v) => ({ ...port(v.name), value: v })),
    outputs: graph.outputs.map((v) => port(v.name)),
  };
}

export function inputTypes({ inputs }: Signature, { file, dims }: ImportOptions): Input[] {
  const named = new Set<string>();
  const types = inputs.map(({ original, name, value }) => ({ original, name, type: typeOf(value, file, dims, named) }));
  for (const d of Object.keys(dims)) {
    if (!named.has(d))
      fail("flag", `no input of ${file} has a dimension \`${d}\``, null, {
        help: named.size ? `its dimensions are: ${[...named].join(", ")}` : "all of its dimensions are fixed",
      });
  }
  return types;
}
function typeOf({ name, type }: OnnxValue, file: string, dims: Readonly<Record<string, number>>, named: Set<string>): TensorType {
  const what = `${file}: the input ${JSON.stringify(name)}`;
  if (type?.kind !== "tensor") return fail("onnx", `${what} is ${type ? `a ${type.kind}` : "of no known type"}, expected a tensor`, null);
  const dtype =
    (type.dtype && dtypeOf(type.dtype)) ??
    fail("onnx", `${what} has ${type.dtype ?? "unknown"} elements, which are not in the language`, null);
  const shape =
    type.shape ??
    fail("onnx", `${what} does not say how many dimensions it has`, null, { help: "export the model with the shapes of its inputs" });
  const extents = shape.map((d) => {
    if (d === 0) return fail("onnx", `${what} has no elements: its shape is [${shape.join(", ")}]`, null);
    if (typeof d === "number") return d;
    if (d !== null) named.add(d);
    return (d === null ? undefined : dims[d]) ?? 1;
  });
  return { dtype, shape: extents, layout: null };
}

interface Parts {
  readonly model: OnnxModel;
  readonly options: ImportOptions;
  readonly recorder: Recorder;
  readonly inputs: readonly Input[];
  readonly outputs: readonly { readonly name: string; readonly value: string }[];
  readonly signature: Signature;
}
export function sketchOf({ model, options, recorder, inputs, outputs, signature }: Parts): Sketch {
  const { steps, read } = reached(
    recorder.steps,
    outputs.map((o) => o.value),
  );
  const variables = recorder.variables.filter((v) => read.has(v.name));
  const called = new Set(steps.flatMap((s) => wordsIn(s.term)));
  const taken = new Set([...words, ...called, ...steps.flatMap((s) => s.results), ...variables.map((v) => v.name)]);
  const names = newNames(taken);
  // a function that no step calls need not keep its name for itself
  const own = new Map([...signature.inputs, ...signature.outputs].map((p) => [p.name, names.claim(identifierOf(p.original))]));
  const rename = (name: string): string => own.get(name) ?? name;
  const ofInput = new Set(inputs.map((i) => i.name));
  const renameValue = (name: string): string => (ofInput.has(name) ? rename(name) : name);
  return {
    name: modelName(options, model),
    doc: docOf(model, options),
    inputs: inputs.map(({ name, type }) => ({ name: rename(name), type })),
    variables,
    steps: steps.map((s) => ({ ...s, term: renamedTerm(s.term, renameValue) })),
    outputs: outputs.map((o) => ({ name: rename(o.name), value: renameValue(o.value) })),
    types: typesOf(
      recorder,
      [...inputs.map((i) => i.name), ...variables.map((v) => v.name), ...steps.flatMap((s) => s.results)],
      renameValue,
    ),
  };
}
function typesOf(recorder: Recorder, names: readonly string[], rename: (name: string) => string): ReadonlyMap<string, TensorType> {
  return new Map(
    names.flatMap((name): [string, TensorType][] => {
      const made = recorder.live(name);
      return made ? [[rename(name), { dtype: made.dtype, shape: made.shape, layout: null }]] : [];
    }),
  );
}
function modelName({ name, file }: ImportOptions, model: OnnxModel): string {
  const stem = file.replace(/^.*[/\\]/, "").replace(/\.onnx$/i, "");
  const chosen = name || modelNameOf(stem || model.graph.name);
  return standardLibrary().has(chosen) || builtins.has(chosen) ? `${chosen}Model` : chosen;
}
function docOf({ producer, opsets }: OnnxModel, { file }: ImportOptions): string {
  const by = [producer.name, producer.version].filter((t) => t !== "").join(" ");
  const text = `Imported from ${file.replace(/^.*[/\\]/, "")}${by ? `, made by ${by}` : ""}, operator set ${opsets.get("") ?? "unknown"}.`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a comment is one line
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, " ");
}

/** The steps that `wanted` values need, and the values that they read. */
function reached(all: readonly Step[], wanted: readonly string[]): { readonly steps: readonly Step[]; readonly read: ReadonlySet<string> } {
  const read = new Set(wanted);
  const steps: Step[] = [];
  for (const step of all.toReversed()) {
    if (!step.results.some((r) => read.has(r))) continue;
    steps.push(step);
    for (const name of valuesIn(step.term)) read.add(name);
  }
  return { steps: steps.reverse(), read };
}

/* ---- terms ------------------------------------------------------------------------------------------------------- */

function partsOf(t: Term): readonly Term[] {
  switch (t.kind) {
    case "list":
      return t.items;
    case "call":
      return [...t.args, ...Object.values(t.named)];
    case "unary":
      return [t.value];
    case "binary":
      return [t.left, t.right];
    case "index":
      return [t.value, ...t.items.flatMap((i) => (isTerm(i) ? [i] : []))];
    default:
      return [];
  }
}
const isTerm = (i: Index): i is Term => i.kind !== "all" && i.kind !== "slice";
const valuesIn = (t: Term): readonly string[] => (t.kind === "value" ? [t.name] : partsOf(t).flatMap(valuesIn));
/** Functions that are called or passed on. */
function wordsIn(t: Term): readonly string[] {
  const own = t.kind === "call" ? [t.callee] : t.kind === "word" ? [t.text] : [];
  return [...own, ...partsOf(t).flatMap(wordsIn)];
}
function renamedTerm(t: Term, rename: (name: string) => string): Term {
  const at = (x: Term) => renamedTerm(x, rename);
  switch (t.kind) {
    case "value":
      return { ...t, name: rename(t.name) };
    case "list":
      return { ...t, items: t.items.map(at) };
    case "call":
      return { ...t, args: t.args.map(at), named: Object.fromEntries(Object.entries(t.named).map(([name, x]) => [name, at(x)])) };
    case "unary":
      return { ...t, value: at(t.value) };
    case "binary":
      return { ...t, left: at(t.left), right: at(t.right) };
    case "index":
      return { ...t, value: at(t.value), items: t.items.map((i) => (isTerm(i) ? at(i) : i)) };
    default:
      return t;
  }
}
