/** Physical layouts: where a logical index lives in memory. Pure numbers; `kernel/address.ts` does the same on expressions. */
import type { Shape } from "./type.ts";

/** One physical dimension: floor((index[axis] + before) / div), then mod `mod` (0: no mod). */
export interface Dim {
  readonly axis: number;
  readonly div: number;
  readonly mod: number;
}
/** Physical dimensions, outermost first, and the halo of zeros before and after each logical axis. */
export interface Layout {
  readonly dims: readonly Dim[];
  readonly pad: readonly (readonly [before: number, after: number])[];
  /** Of a part of a larger tensor: the axis along which it is one, and the extent of that. What lies between is not its own. */
  readonly within?: { readonly axis: number; readonly extent: number };
}

/**
 * `layout("0/8 2 3 1 0%8")` is `[o/8][r][s][c][o%8]`; an axis with a halo is followed by `+before,after`: `0 2+1,1 3+1,1 1`; one
 * of which a larger tensor has more by `@extent`: `0 2 3 1@256`.
 */
export function layout(text: string): Layout {
  const pad: [number, number][] = [];
  let within: Layout["within"];
  const dims = text
    .split(" ")
    .filter((t) => t)
    .map((t): Dim => {
      const m = /^(\d+)(?:([/%])(\d+))?(?:\+(\d+),(\d+))?(?:@(\d+))?$/.exec(t);
      if (!m) throw new SyntaxError(`"${t}" is not a physical dimension`);
      const axis = Number(m[1]);
      while (pad.length <= axis) pad.push([0, 0]);
      if (m[4] !== undefined) pad[axis] = [Number(m[4]), Number(m[5])];
      if (m[6] !== undefined) within = { axis, extent: Number(m[6]) };
      return { axis, div: m[2] === "/" ? Number(m[3]) : 1, mod: m[2] === "%" ? Number(m[3]) : 0 };
    });
  return within ? { dims, pad, within } : { dims, pad };
}

export function printLayout(l: Layout): string {
  const shown = new Set<number>();
  return l.dims
    .map((d) => {
      const [before, after] = l.pad[d.axis] ?? [0, 0];
      const halo = (before || after) && !shown.has(d.axis) ? `+${before},${after}` : "";
      shown.add(d.axis);
      return `${d.axis}${d.mod ? `%${d.mod}` : d.div > 1 ? `/${d.div}` : ""}${halo}${l.within?.axis === d.axis ? `@${l.within.extent}` : ""}`;
    })
    .join(" ");
}

export const rowMajor = (rank: number): Layout => ({
  dims: Array.from({ length: rank }, (_, axis) => ({ axis, div: 1, mod: 0 })),
  pad: Array.from({ length: rank }, () => [0, 0] as const),
});
export const isRowMajor = (l: Layout): boolean =>
  l.dims.every((d, i) => d.axis === i && d.div === 1 && d.mod === 0) && l.pad.every(([b, a]) => b === 0 && a === 0) && !l.within;
export const sameLayout = (a: Layout | null, b: Layout | null): boolean => (a ? printLayout(a) : "") === (b ? printLayout(b) : "");

/** Equal physical dimensions; halos may differ, and what they are part of. */
export const sameOrder = (a: Layout | null, b: Layout | null): boolean => {
  const dims = (l: Layout | null) => (l && !isRowMajor({ dims: l.dims, pad: [] }) ? JSON.stringify(l.dims) : "");
  return dims(a) === dims(b);
};

export const haloOf = (l: Layout, axis: number): readonly [before: number, after: number] => l.pad[axis] ?? [0, 0];
/** Extent of a logical axis with its halo. */
export const paddedExtent = (shape: Shape, l: Layout, axis: number): number => shape[axis]! + haloOf(l, axis)[0] + haloOf(l, axis)[1];
/** Extent of a physical dimension. */
export const dimExtent = (shape: Shape, l: Layout, d: Dim): number =>
  l.within?.axis === d.axis ? l.within.extent : d.mod || Math.ceil(paddedExtent(shape, l, d.axis) / d.div);

/** Elements from the first to the last in memory, halos and the padding of blocked axes included. */
export function elementsIn(shape: Shape, l: Layout | null): number {
  if (l === null) return shape.reduce((n, d) => n * d, 1);
  const all = l.dims.reduce((n, d) => n * dimExtent(shape, l, d), 1);
  return l.within ? all - (l.within.extent - shape[l.within.axis]!) * strideAlong(shape, l, l.within.axis) : all;
}
/** Elements from one index of an axis that is not blocked to the next. */
export function strideAlong(shape: Shape, l: Layout, axis: number): number {
  const inner = l.dims.slice(l.dims.findIndex((d) => d.axis === axis) + 1);
  return inner.reduce((n, d) => n * dimExtent(shape, l, d), 1);
}

/** Element offset of a logical index; an index may reach into the halo. */
export function offsetOf(shape: Shape, l: Layout, index: readonly number[]): number {
  return l.dims.reduce((at, d) => {
    const x = Math.floor((index[d.axis]! + haloOf(l, d.axis)[0]) / d.div);
    return at * dimExtent(shape, l, d) + (d.mod ? x % d.mod : x);
  }, 0);
}

/** Calls `f` with the row-major position and the physical offset of every logical index. */
export function forEachElement(shape: Shape, l: Layout, f: (logical: number, physical: number) => void): void {
  const n = shape.reduce((x, y) => x * y, 1);
  const index = shape.map(() => 0);
  for (let i = 0; i < n; i++) {
    for (let d = index.length - 1, rest = i; d >= 0; d--) {
      index[d] = rest % shape[d]!;
      rest = Math.floor(rest / shape[d]!);
    }
    f(i, offsetOf(shape, l, index));
  }
}
