/**
 * Handwriting-like digits, drawn from skeletons: each example picks a way of writing, bends it, slants, scales, turns
 * and shifts it, and draws it with a pen of random width, brightness and grain. Only + - * / and square roots are used,
 * so that every machine draws the same bits.
 */
import { type Curve, glyphs, type Point } from "./glyphs.ts";
import { hash, type Uniform, uniforms } from "./random.ts";

export const digitSize = 28;
export interface Digit {
  /** Row-major, 0 (paper) to 255 (ink). */
  readonly image: Uint8Array<ArrayBuffer>;
  readonly label: number;
}

/** Example `index` of the random stream `key`. */
export function drawDigit(key: number, index: number): Digit {
  const random = uniforms(hash(key, index));
  const label = Math.floor(random() * 10);
  const ways = glyphs[label]!;
  const glyph = ways[Math.floor(random() * ways.length)]!;
  const bend = warp(random);
  const place = placement(random);
  const curves = glyph.map((curve) => spline(curve.map(bend)).map(place));
  return { image: ink(curves, random), label };
}

const between = (random: Uniform, low: number, high: number): number => low + (high - low) * random();
/** Sum of three uniforms: bell-shaped, within -1..1. */
const bell = (random: Uniform): number => ((random() + random() + random()) * 2) / 3 - 1;

/** A smooth displacement of the plane: random vectors at the corners of a 3x3 grid, interpolated. */
function warp(random: Uniform): (p: Point) => Point {
  const vectors = Array.from({ length: 9 }, (): Point => [0.18 * bell(random), 0.16 * bell(random)]);
  return ([x, y]) => {
    const column = x < 0.5 ? 0 : 1;
    const row = y < 0.5 ? 0 : 1;
    const [s, t] = [2 * x - column, 2 * y - row];
    const at = (axis: 0 | 1) => {
      const v = (r: number, c: number) => vectors[(row + r) * 3 + column + c]![axis];
      return (v(0, 0) * (1 - s) + v(0, 1) * s) * (1 - t) + (v(1, 0) * (1 - s) + v(1, 1) * s) * t;
    };
    return [x + at(0), y + at(1)];
  };
}

/** From the glyph's unit square to pixels: scale, slant, turn, shift. */
function placement(random: Uniform): (p: Point) => Point {
  const height = between(random, 14, 21);
  const width = height * between(random, 0.6, 1);
  const slant = 0.1 + 0.4 * bell(random);
  const [sin, cos] = turn(0.32 * bell(random));
  const dx = digitSize / 2 + 3.6 * bell(random);
  const dy = digitSize / 2 + 3.2 * bell(random);
  return ([u, v]) => {
    const y = (v - 0.5) * height;
    const x = (u - 0.5) * width - slant * y;
    return [dx + x * cos - y * sin, dy + x * sin + y * cos];
  };
}

/** Sine and cosine of a small angle by the half-angle tangent, t = angle / 2. */
function turn(angle: number): readonly [sin: number, cos: number] {
  const t = angle / 2;
  const d = 1 + t * t;
  return [(2 * t) / d, (1 - t * t) / d];
}

const piecesPerSpan = 5;

/** Points on the Catmull-Rom spline through `curve`; its ends are mirrored to give the outer tangents. */
function spline(curve: Curve): Point[] {
  const n = curve.length;
  const at = (i: number): Point => curve[i] ?? mirror(i < 0 ? curve[0]! : curve[n - 1]!, i < 0 ? curve[1]! : curve[n - 2]!);
  const out: Point[] = [curve[0]!];
  for (let i = 0; i + 1 < n; i++) {
    const [a, b, c, d] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
    for (let k = 1; k <= piecesPerSpan; k++) {
      const t = k / piecesPerSpan;
      out.push([cubic(a[0], b[0], c[0], d[0], t), cubic(a[1], b[1], c[1], d[1], t)]);
    }
  }
  return out;
}
const mirror = (end: Point, inner: Point): Point => [2 * end[0] - inner[0], 2 * end[1] - inner[1]];
const cubic = (a: number, b: number, c: number, d: number, t: number): number =>
  b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));

/** Draws the curves with a round pen whose edge falls off over `soft` pixels. */
function ink(curves: readonly (readonly Point[])[], random: Uniform): Uint8Array<ArrayBuffer> {
  const radius = between(random, 0.65, 1.75);
  const soft = between(random, 0.9, 1.5);
  const brightness = between(random, 0.65, 1);
  const grain = between(random, 0, 0.18);
  const squares = new Float64Array(digitSize * digitSize).fill(1e6);
  for (const curve of curves) for (let i = 0; i + 1 < curve.length; i++) approach(squares, curve[i]!, curve[i + 1]!, radius + soft / 2);
  const image = new Uint8Array(digitSize * digitSize);
  for (let p = 0; p < image.length; p++) {
    const edge = 0.5 + (radius - Math.sqrt(squares[p]!)) / soft;
    const value = brightness * Math.min(1, Math.max(0, edge)) + grain * (random() - 0.5);
    image[p] = Math.floor(255 * Math.min(1, Math.max(0, value)) + 0.5);
  }
  return image;
}

/** Lowers each pixel's squared distance to that from the line between two points, where it is within `reach`. */
function approach(squares: Float64Array, [ax, ay]: Point, [bx, by]: Point, reach: number): void {
  const ux = bx - ax;
  const uy = by - ay;
  const length = ux * ux + uy * uy;
  const [left, right] = pixelRange(ax, bx, reach);
  const [top, bottom] = pixelRange(ay, by, reach);
  for (let y = top; y <= bottom; y++)
    for (let x = left; x <= right; x++) {
      const px = x + 0.5 - ax;
      const py = y + 0.5 - ay;
      const t = length > 0 ? Math.min(1, Math.max(0, (px * ux + py * uy) / length)) : 0;
      const dx = px - t * ux;
      const dy = py - t * uy;
      const at = y * digitSize + x;
      squares[at] = Math.min(squares[at]!, dx * dx + dy * dy);
    }
}
/** Pixels, by their centres at halves, from `reach` below the smaller to `reach` above the larger. */
const pixelRange = (a: number, b: number, reach: number): readonly [number, number] => [
  Math.max(0, Math.ceil(Math.min(a, b) - reach - 0.5)),
  Math.min(digitSize - 1, Math.floor(Math.max(a, b) + reach - 0.5)),
];
