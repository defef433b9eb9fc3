/** Images in another size: by the functions of the language where these do it, else by a table for each axis. */
import { bool, call, float, int, type Term, text, value } from "../../../decompile/sketch.ts";
import { axesIn, type Context, emit, isKnown, type Operators, operand, operator, type Rule } from "../context.ts";
import { live, permuted, range, shortest, tensorTerm } from "../terms.ts";
import { type Known, known, type Live, misfit, type Operand, unsupported } from "../values.ts";

interface Axis {
  readonly axis: number;
  readonly from: number;
  readonly to: number;
  readonly scale: number;
  /** The part of the axis that is taken, where the coordinates say so. */
  readonly roi: readonly [number, number];
}
interface How {
  readonly mode: string;
  readonly coordinates: string;
  readonly rounding: string;
  readonly cubic: number;
  readonly excludes: boolean;
  readonly antialias: boolean;
  readonly outside: number;
}

const numbersOf = (c: Context, i: number, what: string): number[] | null => {
  const o = c.inputs[i] ?? null;
  if (o === null) return null;
  if (!isKnown(o)) return unsupported(`${what} must not depend on the model's inputs: dlm has to know it while compiling`);
  return o.data.length === 0 ? null : Array.from(o.data);
};

function howOf(c: Context): How {
  const { attributes } = c;
  // Upsample, and Resize of version 10, know one way; how it rounds is not said, and is that of onnxruntime here
  const old = c.node.opType === "Upsample" || c.opset < 11;
  return {
    mode: attributes.string("mode", "nearest").replace("bilinear", "linear"),
    coordinates: old ? "asymmetric" : attributes.string("coordinate_transformation_mode", "half_pixel"),
    rounding: old ? "old" : attributes.string("nearest_mode", "round_prefer_floor"),
    cubic: attributes.float("cubic_coeff_a", -0.75),
    excludes: attributes.int("exclude_outside", 0) === 1,
    antialias: attributes.int("antialias", 0) === 1,
    outside: attributes.float("extrapolation_value", 0),
  };
}

function axesOf(c: Context, x: Operand): readonly Axis[] {
  const upsample = c.node.opType === "Upsample";
  const all = range(x.shape.length);
  const given = c.attributes.ints("axes");
  const which = given ? axesIn(given, x.shape.length) : all;
  const scales = upsample && c.opset < 9 ? c.attributes.floats("scales") : numbersOf(c, upsample || c.opset < 11 ? 1 : 2, "its scales");
  const sizes = c.opset < 11 ? null : numbersOf(c, 3, "its sizes");
  const roi = c.opset < 11 ? null : numbersOf(c, 1, "its region");
  for (const list of [scales, sizes])
    if (list && list.length !== which.length) misfit(`it has ${list.length} sizes for ${which.length} axes`);
  const policy = c.attributes.string("keep_aspect_ratio_policy", "stretch");
  const wanted =
    sizes &&
    keptAspect(
      sizes,
      which.map((a) => x.shape[a]!),
      policy,
    );
  return which.map((axis, i): Axis => {
    const from = x.shape[axis]!;
    const scale = wanted ? wanted[i]!.scale : (scales?.[i] ?? unsupported("it has neither sizes nor scales"));
    const to = wanted ? wanted[i]!.size : Math.floor(from * scale);
    return { axis, from, to, scale, roi: [roi?.[i] ?? 0, roi?.[i + which.length] ?? 1] };
  });
}
/** One scale for all axes where the aspect stays. */
function keptAspect(sizes: readonly number[], from: readonly number[], policy: string): readonly { size: number; scale: number }[] {
  const scales = sizes.map((s, i) => s / from[i]!);
  if (policy === "stretch") return sizes.map((size, i) => ({ size, scale: scales[i]! }));
  const scale = policy === "not_larger" ? Math.min(...scales) : Math.max(...scales);
  return from.map((n) => ({ size: Math.round(n * scale), scale }));
}

const resize: Rule = (c) => {
  const x = live(c, operand(c, 0));
  const how = howOf(c);
  const axes = axesOf(c, x).filter((a) => a.from !== a.to || a.scale !== 1 || how.coordinates === "tf_crop_and_resize");
  if (axes.some((a) => a.to < 1)) return unsupported("its result has no elements");
  if (!["nearest", "linear", "cubic"].includes(how.mode)) return unsupported(`the mode "${how.mode}" is not known`);
  return (
    asUpsample(c, x, axes, how) ??
    axes.reduce<Live>((y, a) => (how.mode === "nearest" ? byPlaces(c, y, a, how) : byWeights(c, y, a, how)), x)
  );
};

/** The cases that `upsample` has: all spatial axes by one factor. */
function asUpsample(c: Context, x: Live, axes: readonly Axis[], how: How): Live | null {
  const [first] = axes;
  const spatial = axes.length === x.shape.length - 2 && axes.every((a) => a.axis >= 2 && a.scale === first?.scale);
  if (!first || !spatial || x.dtype !== "f32" || axes.some((a) => a.to !== Math.floor(a.from * a.scale))) return null;
  const term = (mode: string | null) =>
    emit(c, call("upsample", [value(x.name)], { scale: scaleTerm(first.scale), mode: mode ? text(mode) : undefined }));
  const repeats =
    how.mode === "nearest" &&
    Number.isInteger(first.scale) &&
    axes.every((a) => nearestPlaces(a, how).every((p, i) => p === Math.floor(i / a.scale)));
  if (repeats) return term(null);
  return how.mode === "linear" && how.coordinates === "half_pixel" && !(how.antialias && first.scale < 1) ? term("bilinear") : null;
}
const scaleTerm = (scale: number): Term => (Number.isInteger(scale) ? int(scale) : float(shortest(scale)));

/** Where place i of the result lies among the places of the operand. */
function coordinate(i: number, { from, to, scale, roi }: Axis, coordinates: string): number {
  switch (coordinates) {
    case "half_pixel":
      return (i + 0.5) / scale - 0.5;
    case "half_pixel_symmetric": {
      const centre = from / 2;
      return centre * (1 - to / (from * scale)) + (i + 0.5) / scale - 0.5;
    }
    case "pytorch_half_pixel":
      return to > 1 ? (i + 0.5) / scale - 0.5 : 0;
    case "align_corners":
      return to === 1 ? 0 : (i * (from - 1)) / (from * scale - 1);
    case "asymmetric":
      return i / scale;
    case "tf_half_pixel_for_nn":
      return (i + 0.5) / scale;
    case "tf_crop_and_resize": {
      const [start, end] = roi;
      return to > 1 ? start * (from - 1) + (i * (end - start) * (from - 1)) / (to - 1) : 0.5 * (start + end) * (from - 1);
    }
    default:
      return unsupported(`the coordinates "${coordinates}" are not known`);
  }
}

function nearestPlaces(a: Axis, { coordinates, rounding }: How): number[] {
  return range(a.to).map((i) => {
    const at = coordinate(i, a, coordinates);
    return Math.max(0, Math.min(a.from - 1, rounded(at, rounding === "old" ? (a.scale < 1 ? "ceil" : "floor") : rounding)));
  });
}
function rounded(x: number, rounding: string): number {
  switch (rounding) {
    case "round_prefer_floor":
      return Math.ceil(x - 0.5);
    case "round_prefer_ceil":
      return Math.floor(x + 0.5);
    case "floor":
      return Math.floor(x);
    case "ceil":
      return Math.ceil(x);
    default:
      return unsupported(`the rounding "${rounding}" is not known`);
  }
}
function byPlaces(c: Context, x: Live, a: Axis, how: How): Live {
  const outside = outsideOf(a, how);
  const ids = known("int64", [a.to], nearestPlaces(a, how));
  const y = emit(c, call("take", [value(x.name), tensorTerm(c, ids)], a.axis === 0 ? {} : { axis: int(a.axis) }));
  return filled(c, y, a, outside, how);
}

/** Which places of the result lie outside of the operand, where these have a value of their own. */
const outsideOf = (a: Axis, { coordinates }: How): boolean[] | null => {
  if (coordinates !== "tf_crop_and_resize") return null;
  const all = range(a.to)
    .map((i) => coordinate(i, a, coordinates))
    .map((p) => p < 0 || p > a.from - 1);
  return all.some((o) => o) ? all : null;
};
function filled(c: Context, y: Live, a: Axis, outside: boolean[] | null, how: How): Live {
  if (!outside) return y;
  const shape = y.shape.map((d, axis) => (axis === a.axis ? d : 1));
  const mask = known("bool", shape, outside.map(Number));
  return emit(c, call("where", [tensorTerm(c, mask), float(how.outside), value(y.name)]));
}

/** y[..., i, ...] = sum over j of weights[j][i] x[..., j, ...]: a product with a matrix. */
function byWeights(c: Context, x: Live, a: Axis, how: How): Live {
  const rank = x.shape.length;
  const matrix = weightsOf(a, how);
  const last = [...range(rank).filter((i) => i !== a.axis), a.axis];
  const moved = permuted(c, x, last);
  const y = emit(c, { kind: "binary", op: "@", left: tensorTerm(c, moved), right: tensorTerm(c, matrix) });
  const back = range(rank).map((i) => last.indexOf(i));
  return filled(c, live(c, permuted(c, y, back)), a, outsideOf(a, how), how);
}
function weightsOf(a: Axis, how: How): Known {
  const data = new Float32Array(a.from * a.to);
  const reach = how.mode === "linear" ? 1 : 2;
  // a smaller image is a mean over as many places as its scale says
  const stretch = how.antialias && a.scale < 1 ? 1 / a.scale : 1;
  const kernel = (d: number) => (how.mode === "linear" ? Math.max(0, 1 - Math.abs(d)) : cubic(Math.abs(d), how.cubic));
  for (let i = 0; i < a.to; i++) {
    const at = coordinate(i, a, how.coordinates);
    const first = Math.ceil(at - reach * stretch);
    const places = range(Math.floor(at + reach * stretch) - first + 1).map((k) => first + k);
    const weights = places.map((p) => (how.excludes && (p < 0 || p >= a.from) ? 0 : kernel((p - at) / stretch)));
    const total = weights.reduce((s, w) => s + w, 0);
    places.forEach((p, k) => {
      const inside = Math.max(0, Math.min(a.from - 1, p));
      data[inside * a.to + i]! += weights[k]! / total;
    });
  }
  return known("float", [a.from, a.to], data);
}
/** Keys' convolution kernel. */
function cubic(d: number, a: number): number {
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/** Samples of an image at points that are computed. */
const gridSample: Rule = (c) => {
  const [x, grid] = [operand(c, 0), operand(c, 1)];
  if (x.shape.length !== 4 || grid.shape.length !== 4) return unsupported("it samples something else than images");
  const mode = c.attributes.string("mode", "bilinear").replace(/^linear$/, "bilinear");
  const padding = c.attributes.string("padding_mode", "zeros");
  if (mode !== "bilinear" && mode !== "nearest") return unsupported(`the mode "${mode}" is not known`);
  if (!["zeros", "border", "reflection"].includes(padding)) return unsupported(`the padding "${padding}" is not known`);
  return emit(
    c,
    call("grid_sample", [tensorTerm(c, x), tensorTerm(c, grid)], {
      mode: mode === "bilinear" ? undefined : text(mode),
      padding: padding === "zeros" ? undefined : text(padding),
      align_corners: c.attributes.int("align_corners", 0) === 1 ? bool(true) : undefined,
    }),
  );
};

export const resizeOperators: Operators = {
  Resize: operator(resize, [
    "mode",
    "coordinate_transformation_mode",
    "nearest_mode",
    "cubic_coeff_a",
    "exclude_outside",
    "antialias",
    "extrapolation_value",
    "axes",
    "keep_aspect_ratio_policy",
  ]),
  Upsample: operator(resize, ["mode", "scales"]),
  GridSample: operator(gridSample, ["mode", "padding_mode", "align_corners"]),
};
