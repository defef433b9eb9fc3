/** Index and slice, as in NumPy, by constants. */
import type { Span } from "../../../ir/diagnostic.ts";
import type { Node } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";
import type { Expr, Index } from "../ast.ts";
import { bounded } from "./constants.ts";
import { evaluate } from "./expression.ts";
import { complain, type Frame } from "./frame.ts";
import { memberOf } from "./instance.ts";
import { tensorValue } from "./tensors.ts";
import { describe, isUnknown, showType, unknown, type Value } from "./values.ts";

type IndexExpr = Extract<Expr, { kind: "index" }>;

export function indexValue(frame: Frame, e: IndexExpr, value: Value): Value {
  if (value.kind === "unknown") return unknown;
  if (value.kind === "tensor") return indexTensor(frame, e, value.node);
  const only = e.items.length === 1 ? e.items[0]! : null;
  if (!only) return complain(frame, "type", `${describe(value)} takes one index`, e.span);
  if (value.kind === "list") return indexList(frame, e.span, only, value.items);
  if (value.kind === "instance" && only.kind !== "ellipsis" && only.kind !== "slice") {
    const key = evaluate(only, frame);
    if (key.kind === "string") return memberOf(frame, value.instance, key.value, only.span);
    return isUnknown(key) ? unknown : complain(frame, "type", `a parameter is indexed by its name, got ${describe(key)}`, only.span);
  }
  return complain(frame, "type", `${describe(value)} cannot be indexed`, e.span);
}

function indexList(frame: Frame, span: Span, item: Index, items: readonly Value[]): Value {
  if (item.kind === "ellipsis") return complain(frame, "type", "a list takes no `...`", item.span);
  if (item.kind === "slice") {
    const r = range(frame, item, items.length);
    return r
      ? bounded(
          frame,
          items.slice(r.start, Math.max(r.start, r.limit)).filter((_, i) => i % r.step === 0),
          span,
        )
      : unknown;
  }
  const i = integer(frame, item, "an index");
  if (i === null) return unknown;
  const found = items.at(i);
  return found ?? complain(frame, "constant", `there is no item ${i} in a list of ${items.length}`, span);
}

/** An int; null when it is unknown. */
function integer(frame: Frame, e: Expr, what: string): number | null {
  const value = evaluate(e, frame);
  if (value.kind === "int") return value.value;
  if (isUnknown(value)) return null;
  if (value.kind === "tensor") {
    const help = "rows by tensor: take(x, ids); elements by tensor: gather(x, axis, ids)";
    return complain(frame, "constant", `${what} must be a constant, got ${describe(value)}`, e.span, { help });
  }
  const help = value.kind === "none" ? "a new axis is made by unsqueeze(x, axis)" : null;
  return complain(frame, "type", `${what} must be an int, got ${describe(value)}`, e.span, { help });
}

interface Range {
  readonly start: number;
  readonly limit: number;
  readonly step: number;
}
/** A slice of an axis, clipped as in Python; null when a part is unknown. */
function range(frame: Frame, item: Extract<Index, { kind: "slice" }>, extent: number): Range | null {
  const part = (e: Expr | null, absent: number) => (e ? integer(frame, e, "a bound of a slice") : absent);
  const [from, to, step] = [part(item.from, 0), part(item.to, extent), part(item.step, 1)];
  if (from === null || to === null || step === null) return null;
  if (step < 1)
    complain(frame, "constant", `the step of a slice is positive, got ${step}`, item.span, {
      help: "flip(x, axis) and reversed(xs) turn around",
    });
  const clip = (i: number) => Math.max(0, Math.min(extent, i < 0 ? i + extent : i));
  return { start: clip(from), limit: clip(to), step };
}

function indexTensor(frame: Frame, e: IndexExpr, x: Node): Value {
  const { shape } = x.type;
  const indices = e.items.filter((i) => i.kind !== "ellipsis").length;
  const dots = e.items.length - indices;
  if (dots > 1) return complain(frame, "shape", "one `...` is enough", e.span);
  if (indices > shape.length) return complain(frame, "shape", `${indices} indices for a tensor ${showType(x.type)}`, e.span);
  const starts = shape.map(() => 0);
  const limits = [...shape];
  const steps = shape.map(() => 1);
  const dropped = new Set<number>();
  let axis = 0;
  for (const item of e.items) {
    if (item.kind === "ellipsis") {
      axis += shape.length - indices;
      continue;
    }
    const r = item.kind === "slice" ? range(frame, item, shape[axis]!) : single(frame, item, x, axis);
    if (!r) return unknown;
    if (r.limit <= r.start) complain(frame, "shape", `this slice of axis ${axis} of ${showType(x.type)} is empty`, item.span);
    [starts[axis], limits[axis], steps[axis]] = [r.start, r.limit, r.step];
    if (item.kind !== "slice") dropped.add(axis);
    axis++;
  }
  return tensorValue(frame, e.span, () => withoutAxes(sliceOf(x, starts, limits, steps), dropped));
}
function single(frame: Frame, item: Expr, x: Node, axis: number): Range | null {
  const i = integer(frame, item, "an index");
  if (i === null) return null;
  const extent = x.type.shape[axis]!;
  const start = i < 0 ? i + extent : i;
  if (start < 0 || start >= extent) complain(frame, "shape", `index ${i} is outside of axis ${axis} of ${showType(x.type)}`, item.span);
  return { start, limit: start + 1, step: 1 };
}

/** x[start:limit:step] on every axis; x itself where that is all of it. */
export function sliceOf(x: Node, starts: readonly number[], limits: readonly number[], steps: readonly number[]): Node {
  const { shape } = x.type;
  if (shape.every((d, a) => starts[a] === 0 && limits[a] === d && steps[a] === 1)) return x;
  return ops.slice({ x }, { starts, limits, steps });
}
/** One axis sliced. */
export function sliceAxis(x: Node, axis: number, start: number, limit: number): Node {
  const { shape } = x.type;
  const at = (value: number, other: readonly number[]) => other.map((v, a) => (a === axis ? value : v));
  return sliceOf(
    x,
    at(
      start,
      shape.map(() => 0),
    ),
    at(limit, shape),
    shape.map(() => 1),
  );
}
export function withoutAxes(x: Node, axes: ReadonlySet<number>): Node {
  return axes.size ? ops.reshape({ x }, { shape: x.type.shape.filter((_, a) => !axes.has(a)) }) : x;
}
