/** Operators that reduce axes, or work along one. */
import { sizeOf } from "../../../../ir/type.ts";
import { binary, bool, call, int, ints, type Term, unary, value } from "../../../decompile/sketch.ts";
import {
  axesIn,
  axisIn,
  type Context,
  emit,
  emitAll,
  intsEither,
  intsOperand,
  isKnown,
  knownOperand,
  operand,
  type Rule,
} from "../context.ts";
import { cast, live, reshaped, tensorTerm, widened } from "../terms.ts";
import { known, type Live, unsupported } from "../values.ts";

interface Axes {
  readonly axes: readonly number[];
  readonly keepdims: boolean;
}
/** `callee(x, axes, keepdims=...)`; all axes are not named. */
export function reduced(callee: string, x: Term, rank: number, { axes, keepdims }: Axes): Term {
  const which: Term[] = axes.length === rank ? [] : axes.length === 1 ? [int(axes[0]!)] : [ints(axes)];
  return call(callee, [x, ...which], keepdims ? { keepdims: bool(true) } : {});
}

type Reduction = (c: Context, x: Live, over: Axes) => Term;
const plainly =
  (callee: string): Reduction =>
  (_, x, over) =>
    reduced(callee, value(x.name), x.shape.length, over);
const squared = (x: Live): Term => binary("*", value(x.name), value(x.name));
const ofTerm =
  (callee: string, f: (x: Live) => Term): Reduction =>
  (_, x, over) =>
    reduced(callee, f(x), x.shape.length, over);
/** Without overflow: relative to the maximum. */
const logSumExp: Reduction = (c, x, over) => {
  const rank = x.shape.length;
  const top = emit(c, reduced("max", value(x.name), rank, { ...over, keepdims: true }));
  const sum = reduced("sum", call("exp", [binary("-", value(x.name), value(top.name))]), rank, over);
  const shape = x.shape.filter((_, a) => !over.axes.includes(a));
  const height = over.keepdims ? top : reshaped(c, top, shape);
  return binary("+", tensorTerm(c, height), call("log", [sum]));
};

/** Axes became an operand in version `since`. */
const reduction =
  (f: Reduction, since: number): Rule =>
  (c) => {
    const given = operand(c, 0);
    const x = live(c, given.dtype === "u8" ? widened(c, given) : given);
    const rank = x.shape.length;
    const axes = intsEither(c, "axes", 1, since);
    const keepdims = c.attributes.int("keepdims", 1) === 1;
    const nothing = c.attributes.int("noop_with_empty_axes", 0) === 1;
    if (!axes?.length && nothing) return given;
    const all = axes?.length ? axesIn(axes, rank).sort((a, b) => a - b) : x.shape.map((_, a) => a);
    const y = emit(c, rank === 0 ? f(c, x, { axes: [], keepdims: false }) : f(c, x, { axes: all, keepdims }));
    return cast(c, y, given.dtype);
  };

/** The product of no elements is 1: the size of a scalar. */
const reduceProd: Rule = (c) => {
  const x = operand(c, 0);
  if (isKnown(x) && x.data.length === 0 && x.shape.length <= 1) return known(x.dtype, [], [1]);
  return reduction(plainly("prod"), 18)(c);
};

const position =
  (callee: "argmax" | "argmin"): Rule =>
  (c) => {
    const x = widened(c, operand(c, 0));
    const axis = axisIn(c.attributes.int("axis", 0), x.shape.length);
    const keepdims = c.attributes.int("keepdims", 1) === 1;
    const last = c.attributes.int("select_last_index", 0) === 1;
    const of = last ? call("flip", [tensorTerm(c, x), int(axis)]) : tensorTerm(c, x);
    const at = call(callee, [of], {
      axis: axis === x.shape.length - 1 ? undefined : int(axis),
      keepdims: keepdims ? bool(true) : undefined,
    });
    return emit(c, last ? binary("-", int(x.shape[axis]! - 1), at) : at);
  };

/** Before version 13 the axes from `axis` on counted as one. */
const alongAxis =
  (f: (x: Term, axis: number | null, width: number) => Term): Rule =>
  (c) => {
    const x = live(c, operand(c, 0));
    const rank = x.shape.length;
    const axis = axisIn(c.attributes.int("axis", c.opset < 13 ? 1 : -1), rank);
    const last = axis === rank - 1;
    if (last || c.opset >= 13) return emit(c, f(value(x.name), last ? null : axis, x.shape[axis]!));
    const rows = sizeOf(x.shape.slice(0, axis));
    const flat = live(c, reshaped(c, x, [rows, sizeOf(x.shape) / rows]));
    return reshaped(c, emit(c, f(value(flat.name), null, flat.shape[1]!)), x.shape);
  };
const softmax = (callee: string): Rule => alongAxis((x, axis) => call(callee, [x], { axis: axis === null ? undefined : int(axis) }));

/** 1 at the first of the largest elements. */
const hardmax: Rule = (c) => {
  const x = operand(c, 0);
  const rank = x.shape.length;
  const axis = axisIn(c.attributes.int("axis", c.opset < 13 ? 1 : -1), rank);
  if (axis === rank - 1) return emit(c, call("one_hot", [call("argmax", [tensorTerm(c, x)]), int(x.shape[axis]!)]));
  if (c.opset < 13) {
    const rows = sizeOf(x.shape.slice(0, axis));
    const flat = reshaped(c, x, [rows, sizeOf(x.shape) / rows]);
    return reshaped(c, emit(c, call("one_hot", [call("argmax", [tensorTerm(c, flat)]), int(flat.shape[1]!)])), x.shape);
  }
  const hot = emit(c, call("one_hot", [call("argmax", [tensorTerm(c, x)], { axis: int(axis) }), int(x.shape[axis]!)]));
  const order = x.shape.map((_, a) => (a < axis ? a : a === axis ? rank - 1 : a - 1));
  return emit(c, call("permute", [value(hot.name), ints(order)]));
};

const cumulative =
  (callee: "cumsum" | "cumprod"): Rule =>
  (c) => {
    const x = operand(c, 0);
    const [axis] = intsOperand(c, 1, "its axis") ?? [];
    const at = axisIn(axis ?? unsupported("it has no axis"), x.shape.length);
    return emit(
      c,
      call(callee, [tensorTerm(c, x)], {
        axis: at === x.shape.length - 1 ? undefined : int(at),
        exclusive: c.attributes.int("exclusive", 0) ? bool(true) : undefined,
        reverse: c.attributes.int("reverse", 0) ? bool(true) : undefined,
      }),
    );
  };

const topK: Rule = (c) => {
  const x = live(c, widened(c, operand(c, 0)));
  const axis = axisIn(c.attributes.int("axis", -1), x.shape.length);
  const largest = c.attributes.int("largest", 1) === 1;
  c.attributes.int("sorted", 1);
  const k = c.opset < 10 ? c.attributes.int("k", 0) : (knownOperand(c, 1, "how many are wanted")?.data[0] ?? 0);
  if (k < 1) return unsupported("k is 0");
  const named = { axis: axis === x.shape.length - 1 ? undefined : int(axis) };
  const of = largest ? value(x.name) : unary("-", value(x.name));
  const [values, places] = emitAll(c, call("top_k", [of, int(k)], named), 2);
  return [largest ? values! : emit(c, unary("-", value(values!.name))), places!];
};

export const reduceRules: Readonly<Record<string, Rule>> = {
  ReduceSum: reduction(plainly("sum"), 13),
  ReduceMean: reduction(plainly("mean"), 18),
  ReduceMax: reduction(plainly("max"), 18),
  ReduceMin: reduction(plainly("min"), 18),
  ReduceProd: reduceProd,
  ReduceL1: reduction(
    ofTerm("sum", (x) => call("abs", [value(x.name)])),
    18,
  ),
  ReduceL2: reduction(plainly("norm"), 18),
  ReduceSumSquare: reduction(ofTerm("sum", squared), 18),
  ReduceLogSum: reduction((_, x, over) => call("log", [reduced("sum", value(x.name), x.shape.length, over)]), 18),
  ReduceLogSumExp: reduction(logSumExp, 18),
  ArgMax: position("argmax"),
  ArgMin: position("argmin"),
  Softmax: softmax("softmax"),
  LogSoftmax: softmax("log_softmax"),
  Hardmax: hardmax,
  CumSum: cumulative("cumsum"),
  CumProd: cumulative("cumprod"),
  TopK: topK,
};
