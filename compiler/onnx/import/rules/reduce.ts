/** Operators that reduce axes, or work along one. */
import { sizeOf } from "../../../../ir/type.ts";
import { binary, bool, call, float, int, ints, type Term, unary, value } from "../../../decompile/sketch.ts";
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
  type Operator,
  type Operators,
  operand,
  operator,
  type Rule,
} from "../context.ts";
import { asFloats, cast, live, reshaped, tensorTerm, widened } from "../terms.ts";
import { everyElement, known, type Live, type Operand, Unsupported, unsupported } from "../values.ts";

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
  // where all is infinite, differences say nothing
  const level = emit(
    c,
    call("where", [binary("<", call("abs", [value(top.name)]), float(Number.POSITIVE_INFINITY)), value(top.name), float(0)]),
  );
  const sum = reduced("sum", call("exp", [binary("-", value(x.name), value(level.name))]), rank, over);
  const shape = x.shape.filter((_, a) => !over.axes.includes(a));
  const height = over.keepdims ? level : reshaped(c, level, shape);
  return binary("+", tensorTerm(c, height), call("log", [sum]));
};

/** Maxima begin at the least i32, minima at the largest. */
function withinWord(x: Operand): Operand {
  if (isKnown(x) && x.dtype === "i32" && !everyElement(x, (v) => v >= -(2 ** 31) && v < 2 ** 31))
    throw new Unsupported("it compares integers that i32 cannot hold", "data");
  return x;
}

interface ReductionFacts {
  readonly reduce: Reduction;
  /** The version since which axes are an operand. */
  readonly since: number;
  /** What it makes of one element, which is all there is to do where no axis is reduced; null: nothing. */
  readonly alone?: (x: Term) => Term;
  /** What it makes of no elements. */
  readonly none?: number;
  readonly compares?: true;
  /** It has no integers on its way. */
  readonly floats?: true;
}
const reduction =
  ({ reduce, since, alone, none, compares, floats }: ReductionFacts): Rule =>
  (c) => {
    const given = operand(c, 0);
    const axes = intsEither(c, "axes", 1, since);
    const keepdims = c.attributes.int("keepdims", 1) === 1;
    if (!axes?.length && c.attributes.int("noop_with_empty_axes", 0) === 1) {
      return alone ? emit(c, alone(tensorTerm(c, widened(c, given)))) : given;
    }
    const rank = given.shape.length;
    if (none !== undefined && isKnown(given) && given.data.length === 0 && rank <= 1)
      return known(given.element, keepdims ? given.shape.map(() => 1) : [], [none]);
    const x = live(c, floats ? asFloats(c, given) : widened(c, compares ? withinWord(given) : given));
    const all = axes?.length ? axesIn(axes, rank).sort((a, b) => a - b) : x.shape.map((_, a) => a);
    const y = emit(c, rank === 0 ? reduce(c, x, { axes: [], keepdims: false }) : reduce(c, x, { axes: all, keepdims }));
    // of integers it is cut off
    return given.dtype === "f32" ? y : cast(c, y, "i32");
  };

const position =
  (callee: "argmax" | "argmin"): Rule =>
  (c) => {
    const x = widened(c, withinWord(operand(c, 0)));
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
  const x = live(c, widened(c, withinWord(operand(c, 0))));
  const axis = axisIn(c.attributes.int("axis", -1), x.shape.length);
  const largest = c.attributes.int("largest", 1) === 1;
  const k = c.opset < 10 ? c.attributes.int("k", 0) : (knownOperand(c, 1, "how many are wanted")?.data[0] ?? 0);
  if (k < 1) return unsupported("k is 0");
  const named = { axis: axis === x.shape.length - 1 ? undefined : int(axis) };
  // integers have no opposite of the least one, but a complement of each
  const turned = (t: Term): Term => (x.dtype === "f32" ? unary("-", t) : binary("-", int(-1), t));
  const [values, places] = emitAll(c, call("top_k", [largest ? value(x.name) : turned(value(x.name)), int(k)], named), 2);
  return [largest ? values! : emit(c, turned(value(values!.name))), places!];
};

const abs = (x: Term): Term => call("abs", [x]);
const reducing = (facts: ReductionFacts): Operator =>
  operator(reduction(facts), ["axes", "keepdims", "noop_with_empty_axes"], { wraps: true });
const logSum: Reduction = (_, x, over) => call("log", [reduced("sum", value(x.name), x.shape.length, over)]);
const positioned = { results: ["int64"] } as const;

export const reduceOperators: Operators = {
  ReduceSum: reducing({ reduce: plainly("sum"), since: 13, none: 0 }),
  ReduceMean: reducing({ reduce: plainly("mean"), since: 18 }),
  ReduceMax: reducing({ reduce: plainly("max"), since: 18, compares: true }),
  ReduceMin: reducing({ reduce: plainly("min"), since: 18, compares: true }),
  ReduceProd: reducing({ reduce: plainly("prod"), since: 18, none: 1 }),
  ReduceL1: reducing({ reduce: ofTerm("sum", (x) => abs(value(x.name))), since: 18, alone: abs, none: 0 }),
  ReduceL2: reducing({ reduce: plainly("norm"), since: 18, floats: true, alone: abs, none: 0 }),
  ReduceSumSquare: reducing({ reduce: ofTerm("sum", squared), since: 18, alone: (x) => binary("*", x, x), none: 0 }),
  ReduceLogSum: reducing({ reduce: logSum, since: 18, floats: true, alone: (x) => call("log", [x]) }),
  ReduceLogSumExp: reducing({ reduce: logSumExp, since: 18, floats: true }),
  ArgMax: operator(position("argmax"), ["axis", "keepdims", "select_last_index"], positioned),
  ArgMin: operator(position("argmin"), ["axis", "keepdims", "select_last_index"], positioned),
  Softmax: operator(softmax("softmax"), ["axis"]),
  LogSoftmax: operator(softmax("log_softmax"), ["axis"]),
  Hardmax: operator(hardmax, ["axis"]),
  CumSum: operator(cumulative("cumsum"), ["exclusive", "reverse"], { wraps: true }),
  CumProd: operator(cumulative("cumprod"), ["exclusive", "reverse"], { wraps: true }),
  TopK: operator(topK, ["axis", "largest", "sorted", "k"], { results: [0, "int64"] }),
};
