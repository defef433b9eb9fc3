/** What single tokens mean: places, numbers, strings. */
import type { IToken } from "chevrotain";
import { type Diagnostic, diagnostic, type Span } from "../../ir/diagnostic.ts";
import { deepestNesting } from "./prune.ts";

/** Whoever reads the tokens: the file's name, and where to complain. */
export interface Reading {
  readonly path: string;
  readonly report: (problem: Diagnostic) => void;
}

/** From the start of one token to the end of another; no token spans lines. */
export const spanOf = (file: string, from: IToken, to: IToken): Span => ({
  file,
  start: { line: from.startLine!, column: from.startColumn! },
  end: { line: to.startLine!, column: to.startColumn! + Math.max(1, to.image.length) },
});

/** `1_000`, `5e-4`. */
export function numberOf(token: IToken, { path, report }: Reading): number {
  const value = Number(token.image.replaceAll("_", ""));
  const isInt = /^[\d_]+$/.test(token.image);
  if (isInt && !Number.isSafeInteger(value))
    report(diagnostic("syntax", "this number is too large for an int", spanOf(path, token, token)));
  else if (!Number.isFinite(value)) {
    report(diagnostic("syntax", "this number is too large for a float", spanOf(path, token, token), { help: "infinity is `inf`" }));
  }
  return value;
}

const escapes: Readonly<Record<string, string>> = { '"': '"', "\\": "\\", n: "\n", t: "\t" };
/** The characters between the quotes, `\" \\ \n \t` replaced. */
export function textOf(token: IToken, { path, report }: Reading): string {
  const complain = (message: string, help?: string) =>
    report(diagnostic("syntax", message, spanOf(path, token, token), help ? { help } : {}));
  const inner = token.image.slice(1, -1);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  if (/[\x00-\x08\x0b-\x1f\x7f]|\p{Surrogate}/u.test(inner)) complain("found a control character or half of a character in a string");
  return inner.replace(/\\(.)/gsu, (pair, of: string) => {
    if (!(of in escapes)) complain(`found \`${pair}\` in a string`, 'the escapes are `\\"`, `\\\\`, `\\n` and `\\t`');
    return escapes[of] ?? pair;
  });
}

export const tooDeep = (span: Span): Diagnostic => diagnostic("limit", `nested deeper than ${deepestNesting} levels`, span);
