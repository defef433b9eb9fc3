/** Convolutions as functions of their weights. */
import type { Node } from "../../../../ir/graph/graph.ts";
import { expectDType, expectInts } from "../../../../ir/ops/expect.ts";
import { ops } from "../../../../ir/ops/index.ts";
import { type Builtin, type BuiltinCall, intArg, intsArg, operation, optional, tensorArg } from "../builtin.ts";
import { complain } from "../frame.ts";
import { showType } from "../values.ts";
import { forAxes, paddingArg, type Side } from "./spatial.ts";

const one: readonly number[] = [1];
const operands = { x: tensorArg, w: tensorArg, stride: optional(intsArg, one), padding: paddingArg };
const spacing = { dilation: optional(intsArg, one), groups: optional(intArg, 1) };
interface Given {
  readonly stride: readonly number[];
  readonly padding: readonly Side[];
  readonly dilation: readonly number[];
  readonly groups: number;
}
const geometry = (a: Given, rank: number, c: BuiltinCall) => ({
  stride: forAxes("stride", a.stride, rank, c),
  padding: forAxes("padding", a.padding, rank, c).flat(),
  dilation: forAxes("dilation", a.dilation, rank, c),
  groups: a.groups,
});

interface Transposed extends Given {
  readonly output_padding: readonly number[];
}
type TransposedGeometry = ReturnType<typeof geometry> & Pick<Transposed, "output_padding">;
const transposes = {
  2: { axes: "N, C, H, W", kernel: "R, S", op: ops.conv2dInputGrad },
  3: { axes: "N, C, D, H, W", kernel: "Q, R, S", op: ops.conv3dInputGrad },
} as const;
/**
 * The gradient of a convolution by its image; w is [in, out / groups, R, S]. Output padding of a stride and more is room for further
 * windows: x has zeros there.
 */
function convTranspose(rank: 2 | 3, x: Node, w: Node, given: Transposed, c: BuiltinCall): Node {
  const { axes, kernel, op } = transposes[rank];
  if (x.type.shape.length !== rank + 2 || w.type.shape.length !== rank + 2) {
    const got = `${showType(x.type)} and ${showType(w.type)}`;
    complain(c.frame, "shape", `${c.subject} expects x (${axes}) and w (C, O / groups, ${kernel}), got ${got}`, c.span);
  }
  const a = geometry(given, rank, c);
  const more = forAxes("output_padding", given.output_padding, rank, c);
  const extents = a.stride.map((stride, i) => {
    const reach = a.dilation[i]! * (w.type.shape[2 + i]! - 1) + 1;
    return (x.type.shape[2 + i]! - 1) * stride + reach - a.padding[2 * i]! - a.padding[2 * i + 1]! + more[i]!;
  });
  checkTransposed(x, w, { ...a, output_padding: more }, extents, c);
  const windows = [0, 0, ...more.map((o, i) => Math.floor(o / a.stride[i]!))];
  const dy = windows.some((n) => n > 0) ? ops.pad({ x }, { before: windows.map(() => 0), after: windows }) : x;
  return op({ dy, w }, { ...a, shape: [x.type.shape[0]!, w.type.shape[1]! * a.groups, ...extents] });
}
/** In the words of the caller: the operation behind it speaks of the convolution whose gradient it is. */
function checkTransposed(x: Node, w: Node, { groups, ...a }: TransposedGeometry, extents: readonly number[], c: BuiltinCall): void {
  const rank = extents.length;
  for (const [name, t] of Object.entries({ x, w })) expectDType(c.subject, name, t.type, ["f32"]);
  expectInts(c.subject, "stride", a.stride, rank, 1);
  expectInts(c.subject, "padding", a.padding, 2 * rank, 0);
  expectInts(c.subject, "dilation", a.dilation, rank, 1);
  expectInts(c.subject, "groups", [groups], 1, 1);
  const wrong = a.output_padding.find((o, i) => o < 0 || o >= Math.max(a.stride[i]!, a.dilation[i]!));
  if (wrong !== undefined)
    complain(c.frame, "constant", `${c.subject}: output_padding must be smaller than the stride or the dilation, got ${wrong}`, c.span);
  const [[, channels], [outputs]] = [x.type.shape, w.type.shape];
  const types = `${showType(x.type)} and ${showType(w.type)}`;
  if (channels !== outputs) complain(c.frame, "shape", `${c.subject}: x has ${channels} channels, w is for ${outputs}: ${types}`, c.span);
  if (channels! % groups) complain(c.frame, "shape", `${c.subject}: ${groups} groups must divide the ${channels} channels of x`, c.span);
  if (extents.some((n) => n < 1))
    complain(c.frame, "shape", `${c.subject}: the padding takes all of the result, which would have extents ${extents.join(", ")}`, c.span);
}
const transposedArgs = { ...operands, output_padding: optional(intsArg, [0] as readonly number[]), ...spacing };

export const convolutionFunctions: readonly Builtin[] = [
  operation(
    "conv2d",
    "x f32[N, C, H, W] by w f32[O, C / groups, R, S] to f32[N, O, H2, W2], as torch.nn.functional.conv2d without bias. " +
      "`stride`, `dilation`: an int or one for each axis; `padding`: also (before, after).",
    { ...operands, ...spacing },
    ({ x, w, ...a }, c) => ops.conv2d({ x, w }, geometry(a, 2, c)),
  ),
  operation(
    "conv3d",
    "x f32[N, C, D, H, W] by w f32[O, C / groups, Q, R, S], as conv2d.",
    { ...operands, ...spacing },
    ({ x, w, ...a }, c) => ops.conv3d({ x, w }, geometry(a, 3, c)),
  ),
  operation(
    "conv_transpose2d",
    "The gradient of conv2d by its image: x f32[N, C, H, W] by w f32[C, O / groups, R, S] to f32[N, O, H2, W2].",
    transposedArgs,
    ({ x, w, ...a }, c) => convTranspose(2, x, w, a, c),
  ),
  operation(
    "conv_transpose3d",
    "The gradient of conv3d by its image: x f32[N, C, D, H, W] by w f32[C, O / groups, Q, R, S], as conv_transpose2d.",
    transposedArgs,
    ({ x, w, ...a }, c) => convTranspose(3, x, w, a, c),
  ),
];
