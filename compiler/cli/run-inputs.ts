/** Values for a model's inputs: from files, or random. */
import { fail } from "../../ir/diagnostic.ts";
import type { Field } from "../../ir/program.ts";
import { type DType, printType, type Shape, sameShape, sizeOf, tensor } from "../../ir/type.ts";
import { convertInto, dtypeOf, emptyTensorData, type NdArray, numbers, type TensorData } from "../formats/array.ts";
import { channelsOf, checkChannels, type Normalisation, normalise } from "../formats/feed.ts";
import { imageOf, type Picture, resize } from "../formats/image.ts";
import { isNpy, readNpy } from "../formats/npy.ts";
import { readNpz } from "../formats/npz.ts";
import { isPicture, readPicture } from "../formats/picture.ts";
import { hash, type Uniform, uniforms } from "../formats/random.ts";
import { factorOf, isImage, pixelFactor } from "../formats/source.ts";
import { exists, readBytes } from "./files.ts";
import { type FreeDimension, freeDimensions } from "./free-dimensions.ts";
import type { Arguments } from "./options.ts";
import { type CompileSettings, pairsOnce } from "./settings.ts";

export type Given =
  /** `scale`: what bytes of pictures are multiplied by for an f32 input. */
  | { readonly kind: "array"; readonly path: string; readonly array: NdArray; readonly scale?: number }
  | { readonly kind: "image"; readonly path: string; readonly picture: Picture }
  | { readonly kind: "random"; readonly seed: number };
export type GivenInputs = ReadonlyMap<string, Given>;

/** `--input FILE.npz`: an array for each input, by name; else `--input NAME=VALUE`. */
const archive = /^[^=]+\.npz(\?scale=[^=]*)?$/;

/** What `--input` says, read from disk. An input that is named wins over an archive. */
export const givenInputs = async (args: Arguments): Promise<GivenInputs> => {
  const named = pairsOnce(args, "input", archive).map(async ([name, text]) => [name, await givenOf(text)] as const);
  return new Map([...archived(args), ...(await Promise.all(named))]);
};

function archived(args: Arguments): readonly (readonly [string, Given])[] {
  const archives = args.all("input").filter((text) => archive.test(text));
  return archives.flatMap((text) => {
    const { path, scale } = scaleOf(text);
    return [...readNpz(readBytes(path), path)].map(([name, array]): [string, Given] => {
      const given = { kind: "array", path: `${path}: ${name}`, array } as const;
      return [name, scale !== undefined && array.type === "u1" ? { ...given, scale } : given];
    });
  });
}

async function givenOf(text: string): Promise<Given> {
  const random = /^random(?::(\d{1,10}))?$/.exec(text);
  if (random) return { kind: "random", seed: Number(random[1] ?? 0) };
  if (text.startsWith("random:") && !exists(text))
    fail("flag", `the seed of \`${text}\` must be a whole number`, null, { help: "write random or random:7" });
  const { path, scale } = scaleOf(text);
  const bytes = readBytes(path);
  if (!isPicture(bytes)) return arrayOf(bytes, path, scale);
  if (scale !== undefined) fail("data", `${path} is a picture: its values go from 0 to 1, \`?scale=\` is for arrays of uint8`, null);
  return { kind: "image", path, picture: await readPicture(bytes, path) };
}

/** `FILE?scale=F`, as in data specs. */
function scaleOf(text: string): { readonly path: string; readonly scale?: number } {
  const [, path, number] = /^(.+)\?scale=(.*)$/s.exec(text) ?? [];
  if (path === undefined || exists(text)) return { path: text };
  const scale = number!.trim() === "" ? Number.NaN : Number(number);
  return scale > 0 && scale < Infinity ? { path, scale } : fail("data", `\`scale\` in \`${text}\` must be a positive number`, null);
}

function arrayOf(bytes: Uint8Array, path: string, scale: number | undefined): Given {
  if (!isNpy(bytes)) refuseFormat(bytes, path);
  const array = readNpy(bytes, path);
  if (scale === undefined) return { kind: "array", path, array };
  if (array.type !== "u1") fail("data", `${path} holds ${array.type}, \`?scale=\` is for arrays of uint8`, null);
  return { kind: "array", path, array, scale };
}

/** First bytes of files that are often given for a picture or an array. */
const formats: readonly (readonly [name: string, start: readonly number[]])[] = [
  ["a GIF picture", [0x47, 0x49, 0x46, 0x38]],
  ["a WebP picture", [0x52, 0x49, 0x46, 0x46]],
  ["a zip file, such as .npz", [0x50, 0x4b, 3, 4]],
];
function refuseFormat(bytes: Uint8Array, path: string): void {
  const known = formats.find(([, start]) => start.every((b, i) => bytes[i] === b))?.[0];
  if (known) fail("file", `${path} is ${known}, inputs are .npy, .png or .jpg files`, null);
  if (/\.png$/i.test(path)) fail("file", `${path} is not a PNG file`, null);
  if (/\.jpe?g$/i.test(path)) fail("file", `${path} is not a JPEG file`, null);
  if (/\.(gif|webp|bmp|tiff?)$/i.test(path))
    fail("file", `${path} is no picture that can be read, inputs are .npy, .png or .jpg files`, null);
}

/* ---- free dimensions ------------------------------------------------------------------------------------------- */

/**
 * Sizes of the model's named dimensions, as the given inputs have them. A picture has one example and does not change
 * a dimension with a default. Mistakes in the source are left to the compiler.
 */
export function bindDimensions(source: string, path: string, settings: CompileSettings, given: GivenInputs): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [input, dims] of freeDimensions(source, path, settings))
    for (const [name, extent] of namedExtents(dims, given.get(input))) if (!Object.hasOwn(found, name)) found[name] = extent;
  return found;
}

function namedExtents(dims: readonly (FreeDimension | null)[], given: Given | undefined): [string, number][] {
  if (!given || given.kind === "random") return [];
  if (given.kind === "image" && dims.length < 3) return [];
  const shape = given.kind === "array" ? given.array.shape : [1, 0, given.picture.height, given.picture.width].slice(4 - dims.length);
  if (shape.length !== dims.length) return [];
  return dims.flatMap((d, axis): [string, number][] => {
    if (!d || !shape[axis]) return [];
    return given.kind === "image" && d.hasDefault ? [] : [[d.name, shape[axis]!]];
  });
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

export interface Filled {
  readonly values: Readonly<Record<string, TensorData>>;
  /** Says which inputs are random. */
  readonly invented: readonly string[];
  /** Says which were scaled, and what had no effect. */
  readonly scaled: readonly string[];
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
  const sources = inputs.map((input) => [input, given.get(input.name) ?? ({ kind: "random", seed: 0 } as const)] as const);
  if (options.normalisation) checkPictures(sources);
  const unused = options.normalisation && sources.every(([, { kind }]) => kind === "random");
  const values = sources.map(([input, source]) => [input.name, valuesOf(input, source, options)] as const);
  const scaled = sources.flatMap(([input, source]) => describeScale(input, source) ?? []);
  const invented = missing.map((i) => `input ${i.name}: ${typeOf(i)} not given, filled with random values`);
  const useless = unused ? ["`--mean` and `--std` have no effect: no input is a picture"] : [];
  return { values: Object.fromEntries(values), invented, scaled: [...scaled, ...useless] };
}
const typeOf = (f: { dtype: DType; shape: Shape }): string => printType(tensor(f.dtype, f.shape));
const describe = (f: Field): string => `${f.name}: ${typeOf(f)}`;

function valuesOf(input: Field, given: Given, options: ImageOptions): TensorData {
  switch (given.kind) {
    case "random":
      return randomValues(input, given.seed);
    case "array":
      return arrayValues(input, given, options.normalisation);
    case "image":
      return imageValues(input, given.path, given.picture, options);
  }
}

/** Numbers are taken as they are, bytes of pictures as in training. Axes of extent 1 may come and go. */
function arrayValues(input: Field, given: GivenArray, normalisation: Normalisation | null): TensorData {
  const { path, array } = given;
  const long = (shape: Shape) => shape.filter((d) => d !== 1);
  if (!sameShape(long(input.shape), long(array.shape)))
    fail("data", `the input \`${input.name}\` is ${typeOf(input)}, but ${path} has the shape (${array.shape.join(", ")})`, null);
  const out = emptyTensorData(input.dtype, sizeOf(input.shape));
  const { shape, factor } = exampleOf(input, given);
  convertInto(numbers(array, path), input.dtype, out, 0, factor, (i) => `${path}: element ${i}`);
  if (normalisation && holdsPicture(input, given)) {
    const channels = channelsOf(shape);
    checkChannels(normalisation, input.name, channels);
    normalise(out, sizeOf(shape), channels, normalisation);
  }
  return out;
}

type GivenArray = Extract<Given, { kind: "array" }>;
/** One example of an array, seen as training sees a field: its own axes, and what its values are multiplied by. */
function exampleOf(input: Field, { array, scale = pixelFactor }: GivenArray): { readonly shape: Shape; readonly factor: number } {
  const shape = array.shape[0] === input.shape[0] ? array.shape.slice(1) : array.shape;
  return { shape, factor: factorOf(dtypeOf[array.type], shape, scale) };
}
const holdsPicture = (input: Field, given: Given): boolean => {
  if (given.kind !== "array") return given.kind === "image";
  return input.dtype === "f32" && isImage(exampleOf(input, given));
};
function checkPictures(sources: readonly (readonly [Field, Given])[]): void {
  if (sources.every(([, given]) => given.kind === "random") || sources.some(([input, given]) => holdsPicture(input, given))) return;
  fail("data", "`--mean` and `--std` apply to images, and no input is one", null);
}

function describeScale(input: Field, given: Given): string | null {
  if (given.kind !== "array" || input.dtype !== "f32") return null;
  const { factor } = exampleOf(input, given);
  if (factor === 1) return null;
  const words = factor === pixelFactor ? "divided by 255, as in training; ?scale=1 takes it as it is" : `multiplied by ${factor}`;
  return `input ${input.name}: the bytes of ${given.path} are ${words}`;
}

/** One picture as [1, C, H, W] or [C, H, W]. An input of lower rank holds other things than pixels, such as features [N, F]. */
function imageValues(input: Field, path: string, picture: Picture, options: ImageOptions): TensorData {
  const [height, width] = input.shape.slice(-2);
  const channels = input.shape.at(-3);
  const isOne = channels !== undefined && sizeOf(input.shape.slice(0, -3)) === 1;
  if (input.dtype !== "f32" || !isOne || height === undefined || width === undefined)
    return fail("data", `${path} is a picture, but the input \`${input.name}\` is ${typeOf(input)}`, null, {
      help: "pictures go to inputs like f32[1, 3, 224, 224]; other inputs take arrays, .npy",
    });
  const original = imageOf(picture, channels, path);
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
