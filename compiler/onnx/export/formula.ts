/** Whole numbers that depend on sizes: `scale` times the product of some sizes, plus `offset`. */
import type { Dims } from "../../../ir/program.ts";

export interface Formula {
  readonly scale: number;
  readonly sizes: readonly string[];
  readonly offset: number;
}
const constantFormula = (offset: number): Formula => ({ scale: 0, sizes: [], offset });
export const isConstant = (f: Formula): boolean => f.sizes.length === 0;
/** Whether it is a size itself; its name. */
export const sizeNamed = (f: Formula): string | null => (f.scale === 1 && f.offset === 0 && f.sizes.length === 1 ? f.sizes[0]! : null);
export const formulaValue = ({ scale, sizes, offset }: Formula, at: Dims): number => scale * sizes.reduce((n, d) => n * at[d]!, 1) + offset;

/**
 * What gives `values[i]` at `sizes[i]`; null: nothing of this form does. Each size that plays a part is the only one to differ
 * from the first in some of `sizes`.
 */
export function formulaOf(values: readonly number[], sizes: readonly Dims[]): Formula | null {
  const [first, base] = [values[0]!, sizes[0]!];
  const names = Object.keys(base).filter((name) => sizes.some((s, i) => values[i] !== first && onlyDifference(s, base) === name));
  const candidates = names.length === 1 ? [linear(names[0]!, values, sizes), product(names, first, base)] : [product(names, first, base)];
  return candidates.find((f) => f && values.every((v, i) => formulaValue(f, sizes[i]!) === v)) ?? null;
}
function onlyDifference(a: Dims, b: Dims): string | null {
  const differ = Object.keys(a).filter((name) => a[name] !== b[name]);
  return differ.length === 1 ? differ[0]! : null;
}
function linear(name: string, values: readonly number[], sizes: readonly Dims[]): Formula | null {
  const [first, base] = [values[0]!, sizes[0]!];
  const other = sizes.findIndex((s, i) => values[i] !== first && onlyDifference(s, base) === name);
  const scale = (values[other]! - first) / (sizes[other]![name]! - base[name]!);
  return Number.isInteger(scale) ? { scale, sizes: [name], offset: first - scale * base[name]! } : null;
}
function product(names: readonly string[], first: number, base: Dims): Formula | null {
  if (names.length === 0) return constantFormula(first);
  const scale = first / names.reduce((n, d) => n * base[d]!, 1);
  return Number.isInteger(scale) ? { scale, sizes: names, offset: 0 } : null;
}
