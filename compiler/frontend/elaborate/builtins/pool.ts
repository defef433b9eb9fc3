/** Pooling over lines, planes and volumes; a line is a plane of one row. */
import type { Node } from "../../../../ir/graph/graph.ts";
import { ops } from "../../../../ir/ops/index.ts";
import { sameShape, sizeOf } from "../../../../ir/type.ts";
import { matchArguments } from "../arguments.ts";
import { type Builtin, type BuiltinCall, boolArg, intsArg, operation, optional, orNone, tensorArg } from "../builtin.ts";
import { complain } from "../frame.ts";
import { list, showType } from "../values.ts";
import { range } from "./axes.ts";
import { asLine, asPlane, forAxes, paddingArg, type Side, spatialRank } from "./spatial.ts";
import { byMatrix, expectTable } from "./tables.ts";

const windowArgs = { x: tensorArg, kernel: intsArg, stride: orNone(intsArg), padding: paddingArg };
const ceil = optional(boolArg, false);
const dilation = optional(intsArg, [1] as readonly number[]);
interface Given {
  readonly kernel: readonly number[];
  readonly stride: readonly number[] | null;
  readonly padding: readonly Side[];
  readonly ceil: boolean;
  readonly dilation?: readonly number[];
}
/** One entry for each of two or three spatial axes. */
interface Window {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly Side[];
  readonly dilation: readonly number[];
  /** What rounding up adds behind each axis; it is counted apart. */
  readonly extra: readonly number[];
}
const families = {
  2: { max: ops.maxPool2d, index: ops.maxPool2dIndex, unpool: ops.maxPool2dGrad, avg: ops.avgPool2d },
  3: { max: ops.maxPool3d, index: ops.maxPool3dIndex, unpool: ops.maxPool3dGrad, avg: ops.avgPool3d },
} as const;
const familyOf = (x: Node) => (x.type.shape.length === 4 ? families[2] : families[3]);

/** Runs `f` on planes or volumes. */
function onImages(x: Node, given: Given, c: BuiltinCall, f: (x: Node, w: Window) => Node): Node {
  const rank = spatialRank(x, c);
  const kernel = forAxes("kernel", given.kernel, rank, c);
  const stride = forAxes("stride", given.stride ?? kernel, rank, c);
  const padding = forAxes("padding", given.padding, rank, c);
  const dilation = forAxes("dilation", given.dilation ?? [1], rank, c);
  const { ceil } = given;
  if (rank > 1) return f(x, windowOf(x, { kernel, stride, padding, ceil, dilation }, c));
  const plane = asPlane(x);
  const row = { kernel: [1, ...kernel], stride: [1, ...stride], padding: [[0, 0], ...padding], ceil, dilation: [1, ...dilation] } as const;
  return asLine(f(plane, windowOf(plane, row, c)));
}
type Spaced = Given & { readonly stride: readonly number[]; readonly dilation: readonly number[] };
/** Rounding up adds a window where one begins inside the image or its padding before, as in PyTorch. */
function windowOf(x: Node, { kernel, stride, padding, ceil, dilation }: Spaced, c: BuiltinCall): Window {
  if ([...kernel, ...stride, ...dilation].some((k) => k < 1) || padding.flat().some((p) => p < 0)) {
    complain(c.frame, "constant", `${c.subject}: kernel, stride and dilation are positive, padding is not negative`, c.span);
  }
  if (padding.some((sides, a) => Math.max(...sides) >= kernel[a]!)) {
    complain(c.frame, "constant", `${c.subject}: padding is smaller than the kernel`, c.span);
  }
  const reach = kernel.map((k, a) => (k - 1) * dilation[a]! + 1);
  const extra = reach.map((k, a) => (ceil ? ceilExtra(x.type.shape[2 + a]!, k, stride[a]!, padding[a]!) : 0));
  return { kernel, stride, padding, extra, dilation };
}
function ceilExtra(extent: number, kernel: number, stride: number, [before, after]: Side): number {
  let n = Math.ceil((extent + before + after - kernel) / stride) + 1;
  if ((n - 1) * stride >= extent + before) n--;
  return Math.max(0, (n - 1) * stride + kernel - (extent + before + after));
}
const padded = (w: Window): readonly Side[] => w.padding.map(([before, after], a) => [before, after + w.extra[a]!]);
/** A border around the spatial axes. */
const bordered = (x: Node, sides: readonly Side[], value: number): Node =>
  ops.pad({ x }, { before: [0, 0, ...sides.map((s) => s[0])], after: [0, 0, ...sides.map((s) => s[1])], value });

/** `x` with what rounding up adds, and the window's attributes: as padding where that is allowed, else as elements. */
function maxPoolOperands(x: Node, w: Window) {
  const sides = padded(w);
  const { kernel, stride } = w;
  if (sides.every(([, after], a) => after < kernel[a]!)) return { x, attrs: { kernel, stride, padding: sides.flat() } };
  const wide = bordered(
    x,
    w.extra.map((n) => [0, n]),
    Number.NEGATIVE_INFINITY,
  );
  return { x: wide, attrs: { kernel, stride, padding: w.padding.flat() } };
}
function maxPool(image: Node, w: Window): Node {
  if (isDilated(w)) return dilatedMaxPool(image, w);
  const { x, attrs } = maxPoolOperands(image, w);
  return familyOf(x).max({ x }, attrs);
}
const isDilated = (w: Window): boolean => w.dilation.some((d) => d > 1);
/** The elements of a window lie apart: along each axis the largest of shifted images. */
function dilatedMaxPool(image: Node, w: Window): Node {
  const x = bordered(image, padded(w), Number.NEGATIVE_INFINITY);
  return w.kernel.reduce((y, k, a) => {
    const [extent, step, apart] = [y.type.shape[2 + a]!, w.stride[a]!, w.dilation[a]!];
    const last = Math.floor((extent - (k - 1) * apart - 1) / step) * step;
    const shifted = range(0, k).map((r) => steppedAxis(y, 2 + a, r * apart, r * apart + last + 1, step));
    return shifted.reduce((p, q) => ops.maximum({ a: p, b: q }));
  }, x);
}
function steppedAxis(x: Node, axis: number, start: number, limit: number, step: number): Node {
  const { shape } = x.type;
  const at = (value: number, others: readonly number[]) => others.map((v, a) => (a === axis ? value : v));
  const [zeros, ones] = [shape.map(() => 0), shape.map(() => 1)];
  return ops.slice({ x }, { starts: at(start, zeros), limits: at(limit, shape), steps: at(step, ones) });
}
/** Where the largest elements are: positions h * W + w in their plane. */
function maxPoolIndex(image: Node, w: Window, c: BuiltinCall): Node {
  if (isDilated(w)) complain(c.frame, "constant", `${c.subject}: return_indices needs dilation=1`, c.span);
  const { x, attrs } = maxPoolOperands(image, w);
  const index = familyOf(x).index({ x }, attrs);
  return movedIndex(index, x.type.shape.slice(2), image.type.shape.slice(2));
}
/** Row-major positions in `from` as positions in `to`. */
function movedIndex(index: Node, from: readonly number[], to: readonly number[]): Node {
  if (sameShape(from.slice(1), to.slice(1))) return index;
  const constant = (value: number) => ops.full({}, { value, dtype: "i32", shape: [] });
  const places = from.map((d, a) => {
    const row = ops.div({ a: index, b: constant(sizeOf(from.slice(a + 1))) });
    return a === 0 ? row : ops.mod({ a: row, b: constant(d) });
  });
  return places.reduce((at, place, a) => ops.add({ a: ops.mul({ a: at, b: constant(to[a]!) }), b: place }));
}

/** Puts x back where the largest elements were, zeros elsewhere; `size` decides between images that pool alike. */
function maxUnpool(x: Node, indices: Node, given: Given, size: readonly number[] | null, c: BuiltinCall): Node {
  if (indices.type.dtype !== "i32" || !sameShape(indices.type.shape, x.type.shape)) {
    const got = `${showType(indices.type)} for ${showType(x.type)}`;
    complain(
      c.frame,
      "shape",
      `${c.subject} expects an index for each element, as max_pool(..., return_indices=true) gives, got ${got}`,
      c.span,
    );
  }
  const wanted = size && forAxes("size", size, spatialRank(x, c), c);
  return onImages(x, given, c, (images, w) => {
    const index = sameShape(images.type.shape, indices.type.shape) ? indices : asPlane(indices);
    const extents = w.kernel.map((k, a) => (images.type.shape[2 + a]! - 1) * w.stride[a]! + k - w.padding[a]![0] - w.padding[a]![1]);
    const sizes = wanted ? [...extents.slice(0, extents.length - wanted.length), ...wanted] : extents;
    const sides = w.padding.map(([before, after], a): Side => [before, after + Math.max(0, extents[a]! - sizes[a]!)]);
    if (sizes.some((n, a) => n < 1 || Math.abs(n - extents[a]!) >= w.stride[a]! || sides[a]![1] >= w.kernel[a]!)) {
      complain(c.frame, "shape", `${c.subject}: no image of size [${sizes.join(", ")}] pools to ${showType(x.type)}`, c.span);
    }
    const attrs = { kernel: w.kernel, stride: w.stride, padding: sides.flat(), shape: [...images.type.shape.slice(0, 2), ...sizes] };
    return scattered(
      images,
      index,
      attrs,
      w.stride.some((s, a) => s < w.kernel[a]!),
    );
  });
}
/** Where windows overlap, several may have chosen one element: it takes their mean, which is what they all hold. */
function scattered(x: Node, index: Node, attrs: Parameters<typeof ops.maxPool2dGrad>[1], overlapping: boolean): Node {
  const { unpool } = familyOf(x);
  const sum = unpool({ dy: x, index }, attrs);
  if (!overlapping) return sum;
  const ones = ops.full({}, { value: 1, dtype: "f32", shape: x.type.shape });
  const least = ops.full({}, { value: 1, dtype: "f32", shape: [] });
  return ops.div({ a: sum, b: ops.maximum({ a: unpool({ dy: ones, index }, attrs), b: least }) });
}

/** Windows that rounding up added count what lies inside the image and its declared padding, as in PyTorch. */
function avgPool(x: Node, w: Window, countPadding: boolean, c: BuiltinCall): Node {
  const { avg } = familyOf(x);
  const { kernel, stride } = w;
  if (w.extra.every((n) => n === 0)) return avg({ x }, { kernel, stride, padding: w.padding.flat(), count_include_pad: countPadding });
  const y = avg({ x: bordered(x, padded(w), 0) }, { kernel, stride });
  const [, , ...windows] = y.type.shape;
  expectTable(
    windows.reduce((n, d) => n + d, 0),
    c,
  );
  return windows.reduce((z, n, a) => {
    const data = windowFactors(x.type.shape[2 + a]!, n, w, a, countPadding);
    return ops.mul({ a: z, b: ops.dense({}, { data, dtype: "f32", shape: [n, ...windows.slice(a + 1).map(() => 1)] }) });
  }, y);
}
/** Kernel extent over the number of counted elements, for each window of an axis. */
function windowFactors(extent: number, windows: number, w: Window, axis: number, countPadding: boolean): number[] {
  const [before, after] = w.padding[axis]!;
  const [least, most] = countPadding ? [-before, extent + after] : [0, extent];
  return range(0, windows).map((i) => {
    const start = i * w.stride[axis]! - before;
    return w.kernel[axis]! / (Math.min(start + w.kernel[axis]!, most) - Math.max(start, least));
  });
}

/** PyTorch's windows: from floor(i * extent / n) to ceil((i + 1) * extent / n). */
function adaptiveAvgPool(x: Node, size: readonly number[], c: BuiltinCall): Node {
  const wanted = forAxes("size", size, spatialRank(x, c), c);
  const [, , ...extents] = x.type.shape;
  if (wanted.some((n) => n < 1)) complain(c.frame, "constant", `${c.subject}: the size is positive`, c.span);
  if (wanted.length > 1 && wanted.every((n, a) => extents[a]! % n === 0)) {
    const kernel = wanted.map((n, a) => extents[a]! / n);
    return familyOf(x).avg({ x }, { kernel, stride: kernel });
  }
  for (const [a, n] of wanted.entries()) if (n !== extents[a]) expectTable(n * extents[a]!, c);
  return wanted.reduce<Node>((y, n, a) => (extents[a] === n ? y : byMatrix(y, 2 + a, adaptiveWeights(extents[a]!, n), c)), x);
}
const adaptiveWeights = (extent: number, n: number): number[][] =>
  range(0, n).map((i) => {
    const [start, end] = [Math.floor((i * extent) / n), Math.ceil(((i + 1) * extent) / n)];
    return range(0, extent).map((j) => (j >= start && j < end ? 1 / (end - start) : 0));
  });

/** With return_indices=true a list: the largest elements, and where they are. */
const maxPoolWithIndices = (): Builtin => {
  const args = { ...windowArgs, ceil, dilation, return_indices: optional(boolArg, false) };
  const names = Object.keys(args);
  const doc =
    "The largest element of each window of the axes after the first two: [N, C, H, W] to [N, C, H2, W2]. `kernel`, " +
    "`stride` (the kernel unless given): an int or one for each axis; `padding`: also (before, after); `dilation`: how far the elements " +
    "of a window lie apart. With return_indices a list: also where they are, i32.";
  const values = operation("max_pool", doc, args, ({ x, ...w }, c) => onImages(x, w, c, maxPool));
  const indices = operation("max_pool", doc, args, ({ x, ...w }, c) => onImages(x, w, c, (images, on) => maxPoolIndex(images, on, c)));
  return {
    ...values,
    call: (given, c) => {
      const y = values.call(given, c);
      const wanted = matchArguments(names, names, given, c).get("return_indices")?.value;
      return wanted?.kind === "bool" && wanted.value ? list([y, indices.call(given, c)]) : y;
    },
  };
};

export const poolFunctions: readonly Builtin[] = [
  maxPoolWithIndices(),
  operation(
    "min_pool",
    "The smallest element of each window; arguments as of max_pool.",
    { ...windowArgs, ceil, dilation },
    ({ x, ...w }, c) => ops.neg({ x: onImages(ops.neg({ x }), w, c, maxPool) }),
  ),
  operation(
    "avg_pool",
    "The mean of each window; padding counts as zeros unless count_include_pad = false. Other arguments as of max_pool.",
    { ...windowArgs, ceil, count_include_pad: optional(boolArg, true) },
    ({ x, count_include_pad, ...w }, c) => onImages(x, w, c, (images, on) => avgPool(images, on, count_include_pad, c)),
  ),
  operation(
    "adaptive_avg_pool",
    "Means over a grid of `size` cells, an int or one for each spatial axis: [N, C, H, W] to [N, C, ...size]. PyTorch's cells.",
    { x: tensorArg, size: intsArg },
    ({ x, size }, c) => adaptiveAvgPool(x, size, c),
  ),
  operation(
    "max_unpool",
    "Undoes max_pool: x back at `indices`, zeros elsewhere. `size` decides between images that pool alike.",
    { x: tensorArg, indices: tensorArg, kernel: intsArg, stride: orNone(intsArg), padding: paddingArg, size: orNone(intsArg) },
    ({ x, indices, size, ...w }, c) => maxUnpool(x, indices, { ...w, ceil: false }, size, c),
  ),
];
