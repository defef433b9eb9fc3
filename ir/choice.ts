/**
 * Decisions between ways that are equally right, of which only measuring knows the fastest. Whoever decides asks; the answer is
 * the first option, which a count of operations and bytes prefers, unless somebody has measured.
 */
import type { Origin } from "./graph/graph.ts";

export interface Question {
  /** What is decided: the same word for all questions of a kind. */
  readonly kind: string;
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
