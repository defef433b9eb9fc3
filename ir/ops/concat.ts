/** Tensors one after the other along an axis. */
import * as k from "../kernel/build.ts";
import type { Expr } from "../kernel/kernel.ts";
import { int, op, type Read, shapeError } from "../op.ts";
import { printType, type TensorType, tensor } from "../type.ts";
import { expectAxis, expectSameDType } from "./expect.ts";
import { slice } from "./slice.ts";

/** Tensors one after the other along `axis`: [.., a, ..] and [.., b, ..] to [.., a + b, ..]; their other extents agree. */
export const concat = op({
  name: "concat",
  inputs: ["...xs"],
  attrs: { axis: int() },
  kind: "view",
  access: "piecewise",
  sameAxes: true,
}).rules({
  infer: ({ xs }, { axis }) => {
    const first = xs[0] ?? shapeError("concat expects at least one tensor");
    expectAxis("concat", first, axis);
    for (const x of xs) expectAlike(first, x, axis);
    const extent = xs.reduce((sum, x) => sum + x.shape[axis]!, 0);
    return tensor(
      first.dtype,
      first.shape.map((d, a) => (a === axis ? extent : d)),
    );
  },
  grad: ({ xs }, { axis }, _y, dy) => ({
    xs: xs.map((x, n) => {
      const starts = x.type.shape.map((_, a) => (a === axis ? startsOf(xs, axis)[n]! : 0));
      return slice({ x: dy }, { starts, limits: x.type.shape.map((d, a) => starts[a]! + d), steps: starts.map(() => 1) });
    }),
  }),
  lower: ({ xs }, { axis }) => {
    const starts = startsOf(xs, axis);
    return (...i) =>
      xs
        .map((x, n): Expr => readPart(x, axis, starts[n]!, n > 0, n < xs.length - 1, i))
        .reduceRight((rest, element, n) => k.select(k.lt(i[axis]!, k.i32(starts[n + 1]!)), element, rest));
  },
});

function expectAlike(first: TensorType, x: TensorType, axis: number): void {
  expectSameDType("concat", "one", first, "another", x);
  if (x.shape.length === first.shape.length && x.shape.every((d, a) => a === axis || d === first.shape[a])) return;
  shapeError(`concat along axis ${axis}: ${printType(first)} and ${printType(x)} differ in another dimension`);
}
/** Position of each operand along the axis. */
function startsOf(xs: readonly { readonly type: TensorType }[], axis: number): number[] {
  let at = 0;
  return xs.map((x) => {
    const start = at;
    at += x.type.shape[axis]!;
    return start;
  });
}
/** The operand at the result's index; where that lies in another operand, at its nearest element. */
function readPart(x: Read, axis: number, start: number, low: boolean, high: boolean, index: readonly Expr[]): Expr {
  const last = k.i32(x.type.shape[axis]! - 1);
  let at = k.add(index[axis]!, k.i32(-start));
  if (low) at = k.max(at, k.i32(0));
  if (high) at = k.min(at, last);
  return x(...index.map((e, a) => (a === axis ? at : e)));
}
