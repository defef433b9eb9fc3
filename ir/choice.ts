/**
 * Decisions between ways that are equally right, of which only measuring knows the fastest. Whoever decides asks; the answer is
 * the first option, which a count of operations and bytes prefers, unless somebody has measured.
 */
import type { Origin } from "./graph/graph.ts";

/** What is decided, in words for those who wait while it is measured. */
export const kinds = {
  winograd: "convolutions, directly or by small tiles (Winograd)",
  "winograd backwards": "gradients by the image, directly or by small tiles (Winograd)",
  "winograd of a gradient by kernels": "gradients by the kernel, directly or by small tiles (Winograd)",
  "parts of a gradient": "gradients by the kernel, in parts or all at once",
  "tiles of a group": "how many tiles of a convolution are transformed together",
  "rows of a block": "how many rows of a product are worked off together",
  columns: "second factors of products, copied together (packed) or read where they lie (in place)",
  rows: "first factors of products, copied together (gathered) or read where they lie (in place)",
  tile: "tiles of a product on a GPU",
  "parts of a sum": "parts of a sum on a GPU",
} as const;
export type Kind = keyof typeof kinds;

export interface Question {
  readonly kind: Kind;
  /** What is computed, with types: the same text in every program. */
  readonly about: string;
  /** Preferred first. */
  readonly options: readonly [string, ...string[]];
  /** Whose time depends on the answer. */
  readonly of: { readonly kernel: string } | { readonly origin: Origin | null };
}
export type Choose = (question: Question) => string;

export const preferred: Choose = ({ options }) => options[0];

/** Answers by `keyOf`. */
export type Choices = Readonly<Record<string, string>>;
export const keyOf = ({ kind, about }: Question): string => `${kind}: ${about}`;

/** Answers that were measured where there are such, and are still among the options. */
export const chosenFrom =
  (choices: Choices): Choose =>
  (question) =>
    question.options.find((o) => o === choices[keyOf(question)]) ?? question.options[0];
