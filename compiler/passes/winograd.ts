/**
 * Convolutions with stride 1 by small blocks where that is less work: kernels are transformed (once, if nothing updates them), and
 * blocks of the image on the way. The gradient by the image is a convolution by the kernels turned around; that by the kernels is one
 * by the gradient, of which blocks are transformed too, in parts that are added up.
 *
 *     @w = param "w" f32[32,16,3,3]                       @w = param "w" f32[32,16,3,3]
 *     %0 = conv2d(%x, @w) {padding=[1,1,1,1]}      =>     %0 = winograd_weights(@w) : f32[32,16,6,6]
 *            : f32[1,32,28,28]                            %1 = winograd_conv2d(%x, %0) {padding=[1,1,1,1]} : f32[1,32,28,28]
 *
 * The same but for rounding, whose errors grow by about four: `--exact` leaves it out.
 */
import { type Choose, preferred, type Question } from "../../ir/choice.ts";
import type { Graph, Node } from "../../ir/graph/graph.ts";
import { withOrigin } from "../../ir/op.ts";
import { ops } from "../../ir/ops/index.ts";
import { panelColumns } from "../../ir/register-tile.ts";
import { printType } from "../../ir/type.ts";
import { type GraphPass, rewriteNodes } from "./graph-pass.ts";
import { timesOf } from "./prepare-time.ts";

export const winograd: GraphPass = { name: "winograd", rounds: true, run };

function run(graph: Graph, choose: Choose = preferred): Graph {
  const times = timesOf(graph);
  const transformed = new Map<Node, Map<string, Node>>();
  /** Kernels transformed in one way; once for all convolutions by them. `turned`: for a gradient, in so many groups; else 0. */
  const weights = (w: Node, tile: number, turned: number): Node => {
    const known = transformed.get(w) ?? new Map<string, Node>();
    transformed.set(w, known);
    const key = `${tile} ${turned}`;
    const node = known.get(key) ?? ops.winogradWeights({ w: turned > 0 ? swapped(w, turned) : w }, { tile, reversed: turned > 0 });
    known.set(key, node);
    return node;
  };
  return rewriteNodes(graph, (node, original) => {
    if (node.op === ops.conv2dWeightGrad) return kernelGradient(node, choose);
    const form = formOf(node);
    if (!form) return node;
    const tile = tileFor(node, form, times.get(original.inputs[1]!) === "run", choose);
    if (tile === null) return node;
    const [x, w] = node.inputs as readonly [Node, Node];
    const { isGradient, padding, groups } = form;
    return withOrigin(node.origin, () =>
      ops.winogradConv2d({ x, u: weights(w, tile, isGradient ? groups : 0) }, { padding, tile, groups }),
    );
  });
}

/** Kernels [O, C/groups, R, R] as [C, O/groups, R, R]: inputs and outputs change places in each group. */
export function swapped(w: Node, groups: number): Node {
  if (groups === 1) return ops.permute({ x: w }, { axes: [1, 0, 2, 3] });
  const [outputs, channels, ...window] = w.type.shape as [number, number, number, number];
  const apart = ops.reshape({ x: w }, { shape: [groups, outputs / groups, channels, ...window] });
  return ops.reshape(
    { x: ops.permute({ x: apart }, { axes: [0, 2, 1, 3, 4] }) },
    { shape: [groups * channels, outputs / groups, ...window] },
  );
}

interface Size {
  readonly taps: number;
  /** That an output sums over. */
  readonly channels: number;
  /** [N, O, H, W] of the result. */
  readonly result: readonly [number, number, number, number];
}
/** A convolution with stride 1 by a square kernel. */
export interface Form extends Size {
  readonly isGradient: boolean;
  readonly groups: number;
  readonly padding: readonly number[];
}
export function formOf({ op, inputs, attrs, type }: Node): Form | null {
  const isGradient = op === ops.conv2dInputGrad;
  if (op !== ops.conv2d && !isGradient) return null;
  const { stride, dilation, groups, padding } = attrs as { stride: number[]; dilation: number[]; groups: number; padding: number[] };
  const [outputs, channels, taps, across] = inputs[1]!.type.shape as [number, number, number, number];
  if (taps !== across || [...stride, ...dilation].some((d) => d !== 1)) return null;
  if (groups > 1 && (type.shape[1]! / groups) % panelColumns > 0) return null;
  // A window of the gradient reaches as far beyond dy as the kernel reaches beyond its padding.
  const around = isGradient ? padding.map((p) => taps - 1 - p) : padding;
  if (around.some((p) => p < 0)) return null;
  const result = type.shape as unknown as Form["result"];
  return { isGradient, groups, padding: around, taps, channels: isGradient ? outputs / groups : channels, result };
}

/** The gradient by the kernels. */
function kernelGradient(node: Node, choose: Choose): Node {
  const [x, dy] = node.inputs as readonly [Node, Node];
  const { stride, dilation, groups, padding } = node.attrs as { stride: number[]; dilation: number[]; groups: number; padding: number[] };
  const [outputs, channels, taps, across] = node.type.shape as [number, number, number, number];
  if (groups !== 1 || taps !== across || [...stride, ...dilation].some((d) => d !== 1)) return node;
  const form = { taps, channels, result: [dy.type.shape[0]!, outputs, dy.type.shape[2]!, dy.type.shape[3]!] as const };
  const tile = gradientTileFor(node, form, choose);
  if (tile === null) return node;
  const parts = partsOf(tilesOf(form, tile));
  return withOrigin(node.origin, () => {
    const sums = ops.winogradConv2dWeightGrad({ x, dy }, { padding, tile, parts });
    return parts === 1 ? ops.reshape({ x: sums }, { shape: node.type.shape }) : ops.reduceSum({ x: sums }, { axes: [0] });
  });
}

/* ---- what it costs, in multiply-adds of a register tile -------------------------------------------------------- */

/** Tiles worth looking at, for each extent of a kernel: errors grow with the number of points. */
export const tilesFor: Readonly<Record<number, readonly number[]>> = { 3: [4, 2], 5: [2] };
/** Fewer channels are too short for sums, or too few for the vectors of the transforms. */
const fewestChannels = 16;
/** A sum of a register tile begins and ends. */
const sumStart = 8;
/** To transform an element of the image to a point, or a point to the result. */
const perPoint = 6;
/** To read a number of the kernels from memory. */
const perWeight = 4;
/** To pack and transform a kernel, for each of its points. */
const perTransformed = 27;

/** A part of the sums of a gradient by kernels has at least so many tiles, and so many parts keep threads busy. */
const fewestTiles = 64;
const mostParts = 8;
/** To finish a product of a kernel and an output, for each point and so many tiles that are summed up at once. */
const perSum = sumStart + perPoint;

/** null: the convolution as it stands is less work. */
function tileFor(node: Node, form: Form, transformsEachRun: boolean, choose: Choose): number | null {
  const { channels, result } = form;
  if (Math.min(channels, result[1] / form.groups) < fewestChannels) return null;
  return settle(form, (tile) => tiledCost(form, tile, transformsEachRun), choose, {
    kind: form.isGradient ? "winograd backwards" : "winograd",
    about: describeConvolution(node, transformsEachRun),
    of: { origin: node.origin },
  });
}
/** The convolution as it stands, null, or tiles: the least cost is the first option. */
function settle(size: Size, costOf: (tile: number) => number, choose: Choose, question: Omit<Question, "options">): number | null {
  const direct = { name: "direct", tile: null as number | null, cost: directCost(size) };
  const tiled = (tilesFor[size.taps] ?? []).map((tile) => ({ name: `tiles of ${tile}x${tile}`, tile, cost: costOf(tile) }));
  const ways = [direct, ...tiled].sort((a, b) => a.cost - b.cost);
  const [first, ...others] = ways.map((w) => w.name) as [string, ...string[]];
  const answer = choose({ ...question, options: [first, ...others] });
  return ways.find((w) => w.name === answer)!.tile;
}
/** By which choices about a convolution are remembered. */
export const describeConvolution = (node: Node, transformsEachRun: boolean): string =>
  `${describeNode(node)} ${transformsEachRun ? "by kernels that move" : "by kernels that stay"}`;
/** `conv2d(f32[1,64,56,56], f32[64,64,3,3]) {padding=[1,1,1,1]}`. */
const describeNode = ({ op, inputs, attrs }: Node): string =>
  `${op.schema.name}(${inputs.map((x) => printType(x.type)).join(", ")}) {padding=[${attrs.padding}], groups=${attrs.groups}}`;
function directCost({ channels, taps, result: [batch, outputs, height, width] }: Size): number {
  const kernel = channels * outputs * taps ** 2;
  return kernel * (batch * height * width + perWeight);
}
function tiledCost(
  { channels, groups, taps, result: [batch, outputs, height, width] }: Form,
  tile: number,
  transformsEachRun: boolean,
): number {
  const points = (tile + taps - 1) ** 2;
  const tiles = tilesOf({ result: [batch, outputs, height, width] }, tile);
  const products = tiles * outputs * (channels + sumStart);
  const transforms = perPoint * tiles * (channels * groups + outputs);
  const weights = (perWeight + (transformsEachRun ? perTransformed : 0)) * channels * outputs;
  return points * (products + transforms + weights);
}
export const tilesOf = ({ result: [batch, , height, width] }: Pick<Size, "result">, tile: number): number =>
  batch * Math.ceil(height / tile) * Math.ceil(width / tile);
const partsOf = (tiles: number): number => Math.max(1, Math.min(mostParts, Math.floor(tiles / fewestTiles)));

function gradientTileFor(node: Node, size: Size, choose: Choose): number | null {
  if (Math.min(size.channels, size.result[1]) < fewestChannels) return null;
  return settle(size, (tile) => gradientCost(size, tile), choose, {
    kind: "winograd of a gradient by kernels",
    about: describeNode(node),
    of: { origin: node.origin },
  });
}
function gradientCost(size: Size, tile: number): number {
  const {
    channels,
    taps,
    result: [, outputs],
  } = size;
  const tiles = tilesOf(size, tile);
  const parts = partsOf(tiles);
  const sums = Math.max(parts, Math.ceil(tiles / (2 * fewestTiles)));
  const points = (tile + taps - 1) ** 2;
  const kernels = channels * outputs;
  return points * (kernels * (tiles + perSum * sums) + perPoint * tiles * (channels + outputs)) + perWeight * parts * kernels * taps ** 2;
}
