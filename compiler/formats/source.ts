/** Where examples come from: named fields, read one example at a time. */
import type { Field } from "../../ir/program.ts";
import type { DType, Shape } from "../../ir/type.ts";

/** One quantity of every example. */
export interface DataField {
  readonly name: string;
  readonly dtype: DType;
  /** Of one example; `[]` is a number. */
  readonly shape: Shape;
  /** Stored values times this are what an f32 input gets: 1/255 for pixels in bytes, else 1. */
  readonly factor: number;
}
export interface Split {
  readonly count: number;
  /** Stored values of a field (by its place in `fields`) of one example, row-major. */
  readonly values: (field: number, example: number) => ArrayLike<number>;
}
export interface DataSource {
  /** As the user wrote it. */
  readonly spec: string;
  readonly fields: readonly DataField[];
  readonly train: Split;
  /** Examples that are never trained on; null: the source has only one set. */
  readonly heldOut: Split | null;
  /** Keeps the last fraction; null: the last examples are that. */
  readonly cut: ((fraction: number) => { readonly train: Split; readonly kept: Split | null }) | null;
  /** A batch of examples in their order goes on where the one before ended: they must not be shuffled. */
  readonly ordered: boolean;
  readonly companions: readonly Companion[];
  /** What the user should know. */
  readonly notes: readonly string[];
}
/** What most sources are. */
export const plainSource = { heldOut: null, cut: null, ordered: false, companions: [], notes: [] } as const;

/** A file that belongs beside the weights: what the numbers of the data mean. */
export interface Companion {
  readonly ending: CompanionEnding;
  readonly text: string;
}
export type CompanionEnding = ".vocab.json" | ".labels.txt";

/** Files as a source reads them; each function fails with a diagnostic. */
export interface Disk {
  readonly read: (path: string) => Uint8Array;
  /** The first bytes of a file, at most so many. */
  readonly head: (path: string, bytes: number) => Uint8Array;
  readonly list: (folder: string) => readonly FolderEntry[];
}
export interface FolderEntry {
  readonly name: string;
  readonly isFolder: boolean;
}

/** The program that takes the examples, for sources that make them to measure. */
export interface Demand {
  /** Batch first. */
  readonly inputs: readonly Field[];
  /** Rows of a batch must continue those of the batch before. */
  readonly streams: () => Promise<boolean>;
  /** Bring pictures to the size of their input. */
  readonly resize: boolean;
  /** Beside the weights, or in the checkpoint; null: there is none. */
  readonly companion: (ending: CompanionEnding) => { readonly path: string; readonly text: string } | null;
  /** The weights may be a start for other classes. */
  readonly fresh: boolean;
  readonly hints: Hints;
}
/** What the user may change; null: nothing. */
export interface Hints {
  /** So that an input takes examples of the wanted shape. */
  readonly size: SizeHint;
  /** So that an input may index `wanted` things in place of `now`: `--set classes=12`. */
  readonly extent: (now: number, wanted: number) => string | null;
}
export type SizeHint = (input: string, now: Shape, wanted: Shape) => string | null;

/** Data that is read and found right; `fit` makes examples for a program. */
export interface Data {
  readonly spec: string;
  readonly fit: (demand: Demand) => Promise<DataSource>;
}

/** What a byte of a picture is multiplied by where nothing else is said. */
export const pixelFactor = 1 / 255;
/** The factor of a field: bytes with axes of their own are pixels. `shape` is of one example. */
export const factorOf = (dtype: DType, shape: Shape, pixel: number): number => (dtype === "u8" && shape.length > 0 ? pixel : 1);

/** Examples `from` to `to` - 1. */
export const sliceOf = (split: Split, from: number, to: number): Split => ({
  count: to - from,
  values: (field, example) => split.values(field, from + example),
});

/** Pixels: values that `--mean` and `--std` speak of. */
export const isImage = ({ shape, factor }: Pick<DataField, "shape" | "factor">): boolean => factor !== 1 || shape.length === 3;
