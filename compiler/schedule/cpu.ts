/** Loops for a CPU: register tiles where a contraction has the form, else vector loops along memory, else scalar ones. */
import { type Choose, preferred } from "../../ir/choice.ts";
import { at, buffer, i32, store } from "../../ir/kernel/build.ts";
import { type Axes, type Computation, type Evaluated, makeAxes } from "../../ir/kernel/computation.ts";
import type { Buffer, Expr, Kernel, Stmt } from "../../ir/kernel/kernel.ts";
import { haloOf } from "../../ir/layout.ts";
import { blockwise } from "./contraction/blockwise.ts";
import { contraction } from "./contraction/contraction.ts";
import { crosswise } from "./crosswise.ts";
import { orZero, placesOf } from "./elements.ts";
import { elementwise } from "./elementwise.ts";
import { type Folded, foldInLanes, foldSerially } from "./fold.ts";
import { segments } from "./segments.ts";
import { tiledFold } from "./tiled-fold.ts";
import { canVectorize } from "./vectorize.ts";

export function scheduleCpu(c: Computation, choose: Choose = preferred): Kernel {
  const axes = makeAxes();
  const scratch: Buffer[] = [];
  const tiled = blockwise(c, axes, scratch, choose) ?? (c.fold && (contraction(c, axes, scratch, choose) ?? segments(c, axes)));
  const body = tiled ?? elements(c, axes, scratch);
  return { name: c.name, buffers: [...c.inputs, c.output, ...scratch], body: [...zeroHalo(c.output, axes), ...body] };
}

/* ---- one element ----------------------------------------------------------------------------------------------- */

type Element = (index: readonly Expr[]) => readonly Stmt[];

/** Computes and stores the element at an index, which may lie beside the shape in a blocked axis. */
function serialElement(c: Computation, axes: Axes): Element {
  return (index) => storeElement(c, index, axes, (i) => finished(c, i, axes, c.fold && foldSerially(c.fold, i, axes)));
}
function storeElement(c: Computation, index: readonly Expr[], axes: Axes, value: (index: readonly Expr[]) => Evaluated): readonly Stmt[] {
  const v = orZero(c.output, index, axes, value);
  return [...v.lets, store(c.output, index, v.value)];
}
function finished(c: Computation, index: readonly Expr[], axes: Axes, folded: Folded | null): Evaluated {
  const end = c.finish(index, folded?.value ?? null, axes);
  return { lets: [...(folded?.body ?? []), ...end.lets], value: end.value };
}

/* ---- all elements ---------------------------------------------------------------------------------------------- */

function elements(c: Computation, axes: Axes, scratch: Buffer[]): readonly Stmt[] {
  const each = (index: readonly Expr[], a: Axes) => serialElement(c, a)(index);
  if (!c.fold) return elementwise(c, each, axes) ?? alongInnermost(c, axes) ?? crosswise(c, each, axes) ?? scalar(c, axes);
  return tiledFold(c, axes) ?? alongInnermost(c, axes) ?? alongFold(c, axes, scratch) ?? scalar(c, axes);
}

/** `extent` positions: a vector loop over whole fours and a scalar one over the rest; null when that is not possible. */
function inFours(extent: number, axes: Axes, kind: "grid" | "serial", body: (position: Expr) => readonly Stmt[]): readonly Stmt[] | null {
  const fours = Math.floor(extent / 4);
  if (fours === 0) return null;
  let legal = true;
  const main = axes.loop(kind, "i", fours, (v) => [
    axes.loop("vector", "j", 4, (lane) => {
      const inner = body(at(v, 4, lane));
      legal = lane.kind === "var" && canVectorize(inner, lane.name, axes.ranges);
      return inner;
    }),
  ]);
  if (!legal) return null;
  const rest = extent - fours * 4;
  return rest === 0 ? [main] : [main, axes.loop(kind, "i", rest, (i) => body(at(i, 1, fours * 4)))];
}

/** Physical dimensions outside in, the innermost by `body`. A halo is left out: `zeroHalo` writes it. */
function overDims(
  c: Computation,
  axes: Axes,
  body: (extent: number, indexAt: (position: Expr) => readonly Expr[]) => readonly Stmt[] | null,
): readonly Stmt[] | null {
  const { extents, indexAt } = placesOf(c.output);
  let failed = false;
  const nest = (i: number, physical: readonly Expr[]): readonly Stmt[] => {
    if (i >= extents.length - 1) {
      const inner = body(extents.at(-1) ?? 1, (position) => indexAt([...physical, position]));
      failed ||= inner === null;
      return inner ?? [];
    }
    if (extents[i] === 1) return nest(i + 1, [...physical, i32(0)]);
    return [axes.loop("grid", "i", extents[i]!, (e) => nest(i + 1, [...physical, e]))];
  };
  const out = nest(0, []);
  return failed ? null : out;
}

/** Vectors along the innermost dimension of the result; each lane folds its own element. */
function alongInnermost(c: Computation, axes: Axes): readonly Stmt[] | null {
  if (c.output.layout.dims.length === 0) return null;
  const element = serialElement(c, axes);
  return overDims(c, axes, (extent, indexAt) => inFours(extent, axes, "grid", (position) => element(indexAt(position))));
}

/** Vectors along the innermost fold axis. */
function alongFold(c: Computation, axes: Axes, scratch: Buffer[]): readonly Stmt[] | null {
  const { fold } = c;
  if (!fold || c.output.layout.pad.some(([b, a]) => b + a > 0)) return null;
  const own: Buffer[] = [];
  const partial = (i: number, type: Buffer["type"]): Buffer => {
    own[i] ??= buffer(i === 0 ? "parts" : `parts_${i}`, "scratch", [4], null, type);
    return own[i];
  };
  let legal = true;
  const element: Element = (index) =>
    storeElement(c, index, axes, (i) => {
      const folded = foldInLanes(fold, i, axes, partial);
      const lanes = folded?.body[0];
      legal &&= lanes?.kind === "for" && canVectorize(lanes.body, lanes.axis, axes.ranges);
      return finished(c, i, axes, folded ?? foldSerially(fold, i, axes));
    });
  const loops = overDims(c, axes, (extent, indexAt) => [axes.loop("grid", "i", extent, (i) => element(indexAt(i)))]);
  if (!legal) return null;
  scratch.push(...own);
  return loops;
}

function scalar(c: Computation, axes: Axes): readonly Stmt[] {
  const element = serialElement(c, axes);
  if (c.output.layout.dims.length === 0) return [axes.loop("grid", "i", 1, () => element([]))];
  return overDims(c, axes, (extent, indexAt) => [axes.loop("grid", "i", extent, (i) => element(indexAt(i)))])!;
}

/* ---- halo ------------------------------------------------------------------------------------------------------ */

/** Stores 0 in the halo, axis by axis; corners may be written twice. The arena is reused, so this happens in every run. */
function zeroHalo(b: Buffer, axes: Axes): readonly Stmt[] {
  return b.shape.flatMap((extent, axis) => {
    const [before, after] = haloOf(b.layout, axis);
    return [slab(b, axis, -before, before, axes), slab(b, axis, extent, after, axes)].flat();
  });
}
/** `count` places of `axis` from `start`, over the whole of the other axes with their halos. */
function slab(b: Buffer, axis: number, start: number, count: number, axes: Axes): readonly Stmt[] {
  if (count === 0) return [];
  const zero: Expr = { kind: "const", type: b.type === "u8" ? "i32" : b.type, value: 0 };
  const order = b.layout.dims.map((d) => d.axis);
  const nest = (i: number, index: readonly Expr[]): readonly Stmt[] => {
    const here = order[i];
    if (here === undefined) return [store(b, index, zero)];
    const [before, after] = haloOf(b.layout, here);
    const [from, extent] = here === axis ? [start, count] : [-before, b.shape[here]! + before + after];
    const body = (e: Expr) => nest(i + 1, index.with(here, at(e, 1, from)));
    const fours = i === order.length - 1 ? inFours(extent, axes, "serial", body) : null;
    return fours ?? [axes.loop(i === 0 ? "grid" : "serial", "h", extent, body)];
  };
  const loops = nest(
    0,
    b.shape.map(() => i32(0)),
  );
  return loops.every((s) => s.kind === "for" && s.loop === "grid") ? loops : [axes.loop("grid", "h", 1, () => loops)];
}
