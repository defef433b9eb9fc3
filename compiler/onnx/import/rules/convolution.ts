/** Convolutions: layers where the file has their weights, else functions of tensors. */
import { binary, bool, call, int, ints, type Term, value } from "../../../decompile/sketch.ts";
import { type Context, emit, emitLayer, isKnown, type Operators, operand, operator, optional, type Rule } from "../context.ts";
import { live, ownedWeight, reshaped, sliced, tensorTerm } from "../terms.ts";
import { type Known, type Live, type Operand, unsupported } from "../values.ts";
import { isSame, paddingTerm, perAxis, same, sides, sidesTerm, unlessOne, type Window, windowAttributes, windowOf } from "./window.ts";

const ownedBias = (c: Context, b: Operand | null): b is Known | null => b === null || (isKnown(b) && !c.folding);

const spatialRank = (x: Operand): 1 | 2 | 3 => {
  const rank = x.shape.length - 2;
  return rank === 1 || rank === 2 || rank === 3 ? rank : unsupported(`it has ${rank} spatial axes`);
};
const groupsTerm = (groups: number): Term | undefined => (groups === 1 ? undefined : int(groups));
/** A bias along the channels. */
const biased = (c: Context, y: Live, b: Operand | null): Operand =>
  b ? emit(c, binary("+", value(y.name), tensorTerm(c, reshaped(c, b, [b.shape[0]!, ...y.shape.slice(2).map(() => 1)])))) : y;
/** [.., L] as [.., 1, L]. */
const asPlane = (c: Context, x: Operand): Operand => reshaped(c, x, [...x.shape.slice(0, 2), 1, x.shape[2]!]);
const asLine = (c: Context, y: Live): Live => live(c, reshaped(c, y, [...y.shape.slice(0, 2), y.shape[3]!]));

/* ---- convolution ------------------------------------------------------------------------------------------------- */

const conv: Rule = (c) => {
  const [x, w, b] = [operand(c, 0), operand(c, 1), optional(c, 2)];
  const rank = spatialRank(x);
  const window = windowOf(c, w.shape.slice(2), x.shape.slice(2));
  const groups = c.attributes.int("group", 1);
  if (!ownedWeight(c, w) || !ownedBias(c, b)) return biased(c, convolved(c, x, w, window, groups), b);
  const named = {
    kernel: perAxis(window.kernel),
    stride: unlessOne(window.stride),
    padding: isSame(c) ? same : rank === 1 ? sidesTerm(window.padding) : paddingTerm(window.padding),
    dilation: unlessOne(window.dilation),
    groups: groupsTerm(groups),
    bias: b ? undefined : bool(false),
  };
  const layer = call(`Conv${rank}d`, [tensorTerm(c, x), int(w.shape[0]!)], named);
  return emitLayer(c, { call: layer, weights: { weight: w, bias: b }, named: [w, b] });
};
function convolved(c: Context, x: Operand, w: Operand, window: Window, groups: number): Live {
  const rank = spatialRank(x);
  if (rank === 1) return asLine(c, convolved(c, asPlane(c, x), asPlane(c, w), planeWindow(window), groups));
  const named = {
    stride: unlessOne(window.stride),
    padding: paddingTerm(window.padding),
    dilation: unlessOne(window.dilation),
    groups: groupsTerm(groups),
  };
  return emit(c, call(rank === 2 ? "conv2d" : "conv3d", [tensorTerm(c, x), tensorTerm(c, w)], named));
}
const planeWindow = ({ kernel, stride, dilation, padding }: Window): Window => ({
  kernel: [1, ...kernel],
  stride: [1, ...stride],
  dilation: [1, ...dilation],
  padding: [[0, 0], ...padding],
});

/* ---- transposed convolution -------------------------------------------------------------------------------------- */

const convTranspose: Rule = (c) => {
  const [x, w, b] = [operand(c, 0), operand(c, 1), optional(c, 2)];
  const rank = spatialRank(x);
  const groups = c.attributes.int("group", 1);
  const extents = x.shape.slice(2);
  const kernel = w.shape.slice(2);
  const stride = c.attributes.ints("strides") ?? kernel.map(() => 1);
  const dilation = c.attributes.ints("dilations") ?? kernel.map(() => 1);
  const more = c.attributes.ints("output_padding") ?? kernel.map(() => 0);
  const full = extents.map((n, a) => (n - 1) * stride[a]! + (kernel[a]! - 1) * dilation[a]! + 1);
  const padding = transposedPadding(
    c,
    full.map((n, a) => n + more[a]!),
    extents.map((n, a) => n * stride[a]!),
  );
  // less padding behind than before is more output there
  const behind = padding.map(([before, after], a) => more[a]! + before - after);
  const says = padding.every(([before], a) => before >= 0 && behind[a]! >= 0 && behind[a]! < Math.max(stride[a]!, dilation[a]!));
  const spacing = { stride: unlessOne(stride), dilation: unlessOne(dilation), groups: groupsTerm(groups) };
  if (!says) {
    const y = grown(c, x, w, spacing);
    return biased(
      c,
      clipped(
        c,
        y,
        padding.map(([before, after], a) => [before, full[a]! + more[a]! - after]),
      ),
      b,
    );
  }
  const [front, extra] = [padding.map(([before]) => before), behind];
  const sized = { padding: unlessZero(front), output_padding: unlessZero(extra), ...spacing };
  if (!ownedWeight(c, w) || !ownedBias(c, b)) return biased(c, grown(c, x, w, sized), b);
  const named = { kernel: perAxis(kernel), ...sized, bias: b ? undefined : bool(false) };
  const layer = call(`ConvTranspose${rank}d`, [tensorTerm(c, x), int(w.shape[1]! * groups)], named);
  return emitLayer(c, { call: layer, weights: { weight: w, bias: b }, named: [w, b] });
};
const unlessZero = (values: readonly number[]): Term | undefined => (values.every((v) => v === 0) ? undefined : perAxis(values));

/** What is cut off on both sides: given, or what makes an output of a wanted size. */
function transposedPadding(c: Context, full: readonly number[], even: readonly number[]): readonly (readonly [number, number])[] {
  const auto = c.attributes.string("auto_pad", "NOTSET");
  const pads = c.attributes.ints("pads");
  const given = c.attributes.ints("output_shape")?.slice(-full.length);
  const wanted = given ?? (auto.startsWith("SAME") ? even : null);
  if (wanted) return full.map((n, a) => sides(auto === "SAME_UPPER" ? auto : "SAME_LOWER", n - wanted[a]!));
  return full.map((_, a) => (pads && auto !== "VALID" ? [pads[a]!, pads[a + full.length]!] : [0, 0]));
}
/** Planes by functions that take arguments for each axis; a line is a plane of one row. */
function grown(c: Context, x: Operand, w: Operand, named: Readonly<Record<string, Term | undefined>>): Live {
  const rank = spatialRank(x);
  if (rank > 1) return emit(c, call(`conv_transpose${rank}d`, [tensorTerm(c, x), tensorTerm(c, w)], named));
  const plane = Object.fromEntries(Object.entries(named).map(([name, v]) => [name, v && name !== "groups" ? beside(name, v) : v]));
  return asLine(c, grown(c, asPlane(c, x), asPlane(c, w), plane));
}
const beside = (name: string, v: Term): Term => (v.kind === "int" ? ints([name.endsWith("padding") ? 0 : 1, v.value]) : v);
/** The places from `from` to before `to` of each spatial axis; zeros where there are none. */
function clipped(c: Context, y: Live, ends: readonly (readonly [number, number])[]): Live {
  const inside = sliced(c, y, [
    ...y.shape.slice(0, 2).map((to) => ({ from: 0, to, step: 1 })),
    ...ends.map(([from, to], a) => ({ from: Math.max(0, from), to: Math.min(y.shape[2 + a]!, to), step: 1 })),
  ]);
  const widths = ends.map(([from, to], a) => [Math.max(0, -from), Math.max(0, to - y.shape[2 + a]!)]);
  if (widths.every(([b, a]) => b === 0 && a === 0)) return inside;
  return emit(c, call("pad", [value(inside.name), { kind: "list", items: widths.map(ints) }]));
}

const attributes = [...windowAttributes, "group"];
export const convolutionOperators: Operators = {
  Conv: operator(conv, attributes),
  ConvTranspose: operator(convTranspose, [...attributes, "output_padding", "output_shape"]),
};
