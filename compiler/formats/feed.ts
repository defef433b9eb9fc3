/** Examples as a program's inputs: which field goes where, and batches of them. */
import { fail } from "../../ir/diagnostic.ts";
import type { Field } from "../../ir/program.ts";
import { type Shape, sameShape, sizeOf } from "../../ir/type.ts";
import { convertInto, emptyTensorData, type TensorData } from "./array.ts";
import { type DataField, type DataSource, isImage, type SizeHint, type Split } from "./source.ts";

/** Per channel, after scaling: (x - mean) / std. One value stands for all channels. */
export interface Normalisation {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}
/** An input and the fields that fill it; several are numbers that lie side by side. */
interface Route {
  readonly input: Field;
  readonly fields: readonly number[];
  /** No name matched. */
  readonly byOrder: boolean;
}
export interface Feed {
  /** Examples that one run takes. */
  readonly batch: number;
  /** Inputs by name, for these examples. */
  readonly read: (split: Split, examples: ArrayLike<number>) => Readonly<Record<string, TensorData>>;
  /** Words the first stored value among these examples that is no finite number, as `read` would give it; null: all are. */
  readonly oddValue: (split: Split, examples: ArrayLike<number>) => string | null;
  /** `X -> x` for the inputs that no name matched: these took the next field in order. */
  readonly byOrder: readonly string[];
}

/** Fields match by name, else the next that is left, in order. Equal element counts reshape. */
export function feedOf(
  inputs: readonly Field[],
  source: DataSource,
  normalisation: Normalisation | null,
  hint: SizeHint = () => null,
): Feed {
  const batch = batchOf(inputs);
  const routes = match(inputs, source, hint);
  if (normalisation) checkNormalisation(routes, source, normalisation);
  return {
    batch,
    read: (split, examples) =>
      Object.fromEntries(routes.map((route) => [route.input.name, gather(route, source, split, examples, normalisation)])),
    oddValue: (split, examples) => oddValue(routes, source, split, examples),
    byOrder: routes.filter((r) => r.byOrder).map((r) => `${fieldNames(r.fields, source)} -> ${r.input.name}`),
  };
}

function fieldNames(places: readonly number[], { fields }: DataSource): string {
  const names = places.map((f) => fields[f]!.name);
  return names.length > 3 ? `${names[0]} .. ${names.at(-1)}` : names.join(" ");
}

/** The first extent, which all inputs must share. */
export function batchOf(inputs: readonly Field[]): number {
  const [first] = inputs;
  const batch = first?.shape[0];
  for (const input of inputs)
    if (input.shape[0] === undefined || input.shape[0] !== batch)
      fail("data", `\`${input.name}\` is ${spell(input)}, but every input needs the batch as its first dimension`, null, {
        help: `\`${first!.name}\` is ${spell(first!)}`,
      });
  return batch ?? 0;
}
const spell = (f: { dtype: string; shape: readonly number[] }) => `${f.dtype}[${f.shape.join(", ")}]`;

/* ---- matching ---- */

function match(inputs: readonly Field[], { fields, spec }: DataSource, hint: SizeHint): readonly Route[] {
  const named = new Map(inputs.map((input) => [input.name, byName(input, fields)]));
  const taken = new Set([...named.values()].flat());
  return inputs.map((input) => {
    const found = named.get(input.name)!;
    const chosen = found.length > 0 ? found : inOrder(input, fields, taken);
    for (const f of chosen) taken.add(f);
    if (chosen.length === 0)
      fail("data", `nothing in \`${spec}\` is left for the input \`${input.name}\``, null, { help: `it has: ${listed(fields)}` });
    checkSize(
      input,
      chosen.map((f) => fields[f]!),
      hint,
    );
    if (chosen.length === 1) checkOrder(input, fields[chosen[0]!]!);
    return { input, fields: chosen, byOrder: found.length === 0 };
  });
}

/** The field `x`, or columns `x0 x1 ...`, `x.0`, `x_1`, as many as the input has elements. */
function byName(input: Field, fields: readonly DataField[]): readonly number[] {
  const place = (name: string) => fields.findIndex((f) => f.name === name);
  const whole = place(input.name);
  if (whole >= 0) return [whole];
  const size = exampleSize(input);
  for (const separator of ["", ".", "_"])
    for (const first of [0, 1]) {
      const columns = Array.from({ length: size }, (_, i) => place(`${input.name}${separator}${first + i}`));
      if (!columns.includes(-1)) return columns;
      if (size > fields.length) return [];
    }
  return [];
}

/** The next field, or the next numbers where the input has several elements. */
function inOrder(input: Field, fields: readonly DataField[], taken: ReadonlySet<number>): readonly number[] {
  const left = fields.flatMap((_, i) => (taken.has(i) ? [] : [i]));
  const size = exampleSize(input);
  const columns = left.slice(0, size);
  return size > 1 && columns.length === size && columns.every((f) => fields[f]!.shape.length === 0) ? columns : left.slice(0, 1);
}

const exampleSize = (input: Field): number => sizeOf(input.shape.slice(1));
const listed = (fields: readonly DataField[]): string => fields.map((f) => `${f.name} ${spell(f)}`).join(", ");

function checkSize(input: Field, fields: readonly DataField[], hint: SizeHint): void {
  const size = fields.reduce((n, f) => n + sizeOf(f.shape), 0);
  if (size === exampleSize(input)) return;
  const flags = fields.length === 1 ? hint(input.name, input.shape.slice(1), fields[0]!.shape) : null;
  const help = flags === null ? oneHotHelp(input, fields[0]!) : `add ${flags}`;
  fail(
    "data",
    `the input \`${input.name}\` takes ${values(exampleSize(input))} (${input.shape.slice(1).join(", ")}) per example, ` +
      `but \`${fields[0]!.name}\` has ${values(size)} (${fields[0]!.shape.join(", ")})`,
    null,
    help === null ? {} : { help },
  );
}
/** A row of values for one whole number; null: it is something else. */
function oneHotHelp(input: Field, { name, shape }: DataField): string | null {
  if (input.dtype !== "i32" || exampleSize(input) !== 1 || shape.length !== 1) return null;
  return `one-hot labels become class numbers by ${name}.argmax(axis=1) when writing the array`;
}

/** The same extents in another order (height, width, channels) would reshape into nonsense. */
function checkOrder(input: Field, field: DataField): void {
  const wanted = input.shape.slice(1).filter((d) => d > 1);
  const got = field.shape.filter((d) => d > 1);
  const permuted = String([...wanted].sort(byValue)) === String([...got].sort(byValue));
  if (permuted && !sameShape(wanted, got))
    fail(
      "data",
      `\`${field.name}\` has its axes (${field.shape.join(", ")}) in another order than \`${input.name}\` (${input.shape.slice(1).join(", ")})`,
      null,
      {
        help: "transpose the array when writing it, for example array.transpose(0, 3, 1, 2)",
      },
    );
}
const byValue = (a: number, b: number) => a - b;
const values = (n: number): string => (n === 1 ? "1 value" : `${n} values`);

/* ---- reading ---- */

function gather(
  { input, fields }: Route,
  source: DataSource,
  split: Split,
  examples: ArrayLike<number>,
  normalisation: Normalisation | null,
): TensorData {
  const size = exampleSize(input);
  const out = emptyTensorData(input.dtype, size * examples.length);
  for (let e = 0; e < examples.length; e++) {
    let at = e * size;
    for (const f of fields) {
      const { name, factor } = source.fields[f]!;
      const stored = split.values(f, examples[e]!);
      convertInto(stored, input.dtype, out, at, factor, () => `\`${name}\` of example ${examples[e]}`);
      at += stored.length;
    }
    checkRange(input, out, e * size, size, examples[e]!);
  }
  const image = source.fields[fields[0]!]!;
  if (normalisation && input.dtype === "f32" && isImage(image)) normalise(out, size, channelsOf(image.shape), normalisation);
  return out;
}

function checkRange({ name, range }: Field, data: TensorData, from: number, size: number, example: number): void {
  if (!range) return;
  for (let i = from; i < from + size; i++)
    if (data[i]! < range.min || data[i]! > range.max)
      fail("data", `\`${name}\` of example ${example} is ${data[i]}, outside ${range.min} to ${range.max}`, null, {
        help: "the model indexes with it: has it as many classes as the data?",
      });
}

function oddValue(routes: readonly Route[], { fields }: DataSource, split: Split, examples: ArrayLike<number>): string | null {
  for (const example of Array.from(examples))
    for (const f of routes.filter((r) => r.input.dtype === "f32").flatMap((r) => r.fields)) {
      const { name, factor } = fields[f]!;
      const values = split.values(f, example);
      for (let i = 0; i < values.length; i++) {
        const value = Math.fround(values[i]! * factor);
        if (!Number.isFinite(value)) return `\`${name}\` of example ${example} is ${value}`;
      }
    }
  return null;
}

/* ---- normalisation ---- */

export const channelsOf = (shape: Shape): number => (shape.length === 3 ? shape[0]! : 1);

function checkNormalisation(routes: readonly Route[], { fields }: DataSource, normalisation: Normalisation): void {
  const images = routes
    .filter((r) => r.input.dtype === "f32")
    .map((r) => fields[r.fields[0]!]!)
    .filter(isImage);
  if (images.length === 0) fail("data", "`--mean` and `--std` apply to images, and no input is one", null);
  for (const image of images) checkChannels(normalisation, image.name, channelsOf(image.shape));
}

/** `--mean` and `--std` have one value, or one per channel. */
export function checkChannels({ mean, std }: Normalisation, name: string, channels: number): void {
  for (const [flag, list] of [
    ["--mean", mean],
    ["--std", std],
  ] as const)
    if (list.length !== 1 && list.length !== channels)
      fail("flag", `\`${flag}\` has ${list.length} values, but \`${name}\` has ${channels} channel${channels === 1 ? "" : "s"}`, null);
}

/** In place, over examples of `size` values in `channels` planes. */
export function normalise(data: TensorData, size: number, channels: number, { mean, std }: Normalisation): void {
  const plane = size / channels;
  for (let i = 0; i < data.length; i++) {
    const channel = Math.floor((i % size) / plane);
    data[i] = (data[i]! - (mean[channel] ?? mean[0]!)) / (std[channel] ?? std[0]!);
  }
}
