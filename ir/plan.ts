/** Kernels with their memory: what codegen prints. */
import type { Origin } from "./graph/graph.ts";
import type { Kernel } from "./kernel/kernel.ts";
import type { EntryId, Region } from "./program.ts";
import type { Stored } from "./type.ts";

/** Byte offset inside a region. */
export interface Place {
  readonly region: Region;
  readonly offset: number;
}
/**
 * One kernel on given memory; `args` has a place for each in, out and inout buffer, in the order of the kernel's buffers. A buffer
 * that lies in parts has a place for each.
 */
export interface Call {
  readonly kernel: string;
  readonly args: readonly Place[];
  readonly origin: Origin | null;
  /** Floating-point operations, as in `LoweredCall`. */
  readonly flops: number;
}
/** A tensor in the arena, or a part of one, alive during the calls `first` to `last` (inclusive). */
export interface Interval {
  readonly name: string;
  readonly bytes: number;
  readonly stored?: Stored;
  readonly first: number;
  readonly last: number;
  readonly offset: number;
}
export interface Entry {
  readonly name: EntryId;
  readonly calls: readonly Call[];
  readonly intervals: readonly Interval[];
  /** Of the arena, tensors aligned. */
  readonly arenaBytes: number;
  /** Most bytes alive at once, aligned likewise: no plan can do with less. */
  readonly lowerBound: number;
}
export interface Plan {
  readonly name: string;
  /** Distinct kernels, by unique name. */
  readonly kernels: readonly Kernel[];
  readonly entries: readonly Entry[];
  /** Bytes of each region; scratch is per thread, or what kernels keep from one grid loop to the next. */
  readonly sizes: Readonly<Record<Region, number>>;
  /** Where the pages of a region begin, 0 among them: no tensor, and no part of one, lies across. Absent: it is one page. */
  readonly pages?: Readonly<Partial<Record<Region, readonly number[]>>>;
}
