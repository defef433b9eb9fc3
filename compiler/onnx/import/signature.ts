/** The model's inputs and outputs, and the sketch around the steps. */
import { fail } from "../../../ir/diagnostic.ts";
import type { TensorType } from "../../../ir/type.ts";
import { renamedValues, type Sketch, withoutUnused } from "../../decompile/sketch.ts";
import type { OnnxElementType } from "../../formats/onnx/element-type.ts";
import type { OnnxGraph, OnnxModel, OnnxValue } from "../../formats/onnx/model.ts";
import { dtypeOf } from "../../formats/onnx/tensor.ts";
import { builtins } from "../../frontend/elaborate/builtins/index.ts";
import { namesOfNoValue } from "../../frontend/elaborate/names.ts";
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
  /** In the file. */
  readonly element: OnnxElementType;
}
export interface Signature {
  readonly inputs: readonly (Port & { readonly value: OnnxValue })[];
  readonly outputs: readonly Port[];
}

/** What the draft of the program must not bind: functions that steps may call keep their names. */
export const takenNames = (): ReadonlySet<string> => new Set([...namesOfNoValue, ...builtins.keys(), ...standardLibrary().keys()]);

/** Inputs that are initializers too are weights with a default. */
export function claimSignature(graph: OnnxGraph, names: Names): Signature {
  const weights = new Set([...graph.initializers.map((t) => t.name), ...graph.sparseInitializers.map((s) => s.values.name)]);
  const port = (original: string): Port => ({ original, name: names.claim(identifierOf(original)) });
  return {
    inputs: graph.inputs.filter((v) => !weights.has(v.name)).map((v) => ({ ...port(v.name), value: v })),
    outputs: graph.outputs.map((v) => port(v.name)),
  };
}

/** A dimension of inputs that has no size in the file. */
export interface FreeDimension {
  readonly name: string;
  /** It is nothing but the first dimension of inputs, and not called like one of a sequence or an image. */
  readonly isBatch: boolean;
}
export function freeDimensions(graph: OnnxGraph): readonly FreeDimension[] {
  const weights = new Set(graph.initializers.map((t) => t.name));
  const places = graph.inputs.flatMap(({ name, type }) => {
    const shape = type?.kind === "tensor" && !weights.has(name) ? (type.shape ?? []) : [];
    return shape.flatMap((d, axis) => (typeof d === "number" ? [] : [{ name: dimensionName(d, name, axis), axis }]));
  });
  const isBatch = (name: string): boolean =>
    !/seq|time|len|height|width|frame/i.test(name) && places.every((p) => p.name !== name || p.axis === 0);
  return [...new Set(places.map((p) => p.name))].map((name) => ({ name, isBatch: isBatch(name) }));
}
/** One without a name is the batch if it comes first, else it is called by its place. */
const dimensionName = (d: string | null, input: string, axis: number): string =>
  d ?? (axis === 0 ? "batch" : `${identifierOf(input)}_${axis}`);

export function inputTypes({ inputs }: Signature, { file, dims }: ImportOptions): Input[] {
  const named = new Set<string>();
  const types = inputs.map(({ original, name, value }) => ({ original, name, ...typeOf(value, file, dims, named) }));
  for (const d of Object.keys(dims)) {
    if (!named.has(d))
      fail("flag", `no input of ${file} has a dimension \`${d}\``, null, {
        help: named.size ? `its dimensions are: ${[...named].join(", ")}` : "all of its dimensions are fixed",
      });
  }
  return types;
}
function typeOf(
  { name, type }: OnnxValue,
  file: string,
  dims: Readonly<Record<string, number>>,
  named: Set<string>,
): Pick<Input, "type" | "element"> {
  const what = `${file}: the input ${JSON.stringify(name)}`;
  if (type?.kind !== "tensor") return fail("onnx", `${what} is ${type ? `a ${type.kind}` : "of no known type"}, expected a tensor`, null);
  const dtype =
    (type.dtype && dtypeOf(type.dtype)) ??
    fail("onnx", `${what} has ${type.dtype ?? "unknown"} elements, which are not in the language`, null);
  const shape =
    type.shape ??
    fail("onnx", `${what} does not say how many dimensions it has`, null, { help: "export the model with the shapes of its inputs" });
  const extents = shape.map((d, axis) => {
    if (d === 0) return fail("onnx", `${what} has no elements: its shape is [${shape.join(", ")}]`, null);
    if (typeof d === "number") return d;
    const own = dimensionName(d, name, axis);
    named.add(own);
    return dims[own] ?? 1;
  });
  return { type: { dtype, shape: extents, layout: null }, element: type.dtype! };
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
  // The program may call inputs and outputs like functions.
  const names = newNames(namesOfNoValue);
  const own = new Map([...signature.inputs, ...signature.outputs].map((p) => [p.name, names.claim(identifierOf(p.original))]));
  const rename = (name: string): string => own.get(name) ?? name;
  const ofInput = new Set(inputs.map((i) => i.name));
  const renameValue = (name: string): string => (ofInput.has(name) ? rename(name) : name);
  const { steps, variables } = recorder;
  return withoutUnused({
    name: modelName(options, model),
    doc: docOf(model, options),
    inputs: inputs.map(({ name, type }) => ({ name: rename(name), type })),
    variables,
    steps: steps.map((s) => ({ ...s, term: renamedValues(s.term, renameValue) })),
    outputs: outputs.map((o) => ({ name: rename(o.name), value: renameValue(o.value) })),
    types: typesOf(
      recorder,
      [...inputs.map((i) => i.name), ...variables.map((v) => v.name), ...steps.flatMap((s) => s.results)],
      renameValue,
    ),
  });
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
