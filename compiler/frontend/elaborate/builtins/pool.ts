/** Pooling and convolution: geometry from numbers and pairs, one spatial axis by way of two. */
import type { Node } from "../../../../ir/graph/graph.ts";
import { ops } from "../../../../ir/ops/index.ts";
import {
  type Builtin,
  type BuiltinCall,
  boolArg,
  intArg,
  operation,
  optional,
  orNone,
  paddingArg,
  pairArg,
  tensorArg,
} from "../builtin.ts";
import { complain } from "../frame.ts";
import { showType } from "../values.ts";
import { range } from "./axes.ts";
import { byMatrix, expectTable } from "./tables.ts";

type Pair = readonly [number, number];
type Sides = readonly [number, number, number, number];
interface Window {
  readonly kernel: Pair;
  readonly stride: Pair | null;
  readonly padding: Sides;
  readonly ceil: boolean;
}
interface Pooling {
  readonly kernel: Pair;
  readonly stride: Pair;
  /** Top, bottom, left, right; what rounding up added is counted apart. */
  readonly padding: Sides;
  readonly extra: Pair;
}
const windowArgs = {
  x: tensorArg,
  kernel: pairArg,
  stride: orNone(pairArg),
  padding: optional(paddingArg, [0, 0, 0, 0] as Sides),
  ceil: optional(boolArg, false),
};

/** [N, C, L] as [N, C, 1, L]: kernel, stride and padding then work on the last axis alone. */
function onPlane(x: Node, w: Window, c: BuiltinCall, f: (x: Node, w: Window) => Node): Node {
  const { shape } = x.type;
  if (shape.length === 4) return f(x, w);
  if (shape.length !== 3)
    complain(c.frame, "shape", `${c.subject} expects dimensions (N, C, H, W) or (N, C, L), got ${showType(x.type)}`, c.span);
  const plane = ops.reshape({ x }, { shape: [shape[0]!, shape[1]!, 1, shape[2]!] });
  const line: Window = {
    ...w,
    kernel: [1, w.kernel[1]],
    stride: w.stride ? [1, w.stride[1]] : null,
    padding: [0, 0, w.padding[2], w.padding[3]],
  };
  const y = f(plane, line);
  return ops.reshape({ x: y }, { shape: [shape[0]!, shape[1]!, y.type.shape[3]!] });
}

/** Rounding up adds a window where one begins inside the image or its padding before, as in PyTorch. */
function poolingOf(x: Node, w: Window, c: BuiltinCall): Pooling {
  const stride = w.stride ?? w.kernel;
  if (w.kernel.some((k) => k < 1) || stride.some((s) => s < 1) || w.padding.some((p) => p < 0)) {
    complain(c.frame, "constant", `${c.subject}: kernel and stride are positive, padding is not negative`, c.span);
  }
  if (([0, 1] as const).some((a) => Math.max(w.padding[2 * a]!, w.padding[2 * a + 1]!) >= w.kernel[a])) {
    complain(c.frame, "constant", `${c.subject}: padding is smaller than the kernel`, c.span);
  }
  const extra = ([0, 1] as const).map((a) =>
    w.ceil ? ceilExtra(x.type.shape[2 + a]!, w.kernel[a], stride[a], w.padding[2 * a]!, w.padding[2 * a + 1]!) : 0,
  );
  return { kernel: w.kernel, stride, padding: w.padding, extra: [extra[0]!, extra[1]!] };
}
function ceilExtra(extent: number, kernel: number, stride: number, before: number, after: number): number {
  let n = Math.ceil((extent + before + after - kernel) / stride) + 1;
  if ((n - 1) * stride >= extent + before) n--;
  return Math.max(0, (n - 1) * stride + kernel - (extent + before + after));
}
const padded = (p: Pooling): Sides => [p.padding[0], p.padding[1] + p.extra[0], p.padding[2], p.padding[3] + p.extra[1]];

function maxPool(x: Node, w: Window, c: BuiltinCall): Node {
  return onPlane(x, w, c, (plane, on) => {
    const p = poolingOf(plane, on, c);
    const sides = padded(p);
    const fits = sides[1] < p.kernel[0] && sides[3] < p.kernel[1];
    const attrs = { kernel: p.kernel, stride: p.stride };
    if (fits) return ops.maxPool2d({ x: plane }, { ...attrs, padding: sides });
    const wide = ops.pad({ x: plane }, { before: [0, 0, 0, 0], after: [0, 0, p.extra[0], p.extra[1]], value: Number.NEGATIVE_INFINITY });
    return ops.maxPool2d({ x: wide }, { ...attrs, padding: p.padding });
  });
}

/** Windows that rounding up added count what lies inside the image and its declared padding, as in PyTorch. */
function avgPool(x: Node, w: Window, countPadding: boolean, c: BuiltinCall): Node {
  return onPlane(x, w, c, (plane, on) => {
    const p = poolingOf(plane, on, c);
    const attrs = { kernel: p.kernel, stride: p.stride };
    if (!p.extra[0] && !p.extra[1]) return ops.avgPool2d({ x: plane }, { ...attrs, padding: p.padding, count_include_pad: countPadding });
    const [t, b, l, r] = padded(p);
    const wide = ops.pad({ x: plane }, { before: [0, 0, t, l], after: [0, 0, b, r] });
    const y = ops.avgPool2d({ x: wide }, { ...attrs, padding: [0, 0, 0, 0] });
    expectTable(y.type.shape[2]! + y.type.shape[3]!, c);
    const factors = ([0, 1] as const).map((a) => windowFactors(plane.type.shape[2 + a]!, y.type.shape[2 + a]!, p, a, countPadding));
    const table = (data: readonly number[], shape: readonly number[]) => ops.dense({}, { data, dtype: "f32", shape });
    const rows = ops.mul({ a: y, b: table(factors[0]!, [factors[0]!.length, 1]) });
    return ops.mul({ a: rows, b: table(factors[1]!, [factors[1]!.length]) });
  });
}
/** Kernel extent over the number of counted elements, for each window of an axis. */
function windowFactors(extent: number, windows: number, p: Pooling, axis: 0 | 1, countPadding: boolean): number[] {
  const [before, after] = [p.padding[2 * axis]!, p.padding[2 * axis + 1]!];
  const [least, most] = countPadding ? [-before, extent + after] : [0, extent];
  return range(0, windows).map((i) => {
    const start = i * p.stride[axis] - before;
    return p.kernel[axis] / (Math.min(start + p.kernel[axis], most) - Math.max(start, least));
  });
}

/** PyTorch's windows: from floor(i * extent / n) to ceil((i + 1) * extent / n). */
function adaptiveAvgPool(x: Node, size: Pair, c: BuiltinCall): Node {
  const { shape } = x.type;
  if (shape.length !== 3 && shape.length !== 4)
    complain(c.frame, "shape", `${c.subject} expects dimensions (N, C, H, W) or (N, C, L), got ${showType(x.type)}`, c.span);
  if (size.some((n) => n < 1)) complain(c.frame, "constant", `${c.subject}: the size is positive`, c.span);
  const wanted: readonly number[] = shape.length === 4 ? size : [size[1]];
  if (shape.length === 4 && wanted.every((n, i) => shape[2 + i]! % n === 0)) {
    const kernel = wanted.map((n, i) => shape[2 + i]! / n);
    return ops.avgPool2d({ x }, { kernel, stride: kernel });
  }
  for (const [i, n] of wanted.entries()) if (n !== shape[2 + i]) expectTable(n * shape[2 + i]!, c);
  return wanted.reduce<Node>((y, n, i) => (shape[2 + i] === n ? y : byMatrix(y, 2 + i, adaptiveWeights(shape[2 + i]!, n), c)), x);
}
const adaptiveWeights = (extent: number, n: number): number[][] =>
  range(0, n).map((i) => {
    const [start, end] = [Math.floor((i * extent) / n), Math.ceil(((i + 1) * extent) / n)];
    return range(0, extent).map((j) => (j >= start && j < end ? 1 / (end - start) : 0));
  });

const convolution = {
  x: tensorArg,
  w: tensorArg,
  stride: optional(pairArg, [1, 1] as Pair),
  padding: optional(paddingArg, [0, 0, 0, 0] as Sides),
};
const spacing = { dilation: optional(pairArg, [1, 1] as Pair), groups: optional(intArg, 1) };

interface Transposed {
  readonly stride: Pair;
  readonly padding: Sides;
  readonly output_padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}
/** The gradient of a convolution by its image; w is [in, out / groups, R, S]. */
function convTranspose2d(x: Node, w: Node, a: Transposed, c: BuiltinCall): Node {
  if (x.type.shape.length !== 4 || w.type.shape.length !== 4) {
    complain(
      c.frame,
      "shape",
      `conv_transpose2d expects x (N, C, H, W) and w (C, O / groups, R, S), got ${showType(x.type)} and ${showType(w.type)}`,
      c.span,
    );
  }
  if (a.output_padding.some((o, i) => o < 0 || o >= Math.max(a.stride[i]!, a.dilation[i]!))) {
    complain(c.frame, "constant", "conv_transpose2d: output_padding is smaller than the stride or the dilation", c.span);
  }
  const extents = ([0, 1] as const).map(
    (i) =>
      (x.type.shape[2 + i]! - 1) * a.stride[i] -
      a.padding[2 * i]! -
      a.padding[2 * i + 1]! +
      a.dilation[i] * (w.type.shape[2 + i]! - 1) +
      a.output_padding[i] +
      1,
  );
  const shape = [x.type.shape[0]!, w.type.shape[1]! * a.groups, ...extents];
  return ops.conv2dInputGrad({ dy: x, w }, { stride: a.stride, padding: a.padding, dilation: a.dilation, groups: a.groups, shape });
}

export const poolFunctions: readonly Builtin[] = [
  operation("max_pool", windowArgs, ({ x, ...w }, c) => maxPool(x, w, c)),
  operation("min_pool", windowArgs, ({ x, ...w }, c) => ops.neg({ x: maxPool(ops.neg({ x }), w, c) })),
  operation("avg_pool", { ...windowArgs, count_include_pad: optional(boolArg, true) }, ({ x, count_include_pad, ...w }, c) =>
    avgPool(x, w, count_include_pad, c),
  ),
  operation("adaptive_avg_pool", { x: tensorArg, size: pairArg }, ({ x, size }, c) => adaptiveAvgPool(x, size, c)),
  operation("conv2d", { ...convolution, ...spacing }, ({ x, w, ...attrs }) => ops.conv2d({ x, w }, attrs)),
  operation(
    "conv_transpose2d",
    { ...convolution, output_padding: optional(pairArg, [0, 0] as Pair), ...spacing },
    ({ x, w, ...attrs }, c) => convTranspose2d(x, w, attrs, c),
  ),
];
