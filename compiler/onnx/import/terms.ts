/** Operands as terms of the language: numbers are written out, tables become variables. */
import { broadcastShapes, type DType, type Shape, sameShape } from "../../../ir/type.ts";
import { axesOf, isIdentity, permuteTerm, reshapeTerm } from "../../decompile/rearranging.ts";
import { binary, bool, call, float, type Index, int, ints, type Term, value } from "../../decompile/sketch.ts";
import type { OnnxElementType } from "../../formats/onnx/element-type.ts";
import { type Context, emit, isKnown } from "./context.ts";
import {
  convertedNumber,
  isUniform,
  type Known,
  known,
  type Live,
  languageType,
  misfit,
  narrowed,
  narrowRange,
  type Operand,
  permutedKnown,
  reshapedKnown,
  unsupported,
} from "./values.ts";

/** A number as a constant of the language, for a tensor of type `dtype`; null: it has no spelling. */
export function numberTerm(v: number, dtype: DType): Term | null {
  switch (dtype) {
    case "f32":
      return Number.isNaN(v) ? null : float(shortest(v));
    case "i32":
    case "u8":
      return int(narrowed(v, "a constant"));
    case "bool":
      return bool(v !== 0);
  }
}
/** The shortest decimal that is the same single. */
export function shortest(v: number): number {
  const single = Math.fround(v);
  if (!Number.isFinite(single)) return single;
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(single.toPrecision(digits));
    if (Math.fround(short) === single) return short;
  }
  return single;
}

/** A tensor: what is known becomes a variable, or a call that makes it. */
export function tensorTerm(c: Context, o: Operand): Term {
  return value(live(c, o).name);
}
export function live(c: Context, o: Operand): Live {
  if (!isKnown(o)) return o;
  if (o.data.length === 0) return unsupported("it computes with a tensor that has no elements");
  return c.folding ? c.recorder.variable(o) : (made(c, o) ?? c.recorder.variable(o));
}
/** Tables that have a short spelling: the same number everywhere, and numbers that count up. */
function made(c: Context, o: Known): Live | null {
  const fill = o.name === null && isUniform(o) ? numberTerm(o.data[0]!, o.dtype) : null;
  if (fill) return emit(c, call("full", [ints(o.shape), fill], o.dtype === "u8" ? { dtype: { kind: "word", text: "u8" } } : {}));
  const counting = o.shape.filter((d) => d > 1).length === 1 ? countingTerm(o) : null;
  if (!counting) return null;
  const range = emit(c, counting);
  return o.shape.length === 1 ? range : emit(c, call("reshape", [value(range.name), ints(o.shape)]));
}

/** `arange(n)`, or from another number or in larger steps where that is shorter than the numbers; null: they do not count. */
function countingTerm({ dtype, data }: Known): Term | null {
  const [start, second] = [data[0]!, data[1]!];
  const step = second - start;
  if (dtype !== "i32" || step < 1 || !Array.from(data).every((v, i) => v === start + i * step)) return null;
  if (start === 0 && step === 1) return call("arange", [int(data.length)]);
  if (data.length < fewestCounted) return null;
  return call("arange", [int(start), int(data[data.length - 1]! + 1), ...(step === 1 ? [] : [int(step)])]);
}
const fewestCounted = 4;

/** Operands that broadcast: single numbers are written out where they do not decide about the shape. */
export function operandTerms(c: Context, operands: readonly Operand[]): Term[] {
  const shape = operands.reduce<Shape | null>((s, o) => s && broadcastShapes(s, o.shape), []);
  if (!shape) return misfit(`its operands of shapes ${operands.map((o) => `[${o.shape.join(", ")}]`).join(" and ")} do not broadcast`);
  const plain = operands.map(
    (o) => !c.folding && isKnown(o) && o.data.length > 0 && (o.data.length === 1 || (o.name === null && isUniform(o))),
  );
  const others = operands.filter((_, i) => !plain[i]);
  const rest = others.reduce<Shape>((s, o) => broadcastShapes(s, o.shape)!, []);
  const literal = others.length > 0 && sameShape(rest, shape);
  return operands.map((o, i) =>
    literal && plain[i] ? (numberTerm((o as Known).data[0]!, o.dtype) ?? tensorTerm(c, o)) : tensorTerm(c, o),
  );
}

/* ---- rearranging ------------------------------------------------------------------------------------------------- */

/** Axis i of the result is axis axes[i] of x; permutations of permutations become one. */
export function permuted(c: Context, x: Operand, axes: readonly number[]): Operand {
  if (isIdentity(axes)) return x;
  if (isKnown(x)) return permutedKnown(x, axes);
  const inner = c.recorder.madeBy(x.name)?.term;
  if (inner?.kind === "call" && inner.args[0]?.kind === "value") {
    const before = axesOf(inner, axes.length);
    const source = c.recorder.live(inner.args[0].name);
    if (before && source)
      return permuted(
        c,
        source,
        axes.map((a) => before[a]!),
      );
  }
  return emit(c, permuteTerm(value(x.name), axes));
}
/** Functions that give the same elements in another shape. */
export const views: ReadonlySet<string> = new Set(["reshape", "flatten", "squeeze", "unsqueeze"]);

/** The same elements in another shape, in the word that fits: `flatten`, `squeeze`, `unsqueeze`, `reshape`. */
export function reshaped(c: Context, x: Operand, shape: Shape): Operand {
  if (sameShape(x.shape, shape)) return x;
  if (isKnown(x)) return reshapedKnown(x, shape);
  const inner = c.recorder.madeBy(x.name)?.term;
  const source =
    inner?.kind === "call" && views.has(inner.callee) && inner.args[0]?.kind === "value" ? c.recorder.live(inner.args[0].name) : null;
  return source ? reshaped(c, source, shape) : emit(c, reshapeTerm(value(x.name), x.shape, shape));
}
/** `x[:, 0:3]`: for each axis a range, or one place, which takes the axis away. */
export type Part = { readonly from: number; readonly to: number; readonly step: number } | number;
export function sliced(c: Context, x: Live, parts: readonly Part[]): Live {
  const items = parts.map((p, a): Index => {
    if (typeof p === "number") return int(p);
    const extent = x.shape[a]!;
    if (p.from === 0 && p.to === extent && p.step === 1) return { kind: "all" };
    return { kind: "slice", from: p.from === 0 ? null : int(p.from), to: p.to === extent ? null : int(p.to), step: p.step };
  });
  while (items.at(-1)?.kind === "all") items.pop();
  return items.length === 0 ? x : emit(c, { kind: "index", value: value(x.name), items });
}
export const wholeOf = (shape: Shape): Part[] => shape.map((to) => ({ from: 0, to, step: 1 }));

export function cast(c: Context, o: Operand, to: DType): Operand {
  if (o.dtype === to) return o;
  return emit(c, call("cast", [tensorTerm(c, o), { kind: "word", text: to }]));
}
/** As the file's type says: numbers that are known exactly, integers of fewer than 32 bits wrap. */
export function converted(c: Context, x: Operand, to: OnnxElementType): Operand {
  if (x.element === to) return x;
  if (isKnown(x)) {
    const data = Array.from(x.data, (v) => convertedNumber(v, x.element, to));
    return known(to, x.shape, languageType(to) === "f32" ? Float32Array.from(data) : data, x.name, x.trained);
  }
  const y = live(c, cast(c, x, languageType(to)));
  const [least, most] = narrowRange(x.element) ?? (x.dtype === "bool" ? [0, 1] : [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
  const range = narrowRange(to);
  return range && (least < range[0] || most > range[1]) ? wrapped(c, { ...y, element: to }) : { ...y, element: to };
}
/** An i32 with values of a narrower type, as far as that is not u8: what leaves its range wraps around. */
export function wrapped(c: Context, x: Live): Live {
  const range = x.dtype === "i32" ? narrowRange(x.element) : null;
  if (!range) return x;
  const [least, most] = range;
  const count = int(most - least + 1);
  const term =
    least === 0 ? binary("%", value(x.name), count) : binary("-", binary("%", binary("+", value(x.name), int(-least)), count), int(-least));
  return { ...emit(c, term), element: x.element };
}
/** Bytes are computed with as integers. */
export const widened = (c: Context, o: Operand): Operand => {
  if (o.dtype !== "u8") return o;
  return isKnown(o) ? known("int32", o.shape, o.data, o.name) : cast(c, o, "i32");
};
/** Operands as floats. */
export const asFloats = (c: Context, o: Operand): Operand =>
  o.dtype === "f32" ? o : isKnown(o) ? converted(c, o, "float") : cast(c, o, "f32");

/** `x` with the extents that broadcasting gives it. */
export function broadcast(c: Context, x: Operand, to: Shape): Operand {
  return sameShape(x.shape, to) ? x : emit(c, call("broadcast", [tensorTerm(c, x), ints(to)]));
}

/* ---- arithmetic -------------------------------------------------------------------------------------------------- */

export const number = (v: number): Term => float(shortest(v));
export const times = (a: Term, b: Term): Term => binary("*", a, b);
export const plus = (a: Term, b: Term): Term => binary("+", a, b);
export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Weights of the file that no other node reads, which a layer may own. */
export const ownedWeight = (c: Context, w: Operand): w is Known => isKnown(w) && !c.folding && w.dtype === "f32" && !c.shared(w);
