/** Pictures of plain shapes, drawn at any size: turned, of any colour, on a ground that changes from corner to corner. */
import { direction, type Point, polygonDistance } from "./plane.ts";
import { hash, type Uniform, uniforms } from "./random.ts";

export interface Canvas {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}
/** Distance from the edge of a shape around the origin that reaches to about 1; negative inside. */
type Shape = (x: number, y: number) => number;

const length = (x: number, y: number): number => Math.sqrt(x * x + y * y);
/** Corners at these distances, evenly around, again and again. */
const corners = (count: number, ...radii: readonly number[]): Point[] =>
  Array.from({ length: count }, (_, i) => {
    const [x, y] = direction(i / count);
    const radius = radii[i % radii.length]!;
    return [radius * x, radius * y];
  });
const polygon =
  (points: readonly Point[]): Shape =>
  (x, y) =>
    polygonDistance(points, x, y);
/** A cross with arms this wide to either side. */
const arm = 0.32;
const cross: readonly Point[] = [
  [arm, 1],
  [arm, arm],
  [1, arm],
  [1, -arm],
  [arm, -arm],
  [arm, -1],
  [-arm, -1],
  [-arm, -arm],
  [-1, -arm],
  [-1, arm],
  [-arm, arm],
  [-arm, 1],
];
const shapes: ReadonlyMap<string, Shape> = new Map([
  ["circle", (x, y) => length(x, y) - 0.9],
  ["square", polygon(corners(4, 1.1))],
  ["triangle", polygon(corners(3, 1.15))],
  ["star", polygon(corners(10, 1.15, 0.5))],
  ["cross", polygon(cross)],
  ["ring", (x, y) => Math.abs(length(x, y) - 0.72) - 0.24],
]);
export const shapeNames: readonly string[] = [...shapes.keys()];

export interface ShapePicture {
  /** [channels, height, width], 0 to 255. */
  readonly image: Uint8Array<ArrayBuffer>;
  /** The shape in the picture, by its place in `shapeNames`. */
  readonly label: number;
}
/** Example `index` of the random stream `key`: one of the first `kinds` shapes. */
export function drawShape(canvas: Canvas, kinds: number, key: number, index: number): ShapePicture {
  const random = uniforms(hash(key, index));
  const label = Math.floor(random() * kinds);
  const ground = groundOf(canvas, random);
  paint(ground, label, between(random, 0.24, 0.42), random);
  return { image: bytesOf(ground, random), label };
}

export interface SegmentPicture {
  readonly image: Uint8Array<ArrayBuffer>;
  /** [height, width]: 0 is the ground, 1 and more the shapes in the order of `shapeNames`. */
  readonly mask: Uint8Array<ArrayBuffer>;
}
/** Example `index` of the random stream `key`: a few of the first `kinds` shapes, the later over the earlier. */
export function drawSegments(canvas: Canvas, kinds: number, key: number, index: number): SegmentPicture {
  const random = uniforms(hash(key, index));
  const ground = groundOf(canvas, random);
  const count = 2 + Math.floor(random() * 4);
  for (let i = 0; i < count; i++) paint(ground, Math.floor(random() * kinds), between(random, 0.12, 0.26), random);
  return { image: bytesOf(ground, random), mask: ground.mask };
}

/* ---- drawing ----------------------------------------------------------------------------------------------------- */

const between = (random: Uniform, low: number, high: number): number => low + (high - low) * random();

interface Painting extends Canvas {
  /** 0 to 1. */
  readonly pixels: Float64Array;
  readonly mask: Uint8Array<ArrayBuffer>;
  /** Of the ground, about. */
  readonly colour: readonly number[];
}

/** A colour that changes evenly from side to side and from top to bottom. */
function groundOf({ channels, height, width }: Canvas, random: Uniform): Painting {
  const pixels = new Float64Array(channels * height * width);
  const colour = Array.from({ length: channels }, () => random());
  for (let c = 0; c < channels; c++) {
    const [across, down] = [between(random, -0.2, 0.2), between(random, -0.2, 0.2)];
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        pixels[(c * height + y) * width + x] = colour[c]! + across * ((x + 0.5) / width - 0.5) + down * ((y + 0.5) / height - 0.5);
  }
  return { channels, height, width, pixels, mask: new Uint8Array(height * width), colour };
}

/** `size`: the radius, as a share of the shorter side. Edges are soft over a pixel. */
function paint(painting: Painting, kind: number, size: number, random: Uniform): void {
  const { channels, height, width, pixels, mask } = painting;
  const shape = shapes.get(shapeNames[kind]!)!;
  const radius = size * Math.min(height, width);
  const [cx, cy] = [between(random, radius, width - radius), between(random, radius, height - radius)];
  const [cos, sin] = direction(random());
  // at least 0.3 from the ground in every channel
  const colour = painting.colour.map((c) => (c + between(random, 0.3, 0.7)) % 1);
  const reach = 1.2 * radius + 1;
  for (let y = Math.max(0, Math.floor(cy - reach)); y < Math.min(height, cy + reach); y++)
    for (let x = Math.max(0, Math.floor(cx - reach)); x < Math.min(width, cx + reach); x++) {
      const [dx, dy] = [(x + 0.5 - cx) / radius, (y + 0.5 - cy) / radius];
      const cover = Math.min(1, Math.max(0, 0.5 - shape(dx * cos + dy * sin, dy * cos - dx * sin) * radius));
      if (cover >= 0.5) mask[y * width + x] = kind + 1;
      for (let c = 0; c < channels && cover > 0; c++) {
        const at = (c * height + y) * width + x;
        pixels[at] = pixels[at]! + cover * (colour[c]! - pixels[at]!);
      }
    }
}

/** With grain. */
function bytesOf({ pixels }: Painting, random: Uniform): Uint8Array<ArrayBuffer> {
  const grain = between(random, 0, 0.15);
  const bytes = new Uint8Array(pixels.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(255 * Math.min(1, Math.max(0, pixels[i]! + grain * (random() - 0.5))) + 0.5);
  return bytes;
}
