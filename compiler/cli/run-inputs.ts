/** Values for a model's inputs: from files, or random. */
import { fail } from "../../ir/diagnostic.ts";
import type { Field } from "../../ir/program.ts";
import { type DType, printType, type Shape, sameShape, sizeOf, tensor } from "../../ir/type.ts";
import { convertInto, emptyTensorData, type NdArray, numbers, type TensorData } from "../formats/array.ts";
import { checkChannels, type Normalisation, normalise } from "../formats/feed.ts";
import { readNpy } from "../formats/npy.ts";
import { isPng, readPng, resize } from "../formats/png.ts";
import { hash, type Uniform, uniforms } from "../formats/random.ts";
import type { Declaration, File, Model, Param } from "../frontend/ast.ts";
import { parse } from "../frontend/parse.ts";
import { readBytes } from "./files.ts";
import type { Arguments } from "./options.ts";
import { type CompileSettings, pairs } from "./settings.ts";

export type Given =
  | { readonly kind: "array"; readonly path: string; readonly array: NdArray }
  | { readonly kind: "image"; readonly path: string; readonly bytes: Uint8Array; readonly height: number; readonly width: number }
  | { readonly kind: "random"; readonly seed: number };
export type GivenInputs = ReadonlyMap<string, Given>;

/** `--input NAME=VALUE`, read from disk. */
export const givenInputs = (args: Arguments): GivenInputs => new Map(pairs(args, "input").map(([name, text]) => [name, givenOf(text)]));

function givenOf(text: string): Given {
  const random = /^random(?::(\d{1,10}))?$/.exec(text);
  if (random) return { kind: "random", seed: Number(random[1] ?? 0) };
  const bytes = readBytes(text);
  if (!isPng(bytes)) return { kind: "array", path: text, array: readNpy(bytes, text) };
  const { height, width } = readPng(bytes, 1, text);
  return { kind: "image", path: text, bytes, height, width };
}

/* ---- free dimensions ------------------------------------------------------------------------------------------- */

/**
 * Sizes of the model's named dimensions, as the given inputs have them. A picture has one example and does not change
 * a dimension with a default. Mistakes in the source are left to the compiler.
 */
export function bindDimensions(source: string, path: string, settings: CompileSettings, given: GivenInputs): Record<string, number> {
  const { file } = parse(source, path);
  const models = file.declarations.filter((d): d is Model => d.kind === "model");
  const model =
    settings.model === undefined ? (models.length === 1 ? models[0] : undefined) : models.find((m) => m.name.name === settings.model);
  if (!model) return {};
  const fixed = new Set([...namesOf(file), ...model.params.filter((p) => !isTensor(p)).map((p) => p.name.name)]);
  const found: Record<string, number> = {};
  for (const param of model.params.filter(isTensor))
    for (const [name, extent] of namedExtents(param, given.get(param.name.name)))
      if (!fixed.has(name) && !Object.hasOwn(found, name)) found[name] = extent;
  return found;
}
const isTensor = (p: Param): boolean => p.type !== null && p.type.dims !== null;
const namesOf = (file: File): string[] => file.declarations.flatMap((d: Declaration) => (d.kind === "const" ? [d.name.name] : []));

function namedExtents({ type }: Param, given: Given | undefined): [string, number][] {
  const dims = type?.dims ?? [];
  if (!given || given.kind === "random" || dims.some((d) => d.kind === "rest")) return [];
  const shape = given.kind === "array" ? given.array.shape : [1, 0, given.height, given.width].slice(4 - dims.length);
  if (shape.length !== dims.length) return [];
  return dims.flatMap((d, axis): [string, number][] => {
    if (d.kind !== "dim" || d.value.kind !== "name" || !shape[axis]) return [];
    return given.kind === "image" && d.fallback ? [] : [[d.value.name, shape[axis]!]];
  });
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

export interface Filled {
  readonly values: Readonly<Record<string, TensorData>>;
  /** Says which inputs are random. */
  readonly invented: readonly string[];
}

/** What happens to pictures. */
export interface ImageOptions {
  readonly normalisation: Normalisation | null;
  readonly resize: boolean;
}
export function fillInputs(inputs: readonly Field[], given: GivenInputs, options: ImageOptions): Filled {
  for (const name of given.keys())
    if (!inputs.some((i) => i.name === name))
      fail("flag", `the model has no input \`${name}\``, null, { help: `its inputs are: ${inputs.map(describe).join(", ")}` });
  const missing = inputs.filter((i) => !given.has(i.name));
  const values = inputs.map(
    (input) => [input.name, valuesOf(input, given.get(input.name) ?? { kind: "random", seed: 0 }, options)] as const,
  );
  const invented = missing.map((i) => `input ${i.name}: ${typeOf(i)} not given, filled with random values`);
  return { values: Object.fromEntries(values), invented };
}
const typeOf = (f: { dtype: DType; shape: Shape }): string => printType(tensor(f.dtype, f.shape));
const describe = (f: Field): string => `${f.name}: ${typeOf(f)}`;

function valuesOf(input: Field, given: Given, options: ImageOptions): TensorData {
  switch (given.kind) {
    case "random":
      return randomValues(input, given.seed);
    case "array":
      return arrayValues(input, given.path, given.array);
    case "image":
      return imageValues(input, given.path, given.bytes, options);
  }
}

/** Numbers are taken as they are. Axes of extent 1 may come and go. */
function arrayValues(input: Field, path: string, array: NdArray): TensorData {
  const long = (shape: Shape) => shape.filter((d) => d !== 1);
  if (!sameShape(long(input.shape), long(array.shape)))
    fail("data", `the input \`${input.name}\` is ${typeOf(input)}, but ${path} has the shape (${array.shape.join(", ")})`, null);
  const out = emptyTensorData(input.dtype, sizeOf(input.shape));
  convertInto(numbers(array, path), input.dtype, out, 0, 1, (i) => `${path}: element ${i}`);
  return out;
}

/** One picture as [1, C, H, W] or [C, H, W] or [H, W]. */
function imageValues(input: Field, path: string, bytes: Uint8Array, options: ImageOptions): TensorData {
  const [height, width] = input.shape.slice(-2);
  const channels = input.shape.length > 2 ? input.shape.at(-3)! : 1;
  if (input.dtype !== "f32" || height === undefined || width === undefined || sizeOf(input.shape) !== channels * height * width)
    return fail("data", `${path} is a picture, but the input \`${input.name}\` is ${typeOf(input)}`, null, {
      help: "pictures go to inputs like f32[1, 3, 224, 224]",
    });
  const original = readPng(bytes, channels, path);
  const image = options.resize ? resize(original, height, width) : original;
  if (image.height !== height || image.width !== width)
    fail("data", `${path} is ${image.width}x${image.height} pixels, the input \`${input.name}\` takes ${width}x${height}`, null, {
      help: "add --resize",
    });
  const { normalisation } = options;
  if (normalisation) {
    checkChannels(normalisation, input.name, channels);
    normalise(image.data, image.data.length, channels, normalisation);
  }
  return image.data;
}

/** Depends on the seed and the input's name only. */
function randomValues(input: Field, seed: number): TensorData {
  const key = [...input.name].reduce((h, c) => hash(h, c.codePointAt(0)!), seed);
  const random = uniforms(key);
  const out = emptyTensorData(input.dtype, sizeOf(input.shape));
  const draw = draws[input.dtype];
  for (let i = 0; i < out.length; i++) out[i] = draw(random, input);
  return out;
}
/** Integers that index stay in their range; others are small. */
const smallInteger = { min: 0, max: 9 };
const draws: Record<DType, (random: Uniform, input: Field) => number> = {
  f32: (random) => random(),
  i32: (random, { range = smallInteger }) => range.min + Math.floor(random() * (range.max - range.min + 1)),
  u8: (random, { range = { min: 0, max: 255 } }) => range.min + Math.floor(random() * (Math.min(255, range.max) - range.min + 1)),
  bool: (random) => Math.floor(random() * 2),
};
