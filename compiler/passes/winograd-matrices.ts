/**
 * Convolutions with stride 1 of many channels, and their gradients by images, by small blocks on a GPU: tiles of the image are
 * transformed by one kernel, a product of matrices for each point sums over channels, a third kernel makes the image of the sums.
 * Kernels are transformed once, if nothing updates them.
 *
 *     @w = param "w" f32[64,64,3,3]                  @w = param "w" f32[64,64,3,3]
 *     %0 = conv2d(%x, @w) {padding=[1,1,1,1]}   =>   %0 = winograd_tiles(%x) {padding=[1,1,1,1]} : f32[6,6,196,64]
 *            : f32[1,64,56,56]                       %1 = winograd_kernels(@w) : f32[6,6,64,64]
 *                                                    %2 = matmul(%0, %1) : f32[6,6,196,64]
 *                                                    %3 = winograd_image(%2) {extents=[56,56]} : f32[1,64,56,56]
 *
 * The same but for rounding, whose errors grow by about four: `--exact` leaves it out.
 */
import { type Choose, preferred } from "../../ir/choice.ts";
import type { Graph, Node } from "../../ir/graph/graph.ts";
import { type Limits, roomOf, wordBytes } from "../../ir/limits.ts";
import { withOrigin } from "../../ir/op.ts";
import { ops } from "../../ir/ops/index.ts";
import type { Storage } from "../../ir/type.ts";
import { type GraphPass, rewriteNodes } from "./graph-pass.ts";
import { timesOf } from "./prepare-time.ts";
import { describeConvolution, type Form, formOf, swapped, tilesFor, tilesOf } from "./winograd.ts";

/** `limits`: what the device has. `storage`: of what passes between the kernels. */
export const winogradMatrices = (limits: Limits, storage: Storage = "f32"): GraphPass => ({
  name: "winograd-matrices",
  rounds: true,
  run: (graph, choose) => run(graph, { limits, storage }, choose),
});

interface Device {
  readonly limits: Limits;
  readonly storage: Storage;
}
function run(graph: Graph, device: Device, choose: Choose = preferred): Graph {
  const times = timesOf(graph);
  const once = sharing();
  return rewriteNodes(graph, (node, original) => {
    const form = formOf(node);
    if (form?.groups !== 1) return node;
    const tile = tileFor(node, form, times.get(original.inputs[1]!) === "run", device, choose);
    if (tile === null) return node;
    const [x, w] = node.inputs as readonly [Node, Node];
    const { isGradient: reversed, padding, taps } = form;
    return withOrigin(node.origin, () => {
      const a = once(x, `${tile} ${taps} ${padding}`, () => ops.winogradTiles({ x }, { padding, tile, taps }));
      const b = once(w, `${tile} ${reversed}`, () => ops.winogradKernels({ w: reversed ? swapped(w, 1) : w }, { tile, reversed }));
      return ops.winogradImage({ m: ops.matmul({ a, b }) }, { extents: form.result.slice(2), tile });
    });
  });
}
/** What is made of a node in one way is made once for all who ask. */
function sharing(): (of: Node, way: string, make: () => Node) => Node {
  const made = new Map<Node, Map<string, Node>>();
  return (of, way, make) => {
    const known = made.get(of) ?? new Map<string, Node>();
    made.set(of, known);
    const node = known.get(way) ?? make();
    known.set(way, node);
    return node;
  };
}

/* ---- what it costs, in multiply-adds of a tiled product ---------------------------------------------------------- */

/** Fewer channels make products of too little work for what they bring from memory. */
const fewestChannels = 64;
/** A number that passes between a kernel and memory. */
const perNumber = 24;
/** A kernel more begins and ends. */
const perKernel = 4e6;
/** Rows of the narrowest tile of a product. */
const rowsOfTile = 8;
/** Only what is less work by so much is worth the memory, and the rounding. */
const margin = 0.8;

/**
 * With four points the error of halves is about twice that of a convolution on halves, with six ten times: tiles, kernels and
 * products have a share in it each.
 */
const mostPointsInHalves = 4;

function tileFor(node: Node, form: Form, transformsEachRun: boolean, { limits, storage }: Device, choose: Choose): number | null {
  if (Math.min(form.channels, form.result[1]) < fewestChannels) return null;
  const direct = { name: "direct", tile: null as number | null, cost: margin * directCost(form) };
  const fitting = (tilesFor[form.taps] ?? [])
    .filter((tile) => storage === "f32" || tile + form.taps - 1 <= mostPointsInHalves)
    .filter((tile) => largestOf(form, tile) * wordBytes <= roomOf(limits).part);
  const tiled = fitting.map((tile) => ({ name: `products of ${tile}x${tile}`, tile, cost: tiledCost(form, tile, transformsEachRun) }));
  const ways = [direct, ...tiled].sort((a, b) => a.cost - b.cost);
  const [first, ...others] = ways.map((w) => w.name) as [string, ...string[]];
  const answer = choose({
    kind: form.isGradient ? "winograd backwards" : "winograd",
    about: describeConvolution(node, transformsEachRun),
    options: [first, ...others],
    of: { origin: node.origin },
  });
  return ways.find((w) => w.name === answer)!.tile;
}

const rowsOf = (rows: number): number => Math.ceil(rows / rowsOfTile) * rowsOfTile;
function directCost({ channels, taps, result }: Form): number {
  const [batch, outputs, height, width] = result;
  const pixels = batch * height * width;
  const numbers = pixels * (channels + outputs) + taps ** 2 * channels * outputs;
  return rowsOf(pixels) * channels * outputs * taps ** 2 + perNumber * numbers;
}
/** Numbers of transformed tiles, kernels and results. */
function transformedOf(form: Form, tile: number): readonly [tiles: number, kernels: number, results: number] {
  const points = (tile + form.taps - 1) ** 2;
  const tiles = points * tilesOf(form, tile);
  return [tiles * form.channels, points * form.channels * form.result[1], tiles * form.result[1]];
}
const largestOf = (form: Form, tile: number): number => Math.max(...transformedOf(form, tile));
function tiledCost(form: Form, tile: number, transformsEachRun: boolean): number {
  const { channels, result, taps } = form;
  const [batch, outputs, height, width] = result;
  const [tiles, kernels, sums] = transformedOf(form, tile);
  const products = (tile + taps - 1) ** 2 * rowsOf(tilesOf(form, tile)) * channels * outputs;
  const numbers = batch * height * width * (channels + outputs) + 2 * (tiles + sums) + kernels * (transformsEachRun ? 2 : 1);
  const more = transformsEachRun ? 3 : 2;
  return products + perNumber * numbers + more * perKernel;
}
