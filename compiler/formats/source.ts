/** Where examples come from: named fields, read one example at a time. */
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
