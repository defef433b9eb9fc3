/**
 * Gradients of kernels by transformed blocks (see `ir/ops/winograd.ts`) as one kernel. Every part of the tiles, and every slice of the
 * channels, goes through them in groups, whose products meet in scratch memory of one thread:
 *
 *     grid parts, slices of channels {
 *       groups of tiles {
 *         d[point, tile, o] = weights Y weights'                              for each tile, four columns at a time
 *         blocks of channels {
 *           v[point, tile, c] = input X input'                                for each tile, four channels at a time
 *           panels of 8 columns {
 *             m[point, c, o] = sum over tiles of v[point, tile, c] * d[point, tile, o]          register tiles
 *             sums[c, o] += output m output'                                  four columns at a time
 *       } } }
 *       y = finish(sums)
 *     }
 *
 * Where one group has all tiles of its part, results are finished at once and there are no sums.
 */
import {
  add,
  allOf,
  at,
  buffer,
  div,
  eq,
  f32,
  i32,
  load,
  lt,
  min,
  mod,
  not,
  outline,
  select,
  store,
  when,
} from "../../../ir/kernel/build.ts";
import type { Axes, Blockwise, Computation, Evaluated } from "../../../ir/kernel/computation.ts";
import type { Buffer, Expr, Stmt } from "../../../ir/kernel/kernel.ts";
import { type Layout, layout } from "../../../ir/layout.ts";
import { panelColumns, tileRows, tileVectors } from "../../../ir/register-tile.ts";
import { type Panel, panelsOf } from "./panel.ts";
import { type Run, registerTile, splitRows } from "./tile.ts";
import { blockBuffer, inLanes, sandwich } from "./transform.ts";

type Kernels = Extract<Blockwise, { kind: "kernel" }>;

/** So many parts and slices keep threads evenly busy. */
const wantedTasks = 8;
/** Channels of a block: their transformed tiles, of a whole group, should stay in the second-level cache. */
const blockChannels = 32;
const groupBytes = 2 ** 19;
/** Gradients are transformed again for every slice of the channels, so it is at least so wide. */
const narrowestSlice = 32;

interface Shape {
  readonly taps: number;
  /** Elements of a tile of the gradient along an axis, and points. */
  readonly tile: number;
  readonly points: number;
  readonly channels: number;
  readonly outputs: number;
  /** Tiles of a column and of a row of an image, of all, and of a part. */
  readonly down: number;
  readonly across: number;
  readonly tiles: number;
  readonly each: number;
  readonly parts: number;
  /** Of channels; slices are equal, blocks of a slice nearly. */
  readonly slices: number;
  readonly blocks: readonly Run[];
  /** Groups of a part, and tiles of a group; the last group may have fewer. */
  readonly groups: number;
  readonly group: number;
}
function shapeOf(c: Computation, { input, weights, tiles: [images, down, across] }: Kernels): Shape {
  const [parts, outputs, channels, taps] = c.output.shape as [number, number, number, number];
  const tiles = images * down * across;
  const each = Math.ceil(tiles / parts);
  const slices = slicesOf(channels, parts);
  const blocks = blocksOf(channels / slices);
  const most = Math.max(1, Math.floor(groupBytes / (4 * input.length ** 2 * blocks[0]!.size)));
  const groups = Math.ceil(each / most);
  const group = Math.ceil(each / groups);
  const extents = { taps, tile: weights[0]!.length, points: input.length, channels, outputs };
  return { ...extents, down, across, tiles, each, parts, slices, blocks, groups, group };
}
function slicesOf(channels: number, parts: number): number {
  let slices = 1;
  while (slices * parts < wantedTasks && channels % (2 * slices * tileRows) === 0 && channels / (2 * slices) >= narrowestSlice) slices *= 2;
  return slices;
}
/** Whole tiles of rows where the channels are. */
function blocksOf(channels: number): readonly Run[] {
  const unit = channels % tileRows === 0 ? tileRows : 1;
  return splitRows(channels / unit, blockChannels / unit).map((run) => ({
    size: run.size * unit,
    count: run.count,
    start: run.start * unit,
  }));
}

export function winogradKernel(c: Computation, blocks: Kernels, axes: Axes, scratch: Buffer[]): readonly Stmt[] {
  const s = shapeOf(c, blocks);
  const memory = memoryOf(blocks, s, axes);
  scratch.push(memory.v, memory.d, memory.m, memory.image, memory.gradient, memory.result, ...(memory.sums ? [memory.sums] : []));
  return [axes.loop("grid", "part", s.parts * s.slices, (part) => onePart({ c, blocks, s, memory, axes }, part))];
}
interface Memory {
  /** Transformed tiles of the image [point, tile, channel of the block] and of the gradient [point, tile, column]. */
  readonly v: Buffer;
  readonly d: Buffer;
  /** Products [point, channel of the block, column of a panel]. */
  readonly m: Buffer;
  /** [channel of the slice, r, s, column]. */
  readonly sums: Buffer | null;
  /** Blocks on their way through the transforms. */
  readonly image: Buffer;
  readonly gradient: Buffer;
  readonly result: Buffer;
}
function memoryOf({ input, weights, output }: Kernels, s: Shape, axes: Axes): Memory {
  const wide = s.blocks[0]!.size;
  /** Tile behind tile, so many channels of each side by side: as sums over tiles read them. */
  const planes = (name: string, extent: number, side: number) => {
    const order = layout(`0 2/${side} 1+0,${1 - (s.group % 2)} 2%${side}`);
    return buffer(axes.fresh(name), "scratch", [s.points ** 2, s.group, extent], extent % 128 === 0 ? padded(order, 2, side) : order);
  };
  return {
    v: planes("v", wide, tileRows),
    d: planes("d", s.outputs, panelColumns),
    m: buffer(axes.fresh("m"), "scratch", [s.points ** 2, wide, panelColumns], layout(`0 1+0,${1 - (wide % 2)} 2`)),
    sums: s.groups > 1 ? buffer(axes.fresh("sums"), "scratch", [s.channels / s.slices, s.taps, s.taps, s.outputs]) : null,
    image: blockBuffer(axes.fresh("image"), input),
    gradient: blockBuffer(axes.fresh("gradient"), weights),
    result: blockBuffer(axes.fresh("result"), output),
  };
}
/** Planes of points a multiple of many cache lines apart would share places in the cache, and transforms go across all of them. */
const padded = (l: Layout, axis: number, count: number): Layout => ({ ...l, pad: l.pad.with(axis, [0, count]) });

interface Step {
  readonly c: Computation;
  readonly blocks: Kernels;
  readonly s: Shape;
  readonly memory: Memory;
  readonly axes: Axes;
}
/** A group of a part, for a slice that begins at `channel`. */
interface Place {
  readonly part: Expr;
  readonly channel: Expr;
  readonly group: Expr;
}

function onePart(step: Step, task: Expr): readonly Stmt[] {
  const { s, axes } = step;
  const part = div(task, i32(s.slices));
  const channel = at(mod(task, i32(s.slices)), s.channels / s.slices);
  const groups = axes.loop("serial", "group", s.groups, (group) => oneGroup(step, { part, channel, group }));
  return [groups, ...finishSums(step, part, channel)];
}
function oneGroup(step: Step, place: Place): readonly Stmt[] {
  const { s, axes } = step;
  const blocks = s.blocks.map((run) =>
    axes.loop("serial", "block", run.count, (b) => {
      const first = at(b, run.size, run.start);
      return [transformImage(step, place, first, run.size), ...panels(step, place, first, run.size)];
    }),
  );
  return [transformGradient(step, place), ...blocks];
}
function panels(step: Step, place: Place, first: Expr, channels: number): readonly Stmt[] {
  const { s, axes } = step;
  return panelsOf(s.outputs, tileVectors, false).map((panel) =>
    axes.loop("serial", "n", panel.count, (n) => {
      const block = { first, channels, panel, column: at(n, panel.size, panel.start) };
      return [...products(step, block), results(step, place, block)];
    }),
  );
}
/** `channels` channels from `first` on by the columns of a panel. */
interface Block {
  readonly first: Expr;
  readonly channels: number;
  readonly panel: Panel;
  readonly column: Expr;
}

/** Where a tile lies; behind the last one, that one again. */
function tileAt({ s }: Step, { part, group }: Place, t: Expr) {
  const inPart = at(group, s.group, t);
  const number = at(part, s.each, inPart);
  const isOver = s.parts * s.each > s.tiles;
  const tests = [...(s.groups * s.group > s.each ? [lt(inPart, i32(s.each))] : []), ...(isOver ? [lt(number, i32(s.tiles))] : [])];
  const tile = isOver || tests.length > 0 ? min(number, i32(s.tiles - 1)) : number;
  const inImage = mod(tile, i32(s.down * s.across));
  return {
    tests,
    image: div(tile, i32(s.down * s.across)),
    top: at(div(inImage, i32(s.across)), s.tile),
    left: at(mod(inImage, i32(s.across)), s.tile),
  };
}
function transformImage(step: Step, place: Place, first: Expr, channels: number): Stmt {
  const { blocks, s, memory, axes } = step;
  return axes.loop("serial", "t", s.group, (t) => {
    const { image, top, left } = tileAt(step, place, t);
    const body = (c: Expr, lane: Expr) => {
      const read = (p: Expr, q: Expr) => blocks.reads[0]!([image, add(place.channel, add(first, c)), add(top, p), add(left, q)], axes);
      const write = (p: Expr, q: Expr, value: Expr) => [store(memory.v, [at(p, s.points, q), t, c], value)];
      return sandwich({ matrix: blocks.input, read, write }, memory.image, lane, axes);
    };
    return [outline(axes.fresh("input"), inLanes(channels, axes, body))];
  });
}
/** Tiles that are none add nothing. */
function transformGradient(step: Step, place: Place): Stmt {
  const { blocks, s, memory, axes } = step;
  return axes.loop("serial", "t", s.group, (t) => {
    const { tests, image, top, left } = tileAt(step, place, t);
    const body = (o: Expr, lane: Expr) => {
      const read = (p: Expr, q: Expr) => blocks.reads[1]!([image, o, add(top, p), add(left, q)], axes);
      const write = (p: Expr, q: Expr, value: Expr) => [store(memory.d, [at(p, s.points, q), t, o], value)];
      return sandwich({ matrix: blocks.weights, read, write }, memory.gradient, lane, axes);
    };
    const transform = [outline(axes.fresh("weights"), inLanes(s.outputs, axes, body))];
    if (tests.length === 0) return transform;
    const zero = (point: Expr) => inLanes(s.outputs, axes, (o) => [store(memory.d, [point, t, o], f32(0))]);
    const zeros = [axes.loop("serial", "point", s.points ** 2, zero)];
    return [when(allOf(tests), transform), when(not(allOf(tests)), zeros)];
  });
}

function products({ s, memory, axes }: Step, { channels, panel, column }: Block): readonly Stmt[] {
  return splitRows(channels, tileRows).map((run) =>
    outline(axes.fresh("panel"), [
      axes.loop("serial", "point", s.points ** 2, (point) => [
        axes.loop("serial", "i", run.count, (i) => {
          const t = { name: axes.fresh("k"), extent: s.group };
          axes.declare(t);
          const tile: Expr = { kind: "var", type: "i32", lanes: 1, name: t.name };
          const row = (r: Expr) => at(i, run.size, at(r, 1, run.start));
          const body = {
            reduce: [t],
            a: (r: Expr) => load(memory.v, point, tile, row(r)),
            b: (j: Expr) => load(memory.d, point, tile, add(column, j)),
            finish: (r: Expr, j: Expr, sum: Expr) => [store(memory.m, [point, row(r), j], sum)],
          };
          return [registerTile({ rows: run.size, vectors: panel.vectors, lanes: panel.lanes }, body, axes)];
        }),
      ]),
    ]),
  );
}
function results(step: Step, { part, channel, group }: Place, { first, channels, panel, column }: Block): Stmt {
  const { blocks, s, memory, axes } = step;
  const { sums } = memory;
  return axes.loop("serial", "i", channels, (i) => {
    const inSlice = add(first, i);
    const body = (j: Expr, lane: Expr) => {
      const read = (p: Expr, q: Expr): Evaluated => ({ lets: [], value: load(memory.m, at(p, s.points, q), i, j) });
      const write = (r: Expr, q: Expr, value: Expr): readonly Stmt[] => {
        const o = add(column, j);
        if (!sums) return finished(step, [part, o, add(channel, inSlice), r, q], value);
        const place = [inSlice, r, q, o];
        return [store(sums, place, add(select(eq(group, i32(0)), f32(0), load(sums, ...place)), value))];
      };
      return sandwich({ matrix: blocks.output, read, write }, memory.result, lane, axes);
    };
    return [outline(axes.fresh("output"), inLanes(panel.size, axes, body))];
  });
}
function finishSums(step: Step, part: Expr, channel: Expr): readonly Stmt[] {
  const { s, memory, axes } = step;
  const { sums } = memory;
  if (!sums) return [];
  const rows = [s.channels / s.slices, s.taps, s.taps];
  const nest = (index: readonly Expr[]): readonly Stmt[] => {
    const extent = rows[index.length];
    if (extent !== undefined) return [axes.loop("serial", "i", extent, (i) => nest([...index, i]))];
    const [i, r, q] = index as [Expr, Expr, Expr];
    return inLanes(s.outputs, axes, (o) => finished(step, [part, o, add(channel, i), r, q], load(sums, i, r, q, o)));
  };
  return nest([]);
}
function finished({ c, axes }: Step, index: readonly Expr[], value: Expr): readonly Stmt[] {
  const end = c.finish(index, value, axes);
  return [...end.lets, store(c.output, index, end.value)];
}
