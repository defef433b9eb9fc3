/** Windows that slide over the spatial axes: their attributes, as arguments of the language. */
import { int, ints, list, type Term, text } from "../../../decompile/sketch.ts";
import type { Context } from "../context.ts";
import { unsupported } from "../values.ts";

/** One entry for each spatial axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  /** Before and after. */
  readonly padding: readonly (readonly [number, number])[];
}

/** Attributes that say where windows are. */
export const windowAttributes: readonly string[] = ["kernel_shape", "strides", "dilations", "pads", "auto_pad"];
/** `extents` are those of the image. */
export function windowOf(c: Context, kernel: readonly number[], extents: readonly number[]): Window {
  const ones = kernel.map(() => 1);
  const stride = c.attributes.ints("strides") ?? ones;
  const dilation = c.attributes.ints("dilations") ?? ones;
  const pads = c.attributes.ints("pads") ?? [...ones, ...ones].map(() => 0);
  const auto = c.attributes.string("auto_pad", "NOTSET");
  const padding = kernel.map((k, a): readonly [number, number] => {
    if (auto === "VALID") return [0, 0];
    if (auto === "NOTSET" || auto === "") return [pads[a]!, pads[a + kernel.length]!];
    return samePadding(auto, extents[a]!, (k - 1) * dilation[a]! + 1, stride[a]!);
  });
  return { kernel, stride, dilation, padding };
}
/** What keeps ceil(extent / stride): an odd element goes behind, or before. */
function samePadding(auto: string, extent: number, reach: number, stride: number): readonly [number, number] {
  const total = Math.max(0, (Math.ceil(extent / stride) - 1) * stride + reach - extent);
  return sides(auto, total);
}
export function sides(auto: string, total: number): readonly [number, number] {
  const less = Math.floor(total / 2);
  if (auto === "SAME_UPPER") return [less, total - less];
  return auto === "SAME_LOWER" ? [total - less, less] : unsupported(`the padding "${auto}" is not known`);
}

/** One number where all are the same. */
export const perAxis = (values: readonly number[]): Term => (values.every((v) => v === values[0]) ? int(values[0]!) : ints(values));
export const unlessOne = (values: readonly number[]): Term | undefined => (values.every((v) => v === 1) ? undefined : perAxis(values));
/** A number, one for each axis, or pairs; left out where there is none. */
export function paddingTerm(padding: Window["padding"]): Term | undefined {
  if (padding.every(([b, a]) => b === 0 && a === 0)) return undefined;
  if (padding.every(([b, a]) => b === a)) return perAxis(padding.map(([b]) => b));
  return list(padding.map((p) => ints(p)));
}
/** The padding of a convolution of one spatial axis. */
export const sidesTerm = ([[before, after] = [0, 0]]: Window["padding"]): Term | undefined =>
  before === after ? (before === 0 ? undefined : int(before)) : ints([before, after]);
export const isSame = (c: Context): boolean => c.attributes.string("auto_pad", "NOTSET") === "SAME_UPPER";
export const same: Term = text("same");
