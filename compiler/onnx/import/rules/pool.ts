/** Pooling. */
import { sizeOf } from "../../../../ir/type.ts";
import { binary, bool, call, float, int, ints, list, type Term, value } from "../../../decompile/sketch.ts";
import { type Context, emit, emitAll, intsOperand, type Operators, operand, operator, type Rule } from "../context.ts";
import { cast, live, reshaped, tensorTerm } from "../terms.ts";
import { type Live, misfit, type Operand, unsupported } from "../values.ts";
import { withinPlane } from "./positions.ts";
import { paddingTerm, perAxis, unlessOne, type Window, windowAttributes, windowOf } from "./window.ts";

type Named = Readonly<Record<string, Term | undefined>>;

function windowArguments(c: Context, x: Live): { readonly window: Window; readonly named: Named } {
  const kernel = c.attributes.ints("kernel_shape") ?? misfit("its kernel is missing");
  const window = windowOf(c, kernel, x.shape.slice(2));
  const stride = window.stride.every((s, a) => s === kernel[a]) ? undefined : perAxis(window.stride);
  const ceil = c.attributes.int("ceil_mode", 0) === 1 ? bool(true) : undefined;
  return { window, named: { stride, padding: paddingTerm(window.padding), ceil } };
}

const maxPool: Rule = (c) => {
  const given = operand(c, 0);
  const x = live(c, cast(c, given, "f32"));
  const { window, named } = windowArguments(c, x);
  const args: Named = { ...named, dilation: unlessOne(window.dilation) };
  const columns = c.attributes.int("storage_order", 0) === 1;
  const pool = (more: Named) => call("max_pool", [value(x.name), perAxis(window.kernel)], { ...args, ...more });
  if (!c.wanted(1)) return cast(c, emit(c, pool({})), given.dtype);
  if (columns) return unsupported("its indices count columns first");
  const [y, index] = emitAll(c, pool({ return_indices: bool(true) }), 2);
  return [cast(c, y!, given.dtype), emit(c, binary("+", value(index!.name), planeStarts(c, x, x.shape.slice(2))))];
};
/** Where the planes of x begin among all elements, if they have these extents. */
function planeStarts(c: Context, x: Live, plane: readonly number[]): Term {
  const [n, channels, ...spatial] = x.shape as [number, number, ...number[]];
  const number = reshaped(c, emit(c, call("arange", [int(n * channels)])), [n, channels, ...spatial.map(() => 1)]);
  return binary("*", tensorTerm(c, number), int(sizeOf(plane)));
}
/** Indices count within a plane here. */
const maxUnpool: Rule = (c) => {
  const [x, index] = [live(c, operand(c, 0)), operand(c, 1)];
  const { window, named } = windowArguments(c, x);
  const extents = window.kernel.map(
    (k, a) => (x.shape[2 + a]! - 1) * window.stride[a]! + k - window.padding[a]![0] - window.padding[a]![1],
  );
  const within = withinPlane(c, tensorTerm(c, index), sizeOf(extents));
  const y = emit(c, call("max_unpool", [value(x.name), within, perAxis(window.kernel)], { stride: named.stride, padding: named.padding }));
  const wanted = intsOperand(c, 2, "the shape of its result");
  return wanted ? grown(c, y, wanted) : y;
};
/** Zeros at the ends. */
function grown(c: Context, x: Live, shape: readonly number[]): Operand {
  const after = x.shape.map((d, a) => (shape[a] ?? 0) - d);
  if (shape.length !== x.shape.length || after.some((d) => d < 0))
    return misfit(`its result [${x.shape.join(", ")}] cannot be put into [${shape.join(", ")}]`);
  return after.every((d) => d === 0) ? x : emit(c, call("pad", [value(x.name), list(after.map((d) => ints([0, d])))]));
}

const undilated = (window: Window): void => {
  if (window.dilation.some((d) => d !== 1)) unsupported("it has dilations");
};
/** Padding does not count, unless it is said to. */
const averagePool: Rule = (c) => {
  const x = live(c, operand(c, 0));
  const { window, named } = windowArguments(c, x);
  undilated(window);
  const counts = c.attributes.int("count_include_pad", 0) === 1;
  const matters = named.padding !== undefined && !counts;
  return emit(
    c,
    call("avg_pool", [value(x.name), perAxis(window.kernel)], { ...named, count_include_pad: matters ? bool(false) : undefined }),
  );
};
/** The p-norm of each window: a mean of powers, padding counted, times the size of the window. */
const lpPool: Rule = (c) => {
  const x = live(c, operand(c, 0));
  const { window, named } = windowArguments(c, x);
  undilated(window);
  if (named.ceil) return unsupported("it rounds its size up");
  const p = c.attributes.int("p", 2);
  const size = call("abs", [value(x.name)]);
  const powers = p === 1 ? size : binary("**", size, int(p));
  const sum = binary("*", call("avg_pool", [powers, perAxis(window.kernel)], { ...named }), float(sizeOf(window.kernel)));
  return emit(c, rooted(sum, p));
};
const rooted = (x: Term, p: number): Term => (p === 1 ? x : p === 2 ? call("sqrt", [x]) : binary("**", x, float(1 / p)));
const globalLpPool: Rule = (c) => {
  const x = live(c, operand(c, 0));
  const p = c.attributes.int("p", 2);
  const axes = ints(x.shape.slice(2).map((_, a) => 2 + a));
  return emit(c, call("norm", [value(x.name), axes], { p: p === 2 ? undefined : float(p), keepdims: bool(true) }));
};
const globally =
  (callee: string): Rule =>
  (c) =>
    emit(c, call(callee, [tensorTerm(c, operand(c, 0))]));

/** Boxes (batch index, corners) in pixels of the picture. */
const maxRoiPool: Rule = (c) => {
  const [x, boxes] = [operand(c, 0), operand(c, 1)];
  const size = c.attributes.ints("pooled_shape") ?? misfit("its size is missing");
  const scale = c.attributes.float("spatial_scale", 1);
  return emit(
    c,
    call("roi_pool", [tensorTerm(c, x), tensorTerm(c, boxes), perAxis(size)], { scale: scale === 1 ? undefined : float(scale) }),
  );
};
/** The number of the picture in front of each box. */
const roiAlign: Rule = (c) => {
  const [x, boxes, batch] = [operand(c, 0), operand(c, 1), operand(c, 2)];
  if (c.attributes.string("mode", "avg") !== "avg") return unsupported("it takes maxima of samples");
  const samples = c.attributes.int("sampling_ratio", 0);
  if (samples < 1) return unsupported("the number of its samples depends on the boxes");
  const size = [c.attributes.int("output_height", 1), c.attributes.int("output_width", 1)];
  const scale = c.attributes.float("spatial_scale", 1);
  const aligned = c.attributes.string("coordinate_transformation_mode", c.opset < 16 ? "output_half_pixel" : "half_pixel") === "half_pixel";
  const index = call("unsqueeze", [call("cast", [tensorTerm(c, batch), { kind: "word", text: "f32" }]), int(1)]);
  const numbered = emit(c, call("concat", [{ kind: "list", items: [index, tensorTerm(c, boxes)] }], { axis: int(1) }));
  return emit(
    c,
    call("roi_align", [tensorTerm(c, x), value(numbered.name), perAxis(size)], {
      scale: scale === 1 ? undefined : float(scale),
      samples: samples === 2 ? undefined : int(samples),
      aligned: aligned ? bool(true) : undefined,
    }),
  );
};

export const poolOperators: Operators = {
  MaxPool: operator(maxPool, [...windowAttributes, "ceil_mode", "storage_order"], { results: [0, "int64"] }),
  MaxUnpool: operator(maxUnpool, windowAttributes),
  AveragePool: operator(averagePool, [...windowAttributes, "ceil_mode", "count_include_pad"]),
  LpPool: operator(lpPool, [...windowAttributes, "ceil_mode", "p"]),
  GlobalAveragePool: operator(globally("global_avg_pool")),
  GlobalMaxPool: operator(globally("global_max_pool")),
  GlobalLpPool: operator(globalLpPool, ["p"]),
  MaxRoiPool: operator(maxRoiPool, ["pooled_shape", "spatial_scale"]),
  RoiAlign: operator(roiAlign, [
    "mode",
    "output_height",
    "output_width",
    "sampling_ratio",
    "spatial_scale",
    "coordinate_transformation_mode",
  ]),
};
