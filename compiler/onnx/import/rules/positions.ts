/** Positions that are computed with: what they are within one plane, where planes of a known size follow one another. */
import { sizeOf } from "../../../../ir/type.ts";
import { binary, int, type Term } from "../../../decompile/sketch.ts";
import type { Context } from "../context.ts";

/** `at % plane`, where needed: what adds whole planes and what takes them away is left out. */
export function withinPlane(c: Context, at: Term, plane: number): Term {
  const inner = withoutPlanes(c, at, plane);
  return inner.kind === "value" && isPooled(c, inner.name, plane) ? inner : binary("%", inner, int(plane));
}
function withoutPlanes(c: Context, t: Term, plane: number): Term {
  const made = madeBy(c, t);
  if (made?.kind !== "binary") return t;
  if (made.op === "%" && isMultiple(c, made.right, plane)) return withoutPlanes(c, made.left, plane);
  if (made.op !== "+") return t;
  if (isMultiple(c, made.right, plane)) return withoutPlanes(c, made.left, plane);
  return isMultiple(c, made.left, plane) ? withoutPlanes(c, made.right, plane) : t;
}
/** The expression that a value is bound to alone. */
function madeBy(c: Context, t: Term): Term | null {
  if (t.kind !== "value") return t;
  const step = c.recorder.madeBy(t.name);
  return step?.results.length === 1 ? step.term : null;
}
/** It says so itself: whatever it is multiplied with, all of it is a multiple. */
function isMultiple(c: Context, t: Term, plane: number): boolean {
  const made = madeBy(c, t);
  if (made?.kind === "int") return made.value % plane === 0;
  if (made?.kind === "binary" && made.op === "*") return isMultiple(c, made.left, plane) || isMultiple(c, made.right, plane);
  if (made?.kind !== "call") return false;
  const [first, , step] = made.args;
  if (made.callee === "reshape") return isMultiple(c, first!, plane);
  return made.callee === "arange" && step !== undefined && isMultiple(c, first!, plane) && isMultiple(c, step, plane);
}
/** Pooling gives positions in images of this size. */
function isPooled(c: Context, name: string, plane: number): boolean {
  const step = c.recorder.madeBy(name);
  if (step?.term.kind !== "call" || step.term.callee !== "max_pool" || step.results[1] !== name) return false;
  const [image] = step.term.args;
  return image?.kind === "value" && sizeOf(c.recorder.live(image.name)!.shape.slice(2)) === plane;
}
