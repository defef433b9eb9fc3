/** Syntax errors in words: what was found, what was expected, and what to write instead where a habit from elsewhere shows. */
import { EOF, type IToken } from "chevrotain";
import { type Diagnostic, diagnostic } from "../../ir/diagnostic.ts";
import type { Mistake } from "./grammar.ts";
import { spanOf, tooDeep } from "./leaves.ts";
import * as t from "./tokens.ts";

export function describeMistake(mistake: Mistake, path: string): Diagnostic {
  const { found, expected, before } = mistake;
  const previous = before.at(-1);
  const end = previous && { ...previous, startColumn: previous.startColumn! + previous.image.length, image: " " };
  const at = t.is(found, EOF) ? (end ?? { ...found, startLine: 1, startColumn: 1, image: " " }) : found;
  return diagnostic("syntax", `found ${show(found)}, expected ${expected}`, spanOf(path, at, at));
}
const show = (token: IToken): string =>
  t.is(token, EOF) ? "the end of the file" : t.is(token, t.LineEnd) && token.image !== ";" ? "the end of the line" : `\`${token.image}\``;

export function describeSlip(kind: "slashes" | "too deep" | "brace" | "operator", token: IToken, path: string): Diagnostic {
  const span = spanOf(path, token, token);
  switch (kind) {
    case "slashes":
      return diagnostic("syntax", "found `//`, expected a statement", span, { help: "`//` divides; a comment starts with `#`" });
    case "brace":
      return diagnostic("syntax", "found `{` at the start of a line, expected it at the end of the line above", span);
    case "operator":
      return diagnostic("syntax", `found \`${token.image}\` at the start of a line, expected a statement`, span, {
        help: `to go on with the line above, end that line with \`${token.image}\``,
      });
    case "too deep":
      return tooDeep(span);
  }
}
