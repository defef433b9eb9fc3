/** Which bracket closes which. A bracket that nothing closes is reported where it was opened. */
import type { IToken } from "chevrotain";
import {
  adjacent,
  contextualWords,
  declarationWords,
  is,
  isWord,
  LCurly,
  LParen,
  LSquare,
  Newline,
  RCurly,
  RParen,
  RSquare,
  Text,
} from "./tokens.ts";

export interface OpenBracket {
  readonly token: IToken;
  /** What would have closed it. */
  readonly closer: "`)`" | "`]`" | "`}`";
  /** A `}` at the start of a line that closed something indented differently: a likely place of the missing one. */
  readonly suspect: IToken | null;
}
export interface Brackets {
  /** Closing token of each opening one. */
  readonly closers: ReadonlyMap<IToken, IToken>;
  readonly unclosed: readonly OpenBracket[];
}

/** `model`, `layer`, ... in column 1, before a name, string or `{` set off by a space: a declaration, whatever is open. */
export const startsDeclaration = (token: IToken, next: IToken | undefined): boolean =>
  token.startColumn === 1 && declarationWords.has(token.image) && next !== undefined && isContextual(token, next);

export const isContextual = (token: IToken, next: IToken): boolean =>
  contextualWords.has(token.image) &&
  !adjacent(token, next) &&
  (isWord(next) || is(next, Text) || is(next, LCurly) || /^\d/.test(next.image));

interface Open {
  readonly token: IToken;
  /** Column of the first token on its line. */
  readonly indent: number;
}

export function matchBrackets(tokens: readonly IToken[]): Brackets {
  const closers = new Map<IToken, IToken>();
  const unclosed: OpenBracket[] = [];
  let open: Open[] = [];
  let indent = 1;
  let suspect: IToken | null = null;
  const abandon = (opens: readonly Open[]) => {
    for (const { token } of opens) unclosed.push({ token, closer: closerText(token), suspect: is(token, LCurly) ? suspect : null });
  };
  tokens.forEach((token, i) => {
    const first = i === 0 || is(tokens[i - 1], Newline);
    if (first) indent = token.startColumn!;
    if (startsDeclaration(token, tokens[i + 1])) {
      abandon(open);
      open = [];
      suspect = null;
    } else if (isOpener(token)) open.push({ token, indent });
    else if (isCloser(token)) {
      const at = open.findLastIndex((o) => closes(o.token, token));
      // A `)` does not reach out of the block that it stands in.
      if (at < 0 || (!is(token, RCurly) && open.slice(at).some((o) => is(o.token, LCurly)))) return;
      abandon(open.slice(at + 1));
      const opener = open[at]!;
      if (first && is(token, RCurly) && opener.indent !== token.startColumn) suspect ??= token;
      closers.set(opener.token, token);
      open.length = at;
    }
  });
  abandon(open);
  return { closers, unclosed };
}
export const isOpener = (t: IToken) => is(t, LParen) || is(t, LSquare) || is(t, LCurly);
export const isCloser = (t: IToken) => is(t, RParen) || is(t, RSquare) || is(t, RCurly);
export const closes = (a: IToken, b: IToken) => closerText(a).charAt(1) === b.image;
const closerText = (t: IToken) => (is(t, LParen) ? "`)`" : is(t, LSquare) ? "`]`" : "`}`");
