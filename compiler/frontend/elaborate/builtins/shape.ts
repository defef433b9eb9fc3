/** Functions that rearrange elements. */
import type { Node } from "../../../../ir/graph/graph.ts";
import { ops } from "../../../../ir/ops/index.ts";
import { sizeOf } from "../../../../ir/type.ts";
import {
  type Builtin,
  type BuiltinCall,
  builtin,
  dtypeArg,
  floatArg,
  intArg,
  intsArg,
  intsOf,
  listArg,
  operation,
  optional,
  stringArg,
  tensorArg,
  tensorsArg,
} from "../builtin.ts";
import { at, complain } from "../frame.ts";
import { sliceAxis, withoutAxes } from "../indexing.ts";
import { limits } from "../session.ts";
import { checked } from "../tensors.ts";
import { describe, list, showType, type Value } from "../values.ts";
import { axesArg, axesOf, axisOf, range } from "./axes.ts";
import { byTable, expectTable } from "./tables.ts";

/** One extent may be -1: what is left. */
function reshape(x: Node, shape: readonly number[], c: BuiltinCall): Node {
  const size = sizeOf(x.type.shape);
  const open = shape.filter((d) => d === -1).length;
  const known = shape.reduce((n, d) => (d === -1 ? n : n * d), 1);
  const wrong = (help: string | null): never =>
    complain(c.frame, "shape", `cannot reshape ${showType(x.type)} (${size} elements) to [${shape.join(", ")}]`, c.span, { help });
  if (shape.some((d) => d < 1 && d !== -1)) return wrong("extents are positive, or -1 once for what is left");
  if (open > 1) return wrong("only one extent may be -1");
  if (open === 1 && size % known !== 0) return wrong(`${known} does not divide ${size}`);
  if (open === 0 && known !== size) return wrong(`the new shape has ${known} elements`);
  return ops.reshape({ x }, { shape: shape.map((d) => (d === -1 ? size / known : d)) });
}
function flatten(x: Node, from: number, c: BuiltinCall): Node {
  const { shape } = x.type;
  const first = axisOf(c, x, from);
  return ops.reshape({ x }, { shape: [...shape.slice(0, first), sizeOf(shape.slice(first))] });
}
function squeeze(x: Node, axis: readonly number[] | null, c: BuiltinCall): Node {
  const { shape } = x.type;
  const axes = axis ? axesOf(c, x, axis) : shape.flatMap((d, a) => (d === 1 ? [a] : []));
  const long = axes.find((a) => shape[a] !== 1);
  if (long !== undefined) complain(c.frame, "shape", `squeeze: axis ${long} of ${showType(x.type)} is not 1`, c.span);
  return withoutAxes(x, new Set(axes));
}
function unsqueeze(x: Node, axis: number, c: BuiltinCall): Node {
  const a = axisOf(c, x, axis, 1);
  return ops.reshape({ x }, { shape: [...x.type.shape.slice(0, a), 1, ...x.type.shape.slice(a)] });
}
function permute(x: Node, axes: readonly number[], c: BuiltinCall): Node {
  const all = axesOf(c, x, axes);
  if (all.length !== x.type.shape.length) {
    complain(c.frame, "shape", `permute needs every axis of ${showType(x.type)}, got [${axes.join(", ")}]`, c.span);
  }
  return ops.permute({ x }, { axes: all });
}
function transpose(x: Node, a: number, b: number, c: BuiltinCall): Node {
  if (x.type.shape.length < 2) complain(c.frame, "shape", `transpose needs at least 2 dimensions, got ${showType(x.type)}`, c.span);
  const [p, q] = [axisOf(c, x, a), axisOf(c, x, b)];
  return ops.permute({ x }, { axes: x.type.shape.map((_, i) => (i === p ? q : i === q ? p : i)) });
}

function concat(xs: readonly Node[], axis: number, c: BuiltinCall): Node {
  const a = axisOf(c, xs[0]!, axis);
  const other = xs.find((x) => x.type.dtype !== xs[0]!.type.dtype);
  if (other)
    complain(c.frame, "type", `concat needs tensors of one type, got ${showType(xs[0]!.type)} and ${showType(other.type)}`, c.span);
  const odd = xs.find(
    (x) => x.type.shape.length !== xs[0]!.type.shape.length || x.type.shape.some((d, i) => i !== a && d !== xs[0]!.type.shape[i]),
  );
  if (odd) {
    complain(c.frame, "shape", `concat along axis ${a}: ${showType(xs[0]!.type)} and ${showType(odd.type)} differ in another axis`, c.span);
  }
  return xs.length === 1 ? xs[0]! : ops.concat({ xs }, { axis: a });
}
function stack(xs: readonly Node[], axis: number, c: BuiltinCall): Node {
  const odd = xs.find((x) => showType(x.type) !== showType(xs[0]!.type));
  if (odd) complain(c.frame, "shape", `stack needs equal shapes, got ${showType(xs[0]!.type)} and ${showType(odd.type)}`, c.span);
  const a = axisOf(c, xs[0]!, axis, 1);
  return concat(
    xs.map((x) => unsqueeze(x, a, c)),
    a,
    c,
  );
}

/** Tensors as a list; each is counted. */
const tensors = (c: BuiltinCall, make: () => readonly Node[]): Value =>
  list(at(c.frame, c.span, make).map((node) => ({ kind: "tensor", node: checked(c.frame, c.span, node) })));

/** `n` equal parts, or parts of given extents. PyTorch's int is the extent of a part; its `chunk` takes their number. */
function split(x: Node, parts: Value, axis: number, c: BuiltinCall): Value {
  const a = axisOf(c, x, axis);
  const extent = x.type.shape[a]!;
  const n = parts.kind === "int" ? parts.value : 0;
  if (n > limits.list) complain(c.frame, "limit", `this list has more than ${limits.list} items`, c.span);
  if (parts.kind === "int" && (n < 1 || extent % n !== 0)) {
    complain(c.frame, "shape", `axis ${a} of ${showType(x.type)} does not split into ${n} equal parts`, c.span, {
      help: `${n} is the number of parts, not the size of one as in PyTorch; for parts of other sizes list them: ${sizesShown(extent, n)}`,
    });
  }
  const sizes = parts.kind === "int" ? range(0, n).map(() => extent / n) : intsOf(parts);
  if (!sizes) return complain(c.frame, "type", `split expects a number of parts or a list of extents, got ${describe(parts)}`, c.span);
  if (sizes.some((s) => s < 1) || sizes.reduce((p, q) => p + q, 0) !== extent) {
    complain(c.frame, "shape", `split: [${sizes.join(", ")}] do not add up to the ${extent} of axis ${a} of ${showType(x.type)}`, c.span);
  }
  return tensors(c, () => {
    let start = 0;
    return sizes.map((size) => {
      start += size;
      return sliceAxis(x, a, start - size, start);
    });
  });
}
/** Parts of at most `size`, as PyTorch makes them. */
function sizesShown(extent: number, size: number): string {
  const whole = Math.floor(extent / Math.max(1, size));
  if (size < 1 || whole < 1 || whole > 6) return "split(x, [a, b, ...])";
  const sizes = Array.from({ length: whole }, () => size);
  return `split(x, [${[...sizes, ...(extent % size ? [extent % size] : [])].join(", ")}])`;
}
function unstack(x: Node, axis: number, c: BuiltinCall): Value {
  const a = axisOf(c, x, axis);
  const extent = x.type.shape[a]!;
  if (extent > limits.list) complain(c.frame, "limit", `this list has more than ${limits.list} items`, c.span);
  return tensors(c, () => range(0, extent).map((i) => withoutAxes(sliceAxis(x, a, i, i + 1), new Set([a]))));
}

/** One (before, after) pair an axis, for the last axes. */
function padWidths(x: Node, widths: readonly Value[], c: BuiltinCall): readonly (readonly [number, number])[] {
  const pairs = widths.map((w): readonly [number, number] => {
    const ints = intsOf(w);
    if (ints?.length === 1) return [ints[0]!, ints[0]!];
    if (ints?.length === 2) return [ints[0]!, ints[1]!];
    return complain(c.frame, "type", `pad expects a (before, after) pair for each of the last axes, got ${describe(w)}`, c.span);
  });
  const { shape } = x.type;
  if (pairs.length > shape.length) complain(c.frame, "shape", `pad: ${pairs.length} pairs for ${showType(x.type)}`, c.span);
  if (pairs.some(([b, a]) => b < 0 || a < 0)) complain(c.frame, "constant", "pad: widths are not negative", c.span);
  return [...range(0, shape.length - pairs.length).map(() => [0, 0] as const), ...pairs];
}
function pad(x: Node, widths: readonly Value[], mode: string, value: number, c: BuiltinCall): Node {
  const pairs = padWidths(x, widths, c);
  if (mode === "constant") return ops.pad({ x }, { before: pairs.map((p) => p[0]), after: pairs.map((p) => p[1]), value });
  if (mode !== "reflect" && mode !== "edge")
    return complain(c.frame, "constant", `pad: mode is "constant", "reflect" or "edge", got "${mode}"`, c.span);
  return pairs.reduce((y, [before, after], axis) => {
    const extent = y.type.shape[axis]!;
    if (before + after > 0) expectTable(before + extent + after, c);
    if (mode === "reflect" && Math.max(before, after) >= extent) {
      complain(
        c.frame,
        "shape",
        `pad: reflecting ${Math.max(before, after)} needs a larger axis ${axis} than that of ${showType(x.type)}`,
        c.span,
      );
    }
    const inside = (i: number) =>
      mode === "edge" ? Math.min(Math.max(i, 0), extent - 1) : i < 0 ? -i : i >= extent ? 2 * (extent - 1) - i : i;
    return before + after === 0 ? y : byTable(y, axis, range(-before, extent + after).map(inside), c);
  }, x);
}

function roll(x: Node, shift: readonly number[], axis: readonly number[], c: BuiltinCall): Node {
  const axes = axesOf(c, x, axis);
  if (shift.length !== axes.length) complain(c.frame, "type", `roll: ${shift.length} shifts for ${axes.length} axes`, c.span);
  return axes.reduce((y, a, i) => {
    const extent = y.type.shape[a]!;
    const by = ((shift[i]! % extent) + extent) % extent;
    return by === 0 ? y : ops.concat({ xs: [sliceAxis(y, a, extent - by, extent), sliceAxis(y, a, 0, extent - by)] }, { axis: a });
  }, x);
}
const flip = (x: Node, axes: readonly number[], c: BuiltinCall): Node =>
  axes.reduce((y, a) => {
    expectTable(y.type.shape[a]!, c);
    return byTable(y, a, range(0, y.type.shape[a]!).reverse(), c);
  }, x);

/** [N, C r r, H, W] to [N, C, H r, W r]. */
function pixelShuffle(x: Node, r: number, c: BuiltinCall): Node {
  const [n, channels, h, w] = x.type.shape;
  if (x.type.shape.length !== 4 || r < 1 || channels! % (r * r) !== 0) {
    return complain(
      c.frame,
      "shape",
      `pixel_shuffle(${r}) needs 4 dimensions (N, C, H, W) and ${r * r} channels for each of the result, got ${showType(x.type)}`,
      c.span,
    );
  }
  const out = channels! / (r * r);
  const apart = ops.reshape({ x }, { shape: [n!, out, r, r, h!, w!] });
  return ops.reshape({ x: ops.permute({ x: apart }, { axes: [0, 1, 4, 2, 5, 3] }) }, { shape: [n!, out, h! * r, w! * r] });
}

export const shapeFunctions: readonly Builtin[] = [
  operation(
    "reshape",
    "The same elements, row-major, under another shape; one extent may be -1: what is left.",
    { x: tensorArg, shape: intsArg },
    ({ x, shape }, c) => reshape(x, shape, c),
  ),
  operation("broadcast", "x repeated to `shape`, as NumPy's broadcast_to.", { x: tensorArg, shape: intsArg }, ({ x, shape }) =>
    ops.broadcast({ x }, { shape }),
  ),
  operation(
    "flatten",
    "Joins the axes from `from` on: [N, C, H, W] to [N, C * H * W].",
    { x: tensorArg, from: optional(intArg, 1) },
    ({ x, from }, c) => flatten(x, from, c),
  ),
  operation(
    "transpose",
    "Swaps two axes, the last two unless given: [..., I, J] to [..., J, I].",
    { x: tensorArg, a: optional(intArg, -2), b: optional(intArg, -1) },
    ({ x, a, b }, c) => transpose(x, a, b, c),
  ),
  operation(
    "permute",
    "The axes in another order: axis i of the result is axis axes[i] of x.",
    { x: tensorArg, axes: intsArg },
    ({ x, axes }, c) => permute(x, axes, c),
  ),
  operation("squeeze", "Without axes of extent 1: those named, or all of them.", { x: tensorArg, axis: axesArg }, ({ x, axis }, c) =>
    squeeze(x, axis, c),
  ),
  operation(
    "unsqueeze",
    "A new axis of extent 1 before `axis`; -1 is after the last: [N, C] at 1 to [N, 1, C].",
    { x: tensorArg, axis: intArg },
    ({ x, axis }, c) => unsqueeze(x, axis, c),
  ),
  operation(
    "concat",
    "Tensors one after the other along `axis`; their other extents agree.",
    { xs: tensorsArg, axis: optional(intArg, 0) },
    ({ xs, axis }, c) => concat(xs, axis, c),
  ),
  operation("stack", "Tensors of one shape along a new axis.", { xs: tensorsArg, axis: optional(intArg, 0) }, ({ xs, axis }, c) =>
    stack(xs, axis, c),
  ),
  builtin(
    "split",
    "A list of `parts` equal parts along `axis`; or, given a list, of parts of these extents.",
    { x: tensorArg, parts: { ...intsArg, decode: (v) => v, expects: "an int or a list of ints" }, axis: optional(intArg, 0) },
    ({ x, parts, axis }, c) => split(x, parts as Value, axis, c),
  ),
  builtin(
    "unstack",
    "The slices along `axis` as a list, without that axis.",
    { x: tensorArg, axis: optional(intArg, 0) },
    ({ x, axis }, c) => unstack(x, axis, c),
  ),
  operation(
    "pad",
    'A border around the last axes: `widths` has for each a number or (before, after); mode is "constant" (of `value`),' +
      ' "reflect" or "edge".',
    { x: tensorArg, widths: listArg, mode: optional(stringArg, "constant"), value: optional(floatArg, 0) },
    ({ x, widths, mode, value }, c) => pad(x, widths, mode, value, c),
  ),
  operation(
    "roll",
    "Elements moved on by `shift` along `axis`; what falls off comes in again: an int each, or lists.",
    { x: tensorArg, shift: intsArg, axis: intsArg },
    ({ x, shift, axis }, c) => roll(x, shift, axis, c),
  ),
  operation("flip", "Turned around along the axes.", { x: tensorArg, axis: intsArg }, ({ x, axis }, c) => flip(x, axesOf(c, x, axis), c)),
  operation(
    "pixel_shuffle",
    "Channels to pixels: [N, C * factor ** 2, H, W] to [N, C, H * factor, W * factor].",
    { x: tensorArg, factor: intArg },
    ({ x, factor }, c) => pixelShuffle(x, factor, c),
  ),
  operation(
    "cast",
    "Elements as another type: to integers towards zero, saturating, NaN as 0; to bool as `!= 0`; from bool 0 or 1.",
    { x: tensorArg, to: dtypeArg },
    ({ x, to }) => (x.type.dtype === to ? x : ops.cast({ x }, { to })),
  ),
];
