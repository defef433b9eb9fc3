/** Fields of a program as memory: their bytes, their names in messages. */
import type { Field } from "../ir/program.ts";
import { type DType, sizeOf } from "../ir/type.ts";

/** Bytes of a field as `Backend.write` takes them and `Backend.run` gives them. */
export const bytesIn = (field: Field): number => sizeOf(field.shape) * elementBytes[field.dtype];
export const elementBytes: Readonly<Record<DType, number>> = { f32: 4, i32: 4, u8: 1, bool: 1 };
/** Size of the buffer of a region on WebGPU: not empty, and whole vectors of four words. */
export const storedBytes = (bytes: number): number => Math.max(16, Math.ceil(bytes / 16) * 16);
export const typeOf = ({ dtype, shape }: Field): string => `${dtype}[${shape.join(",")}]`;

/** An input that a GPU reads from where it is. */
export class Source {
  readonly given: object;
  /** In elements. */
  readonly length: number;
  constructor(given: object, length: number) {
    this.given = given;
    this.length = length;
  }
}
