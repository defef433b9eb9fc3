/** What PyTorch computed (test/golden/torch_examples.py), and how far values are from it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hashes } from "./formula.ts";

/** Files of examples/, and the model in each. */
export const models = { logistic: "Logistic", mlp: "MLP", lenet: "LeNet", "tiny-resnet": "TinyResNet" } as const;
export type Example = keyof typeof models;
export const exampleNames = Object.keys(models) as Example[];

/** A small tensor has all its values; a larger one 24 of them, and three numbers that every element goes into. */
export interface Summary {
  readonly values: readonly number[];
  readonly rms?: number;
  readonly mean?: number;
  readonly projection?: number;
}
export type Part = Readonly<Record<string, Summary>>;
export interface Variant {
  /** Hyper-parameters, as `--set` takes them. */
  readonly set: Readonly<Record<string, string>>;
  readonly logits: Part;
  readonly evaluation: Part;
  /** One step from the initial weights. */
  readonly loss: Part;
  readonly gradients: Part;
  readonly states: Part;
  /** Three steps with the optimizer of the example. */
  readonly losses: Part;
  readonly norms: Part;
  readonly parameters: Part;
  readonly states3: Part;
  readonly evaluation3: Part;
}
export interface Golden {
  readonly example: Example;
  readonly batch: number;
  readonly steps: number;
  readonly variants: Readonly<Record<string, Variant>>;
}
export type Values = Readonly<Record<string, ArrayLike<number>>>;

export const folder = join(import.meta.dirname, "goldens");
export const readGolden = (example: Example): Golden => JSON.parse(readFileSync(join(folder, `${example}.json`), "utf8")) as Golden;

/** The golden's numbers of a tensor: of the whole, or of the places that the golden samples. */
export function summarize(name: string, v: ArrayLike<number>, like: Summary): Summary {
  if (like.rms === undefined) return { values: Array.from(v) };
  const n = v.length;
  const signs = hashes(`signs.${name}`, n);
  const positions = hashes(`positions.${name}`, like.values.length);
  return {
    values: Array.from(positions, (h) => v[h % n]!),
    rms: rms(v),
    mean: sum(n, (i) => v[i]!) / n,
    projection: sum(n, (i) => (signs[i]! >>> 31 ? -v[i]! : v[i]!)) / Math.sqrt(n),
  };
}

/**
 * One line for each tensor that is missing, left over, or disagrees: max|a - b| > e * max(rms(b), floor), or NaN. Mean and
 * rms of all elements cannot differ by more than elements do; the projection of independent differences does not either.
 */
export function disagreements(title: string, got: Values, want: Part, tolerance: number, floor = 0): string[] {
  const names = new Set([...Object.keys(want), ...Object.keys(got)]);
  return [...names].flatMap((name) => {
    const a = got[name];
    const b = want[name];
    if (!a || !b) return [`${title} ${name}: ${a ? "PyTorch has none" : "missing"}`];
    const e = disagreement(summarize(name, a, b), b, floor);
    return e <= tolerance ? [] : [`${title} ${name}: ${e.toExponential(1)} away`];
  });
}
function disagreement(a: Summary, b: Summary, floor: number): number {
  if (a.values.length !== b.values.length) return Number.POSITIVE_INFINITY;
  const pairs: (readonly [number, number])[] = a.values.map((v, i) => [v, b.values[i]!]);
  if (b.rms !== undefined) pairs.push([a.rms!, b.rms], [a.mean!, b.mean!], [a.projection!, b.projection!]);
  const differences = pairs.map(([x, y]) => Math.abs(x - y));
  if (differences.some(Number.isNaN)) return Number.POSITIVE_INFINITY;
  return Math.max(...differences) / Math.max(b.rms ?? rms(b.values), floor, Number.MIN_VALUE);
}

/** The scale below which differences of gradients do not count: a thousandth of the largest gradient. */
export const gradientFloor = (gradients: Part): number => 1e-3 * Math.max(...Object.values(gradients).map((g) => g.rms ?? rms(g.values)));

export const rms = (v: ArrayLike<number>): number => Math.sqrt(sum(v.length, (i) => v[i]! ** 2) / v.length);
function sum(count: number, term: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += term(i);
  return total;
}
