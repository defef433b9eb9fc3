/** The tensors of a weight file as a table: where they lie, and what their values are like. */
import { sizeOf } from "../../ir/type.ts";
import type { Entry, Tensors } from "../../runtime/index.ts";
import { numbersOf } from "../../runtime/safetensors.ts";
import { bytes, short } from "./progress.ts";

/** Of the finite values; null: there are none. The deviation is that of the values themselves, not an estimate. */
interface Summary {
  readonly mean: number | null;
  readonly std: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly nan: number;
  readonly inf: number;
}

function summaryOf(entry: Entry): Summary {
  const values = numbersOf(entry);
  let [count, sum, nan, min, max] = [0, 0, 0, Infinity, -Infinity];
  for (const v of values) {
    if (Number.isNaN(v)) nan++;
    if (!Number.isFinite(v)) continue;
    count++;
    sum += v;
    if (v < min) min = v;
    if (v > max) max = v;
  }
  const inf = values.length - count - nan;
  if (count === 0) return { mean: null, std: null, min: null, max: null, nan, inf };
  const mean = sum / count;
  let squares = 0;
  for (const v of values) if (Number.isFinite(v)) squares += (v - mean) ** 2;
  return { mean, std: Math.sqrt(squares / count), min, max, nan, inf };
}

export function listing({ entries }: Tensors): string {
  const head = ["name", "dtype", "shape", "bytes", "mean", "std", "min", "max", ""];
  const rows = entries.map((e) => {
    const { mean, std, min, max, nan, inf } = summaryOf(e);
    const odd = [...(nan ? [`${nan} NaN`] : []), ...(inf ? [`${inf} infinite`] : [])].join(", ");
    return [e.name, ...typeCells(e), bytes(e.data.length), ...[mean, std, min, max].map((v) => (v === null ? "-" : short(v))), odd];
  });
  return `${columns([head, ...rows], "lllrrrrrl")}\n\n${total(entries)}\n`;
}
export const typeCells = ({ dtype, shape }: Pick<Entry, "dtype" | "shape">): readonly [string, string] => [
  dtype.toLowerCase(),
  `[${shape.join(",")}]`,
];

const elementsOf = (entries: readonly Entry[]): number => entries.reduce((n, e) => n + sizeOf(e.shape), 0);
const bytesIn = (entries: readonly Entry[]): number => entries.reduce((n, e) => n + e.data.length, 0);
export const total = (entries: readonly Entry[]): string =>
  `${plural(entries.length, "tensor")}, ${plural(elementsOf(entries), "element")}, ${bytes(bytesIn(entries))}`;
export const plural = (count: number, noun: string): string => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

export const jsonListing = ({ entries, metadata }: Tensors): string =>
  JSON.stringify({
    tensors: entries.map((e) => {
      const [dtype] = typeCells(e);
      return { name: e.name, dtype, shape: e.shape, bytes: e.data.length, ...summaryOf(e) };
    }),
    elements: elementsOf(entries),
    bytes: bytesIn(entries),
    metadata,
  });

/** Cells under each other: `l` keeps a column to the left, `r` to the right. */
export function columns(rows: readonly (readonly string[])[], sides: string): string {
  const widths = [...sides].map((_, c) => Math.max(...rows.map((row) => row[c]!.length)));
  const cell = (text: string, c: number) => (sides[c] === "r" ? text.padStart(widths[c]!) : text.padEnd(widths[c]!));
  return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}
