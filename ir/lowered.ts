/** Entries as lists of kernel calls on values, before memory has been planned. */
import type { Graph, Origin, VariableKind } from "./graph/graph.ts";
import type { Kernel } from "./kernel/kernel.ts";
import { rowMajor, strideAlong } from "./layout.ts";
import type { EntryId } from "./program.ts";
import type { Stored, TensorType } from "./type.ts";

/** Where a value has to be: its own place in the arena, the memory of a variable, or an input or output of the
 *  entry (outputs are named `entry.name`; inputs are those of the entry's binding). */
export type Home =
  | { readonly kind: "arena" }
  /** In the arena, as a part of another value: from an index of an axis on. */
  | { readonly kind: "inside"; readonly of: Value; readonly axis: number; readonly start: number }
  | { readonly kind: "variable"; readonly variable: VariableKind; readonly name: string }
  | { readonly kind: "input" | "output"; readonly name: string }
  /** A table of the program, by the name it has in `Lowered.constants`. */
  | { readonly kind: "constant"; readonly name: string };
export interface Table {
  readonly name: string;
  readonly type: TensorType;
  /** Row-major. */
  readonly data: readonly number[];
}
export interface Value {
  /** Readable, unique in the entry. */
  readonly name: string;
  readonly type: TensorType;
  /** What elements are in memory; absent: what the type says. */
  readonly stored?: Stored;
  readonly home: Home;
}
/** The value whose memory it is in. */
export const wholeOf = (v: Value): Value => (v.home.kind === "inside" ? v.home.of : v);
/** Elements from the beginning of the memory that it is in. */
export function offsetInWhole({ home }: Value): number {
  if (home.kind !== "inside") return 0;
  const { shape, layout } = home.of.type;
  return home.start * strideAlong(shape, layout ?? rowMajor(shape.length), home.axis);
}
export interface LoweredCall {
  /** Name of a kernel; its in buffers take `inputs`, its out buffers `outputs`. */
  readonly kernel: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly [Value, ...Value[]];
  /**
   * Of each output, the inputs that it may overwrite: read at the very element that is written, or before it by those who write
   * there.
   */
  readonly inPlace: readonly (readonly Value[])[];
  readonly origin: Origin | null;
  /** Floating-point operations, as their definitions count them: a faster algorithm does not have fewer. */
  readonly flops: number;
}
export interface LoweredEntry {
  readonly name: EntryId;
  readonly graph: Graph;
  readonly calls: readonly LoweredCall[];
}
export interface Lowered {
  /** Distinct kernels, logical, already scheduled into loops. */
  readonly kernels: readonly Kernel[];
  readonly entries: readonly LoweredEntry[];
  /** Literal tables that are read from memory; equal ones once. */
  readonly constants: readonly Table[];
}
