/** Outputs as text for people, as JSON, as files. */
import { extname } from "node:path";
import { fail } from "../../ir/diagnostic.ts";
import { type DType, printType, type Shape, tensor } from "../../ir/type.ts";
import { elementTypeOf, type NdArray, type TensorData } from "../formats/array.ts";
import { writeNpy } from "../formats/npy.ts";
import { writeNpz } from "../formats/npz.ts";
import { makeFolderOf, writeAtomically } from "./files.ts";
import type { Arguments } from "./options.ts";
import { programName } from "./original-names.ts";
import { short } from "./progress.ts";
import { pairs } from "./settings.ts";

export interface Output {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TensorData;
}

/** `--output FILE.npz`: all outputs in one file; else `--output NAME=FILE.npy`. */
const archive = /^[^=]+\.npz$/;

export function checkOutputPaths(args: Arguments): void {
  for (const [name, path] of pairs(args, "output", archive)) {
    const ending = extname(path);
    if (ending === ".npz") fail("flag", "one output is written as .npy", null, { help: `--output ${path} writes all of them` });
    if (ending !== "" && ending !== ".npy")
      fail("flag", `outputs are written as .npy, not \`${ending}\``, null, {
        help: `write --output ${name}=${path.slice(0, -ending.length)}.npy`,
      });
  }
}

/** One line for each class. */
export function checkLabels(outputs: readonly Pick<Output, "name" | "dtype" | "shape">[], labels: readonly string[], path: string): void {
  for (const output of outputs.filter((o) => rankingOf(o) !== null)) {
    const classes = output.shape.at(-1)!;
    if (labels.length !== classes) fail("flag", `${path} has ${labels.length} lines, but \`${output.name}\` has ${classes} classes`, null);
  }
}

export function writeOutputs(outputs: readonly Output[], args: Arguments): void {
  const known = outputs.map((o) => o.name);
  const named = pairs(args, "output", archive).map(([name, path]) => {
    const output = outputs.find((o) => o.name === programName(name, known));
    const help = `its outputs are: ${outputs.map((o) => o.name).join(", ")}`;
    return [path, writeNpy(arrayOf(output ?? fail("flag", `the model has no output \`${name}\``, null, { help })))] as const;
  });
  const archives = args.all("output").filter((text) => archive.test(text));
  const all = archives.map((path) => [path, writeNpz(new Map(outputs.map((o) => [o.name, arrayOf(o)])))] as const);
  for (const [path, bytes] of [...named, ...all]) {
    makeFolderOf(path);
    writeAtomically(path, bytes);
  }
}
const arrayOf = ({ dtype, shape, data }: Output): NdArray => ({ type: elementTypeOf[dtype], shape, data });

/** `{ outputs: { name: { shape, data } } }`, data row-major; numbers that JSON cannot hold are null. */
export const jsonOutputs = (outputs: readonly Output[]): string =>
  JSON.stringify({ outputs: Object.fromEntries(outputs.map(({ name, shape, data }) => [name, { shape, data: Array.from(data) }])) });

/** The best classes of a classifier, a few values as they are, a summary of many. */
export function describeOutput(output: Output, labels: readonly string[] | null, best = defaultBest): string {
  const head = `${output.name}: ${printType(tensor(output.dtype, output.shape))}`;
  const ranking = rankingOf(output);
  if (ranking) return `${head}\n${topRows(output, ranking, labels, best)}\n`;
  const values = Array.from(output.data);
  if (values.length <= fewValues) return `${head} = ${values.map(short).join(" ")}\n`;
  return `${head}  ${summary(values)}\n`;
}
const fewValues = 8;

function summary(values: readonly number[]): string {
  const finite = values.filter(Number.isFinite);
  const odd = values.length - finite.length;
  if (finite.length === 0) return `all ${values.length} values are NaN or infinite`;
  const [min, max] = finite.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  const mean = finite.reduce((a, v) => a + v, 0) / finite.length;
  return `min ${short(min)}  max ${short(max)}  mean ${short(mean)}${odd ? `  and ${odd} NaN or infinite` : ""}`;
}

/** Outputs that rank classes, by their customary names. */
const rankings: Readonly<Record<string, "logits" | "shares">> = {
  logits: "logits",
  scores: "shares",
  probabilities: "shares",
  probs: "shares",
};
function rankingOf({ name, dtype, shape }: Pick<Output, "name" | "dtype" | "shape">): "logits" | "shares" | null {
  const rows = shape.length === 1 || shape.length === 2;
  return rows && dtype === "f32" && shape.at(-1)! > 1 && Object.hasOwn(rankings, name) ? rankings[name]! : null;
}

const shownRows = 5;
/** Row by row, where there are several. */
function topRows({ data, shape }: Output, kind: "logits" | "shares", labels: readonly string[] | null, best: number): string {
  const classes = shape.at(-1)!;
  const rows = data.length / classes;
  const row = (i: number) => topClasses(Array.from(data.subarray(i * classes, (i + 1) * classes)), kind, labels, best);
  if (rows === 1) return row(0);
  const shown = Array.from({ length: Math.min(rows, shownRows) }, (_, i) => `  row ${i}\n${row(i).replace(/^/gm, "  ")}`);
  return [...shown, ...(rows > shownRows ? [`  ... ${rows - shownRows} more rows`] : [])].join("\n");
}

/** Classes that are shown where nothing is said. */
export const defaultBest = 5;
function topClasses(values: readonly number[], kind: "logits" | "shares", labels: readonly string[] | null, best: number): string {
  const shares = kind === "logits" ? softmax(values) : values;
  const order = values.map((_, i) => i).sort((a, b) => values[b]! - values[a]!);
  const name = (i: number) => labels?.[i] ?? String(i);
  const top = order.slice(0, best);
  const width = Math.max(...top.map((i) => name(i).length));
  return top
    .map((i) => `  ${name(i).padEnd(width)}  ${shares[i]!.toFixed(4)}${kind === "logits" ? `  (logit ${short(values[i]!)})` : ""}`)
    .join("\n");
}
function softmax(values: readonly number[]): number[] {
  const max = values.reduce((a, b) => Math.max(a, b));
  const powers = values.map((v) => Math.exp(v - max));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((p) => p / sum);
}
