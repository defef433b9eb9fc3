/** Two weight files, tensor by tensor. */
import { sameShape } from "../../ir/type.ts";
import type { Entry } from "../../runtime/index.ts";
import { numbersOf, printEntry } from "../../runtime/safetensors.ts";
import { short } from "./progress.ts";
import { columns, plural, typeCells } from "./weights-list.ts";

/** The largest differences of two tensors; a NaN or infinity against anything else is infinitely far. */
interface Difference {
  readonly absolute: number;
  /** To the larger of both values. */
  readonly relative: number;
  /** How many elements differ by more than the tolerance, absolutely and relatively. */
  readonly beyond: number;
}
interface Pair extends Difference {
  readonly first: Entry;
  readonly second: Entry;
}
export interface Comparison {
  readonly names: readonly [string, string];
  readonly onlyFirst: readonly Entry[];
  readonly onlySecond: readonly Entry[];
  readonly misshapen: readonly (readonly [Entry, Entry])[];
  readonly pairs: readonly Pair[];
  readonly tolerance: number;
}

export function compare(
  first: readonly Entry[],
  second: readonly Entry[],
  names: readonly [string, string],
  tolerance: number,
): Comparison {
  const others = new Map(second.map((e) => [e.name, e]));
  const own = new Set(first.map((e) => e.name));
  const common = first.flatMap((e) => (others.has(e.name) ? [[e, others.get(e.name)!] as const] : []));
  return {
    names,
    onlyFirst: first.filter((e) => !others.has(e.name)),
    onlySecond: second.filter((e) => !own.has(e.name)),
    misshapen: common.filter(([a, b]) => !sameShape(a.shape, b.shape)),
    pairs: common
      .filter(([a, b]) => sameShape(a.shape, b.shape))
      .map(([a, b]) => ({ first: a, second: b, ...difference(a, b, tolerance) })),
    tolerance,
  };
}

function difference(first: Entry, second: Entry, tolerance: number): Difference {
  const gap = gapOf(first, second);
  const [a, b] = [numbersOf(first), numbersOf(second)];
  let [absolute, relative, beyond] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const d = gap(a, b, i);
    if (d === 0) continue;
    const r = d === Infinity ? d : d / Math.max(Math.abs(a[i]!), Math.abs(b[i]!));
    if (d > absolute) absolute = d;
    if (r > relative) relative = r;
    if (d > tolerance && r > tolerance) beyond++;
  }
  return { absolute, relative, beyond };
}

type Gap = (a: ArrayLike<number>, b: ArrayLike<number>, i: number) => number;
/** How far two elements are apart: for integers of 64 bits exact, beyond what numbers hold. */
function gapOf(first: Entry, second: Entry): Gap {
  if (first.dtype !== second.dtype || !/^[IU]64$/.test(first.dtype)) return gap;
  const array = first.dtype === "I64" ? BigInt64Array : BigUint64Array;
  const [a, b] = [first, second].map((e) => new array(e.data.slice().buffer)) as [BigInt64Array, BigInt64Array];
  return (_a, _b, i) => Math.abs(Number(a[i]! - b[i]!));
}
const gap: Gap = (a, b, i) => {
  const [x, y] = [a[i]!, b[i]!];
  if (x === y || (Number.isNaN(x) && Number.isNaN(y))) return 0;
  return Number.isFinite(x) && Number.isFinite(y) ? Math.abs(x - y) : Infinity;
};

/** Names and shapes are the same, and values within the tolerance. */
export const agree = ({ onlyFirst, onlySecond, misshapen, pairs }: Comparison): boolean =>
  onlyFirst.length + onlySecond.length + misshapen.length === 0 && pairs.every((p) => p.beyond === 0);

export function describeComparison(comparison: Comparison): string {
  const { names, onlyFirst, onlySecond, misshapen, pairs } = comparison;
  const only = (entries: readonly Entry[], file: string) => entries.map((e) => `only in ${file}: ${e.name} ${printEntry(e)}\n`);
  const shapes = misshapen.map(([a, b]) => `other shape: ${a.name} is ${printEntry(a)}, then ${printEntry(b)}\n`);
  return [...only(onlyFirst, names[0]), ...only(onlySecond, names[1]), ...shapes, ...(pairs.length ? [tableOf(comparison)] : [])].join("");
}

function tableOf({ pairs, tolerance }: Comparison): string {
  const rows = pairs.map(({ first, second, absolute, relative, beyond }) => {
    const [[dtype, shape], [other]] = [typeCells(first), typeCells(second)];
    return [
      first.name,
      dtype === other ? dtype : `${dtype}, ${other}`,
      shape,
      short(absolute),
      short(relative),
      beyond ? String(beyond) : "",
    ];
  });
  const head = ["name", "dtype", "shape", "absolute", "relative", `beyond ${tolerance}`];
  const far = pairs.filter((p) => p.beyond).length;
  return (
    `${columns([head, ...rows], "lllrrr")}\n\n` +
    `largest difference: absolute ${largest(pairs, "absolute")}, relative ${largest(pairs, "relative")}\n` +
    `${plural(pairs.length - far, "tensor")} of ${pairs.length} within ${tolerance}\n`
  );
}
function largest(pairs: readonly Pair[], kind: "absolute" | "relative"): string {
  const pair = pairs.reduce((best, p) => (p[kind] > best[kind] ? p : best));
  return `${short(pair[kind])}${pair[kind] > 0 ? ` (${pair.first.name})` : ""}`;
}

/** Infinite differences are null. */
export function jsonComparison(comparison: Comparison): string {
  const { onlyFirst, onlySecond, misshapen, pairs, tolerance } = comparison;
  const most = (kind: "absolute" | "relative") => pairs.reduce((m, p) => Math.max(m, p[kind]), 0);
  return JSON.stringify({
    agree: agree(comparison),
    tolerance,
    absolute: most("absolute"),
    relative: most("relative"),
    only_in_first: onlyFirst.map((e) => e.name),
    only_in_second: onlySecond.map((e) => e.name),
    other_shape: misshapen.map(([a, b]) => ({ name: a.name, shapes: [a.shape, b.shape] })),
    tensors: pairs.map(({ first, second, absolute, relative, beyond }) => {
      const dtypes = [typeCells(first)[0], typeCells(second)[0]];
      return { name: first.name, dtypes, shape: first.shape, absolute, relative, beyond };
    }),
  });
}
