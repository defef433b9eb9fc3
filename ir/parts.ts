/**
 * Tensors that are larger than what a kernel can be given of a buffer lie in parts. All but the last have the same number of
 * elements, whole rows where that is possible: [4096, 25088] with at most 2^25 elements is four parts of 1024 rows.
 */
import { dimExtent, elementsIn, type Layout } from "./layout.ts";
import { bindingAlignment, wordBytes } from "./limits.ts";
import type { Shape } from "./type.ts";

/** Rows of the largest tile that a workgroup computes: parts that end where tiles end are touched by one part of the tiles. */
const rowsOfTile = 64;

/** Elements of each part, in order. `most`: elements of the largest; `width`: bytes of an element. */
export function partSizes(shape: Shape, layout: Layout | null, most: number, width = wordBytes): readonly number[] {
  const elements = elementsIn(shape, layout);
  if (elements <= most) return [elements];
  const options = stepsOf(shape, layout, bindingAlignment / width).flatMap((step) => {
    const largest = Math.floor(most / step) * step;
    return largest > 0 ? [{ step, count: Math.ceil(elements / largest) }] : [];
  });
  // The first of those with the fewest parts has the largest rows.
  const { step, count } = options.reduce((best, o) => (o.count < best.count ? o : best));
  const each = Math.ceil(elements / count / step) * step;
  return Array.from({ length: Math.ceil(elements / each) }, (_, i) => Math.min(each, elements - i * each));
}
/**
 * What the elements of a part may be a multiple of, the largest rows first. `grain`: parts begin and end at multiples of so many,
 * as bindings do.
 */
function stepsOf(shape: Shape, layout: Layout | null, grain: number): number[] {
  const extents = layout ? layout.dims.map((d) => dimExtent(shape, layout, d)) : shape;
  let row = extents.reduce((n, d) => n * d, 1);
  const steps = extents.flatMap((extent) => {
    row /= extent;
    return [leastCommonMultiple(row * rowsOfTile, grain), leastCommonMultiple(row, grain)];
  });
  return [...steps, grain];
}
const leastCommonMultiple = (a: number, b: number): number => (a / greatestCommonDivisor(a, b)) * b;
const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));

/** Offsets of things one behind the other, none of which lies across a multiple of `page`; and where they end. */
export function stacked(bytes: readonly number[], page: number): { readonly offsets: readonly number[]; readonly bytes: number } {
  let end = 0;
  const offsets = bytes.map((size) => {
    const offset = inPage(end, size, page);
    end = offset + size;
    return offset;
  });
  return { offsets, bytes: end };
}
/** The first place from `offset` on where something does not lie across a multiple of `page`. */
export const inPage = (offset: number, bytes: number, page: number): number =>
  (offset % page) + bytes > page && offset % page !== 0 ? Math.ceil(offset / page) * page : offset;
