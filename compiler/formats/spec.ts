/** Data specs of the command line: `kind:rest?option=value&option=value`. */
import { fail } from "../../ir/diagnostic.ts";

export interface Spec {
  /** As the user wrote it. */
  readonly text: string;
  readonly kind: string;
  readonly rest: string;
  readonly options: ReadonlyMap<string, string>;
}

export function parseSpec(text: string): Spec {
  const colon = text.indexOf(":");
  const kind = colon < 0 ? "" : text.slice(0, colon);
  const [, path, query] = /^(.*?)(?:\?([A-Za-z]\w*=.*))?$/s.exec(text.slice(colon + 1))!;
  const options = (query ?? "").split("&").filter((o) => o !== "");
  return { text, kind, rest: path!, options: new Map(options.map((o) => o.split(/=(.*)/s, 2) as [string, string])) };
}

/** A positive number among the options; undefined when not given. */
export function numberOption({ options, text }: Spec, name: string, whole: boolean): number | undefined {
  const value = options.get(name);
  if (value === undefined) return undefined;
  const number = value.trim() === "" ? Number.NaN : Number(value);
  if (!(number > 0 && number < Infinity && (!whole || Number.isSafeInteger(number))))
    fail("data", `\`${name}\` in \`${text}\` must be a positive ${whole ? "whole " : ""}number`, null);
  return number;
}

/** One of several words among the options; undefined when not given. */
export function choiceOption<T extends string>({ options, text }: Spec, name: string, choices: readonly T[]): T | undefined {
  const value = options.get(name);
  if (value === undefined) return undefined;
  const words = `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
  return choices.find((c) => c === value) ?? fail("data", `\`${name}\` in \`${text}\` must be ${words}, found \`${value}\``, null);
}
