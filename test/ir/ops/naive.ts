/** Operations as plain loops, written from their textbook definitions: what the lowering rules are compared with. */

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}
const sizeOf = (shape: readonly number[]) => shape.reduce((n, d) => n * d, 1);

/** Row-major position. */
export const position = (shape: readonly number[], index: readonly number[]): number => index.reduce((at, i, a) => at * shape[a]! + i, 0);
export const element = (t: Tensor, ...index: readonly number[]): number => t.data[position(t.shape, index)]!;
/** The index at a row-major position. */
export function unravel(shape: readonly number[], at: number): number[] {
  const index: number[] = new Array(shape.length);
  for (let a = shape.length - 1; a >= 0; a--) {
    index[a] = at % shape[a]!;
    at = Math.floor(at / shape[a]!);
  }
  return index;
}
export const build = (shape: readonly number[], f: (index: number[]) => number): number[] =>
  Array.from({ length: sizeOf(shape) }, (_, at) => f(unravel(shape, at)));

/** erf(x) = 2/sqrt(pi) exp(-x^2) sum of 2^n x^(2n+1) / (1 3 5 ... (2n+1)). */
export function erf(x: number): number {
  if (Math.abs(x) > 6 || Number.isNaN(x)) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; n < 200; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** NumPy's broadcasting of several operands. */
export function elementwise(inputs: readonly Tensor[], shape: readonly number[], f: (...x: number[]) => number): number[] {
  return build(shape, (index) =>
    f(...inputs.map((t) => element(t, ...t.shape.map((d, a) => (d === 1 ? 0 : index[a + shape.length - t.shape.length]!))))),
  );
}

export function matmul(a: Tensor, b: Tensor, shape: readonly number[]): number[] {
  const inner = a.shape.at(-1)!;
  const batchOf = (t: Tensor, index: readonly number[]) =>
    t.shape.slice(0, -2).map((d, x) => (d === 1 ? 0 : index[x + shape.length - t.shape.length]!));
  return build(shape, (index) => {
    const [i, j] = index.slice(-2) as [number, number];
    let sum = 0;
    for (let r = 0; r < inner; r++) sum += element(a, ...batchOf(a, index), i, r) * element(b, ...batchOf(b, index), r, j);
    return sum;
  });
}

/** One entry for each spatial axis; padding before and after it. */
export interface Convolution {
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
}
const isInside = (shape: readonly number[], index: readonly number[]) => index.every((i, a) => i >= 0 && i < shape[a]!);
/** Calls `f` with the positions in x, w and y of every product of a convolution. */
function products(
  x: readonly number[],
  w: readonly number[],
  y: readonly number[],
  { stride, padding, dilation, groups }: Convolution,
  f: (x: number, w: number, y: number) => void,
): void {
  const perGroup = y[1]! / groups;
  for (let at = 0; at < sizeOf(y); at++) {
    const [n, o, ...window] = unravel(y, at) as [number, number, ...number[]];
    for (let tap = 0; tap < sizeOf(w.slice(1)); tap++) {
      const [c, ...r] = unravel(w.slice(1), tap) as [number, ...number[]];
      const place = window.map((i, a) => i * stride[a]! + r[a]! * dilation[a]! - padding[2 * a]!);
      if (!isInside(x.slice(2), place)) continue;
      const channel = Math.floor(o / perGroup) * w[1]! + c;
      f(position(x, [n, channel, ...place]), position(w, [o, c, ...r]), at);
    }
  }
}
export function convolution(x: Tensor, w: Tensor, y: readonly number[], how: Convolution): number[] {
  const out = new Array<number>(sizeOf(y)).fill(0);
  products(x.shape, w.shape, y, how, (px, pw, py) => {
    out[py]! += x.data[px]! * w.data[pw]!;
  });
  return out;
}
export function convolutionInputGrad(dy: Tensor, w: Tensor, x: readonly number[], how: Convolution): number[] {
  const out = new Array<number>(sizeOf(x)).fill(0);
  products(x, w.shape, dy.shape, how, (px, pw, py) => {
    out[px]! += dy.data[py]! * w.data[pw]!;
  });
  return out;
}
export function convolutionWeightGrad(x: Tensor, dy: Tensor, w: readonly number[], how: Convolution): number[] {
  const out = new Array<number>(sizeOf(w)).fill(0);
  products(x.shape, w, dy.shape, how, (px, pw, py) => {
    out[pw]! += x.data[px]! * dy.data[py]!;
  });
  return out;
}

export interface Pooling {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
}
/** Positions in its plane or volume of the elements of window `i`, in row-major order. */
function windowOf([, , ...extents]: readonly number[], { kernel, stride, padding }: Pooling, i: readonly number[]): number[] {
  const places = Array.from({ length: sizeOf(kernel) }, (_, at) =>
    unravel(kernel, at).map((r, a) => i[a]! * stride[a]! - padding[2 * a]! + r),
  );
  return places.filter((place) => isInside(extents, place)).map((place) => position(extents, place));
}
const imageStart = (x: readonly number[], n: number, c: number) => (n * x[1]! + c) * sizeOf(x.slice(2));

export function maxPoolIndex(x: Tensor, y: readonly number[], how: Pooling): number[] {
  return build(y, ([n, c, ...i]) => {
    const start = imageStart(x.shape, n!, c!);
    return windowOf(x.shape, how, i).reduce((best, at) => (x.data[start + at]! > x.data[start + best]! ? at : best));
  });
}
export function maxPool(x: Tensor, y: readonly number[], how: Pooling): number[] {
  const index = maxPoolIndex(x, y, how);
  return build(y, ([n, c, ...i]) => x.data[imageStart(x.shape, n!, c!) + index[position(y, [n!, c!, ...i])]!]!);
}
export function maxPoolGrad(dy: Tensor, index: Tensor, x: readonly number[]): number[] {
  const out = new Array<number>(sizeOf(x)).fill(0);
  for (let at = 0; at < dy.data.length; at++) {
    const [n, c] = unravel(dy.shape, at);
    out[imageStart(x, n!, c!) + index.data[at]!]! += dy.data[at]!;
  }
  return out;
}
const divisor = (inside: number, how: Pooling, includePad: boolean) => (includePad ? sizeOf(how.kernel) : inside);

export function avgPool(x: Tensor, y: readonly number[], how: Pooling, includePad: boolean): number[] {
  return build(y, ([n, c, ...i]) => {
    const window = windowOf(x.shape, how, i);
    return window.reduce((sum, at) => sum + x.data[imageStart(x.shape, n!, c!) + at]!, 0) / divisor(window.length, how, includePad);
  });
}
export function avgPoolGrad(dy: Tensor, x: readonly number[], how: Pooling, includePad: boolean): number[] {
  const out = new Array<number>(sizeOf(x)).fill(0);
  for (let at = 0; at < dy.data.length; at++) {
    const [n, c, ...i] = unravel(dy.shape, at);
    const window = windowOf(x, how, i);
    for (const p of window) out[imageStart(x, n!, c!) + p]! += dy.data[at]! / divisor(window.length, how, includePad);
  }
  return out;
}

/** The elements that each result of a reduction is made of, in row-major order. */
export function groupsOf(x: Tensor, axes: readonly number[]): number[][] {
  const kept = x.shape.map((d, a) => (axes.includes(a) ? 1 : d));
  const groups: number[][] = Array.from({ length: sizeOf(kept) }, () => []);
  for (let at = 0; at < x.data.length; at++) {
    const index = unravel(x.shape, at).map((i, a) => (axes.includes(a) ? 0 : i));
    groups[position(kept, index)]!.push(x.data[at]!);
  }
  return groups;
}
export const reduce = (x: Tensor, axes: readonly number[], f: (group: readonly number[]) => number): number[] => groupsOf(x, axes).map(f);
export const sum = (g: readonly number[]): number => g.reduce((a, b) => a + b, 0);
export const mean = (g: readonly number[]): number => sum(g) / g.length;
export const variance = (g: readonly number[], unbiased: boolean): number =>
  sum(g.map((x) => (x - mean(g)) ** 2)) / (g.length - Number(unbiased));

export function softmax(x: Tensor, axis: number): number[] {
  const sums = reduce(x, [axis], (g) => sum(g.map(Math.exp)));
  const kept = x.shape.map((d, a) => (a === axis ? 1 : d));
  return build(
    x.shape,
    (index) =>
      Math.exp(element(x, ...index)) /
      sums[
        position(
          kept,
          index.map((i, a) => (a === axis ? 0 : i)),
        )
      ]!,
  );
}
