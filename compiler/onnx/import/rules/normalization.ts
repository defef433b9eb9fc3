/** Normalisation: layers where the file has their weights. */
import { sameShape, sizeOf } from "../../../../ir/type.ts";
import { binary, bool, call, float, int, ints, type Term, value } from "../../../decompile/sketch.ts";
import {
  axesIn,
  axisIn,
  type Context,
  emit,
  emitLayer,
  extentsOf,
  intsOperand,
  isKnown,
  type Operators,
  operand,
  operator,
  optional,
  type Rule,
} from "../context.ts";
import { live, number, plus, range, reshaped, shortest, tensorTerm, times } from "../terms.ts";
import { broadcastKnown, type Known, type Live, misfit, type Operand, reshapedKnown, unsupported } from "../values.ts";

/** Tables of the file that a layer may own. */
const owned = (c: Context, values: readonly (Operand | null)[]): values is (Known | null)[] =>
  !c.folding && values.every((v) => v === null || isKnown(v));
const epsTerm = (eps: number, usual = 1e-5): Term | undefined => (shortest(eps) === usual ? undefined : float(shortest(eps)));
/** [C] as it meets [N, C, ...]. */
const channelwise = (c: Context, v: Operand, x: Live): Term =>
  tensorTerm(c, reshaped(c, v, [v.shape[0]!, ...x.shape.slice(2).map(() => 1)]));
const keep = { keepdims: bool(true) };
const minus = (a: Term, b: Term) => binary("-", a, b);
const over = (a: Term, b: Term) => binary("/", a, b);
const root = (x: Term) => call("sqrt", [x]);

const batchNorm: Rule = (c) => {
  const x = live(c, operand(c, 0));
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((i) => operand(c, i)) as [Operand, Operand, Operand, Operand];
  const eps = c.attributes.float("epsilon", 1e-5);
  const momentum = 1 - c.attributes.float("momentum", 0.9);
  if (mean.shape.length !== 1 || c.attributes.int("spatial", 1) === 0) return unsupported("it normalises every element on its own");
  const channels = x.shape[1] ?? 1;
  if (trains(c)) {
    const fits = owned(c, [scale, bias, mean, variance]) && x.shape.length > 1 && scale.shape[0] === channels;
    if (!fits || [1, 2, 3, 4].some(c.wanted)) return unsupported("it trains, and not as a layer of the language does");
    c.warn("the model was exported for training: it normalises by each batch in `dlm train`, and by the file's statistics in prediction");
  }
  if (owned(c, [scale, bias, mean, variance]) && x.shape.length > 1 && scale.shape[0] === channels) {
    const named = { eps: epsTerm(eps), momentum: Math.abs(momentum - 0.1) < 1e-6 ? undefined : float(shortest(momentum)) };
    const weights = { weight: scale as Known, bias: bias as Known, running_mean: mean as Known, running_var: variance as Known };
    return emitLayer(c, {
      call: call("BatchNorm", [value(x.name)], named),
      weights,
      named: [scale as Known, bias as Known, mean as Known],
    });
  }
  const factor = emit(c, over(tensorTerm(c, scale), root(plus(tensorTerm(c, variance), number(eps)))));
  const y = emit(c, times(minus(value(x.name), channelwise(c, mean, x)), channelwise(c, factor, x)));
  return emit(c, plus(value(y.name), channelwise(c, bias, x)));
};

/** Versions before 7 ask for prediction by `is_test`. */
const trains = (c: Context): boolean => c.attributes.int("training_mode", 0) === 1 || (c.opset < 7 && c.attributes.int("is_test", 0) === 0);

/** (x - mean) / sqrt(variance + eps) over axes. */
const standardized = (x: Term, axes: Term, eps: number): Term =>
  over(minus(x, call("mean", [x, axes], keep)), root(plus(call("var", [x, axes], { unbiased: bool(false), ...keep }), number(eps))));

const instanceNorm: Rule = (c) => {
  const x = live(c, operand(c, 0));
  const [scale, bias] = [operand(c, 1), operand(c, 2)];
  const eps = c.attributes.float("epsilon", 1e-5);
  if (owned(c, [scale, bias])) {
    const layer = call("InstanceNorm", [value(x.name)], { eps: epsTerm(eps), affine: bool(true) });
    return emitLayer(c, { call: layer, weights: { weight: scale as Known, bias: bias as Known }, named: [scale as Known, bias as Known] });
  }
  const y = emit(c, standardized(value(x.name), ints(x.shape.slice(2).map((_, a) => 2 + a)), eps));
  return emit(c, plus(times(value(y.name), channelwise(c, scale, x)), channelwise(c, bias, x)));
};

/** Until version 21 there was one scale a group. */
const groupNorm: Rule = (c) => {
  const x = live(c, operand(c, 0));
  const groups = c.attributes.int("num_groups", 1);
  const eps = c.attributes.float("epsilon", 1e-5);
  const [scale, bias] = [operand(c, 1), operand(c, 2)];
  const [n, channels] = x.shape as [number, number];
  const each = channels / groups;
  const wide = (v: Operand): Operand => {
    if (v.shape[0] === channels) return v;
    if (isKnown(v)) return { ...broadcastKnown({ ...v, shape: [groups, 1] }, [groups, each]), shape: [channels] };
    const apart = call("broadcast", [call("unsqueeze", [tensorTerm(c, v), int(1)]), ints([groups, each])]);
    return emit(c, call("reshape", [apart, ints([channels])]));
  };
  const [w, b] = [wide(scale), wide(bias)];
  if (owned(c, [w, b])) {
    const layer = call("GroupNorm", [value(x.name), int(groups)], { eps: epsTerm(eps) });
    return emitLayer(c, { call: layer, weights: { weight: w as Known, bias: b as Known }, named: [scale as Known, bias as Known] });
  }
  const apart = live(c, reshaped(c, x, [n, groups, sizeOf(x.shape) / (n * groups)]));
  const y = live(c, reshaped(c, emit(c, standardized(value(apart.name), int(2), eps)), x.shape));
  return emit(c, plus(times(value(y.name), channelwise(c, w, x)), channelwise(c, b, x)));
};

/** Without a scale it normalises only. */
const layerNorm: Rule = (c) => {
  const x = live(c, operand(c, 0));
  const rank = x.shape.length;
  const axis = axisIn(c.attributes.int("axis", -1), rank);
  const eps = c.attributes.float("epsilon", 1e-5);
  const axes = rank - axis === 1 ? int(-1) : ints(range(rank).slice(axis));
  const deviation = (): Term => root(plus(call("var", [value(x.name), axes], { unbiased: bool(false), ...keep }), number(eps)));
  return [
    normalizedLayer(c, x, axis, eps) ?? scaledLayer(c, emit(c, standardized(value(x.name), axes, eps))),
    c.wanted(1) ? emit(c, call("mean", [value(x.name), axes], keep)) : null,
    c.wanted(2) ? emit(c, over(float(1), deviation())) : null,
  ];
};
/** Where a layer can own the scale and bias. */
function normalizedLayer(c: Context, x: Live, axis: number, eps: number): Live | null {
  const [scale, bias] = [optional(c, 1), optional(c, 2)];
  const dims = x.shape.length - axis;
  const named = { dims: dims === 1 ? undefined : int(dims), eps: epsTerm(eps) };
  if (!scale && !bias) {
    return emitLayer(c, { call: call("LayerNorm", [value(x.name)], { ...named, affine: bool(false) }), weights: {}, named: [] });
  }
  const fits = [scale, bias].every((v) => v && sameShape(v.shape, x.shape.slice(axis)));
  if (!fits || !owned(c, [scale, bias])) return null;
  const weights = { weight: scale as Known, bias: bias as Known };
  return emitLayer(c, { call: call("LayerNorm", [value(x.name)], named), weights, named: [weights.weight, weights.bias] });
}
function scaledLayer(c: Context, plain: Live): Live {
  const [scale, bias] = [optional(c, 1), optional(c, 2)];
  const scaled = scale ? emit(c, times(value(plain.name), tensorTerm(c, scale))) : plain;
  return bias ? emit(c, plus(value(scaled.name), tensorTerm(c, bias))) : scaled;
}

const rmsNorm: Rule = (c) => {
  const x = live(c, operand(c, 0));
  const rank = x.shape.length;
  const axis = axisIn(c.attributes.int("axis", -1), rank);
  const eps = c.attributes.float("epsilon", 1e-5);
  const scale = operand(c, 1);
  if (owned(c, [scale]) && axis === rank - 1 && sameShape(scale.shape, x.shape.slice(-1))) {
    const layer = call("RMSNorm", [value(x.name)], { eps: epsTerm(eps, 1e-6) });
    return emitLayer(c, { call: layer, weights: { weight: scale as Known }, named: [scale as Known] });
  }
  const square = call("mean", [times(value(x.name), value(x.name)), ints(range(rank).slice(axis))], keep);
  return emit(c, times(over(value(x.name), root(plus(square, number(eps)))), tensorTerm(c, scale)));
};

/** Vectors of zeros stay. */
const lpNormalization: Rule = (c) => {
  const x = live(c, operand(c, 0));
  const p = c.attributes.int("p", 2);
  const axis = axisIn(c.attributes.int("axis", -1), x.shape.length);
  const norm = emit(c, call("norm", [value(x.name), int(axis)], { p: p === 2 ? undefined : float(p), ...keep }));
  return emit(c, over(value(x.name), call("where", [binary(">", value(norm.name), float(0)), value(norm.name), float(1)])));
};
const meanVariance: Rule = (c) => {
  const x = live(c, operand(c, 0));
  const axes = ints(axesIn(c.attributes.ints("axes") ?? [0, 2, 3], x.shape.length));
  const centred = minus(value(x.name), call("mean", [value(x.name), axes], keep));
  return emit(c, over(centred, plus(call("std", [value(x.name), axes], { unbiased: bool(false), ...keep }), float(1e-9))));
};

/** Squares of neighbouring channels; an even window reaches further behind than the language's. */
const lrn: Rule = (c) => {
  const x = operand(c, 0);
  const size = c.attributes.int("size", 1);
  if (size % 2 === 0) return unsupported("its window is even");
  const [alpha, beta, bias] = [c.attributes.float("alpha", 1e-4), c.attributes.float("beta", 0.75), c.attributes.float("bias", 1)];
  const unless = (usual: number, v: number): Term | undefined => (shortest(v) === usual ? undefined : number(v));
  return emit(c, call("lrn", [tensorTerm(c, x), int(size)], { alpha: unless(1e-4, alpha), beta: unless(0.75, beta), k: unless(1, bias) }));
};

/**
 * What the idiom of group normalisation says: x reshaped to [N, groups, -1], normalised, reshaped back; then perhaps times a
 * table, plus a table. A layer where these are along the channels.
 */
const groupNormIdiom: Rule = (c) => {
  const x = live(c, operand(c, 0));
  const [to, back] = [1, 2].map((i) => intsOperand(c, i, "its shape") ?? misfit("its shape is missing")) as [number[], number[]];
  const eps = c.attributes.float("epsilon", 1e-5);
  const apart = extentsOf(x.shape, to);
  const result = extentsOf(apart, back);
  const [scale, bias] = [optional(c, 3), optional(c, 4)];
  const grouped = apart.length === 3 && x.shape.length > 1 && apart[0] === x.shape[0] && sameShape(result, x.shape);
  const layer = grouped && !c.folding ? groupLayer(c, x, apart[1]!, eps) : null;
  if (layer) return layer;
  const from = live(c, reshaped(c, x, apart));
  const normal = emit(c, standardized(value(from.name), ints(range(apart.length).slice(2)), eps));
  const y = reshaped(c, normal, result);
  return scale && bias ? emit(c, plus(times(tensorTerm(c, y), tensorTerm(c, scale)), tensorTerm(c, bias))) : y;
};
/** null: its tables are not along the channels. */
function groupLayer(c: Context, x: Live, groups: number, eps: number): Live | null {
  const [scale, bias] = [3, 4].map((i) => channelTable(optional(c, i), x));
  const named = { eps: epsTerm(eps) };
  if (optional(c, 3) === null) {
    return emitLayer(c, {
      call: call("GroupNorm", [value(x.name), int(groups)], { ...named, affine: bool(false) }),
      weights: {},
      named: [],
    });
  }
  if (!scale || !bias) return null;
  return emitLayer(c, {
    call: call("GroupNorm", [value(x.name), int(groups)], named),
    weights: { weight: scale, bias },
    named: [scale, bias],
  });
}
/** A table of the file along the second axis of x; null: it is none. */
function channelTable(table: Operand | null, x: Live): Known | null {
  if (!isKnown(table) || table.dtype !== "f32") return null;
  const wanted = x.shape.map((d, a) => (a === 1 ? d : 1));
  const shape = table.shape.length === x.shape.length - 1 ? [1, ...table.shape] : table.shape;
  return sameShape(shape, wanted) ? reshapedKnown(table, [x.shape[1]!]) : null;
}

const epsilon = ["epsilon"];
export const normalizationOperators: Operators = {
  BatchNormalization: operator(batchNorm, ["epsilon", "momentum", "training_mode", "is_test", "spatial"]),
  InstanceNormalization: operator(instanceNorm, epsilon),
  GroupNormalization: operator(groupNorm, ["epsilon", "num_groups", "stash_type"]),
  LayerNormalization: operator(layerNorm, ["axis", "epsilon", "stash_type"]),
  RMSNormalization: operator(rmsNorm, ["axis", "epsilon", "stash_type"]),
  LpNormalization: operator(lpNormalization, ["axis", "p"]),
  MeanVarianceNormalization: operator(meanVariance, ["axes"]),
  LRN: operator(lrn, ["size", "alpha", "beta", "bias"]),
};
export const recoveredNormalizations: Operators = { GroupNorm: operator(groupNormIdiom, epsilon) };
