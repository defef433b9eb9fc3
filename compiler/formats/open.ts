/** Data specs of the command line: `idx:images.gz,labels.gz`, `npz:data.npz`, `csv:table.csv`, `synthetic:digits?count=1000`. */
import { fail } from "../../ir/diagnostic.ts";
import { type DType, type Shape, sizeOf } from "../../ir/type.ts";
import { dtypeOf, type ElementData, type NdArray, tensorOf } from "./array.ts";
import { readCsv } from "./csv.ts";
import { digitSize, drawDigit } from "./digits.ts";
import { readIdx } from "./idx.ts";
import { readNpz } from "./npz.ts";
import { type DataField, type DataSource, factorOf, pixelFactor, type Split } from "./source.ts";

/** Bytes of a file; fails with a diagnostic. */
export type ReadFile = (path: string) => Uint8Array;

interface Spec {
  readonly text: string;
  readonly kind: string;
  readonly rest: string;
  readonly options: ReadonlyMap<string, string>;
}
interface Opener {
  readonly form: string;
  readonly options: readonly string[];
  readonly open: (spec: Spec, read: ReadFile) => DataSource;
}
const openers: ReadonlyMap<string, Opener> = new Map([
  ["idx", { form: "idx:IMAGES,LABELS", options: ["scale"], open: openIdx }],
  ["npz", { form: "npz:FILE", options: ["scale"], open: openNpz }],
  ["csv", { form: "csv:FILE", options: [], open: openCsv }],
  ["synthetic", { form: "synthetic:digits", options: ["count"], open: openSynthetic }],
]);
const laterKinds = ["cifar10", "images", "text"];
const laterSynthetic = ["shapes", "spirals", "segments"];
const available = [...openers.values()].map((o) => o.form).join(", ");

export function openData(text: string, read: ReadFile): DataSource {
  const spec = parseSpec(text);
  const opener = openers.get(spec.kind);
  if (!opener) return unknownKind(spec);
  for (const option of spec.options.keys())
    if (!opener.options.includes(option))
      fail("data", `\`${spec.kind}:\` has no option \`${option}\``, null, {
        help: opener.options.length ? `its options are: ${opener.options.join(", ")}` : "it has none",
      });
  if (spec.rest === "") fail("data", `\`${text}\` names no file`, null, { help: `write ${opener.form}` });
  return opener.open(spec, read);
}

function parseSpec(text: string): Spec {
  const colon = text.indexOf(":");
  const kind = colon < 0 ? "" : text.slice(0, colon);
  const [, path, query] = /^(.*?)(?:\?([A-Za-z]\w*=.*))?$/s.exec(text.slice(colon + 1))!;
  const options = (query ?? "").split("&").filter((o) => o !== "");
  return { text, kind, rest: path!, options: new Map(options.map((o) => o.split(/=(.*)/s, 2) as [string, string])) };
}

function unknownKind({ text, kind, rest }: Spec): never {
  if (laterKinds.includes(kind)) return fail("data", `\`${kind}:\` is not available yet`, null, { help: `available are: ${available}` });
  const ending = /\.(npz|csv)$/.exec(rest)?.[1];
  return fail("data", kind ? `unknown kind of data \`${kind}:\`` : `\`${text}\` does not say what kind of data it is`, null, {
    help: ending ? `write ${ending}:${kind ? `${kind}:` : ""}${rest}` : `available are: ${available}`,
  });
}

/** A positive number among the options. */
function numberOption({ options, text }: Spec, name: string, fallback: number, whole: boolean): number {
  const value = options.get(name);
  if (value === undefined) return fallback;
  const number = value.trim() === "" ? Number.NaN : Number(value);
  if (!(number > 0 && number < Infinity && (!whole || Number.isSafeInteger(number))))
    fail("data", `\`${name}\` in \`${text}\` must be a positive ${whole ? "whole " : ""}number`, null);
  return number;
}

/* ---- arrays in memory ---- */

/** First axis: examples. */
interface Column {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: Exclude<ElementData, BigInt64Array>;
}
const columnOf = (name: string, array: NdArray, where: string): Column => {
  if (array.shape.length === 0) fail("data", `${where} is one number, expected one value or array per example`, null);
  const { type, shape, data } = array;
  return { name, dtype: dtypeOf[type], shape, data: data instanceof BigInt64Array ? tensorOf(array, where).data : data };
};

function sourceOf(spec: Spec, columns: readonly Column[]): DataSource {
  const pixel = numberOption(spec, "scale", pixelFactor, false);
  const [first] = columns;
  if (!first) return fail("data", `\`${spec.text}\` has no arrays`, null);
  const count = first.shape[0]!;
  for (const c of columns)
    if (c.shape[0] !== count) fail("data", `\`${c.name}\` has ${c.shape[0]} examples, \`${first.name}\` has ${count}`, null);
  if (count === 0) fail("data", `\`${spec.text}\` has no examples`, null);
  const fields = columns.map(({ name, dtype, shape }): DataField => {
    const own = shape.slice(1);
    return { name, dtype, shape: own, factor: factorOf(dtype, own, pixel) };
  });
  const sizes = fields.map((f) => sizeOf(f.shape));
  const values: Split["values"] = (field, i) => columns[field]!.data.subarray(i * sizes[field]!, (i + 1) * sizes[field]!);
  return { spec: spec.text, fields, train: { count, values }, heldOut: null };
}

function openIdx(spec: Spec, read: ReadFile): DataSource {
  const paths = spec.rest.split(",");
  if (paths.length !== 2) fail("data", `\`${spec.text}\` must name two files`, null, { help: "write idx:IMAGES,LABELS" });
  const [images, labels] = paths.map((path) => readIdx(read(path), path));
  if (images!.shape.length < labels!.shape.length)
    fail("data", `${paths[1]} holds the images and ${paths[0]} the labels`, null, { help: `write idx:${paths[1]},${paths[0]}` });
  const { shape } = images!;
  const planes = shape.length === 3 ? [shape[0]!, 1, ...shape.slice(1)] : shape;
  return sourceOf(spec, [columnOf("image", { ...images!, shape: planes }, paths[0]!), columnOf("label", labels!, paths[1]!)]);
}

function openNpz(spec: Spec, read: ReadFile): DataSource {
  const arrays = readNpz(read(spec.rest), spec.rest);
  return sourceOf(
    spec,
    [...arrays].map(([name, array]) => columnOf(name, array, `${spec.rest}: ${name}`)),
  );
}

function openCsv(spec: Spec, read: ReadFile): DataSource {
  const { names, rows, columns } = readCsv(new TextDecoder().decode(read(spec.rest)), spec.rest);
  if (rows === 0) fail("data", `${spec.rest} has no examples`, null);
  const fields = names.map((name): DataField => ({ name, dtype: "f32", shape: [], factor: 1 }));
  return { spec: spec.text, fields, train: { count: rows, values: (field, i) => [columns[field]![i]!] }, heldOut: null };
}

/* ---- synthetic ---- */

const defaultCount = 10_000;
const heldOutCount = 2_000;
/** Keys of the two random streams. */
const streams = { train: 1, heldOut: 2 };

function openSynthetic(spec: Spec): DataSource {
  if (spec.rest === "digits") return digits(spec);
  if (laterSynthetic.includes(spec.rest))
    fail("data", `\`synthetic:${spec.rest}\` is not available yet`, null, { help: `available are: ${available}` });
  return fail("data", `unknown synthetic data \`${spec.rest}\``, null, { help: "available is: synthetic:digits" });
}

const digits = (spec: Spec): DataSource => ({
  spec: spec.text,
  fields: [
    { name: "image", dtype: "f32", shape: [1, digitSize, digitSize], factor: 1 / 255 },
    { name: "label", dtype: "i32", shape: [], factor: 1 },
  ],
  train: digitSplit(streams.train, numberOption(spec, "count", defaultCount, true)),
  heldOut: digitSplit(streams.heldOut, heldOutCount),
});

/** Drawn when first asked for, then kept. */
function digitSplit(key: number, count: number): Split {
  const drawn = new Map<number, ReturnType<typeof drawDigit>>();
  const digit = (i: number) => {
    const known = drawn.get(i) ?? drawDigit(key, i);
    drawn.set(i, known);
    return known;
  };
  return { count, values: (field, i) => (field === 0 ? digit(i).image : [digit(i).label]) };
}
