/** Reductions over axes. Without `axis` all axes are reduced, except where the last one is the usual choice. */
import type { Node } from "../../../../ir/graph/graph.ts";
import { ops } from "../../../../ir/ops/index.ts";
import { sameShape } from "../../../../ir/type.ts";
import { type Builtin, type BuiltinCall, boolArg, floatArg, intArg, operation, optional, tensorArg } from "../builtin.ts";
import { complain } from "../frame.ts";
import { binary } from "../operators.ts";
import { charge } from "../session.ts";
import { describe, int, isNumber, showType, type Value } from "../values.ts";
import { axesArg, axesOf, axisOf } from "./axes.ts";

const over = { axis: axesArg, keepdims: optional(boolArg, false) };
interface Over {
  readonly axis: readonly number[] | null;
  readonly keepdims: boolean;
}
type Reduction = (x: Node, attrs: { readonly axes: readonly number[]; readonly keepdims: boolean }) => Node;

const reduction = (name: string, doc: string, f: Reduction): Builtin =>
  operation(name, doc, { x: tensorArg, ...over }, ({ x, ...o }, c) => reduced(f, x, o, c));
function reduced(f: Reduction, x: Node, { axis, keepdims }: Over, c: BuiltinCall): Node {
  const axes = axesOf(c, x, axis);
  return axes.length ? f(x, { axes, keepdims }) : x;
}

/** A bool counts 0 or 1. */
const counted = (x: Node): Node => (x.type.dtype === "bool" || x.type.dtype === "u8" ? ops.cast({ x }, { to: "i32" }) : x);
const floats = (x: Node): Node => (x.type.dtype === "f32" ? x : ops.cast({ x }, { to: "f32" }));
const reduceSum: Reduction = (x, attrs) => ops.reduceSum({ x: counted(x) }, attrs);
const mean: Reduction = (x, attrs) => ops.mean({ x: floats(x) }, attrs);

function variance(x: Node, unbiased: boolean, o: Over, c: BuiltinCall): Node {
  const axes = axesOf(c, x, o.axis);
  const count = axes.reduce((n, a) => n * x.type.shape[a]!, 1);
  if (unbiased && count < 2) {
    complain(c.frame, "shape", `${c.subject} of one value needs unbiased=false, got ${showType(x.type)}`, c.span);
  }
  return ops.variance({ x }, { axes, unbiased, keepdims: o.keepdims });
}

/** (sum of |x|^p)^(1/p). */
function norm(x: Node, p: number, o: Over, c: BuiltinCall): Node {
  const size = ops.abs({ x });
  if (p === Number.POSITIVE_INFINITY) return reduced((v, a) => ops.reduceMax({ x: v }, a), size, o, c);
  if (p === 1) return reduced(reduceSum, size, o, c);
  if (p === 2) return ops.sqrt({ x: reduced(reduceSum, ops.mul({ a: x, b: x }), o, c) });
  if (p <= 0) complain(c.frame, "constant", `norm: p is positive, got ${p}`, c.span);
  const constant = (value: number) => ops.full({}, { value, dtype: "f32", shape: [] });
  return ops.pow({ a: reduced(reduceSum, ops.pow({ a: size, b: constant(p) }), o, c), b: constant(1 / p) });
}

/** `sum` of a list adds its elements. */
function sumOfList(items: readonly Value[], c: BuiltinCall): Value {
  charge(c.frame.session.world.budget, items.length, c.span);
  const counts = items.map((v) => (v.kind === "bool" ? int(Number(v.value)) : v));
  const first = counts[0];
  if (!first) return int(0);
  if (!isNumber(first) && first.kind !== "tensor")
    complain(c.frame, "type", `sum adds numbers and tensors, got ${describe(first)}`, c.span);
  return counts.slice(1).reduce((a, b) => binary(c.frame, "+", { value: a, expr: null }, { value: b, expr: null }, c.span), first);
}

const sum = reduction("sum", "The sum over `axis`, all axes unless given; a bool counts 0 or 1. Of a list: its items added up.", reduceSum);
const sumOfAnything: Builtin = {
  ...sum,
  call: (args, c) => {
    const first = args.find((a) => a.name === null || a.name === "x")?.value;
    return first?.kind === "list" && args.length === 1 ? sumOfList(first.items, c) : sum.call(args, c);
  },
};

/** The largest of numbers, or of a tensor along axes. */
function extreme(name: "max" | "min", doc: string, f: Reduction): Builtin {
  const ofTensor = reduction(name, doc, f);
  return {
    ...ofTensor,
    call: (args, c) => {
      const only = args.length === 1 ? args[0]!.value : null;
      const values = only?.kind === "list" ? only.items : args.map((a) => a.value);
      charge(c.frame.session.world.budget, values.length >> 2, c.span);
      if (values.length > 0 && values.every(isNumber) && args.every((a) => a.name === null)) return extremeOf(name, values);
      if (only?.kind === "list" && values.some((v) => v.kind === "tensor")) {
        return complain(c.frame, "type", `${name} of a list of tensors`, c.span, {
          help: `${name}(stack(xs), axis=0), or ${name}imum(a, b)`,
        });
      }
      if (only?.kind === "list") return complain(c.frame, "type", `${name} needs numbers, got ${describe(only)}`, c.span);
      return ofTensor.call(args, c);
    },
  };
}
/** The first of the largest, which may be an int among floats, as in Python. */
const extremeOf = (name: "max" | "min", values: readonly (Value & { value: number })[]): Value =>
  values.reduce((best, v) => ((name === "max" ? v.value > best.value : v.value < best.value) ? v : best)) as Value;

const position = (name: "argmax" | "argmin", doc: string): Builtin =>
  operation(name, doc, { x: tensorArg, axis: optional(intArg, -1), keepdims: optional(boolArg, false) }, ({ x, axis, keepdims }, c) =>
    ops[name]({ x }, { axis: axisOf(c, x, axis), keepdims }),
  );

/** Operations that work along one axis and keep the shape. */
const alongAxis = (name: string, doc: string, f: (x: Node, axis: number) => Node): Builtin =>
  operation(name, doc, { x: tensorArg, axis: optional(intArg, -1) }, ({ x, axis }, c) => f(x, axisOf(c, x, axis)));

/** Whether the label's score is among the k largest of its row. */
function inTopK(x: Node, label: Node, k: number, c: BuiltinCall): Node {
  const { shape } = x.type;
  if (shape.length < 1 || !sameShape(shape.slice(0, -1), label.type.shape)) {
    complain(
      c.frame,
      "shape",
      `in_top_k expects scores [..., classes] and a label for each row, got ${showType(x.type)} and ${showType(label.type)}`,
      c.span,
    );
  }
  const ids = label.type.dtype === "i32" ? label : ops.cast({ x: label }, { to: "i32" });
  const last = shape.length - 1;
  const hit = ops.equal({
    a: ops.reshape({ x: ids }, { shape: [...label.type.shape, 1] }),
    b: ops.iota({}, { axis: 0, dtype: "i32", shape: [shape[last]!] }),
  });
  const least = ops.full({}, { value: Number.NEGATIVE_INFINITY, dtype: "f32", shape: [] });
  const own = ops.reduceMax({ x: ops.where({ cond: hit, a: x, b: least }) }, { axes: [last], keepdims: true });
  const above = ops.reduceSum({ x: ops.cast({ x: ops.less({ a: own, b: x }) }, { to: "i32" }) }, { axes: [last] });
  return ops.less({ a: above, b: ops.full({}, { value: k, dtype: "i32", shape: [] }) });
}

export const reductions: readonly Builtin[] = [
  sumOfAnything,
  reduction("mean", "The mean over `axis`, all axes unless given, as f32; a bool counts 0 or 1.", mean),
  reduction("prod", "The product over `axis`, all axes unless given.", (x, attrs) => ops.reduceProd({ x }, attrs)),
  extreme(
    "max",
    "The largest element over `axis`, all axes unless given; of bool: any. Equal ones share the gradient. Of numbers, " +
      "or a list of them: the largest.",
    (x, attrs) => ops.reduceMax({ x }, attrs),
  ),
  extreme(
    "min",
    "The smallest element over `axis`, all axes unless given; of bool: all. Equal ones share the gradient. Of numbers, " +
      "or a list of them: the smallest.",
    (x, attrs) => ops.reduceMin({ x }, attrs),
  ),
  operation(
    "var",
    "The variance over `axis`, all axes unless given; divided by n - 1, with unbiased = false by n. As in PyTorch, not as in NumPy.",
    { x: tensorArg, axis: axesArg, unbiased: optional(boolArg, true), keepdims: over.keepdims },
    ({ x, unbiased, ...o }, c) => variance(x, unbiased, o, c),
  ),
  operation(
    "std",
    "The root of `var`.",
    { x: tensorArg, axis: axesArg, unbiased: optional(boolArg, true), keepdims: over.keepdims },
    ({ x, unbiased, ...o }, c) => ops.sqrt({ x: variance(x, unbiased, o, c) }),
  ),
  operation(
    "norm",
    "(sum of |x| ** p) ** (1 / p) over `axis`, all axes unless given; p = inf is the largest |x|.",
    { x: tensorArg, axis: axesArg, p: optional(floatArg, 2), keepdims: over.keepdims },
    ({ x, p, ...o }, c) => norm(x, p, o, c),
  ),
  position("argmax", "Where the largest element along `axis` is, the first of equal ones, as i32."),
  position("argmin", "Where the smallest element along `axis` is, the first of equal ones, as i32."),
  alongAxis("softmax", "exp(x) over its sum along `axis`, without overflow: f32[...] to f32[...].", (x, axis) =>
    ops.softmax({ x }, { axis }),
  ),
  alongAxis("log_softmax", "The logarithm of softmax: f32[...] to f32[...].", (x, axis) => ops.logSoftmax({ x }, { axis })),
  operation(
    "in_top_k",
    "Whether each label's score is among the k largest of its row: x f32[..., classes], label i32[...], gives bool[...].",
    { x: tensorArg, label: tensorArg, k: intArg },
    ({ x, label, k }, c) => inTopK(x, label, k, c),
  ),
];
