/**
 * Convolution by transformed blocks (see `ir/ops/winograd.ts`) as one kernel. Tiles of the result go through three steps that meet
 * in scratch memory of one thread:
 *
 *     grid groups of tiles, slices of columns {
 *       v[point, tile, c] = input X input'                                   for each tile, four channels at a time
 *       points, panels of 8 columns {
 *         m[point, tile, o] = sum over c of v[point, tile, c] * u[o, c, point]        register tiles
 *       }
 *       y = finish(output m output')                                         for each tile, four columns at a time
 *     }
 *
 * The kernels u pass by once for each group, in the order in which they lie in memory.
 */

import type { Choose } from "../../../ir/choice.ts";
import { invariant } from "../../../ir/diagnostic.ts";
import { add, at, buffer, div, i32, load, lt, min, mod, mul, outline, store, when } from "../../../ir/kernel/build.ts";
import type { Axes, Blockwise, Computation, Evaluated } from "../../../ir/kernel/computation.ts";
import type { Buffer, Expr, Stmt } from "../../../ir/kernel/kernel.ts";
import { panelColumns, tileRows, tileVectors } from "../../../ir/register-tile.ts";
import { canVectorize } from "../vectorize.ts";
import { type Panel, panelsOf } from "./panel.ts";
import { registerTile, splitRows } from "./tile.ts";
import { blockBuffer, inLanes, sandwich } from "./transform.ts";

type Convolution = Extract<Blockwise, { kind: "convolution" }>;

/** Transformed tiles of a group and their sums should stay in the second-level cache beside the kernels that pass by. */
const groupBytes = 2 ** 19;
/** So many parts keep threads evenly busy; a part that shares its tiles with others transforms them again, so it is at least so wide. */
const wantedParts = 8;
const narrowestSlice = 128;

interface Shape {
  /** Results of a tile along an axis, and points. */
  readonly tile: number;
  readonly points: number;
  /** Of each of so many convolutions that stand side by side. */
  readonly channels: number;
  readonly convolutions: number;
  readonly outputs: number;
  /** Extents of the result. */
  readonly height: number;
  readonly width: number;
  /** Tiles of an image, and of all. */
  readonly down: number;
  readonly across: number;
  readonly tiles: number;
}
function shapeOf(c: Computation, { input, output, channels, groups }: Convolution): Shape {
  const [batch, outputs, height, width] = c.output.shape as [number, number, number, number];
  const tile = output.length;
  const [down, across] = [Math.ceil(height / tile), Math.ceil(width / tile)];
  const tiles = batch * down * across;
  return { tile, points: input.length, channels, convolutions: groups, outputs, height, width, down, across, tiles };
}
interface Parts {
  /** Tiles of a group; the last group may have fewer. */
  readonly size: number;
  readonly groups: number;
  /** Each does a part of the columns of a group, all of one convolution. */
  readonly slices: number;
}
function partsOf(s: Shape, { name, about }: Computation, choose: Choose): Parts {
  const sizeFor = (bytes: number) => {
    const most = Math.max(tileRows, Math.floor(bytes / (4 * s.points ** 2 * (s.channels + s.outputs / s.convolutions))));
    return groupSize(s.tiles, most);
  };
  const [first, ...others] = [...new Set([groupBytes, groupBytes / 2, groupBytes * 2].map(sizeFor))].map(String) as [string, ...string[]];
  const size =
    others.length === 0
      ? Number(first)
      : Number(choose({ kind: "tiles of a group", about, options: [first, ...others], of: { kernel: name } }));
  const groups = Math.ceil(s.tiles / size);
  let slices = s.convolutions;
  const isWhole = (width: number) => width % panelColumns === 0 && width >= narrowestSlice;
  while (slices * groups < wantedParts && isWhole(s.outputs / (2 * slices))) slices *= 2;
  return { size, groups, slices };
}
/** What a register tile of 1 to 4 rows costs: short ones wait for their own sums. */
const rowCost = [0, 3, 3, 3.2, 4] as const;
/** Tiles of a group, at most `most` and not much fewer, such that equal groups cover all tiles with the least work. */
function groupSize(tiles: number, most: number): number {
  const cost = (size: number) =>
    Math.ceil(tiles / size) * splitRows(size, tileRows).reduce((sum, run) => sum + run.count * rowCost[run.size as 1 | 2 | 3 | 4], 0);
  let best = Math.min(tiles, most);
  for (let size = best; size > 0 && size >= most / 2; size--) if (cost(size) < cost(best)) best = size;
  return best;
}

/** The loops, or null where columns of the kernels do not lie side by side. */
export function winograd(c: Computation, blocks: Convolution, axes: Axes, scratch: Buffer[], choose: Choose): readonly Stmt[] | null {
  const s = shapeOf(c, blocks);
  const parts = partsOf(s, c, choose);
  const memory = memoryOf(blocks, s, parts, axes);
  const step: Step = { c, blocks, s, parts, memory, axes };
  if (!readsPanels(step)) return null;
  scratch.push(memory.v, memory.m, memory.before, memory.after);
  return [axes.loop("grid", "part", parts.groups * parts.slices, (part) => onePart(step, part))];
}
interface Memory {
  /** Transformed tiles [point, tile, channel], and sums [point, tile, column of a slice]. */
  readonly v: Buffer;
  readonly m: Buffer;
  /** Blocks on their way through the transforms. */
  readonly before: Buffer;
  readonly after: Buffer;
}
function memoryOf({ input, output }: Convolution, { points, channels, outputs }: Shape, { size, slices }: Parts, axes: Axes): Memory {
  const planes = (name: string, columns: number) => {
    const [rows, row] = unaligned(size, columns);
    const layout = {
      dims: [0, 1, 2].map((axis) => ({ axis, div: 1, mod: 0 })),
      pad: [
        [0, 0],
        [0, rows - size],
        [0, row - columns],
      ] as const,
    };
    return buffer(axes.fresh(name), "scratch", [points ** 2, size, columns], layout);
  };
  return {
    v: planes("v", channels),
    m: planes("m", outputs / slices),
    before: blockBuffer(axes.fresh("before"), input),
    after: blockBuffer(axes.fresh("after"), output),
  };
}
/** Rows, and planes of rows, a multiple of 4096 bytes apart would share places in the cache. */
function unaligned(rows: number, columns: number): readonly [rows: number, columns: number] {
  const row = columns % 1024 === 0 ? columns + 16 : columns;
  return [(rows * row) % 1024 === 0 ? rows + 1 : rows, row];
}

interface Step {
  readonly c: Computation;
  readonly blocks: Convolution;
  readonly s: Shape;
  readonly parts: Parts;
  readonly memory: Memory;
  readonly axes: Axes;
}
function readsPanels({ c, blocks, s, axes }: Step): boolean {
  if (s.outputs < panelColumns || (s.convolutions > 1 && (s.outputs / s.convolutions) % panelColumns > 0)) return false;
  const name = axes.fresh("lane");
  axes.declare({ name, extent: 4 });
  const zero = i32(0);
  const { lets, value } = blocks.reads[1]!([{ kind: "var", type: "i32", lanes: 1, name }, zero, zero, zero], axes);
  const target = buffer("target", "scratch", [4]);
  const isWide =
    lets.length === 0 && canVectorize([store(target, [{ kind: "var", type: "i32", lanes: 1, name }], value)], name, axes.ranges);
  // Other loops would transform every block again for each result: thousands of times the work.
  const isLaidOut = c.output.layout.dims.at(-1)?.axis === 1;
  invariant(isWide || !isLaidOut, `${c.name}: its kernels are not read by columns`);
  return isWide;
}

function onePart(step: Step, part: Expr): readonly Stmt[] {
  const { s, parts } = step;
  const group = div(part, i32(parts.slices));
  const slice = mod(part, i32(parts.slices));
  const width = s.outputs / parts.slices;
  return [
    transformTiles(step, group, slice),
    products(step, mul(slice, i32(width)), width),
    transformResults(step, group, mul(slice, i32(width)), width),
  ];
}

/** Where a tile of a group lies; behind the last tile, that one again. */
interface Place {
  readonly number: Expr;
  readonly image: Expr;
  readonly top: Expr;
  readonly left: Expr;
}
function placeOf({ s, parts }: Step, group: Expr, t: Expr): Place {
  const number = at(group, parts.size, t);
  const tile = parts.groups * parts.size > s.tiles ? min(number, i32(s.tiles - 1)) : number;
  const inImage = mod(tile, i32(s.down * s.across));
  return {
    number,
    image: div(tile, i32(s.down * s.across)),
    top: at(div(inImage, i32(s.across)), s.tile),
    left: at(mod(inImage, i32(s.across)), s.tile),
  };
}

function transformTiles(step: Step, group: Expr, slice: Expr): Stmt {
  const { blocks, s, parts, memory, axes } = step;
  const first = mul(div(slice, i32(parts.slices / s.convolutions)), i32(s.channels));
  return axes.loop("serial", "t", parts.size, (t) => {
    const { image, top, left } = placeOf(step, group, t);
    const channel = (c: Expr, lane: Expr) => {
      const read = (p: Expr, q: Expr) => blocks.reads[0]!([image, add(first, c), add(top, p), add(left, q)], axes);
      const write = (p: Expr, q: Expr, value: Expr) => [store(memory.v, [at(p, s.points, q), t, c], value)];
      return sandwich({ matrix: blocks.input, read, write }, memory.before, lane, axes);
    };
    return [outline(axes.fresh("input"), inLanes(s.channels, axes, channel))];
  });
}

/** Sums at all points, of `columns` columns from `first` on. */
function products(step: Step, first: Expr, columns: number): Stmt {
  const { parts, axes, s } = step;
  return axes.loop("serial", "point", s.points ** 2, (point) =>
    panelsOf(columns, tileVectors, false).map((panel) =>
      axes.loop("serial", "n", panel.count, (n) =>
        splitRows(parts.size, tileRows).map((run) =>
          outline(axes.fresh("rows"), [
            axes.loop("serial", "i", run.count, (i) => [
              productTile(step, point, at(i, run.size, run.start), run.size, first, { ...panel, from: at(n, panel.size, panel.start) }),
            ]),
          ]),
        ),
      ),
    ),
  );
}
type Columns = Pick<Panel, "vectors" | "lanes"> & { readonly from: Expr };
function productTile(
  { blocks, s, memory, axes }: Step,
  point: Expr,
  row0: Expr,
  rows: number,
  first: Expr,
  { from, vectors, lanes }: Columns,
): Stmt {
  const k = { name: axes.fresh("k"), extent: s.channels };
  axes.declare(k);
  const channel: Expr = { kind: "var", type: "i32", lanes: 1, name: k.name };
  const [p, q] = [div(point, i32(s.points)), mod(point, i32(s.points))];
  const column = (j: Expr) => add(from, j);
  const body = {
    reduce: [k],
    a: (i: Expr) => load(memory.v, point, add(row0, i), channel),
    b: (j: Expr) => blocks.reads[1]!([add(first, column(j)), channel, p, q], axes).value,
    finish: (i: Expr, j: Expr, sum: Expr) => [store(memory.m, [point, add(row0, i), column(j)], sum)],
  };
  return registerTile({ rows, vectors, lanes }, body, axes);
}
function transformResults(step: Step, group: Expr, first: Expr, columns: number): Stmt {
  const { c, blocks, s, parts, memory, axes } = step;
  return axes.loop("serial", "t", parts.size, (t) => {
    const { number, image, top, left } = placeOf(step, group, t);
    const column = (j: Expr, lane: Expr) => {
      const read = (p: Expr, q: Expr): Evaluated => ({ lets: [], value: load(memory.m, at(p, s.points, q), t, j) });
      const write = (p: Expr, q: Expr, value: Expr): readonly Stmt[] => {
        if (s.across === 1 && q.kind === "const" && q.value >= s.width) return [];
        const [i, k] = [add(top, p), add(left, q)];
        const index = [image, add(first, j), i, k];
        const end = c.finish(index, value, axes);
        return within(s, i, k, [...end.lets, store(c.output, index, end.value)]);
      };
      return sandwich({ matrix: blocks.output, read, write }, memory.after, lane, axes);
    };
    const body = [outline(axes.fresh("output"), inLanes(columns, axes, column))];
    return parts.groups * parts.size > s.tiles ? [when(lt(number, i32(s.tiles)), body)] : body;
  });
}
/** Tiles may reach beyond the lower and the right edge. */
function within(s: Shape, i: Expr, j: Expr, body: readonly Stmt[]): readonly Stmt[] {
  const down = s.height % s.tile > 0;
  const right = s.width % s.tile > 0;
  const inRow = right ? [when(lt(j, i32(s.width)), body)] : body;
  return down ? [when(lt(i, i32(s.height)), inRow)] : inRow;
}
