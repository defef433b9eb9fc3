/** Syntax errors in words: what was found, what was expected, and what to write instead where a habit from elsewhere shows. */
import { EOF, type IToken } from "chevrotain";
import { type Diagnostic, diagnostic } from "../../ir/diagnostic.ts";
import type { Mistake } from "./grammar.ts";
import { habitOf } from "./habits.ts";
import { spanOf, tooDeep } from "./leaves.ts";
import * as t from "./tokens.ts";

export function describeMistake(mistake: Mistake, path: string): Diagnostic {
  const { found, expected } = mistake;
  const span = spanOf(path, ...placeOf(mistake));
  if (t.is(found, t.OpenText)) return diagnostic("syntax", 'found the end of the line in a string, expected `"`', span);
  const help = habitOf(mistake);
  return diagnostic("syntax", `found ${show(found)}, expected ${expected}`, span, help ? { help } : {});
}
/** The end of the file has no place: it is behind the last token. */
function placeOf({ found, before }: Mistake): [IToken, IToken] {
  if (!t.is(found, EOF)) return [found, t.is(found, t.Unknown) ? { ...found, image: shown(found.image) } : found];
  const last = before.at(-1);
  const place = { ...found, startLine: last?.startLine ?? 1, startColumn: last ? last.startColumn! + last.image.length : 1, image: " " };
  return [place, place];
}
function show(token: IToken): string {
  if (t.is(token, EOF)) return "the end of the file";
  if (t.is(token, t.LineEnd) && token.image !== ";") return "the end of the line";
  const { image } = token;
  const first = shown(image);
  if (t.is(token, t.Unknown)) return /^[\p{L}\p{P}\p{S}]/u.test(first) && first !== "`" ? `\`${first}\`` : `the character ${codeOf(first)}`;
  return image.length > 40 ? `\`${image.slice(0, 37)}...\`` : `\`${image}\``;
}
const shown = (image: string): string => String.fromCodePoint(image.codePointAt(0)!);
const codeOf = (character: string): string => `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;

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
